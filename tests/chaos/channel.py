"""The tests' Slack beside real worker processes: on a thread of its own, on the clock of the wall."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any, Self

from pipeline.render.slack import root_message
from pipeline.render.words import catalogue
from schemas import Change
from tests.slack.server import FakeSlack
from tests.slack.stories import payload, roots

TOKEN = "xoxb-000000000000-chaos"


class LiveSlack:
    """A FakeSlack that other processes can reach while the test does something else."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self.slack = FakeSlack(time.monotonic, TOKEN)

    async def _serve(self) -> None:
        async with self.slack:
            self._ready.set()
            await self._stop.wait()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    @property
    def variables(self) -> dict[str, str]:
        """What makes a worker talk to this Slack."""
        return {
            "SLACK_BOT_TOKEN": TOKEN,
            "UNDERCURRENT_SLACK_CHANNEL": self.slack.channel.id,
            "UNDERCURRENT_SLACK_BASE_URL": self.slack.url,
        }

    def has_all(self, changes: Iterable[Change]) -> bool:
        """Whether the last change of each incident is in the channel."""
        return all(
            any(payload(root)["seq"] >= change.seq for root in roots(self.slack, change.incident.id))
            for change in last_of_each(changes)
        )

    def check(self, changes: Iterable[Change]) -> None:
        """As `check_steps`, and each root has its incident's last word."""
        changes = list(changes)
        self.check_steps(changes)
        words = catalogue("en")
        for change in last_of_each(changes):
            (root,) = roots(self.slack, change.incident.id)
            wanted = root_message(change, words)
            assert {key: root[key] for key in ("text", "blocks")} == {
                key: wanted[key] for key in ("text", "blocks")
            }

    def check_steps(self, changes: Iterable[Change]) -> None:
        """One root for each incident, and its steps in order and once; nothing else, in whatever words."""
        last = last_of_each(changes)
        for change in last:
            incident = change.incident.id
            (root,) = roots(self.slack, incident)
            replies = [payload(one) for one in self.slack.channel.thread(root["ts"])]
            steps = [one["seq"] for one in replies if one.get("message") == "reply"]
            assert steps == sorted(set(steps)), f"{incident}: {steps}"
            assert steps[-1:] == [change.seq], f"{incident} ends with step {steps[-1:]}, not {change.seq}"
        told = {payload(one).get("incident") for one in self.slack.channel.top()}
        assert told == {change.incident.id for change in last}

    def answers(self) -> dict[str, int]:
        """How often each method was called."""
        return dict(Counter(one.method for one in self.slack.requests))

    def messages(self) -> list[dict[str, Any]]:
        """Everything in the channel."""
        return list(self.slack.channel.messages)


def last_of_each(changes: Iterable[Change]) -> list[Change]:
    """The last change of each incident."""
    last: dict[str, Change] = {}
    for change in sorted(changes, key=lambda one: one.seq):
        last[change.incident.id] = change
    return list(last.values())
