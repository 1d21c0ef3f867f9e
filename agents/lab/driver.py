"""Drives a registry: requests at random moments at a given rate, whatever becomes of those before them.

Arrivals are a Poisson process (an open loop): a slow registry is asked no less, as by clients that do not
know of each other. Bounds hold nevertheless: on time, on what is under way at once, and `Pace` on failures.
"""

import asyncio
import random
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp
from yarl import URL

from agents.lab.registry_client import LookAroundError, RegistryClient
from pipeline.lab.held import Attempt
from pipeline.lab.pacing import Pace

IDLE_SECONDS = 0.2
"""How often it looks whether a registry that asked for quiet may be asked again."""
AGENT = "undercurrent-loadtest"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is driven. `rates`: operations a second, each for `step_seconds`. `mix`: operation → weight."""

    addresses: tuple[URL, ...]
    rates: tuple[float, ...]
    step_seconds: float
    concurrency: int
    timeout_seconds: float
    mix: Mapping[str, float]
    seed: int = 0
    catalog_entries: int = 100
    push_to: str | None = None
    authorization: str | None = None
    tls: ssl.SSLContext | None = None


@dataclass(slots=True)
class Driven:
    """What came of it. `stopped`: why it ended early, None if it did not."""

    attempts: list[Attempt] = field(default_factory=list)
    back_offs: int = 0
    stopped: str | None = None


async def drive(plan: Plan, stop: asyncio.Event, on_second: Callable[[int, Driven], None]) -> Driven:
    """Drive the plan until it is done, `stop` is set, or the registry fails on at every rate.

    `on_second` is told the step and what has come of it so far, about once a second.

    Raises:
        LookAroundError: there is no registry, or nothing in it to ask for.
    """
    draw = random.Random(plan.seed)  # noqa: S311 - chance for a load, not a secret
    headers = {"User-Agent": AGENT} | ({"Authorization": plan.authorization} if plan.authorization else {})
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=plan.concurrency, ssl=plan.tls or True),
        timeout=aiohttp.ClientTimeout(total=plan.timeout_seconds),
        headers=headers,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )
    async with session:
        client = RegistryClient(session, plan.addresses, draw, plan.catalog_entries, plan.push_to)
        images = await client.look_around()
        if not images and any(plan.mix.get(operation) for operation in ("tags", "pull")):
            raise LookAroundError(
                f"{plan.addresses[0]} holds no image with a tag: push one, or drive without tags and pull"
            )
        return await _Drive(plan, client, draw, stop, on_second).run()


class _Drive:
    def __init__(
        self,
        plan: Plan,
        client: RegistryClient,
        draw: random.Random,
        stop: asyncio.Event,
        on_second: Callable[[int, Driven], None],
    ) -> None:
        self._plan = plan
        self._client = client
        self._draw = draw
        self._stop = stop
        self._on_second = on_second
        self._driven = Driven()
        self._under_way: set[asyncio.Task[None]] = set()
        self._told_at = 0.0

    async def run(self) -> Driven:
        try:
            for step, rate in enumerate(self._plan.rates):
                pace = Pace(rate)
                await self._step(step, pace)
                self._driven.back_offs += pace.back_offs
                if self._stop.is_set() or pace.gave_up:
                    self._driven.stopped = (
                        f"the registry kept failing at {rate:g} requests/s and below"
                        if pace.gave_up
                        else "interrupted"
                    )
                    break
            if self._under_way:
                await asyncio.wait(self._under_way, timeout=self._plan.timeout_seconds)
        finally:
            for task in self._under_way:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)
        return self._driven

    async def _step(self, step: int, pace: Pace) -> None:
        """One rate, for its time."""
        names, weights = list(self._plan.mix), list(self._plan.mix.values())
        now = time.monotonic()
        end, due = now + self._plan.step_seconds, now
        while now < end and not self._stop.is_set() and not pace.gave_up:
            rate = pace.rate(now)
            due = now + IDLE_SECONDS if rate <= 0 else max(due, now - 1.0) + self._draw.expovariate(rate)
            await self._wait(min(due, end) - now)
            now = time.monotonic()
            if rate > 0 and due < end and not self._stop.is_set():
                self._send(step, self._draw.choices(names, weights)[0], pace)
            if now - self._told_at >= 1.0:
                self._told_at = now
                self._on_second(step, self._driven)

    async def _wait(self, seconds: float) -> None:
        if seconds > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), seconds)

    def _send(self, step: int, operation: str, pace: Pace) -> None:
        at = time.time()  # noqa: TID251  an attempt is set beside logs, which bear the wall clock's time
        if len(self._under_way) >= self._plan.concurrency:
            self._driven.attempts.append(Attempt(at, step, operation, "unsent", None, 0.0))
            return
        task = asyncio.create_task(self._attempt(at, step, operation, pace))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _attempt(self, at: float, step: int, operation: str, pace: Pace) -> None:
        began = time.monotonic()
        status, after, outcome = None, 0.0, "failed"
        try:
            answer = await self._client.do(operation)
            status, after = answer.status, answer.retry_after_seconds
            outcome = "failed" if answer.failed else "ok"
        except TimeoutError:
            outcome = "timeout"
        except aiohttp.ClientError:
            pass
        now = time.monotonic()
        pace.result(now, outcome != "ok", after if outcome == "failed" else 0.0)
        self._driven.attempts.append(Attempt(at, step, operation, outcome, status, now - began))


def addresses_of(given: Sequence[str]) -> tuple[URL, ...]:
    """Read what may be asked.

    Raises:
        ValueError: one is no plain http or https address.
    """
    found = []
    for text in given:
        url = URL(text)
        if url.scheme not in ("http", "https") or not url.host:
            raise ValueError(f"{text!r} is no address such as http://127.0.0.1:5000")
        if url.user or url.password:
            raise ValueError("an address must not hold a password: use --auth-file")
        if url.path not in ("", "/") or url.query_string:
            raise ValueError(f"{text!r}: give the registry's address without a path")
        found.append(url.origin())
    return tuple(found)
