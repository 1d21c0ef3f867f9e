"""The load test: bounds that hold, back-off, and no address but those that were listed."""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from agents.cli import main
from agents.lab.driver import addresses_of
from pipeline.lab.held import Attempt, sum_up
from pipeline.lab.pacing import BACK_OFFS_MAX, HOLD_SECONDS, Pace
from tools import local_registry
from tools.ports import free_ports


def loadtest(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["loadtest", *arguments])


# --- Pace ---


def feed(pace: Pace, start: float, seconds: float, failed: bool, per_second: int = 20) -> None:
    for number in range(round(seconds * per_second)):
        pace.result(start + number / per_second, failed)


def test_a_service_that_does_well_is_driven_at_the_full_rate() -> None:
    """A stray failure slows nothing."""
    pace = Pace(10)
    feed(pace, 0, 5, failed=False)
    pace.result(5, failed=True)
    assert (pace.rate(5), pace.back_offs) == (10, 0)


def test_failures_halve_the_rate_once_and_it_comes_back_slowly() -> None:
    """What was under way at the old rate does not count against the new one."""
    pace = Pace(10)
    feed(pace, 0, HOLD_SECONDS - 0.5, failed=True)
    assert (pace.rate(HOLD_SECONDS - 0.5), pace.back_offs) == (5, 1)
    assert 5 < pace.rate(HOLD_SECONDS + 3) < 10
    assert pace.rate(60) == 10


def test_it_gives_up_where_no_rate_helps() -> None:
    """A service that fails on at every rate is left alone; one that recovers is not given up."""
    pace = Pace(10)
    feed(pace, 0, 60, failed=True)
    assert pace.gave_up
    assert (pace.rate(61), pace.back_offs) == (0, BACK_OFFS_MAX)
    mended = Pace(10)
    for round_ in range(BACK_OFFS_MAX + 2):
        feed(mended, round_ * 60, 4, failed=True)
        feed(mended, round_ * 60 + 30, 20, failed=False)
    assert not mended.gave_up


def test_a_service_may_ask_for_quiet() -> None:
    """Nothing is sent until the time of its Retry-After is over."""
    pace = Pace(10)
    pace.result(1, failed=True, retry_after_seconds=7)
    assert pace.rate(7.9) == 0
    assert pace.rate(8.1) == 10


# --- What held ---


def test_what_was_not_sent_did_not_hold() -> None:
    """Percentiles are of what was answered; what timed out, failed or was never sent counts against it."""
    attempts = [Attempt(0, 0, "pull", "ok", 200, n / 100) for n in range(1, 101)]
    (good,) = sum_up(attempts, [5])
    assert (good.p50_seconds, good.p95_seconds, good.failed_ratio) == (0.5, 0.95, 0.0)
    assert good.holds(0.01, 1.0)
    assert not good.holds(0.01, 0.9)
    (bad,) = sum_up([*attempts, *[Attempt(0, 0, "pull", "unsent", None, 0.0)] * 5], [5])
    assert not bad.holds(0.01, 1.0)
    assert [one.holds(1.0, 9.0) for one in sum_up(attempts, [5, 10])] == [True, False]


@pytest.mark.parametrize(
    "given", ["ftp://host", "host:5000", "http://user:secret@host", "http://host/v2/", "http://"]
)
def test_only_plain_addresses_are_taken(given: str) -> None:
    """A path, a password or another scheme is refused, and a password is not repeated."""
    with pytest.raises(ValueError, match=r"address|password") as refused:
        addresses_of([given])
    assert "secret" not in str(refused.value)


# --- Against servers ---


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextmanager
def served(handler: Handler) -> Iterator[str]:
    """A server on loopback, in a thread of its own: not a registry, but what one may become."""
    ready: list[str] = []
    up = threading.Event()
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        ready.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
        down = asyncio.Event()
        loops.append((asyncio.get_running_loop(), down))
        up.set()
        await down.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert up.wait(10)
    try:
        yield ready[0]
    finally:
        loop, down = loops[0]
        loop.call_soon_threadsafe(down.set)
        thread.join(10)


def looks_like_one(request: web.Request) -> web.StreamResponse | None:
    """Answers to looking around."""
    path = request.path
    if path == "/v2/_catalog":
        return web.json_response({"repositories": ["app"]})
    if path.endswith("/tags/list"):
        return web.json_response({"tags": ["1"]})
    if "/manifests/" in path:
        return web.json_response({"layers": [{"digest": "sha256:abc"}]})
    return None


def test_no_redirect_is_followed() -> None:
    """A blob that lies elsewhere is an answer; elsewhere is never asked, nor told who asks."""
    seen: Counter[str] = Counter()

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        seen["elsewhere"] += 1
        return web.Response()

    with served(elsewhere) as other:

        async def redirecting(request: web.Request) -> web.StreamResponse:
            seen[request.path] += 1
            return looks_like_one(request) or web.Response(status=307, headers={"Location": f"{other}/blob"})

        with served(redirecting) as address:
            result = loadtest(address, "--seconds", "1", "--rate", "40", "--mix", "pull=1", "--json")
    assert result.exit_code == 0, result.output
    assert seen["/v2/app/blobs/sha256:abc"] > 0
    assert seen["elsewhere"] == 0


def test_a_failing_registry_is_left_alone_and_does_not_hold() -> None:
    """It backs off at once; the exit code says that the rate did not hold."""

    async def failing(request: web.Request) -> web.StreamResponse:
        if request.path == "/v2/":
            return web.Response(status=503)
        return looks_like_one(request) or web.Response()

    with served(failing) as address:
        result = loadtest(address, "--seconds", "2", "--rate", "60", "--mix", "probe=1", "--json")
    assert result.exit_code == 1
    body = orjson.loads(result.stdout)
    assert body["held"] is False
    assert body["back_offs"] >= 1
    assert body["steps"][0]["sent"] < 2 * 60


def test_no_more_are_under_way_than_allowed() -> None:
    """A registry that hangs meets the bound and no more; the rest is counted as unsent."""
    under_way: list[int] = [0, 0]

    async def hanging(request: web.Request) -> web.StreamResponse:
        if request.path != "/v2/":
            return looks_like_one(request) or web.Response()
        under_way[0] += 1
        under_way[1] = max(under_way)
        try:
            await asyncio.sleep(0.7)
        finally:
            under_way[0] -= 1
        return web.Response()

    with served(hanging) as address:
        result = loadtest(
            address, "--seconds", "1", "--rate", "50", "--concurrency", "3", "--mix", "probe=1", "--json"
        )
    step = orjson.loads(result.stdout)["steps"][0]
    assert under_way[1] == 3
    assert step["unsent"] > 0
    assert result.exit_code == 1


def test_wrong_usage_and_no_registry_end_with_two(tmp_path: Path) -> None:
    """Nothing is driven where something is amiss."""
    nobody = f"http://127.0.0.1:{free_ports(1)[0]}"
    assert loadtest(nobody, "--seconds", "1").exit_code == 2
    assert loadtest().exit_code == 2
    assert loadtest("http://u:p@127.0.0.1").exit_code == 2
    assert loadtest(nobody, "--mix", "delete=1").exit_code == 2
    assert loadtest(nobody, "--mix", "push=1").exit_code == 2
    assert loadtest(nobody, "--rate", "100000").exit_code == 2


@pytest.mark.needs("docker-registry")
def test_a_real_registry_holds_a_small_load(tmp_path: Path) -> None:
    """Pulls, tags, catalog, probes and pushes at Debian's registry go well, and it holds."""
    with local_registry.registry(tmp_path) as (address, _):
        local_registry.fill(address, 3)
        out = tmp_path / "attempts.jsonl"
        result = loadtest(
            f"http://{address}", "--seconds", "2", "--rate", "10", "--rate", "20", "--push-to", "load/test",
            "--mix", "catalog=1,tags=2,pull=3,probe=1,push=1", "--p95-max", "60", "--out", str(out), "--json",
        )  # fmt: skip
    assert result.exit_code == 0, result.output
    body = orjson.loads(result.stdout)
    assert [step["failed"] + step["timeouts"] + step["unsent"] for step in body["steps"]] == [0, 0]
    attempts = [orjson.loads(line) for line in out.read_bytes().splitlines()]
    assert {one["operation"] for one in attempts} == {"catalog", "tags", "pull", "probe", "push"}
    assert {one["status"] for one in attempts} <= {200, 201}
