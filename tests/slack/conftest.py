"""A Slack, a clock both sides share, and speakers that talk to it through the real client."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import structlog

from agents.tell.slack import SlackSpeaker
from tests.slack.server import FakeSlack

TOKEN = "xoxb-000000000000-secretsecretsecret"


class Clock:
    """Time that passes only where somebody sleeps: waits are real, waiting is not."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def slack(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeSlack]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with FakeSlack(clock.now, TOKEN) as server:
        yield server


@pytest.fixture
def heard() -> list[tuple[str, str]]:
    return []


Speakers = Callable[..., SlackSpeaker]


@pytest.fixture
def speaker(slack: FakeSlack, clock: Clock, heard: list[tuple[str, str]]) -> Speakers:
    """Make a speaker: each call is a process started anew."""

    def make(token: str = TOKEN, channel: str = "C0REGISTRY", url: str = "", **more: Any) -> SlackSpeaker:
        return SlackSpeaker(
            token,
            channel,
            base_url=url or slack.url,
            timeout_seconds=1,
            clock=clock,
            heard=lambda act, outcome: heard.append((act, outcome)),
            **more,
        )

    return make


@pytest.fixture
def logged() -> list[str]:
    """Every line logged, by us and by the libraries, down to debug."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    def keep(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        lines.append(repr(event))
        raise structlog.DropEvent

    root, handler, level = logging.getLogger(), Keep(), logging.getLogger().level
    loud = [logging.getLogger(name) for name in ("slack_sdk", "aiohttp", "asyncio")]
    before = [(one, one.level) for one in loud]
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    for one in loud:
        one.setLevel(logging.DEBUG)
    config = structlog.get_config()
    structlog.configure(
        processors=[keep],
        cache_logger_on_first_use=False,
        wrapper_class=structlog.make_filtering_bound_logger(0),
    )
    yield lines
    structlog.configure(**config)
    root.removeHandler(handler)
    root.setLevel(level)
    for one, old in before:
        one.setLevel(old)
