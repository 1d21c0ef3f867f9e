"""Health: a worker is judged by its progress, and its page says what is wrong."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from agents.health import Health
from agents.settings import Web
from agents.telemetry import Telemetry
from agents.web import WebServer

STALL = 60.0


@pytest.fixture
def health() -> Health:
    """A worker whose two stages have just been seen, at clock 0, with nothing to do."""
    health = Health(("intake", "agents"), STALL)
    health.beat("intake", 100, 0, 0.0)
    health.beat("agents", 10, 0, 0.0)
    return health


def test_lag_without_progress_is_a_stall(health: Health) -> None:
    """Something is left to read and the position does not move: alive by name only."""
    for now in (10.0, 40.0, 71.0):
        health.beat("intake", 100, 5, now)
        health.beat("agents", 10, 0, now)
    assert health.stalled(71.0) == ["intake: 5 records left and no progress for 71 s"]
    assert health.unready(71.0) == health.stalled(71.0)


def test_lag_with_progress_is_work(health: Health) -> None:
    """However much is left, a position that moves is progress."""
    for step in range(20):
        health.beat("intake", 100 + step, 1_000_000, step * 50.0)
    assert health.stalled(950.0) == []


def test_no_lag_is_no_stall(health: Health) -> None:
    """With nothing to read nothing needs to move."""
    health.beat("intake", 100, 0, 10_000.0)
    health.beat("agents", 10, 0, 10_000.0)
    assert health.unready(10_000.0) == []


def test_a_stall_is_counted_from_when_work_came(health: Health) -> None:
    """An hour of idleness is not held against the first second of work."""
    health.beat("intake", 100, 0, 3600.0)
    health.beat("intake", 100, 5, 3601.0)
    assert health.stalled(3602.0) == []


def test_a_worker_without_partitions_is_not_ready_but_alive(health: Health) -> None:
    """During a rebalance nobody should send traffic, nor restart the worker."""
    health.reset("agents")
    assert health.unready(1.0) == ["agents: waits for its partitions"]
    assert health.stalled(1.0) == []


def test_a_kafka_that_does_not_answer_makes_a_worker_unready(health: Health) -> None:
    """Nothing is known of the lag then; restarting the worker would not help."""
    assert health.stalled(100.0) == []
    assert health.unready(100.0)[0] == "intake: Kafka has not answered for 100 s"


@pytest.fixture
async def address(health: Health) -> AsyncIterator[str]:
    """A running page on a free port of loopback."""
    server = WebServer(Web(port=0), Telemetry(), health)
    yield await server.start()
    await server.stop()


async def get(url: str) -> tuple[int, str]:
    """Status and text of a page."""
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


async def test_the_page_serves_metrics_and_says_what_is_wrong(address: str, health: Health) -> None:
    """200 and `ok` when all is well; 503 and the reason when it is not."""
    import time

    now = time.monotonic()
    health.beat("intake", 1, 0, now)
    health.beat("agents", 1, 0, now)
    assert await get(f"{address}/healthz") == (200, "ok\n")
    assert await get(f"{address}/readyz") == (200, "ok\n")
    status, text = await get(f"{address}/metrics")
    assert status == 200
    assert "undercurrent_frames_total 0.0" in text
    health.reset("intake")
    assert await get(f"{address}/readyz") == (503, "intake: waits for its partitions\n")
    health.beat("intake", 2, 7, now - STALL - 5)
    status, text = await get(f"{address}/healthz")
    assert status == 503
    assert text.startswith("intake: 7 records left and no progress for ")
