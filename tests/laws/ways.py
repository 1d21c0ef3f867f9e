"""The ways in which a history can reach the core, and what the core says to it.

`play` runs steps, which are signals to receive and event times to advance to. All ways of one history
that stay within the allowed lateness must end in the same words.
"""

from collections.abc import Callable, Iterable

import orjson

from pipeline.core import Correlator, Output
from schemas import Decision, Rules, Signal, encode
from schemas.rules import Burst, Lifecycle
from tests.laws.histories import BASE, SECONDS, Fact, History, signals

DOMAIN = "registry"

BRISK = Rules(
    lateness_seconds=5,
    evidence_grace_seconds=20,
    rival_grace_seconds=10,
    unproven_after_seconds=5,
    hold_seconds=20,
    retention_seconds=60,
    burst=Burst(window_seconds=30),
    lifecycle=Lifecycle(recovering_after_seconds=5, resolved_after_seconds=15, reopen_within_seconds=60),
)
"""Rules under which a whole life fits into two minutes."""

Step = Signal | float
"""A signal to receive, or an event time to advance to."""


def at_once(history: History, end: float) -> list[Step]:
    """Everything is received before any time passes."""
    return [*signals(history), end]


def arriving(
    history: Iterable[Fact], end: float, delay: Callable[[int, Fact], float], flush_seconds: int = 1
) -> list[Step]:
    """Fact number i arrives `delay(i, fact)` seconds after it happened; a flush ends every few seconds."""
    start = BASE
    by_flush: dict[int, list[Fact]] = {}
    for number, fact in enumerate(history):
        flush = int((fact.time + delay(number, fact) - start) // flush_seconds)
        by_flush.setdefault(flush, []).append(fact)
    steps: list[Step] = []
    for flush in range(max(by_flush, default=0) + 1):
        steps += signals(by_flush.get(flush, ()))
        steps.append(start + float((flush + 1) * flush_seconds))
    return [*steps, end]


def stepwise(history: History, end: float, step_seconds: float) -> list[Step]:
    """Received at once, but time passes in steps."""
    count = int((end - BASE) / step_seconds)
    return [*signals(history), *(BASE + number * float(step_seconds) for number in range(1, count + 1)), end]


def play(
    steps: Iterable[Step], rules: Rules, restart_before: Callable[[int], bool] = lambda _: False
) -> list[bytes]:
    """What a core says to the steps, in order, as it would be written to a topic.

    Before each step number for which `restart_before` holds, the core is written down as JSON,
    thrown away and read back.
    """
    return [encode(output) for output in outputs(steps, rules, restart_before)]


def outputs(
    steps: Iterable[Step], rules: Rules, restart_before: Callable[[int], bool] = lambda _: False
) -> list[Output]:
    core = Correlator(DOMAIN, rules)
    said: list[Output] = []
    for number, step in enumerate(steps):
        if restart_before(number):
            core = Correlator.restore(DOMAIN, rules, orjson.loads(orjson.dumps(core.snapshot())))
        said += core.advance(step) if isinstance(step, float) else core.receive(step)
    return said


def end_of(rules: Rules) -> float:
    """An event time by which everything a history can start is over."""
    life = rules.lifecycle
    waits = (
        rules.lateness_seconds,
        rules.hold_seconds_max,
        rules.evidence_grace_seconds,
        rules.burst.window_seconds,
        life.recovering_after_seconds,
        life.resolved_after_seconds,
        rules.retention_seconds,
    )
    return BASE + SECONDS + sum(waits)


def decisions(said: Iterable[Output]) -> list[Decision]:
    return [one for one in said if isinstance(one, Decision)]


def same(said: list[bytes], expected: list[bytes]) -> None:
    """Fail with the first record that differs, not with all of them."""
    for number, (one, other) in enumerate(zip(said, expected, strict=False)):
        assert one == other, f"record {number} differs:\n  {one.decode()}\n  {other.decode()}"
    longer = max(said, expected, key=len)
    assert len(said) == len(expected), f"one says {longer[min(len(said), len(expected))].decode()}"
