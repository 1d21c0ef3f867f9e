"""More happens than a domain may remember: it is counted by estimate, said to be, and judged as before."""

import random
import zlib
from collections import Counter
from hashlib import blake2b

import orjson
import pytest

from pipeline.core import Correlator, Output
from schemas import Change, Observation, Origin, Rules, Sample, SampleKind, Signal, Symptom, SymptomKind

BEGIN = 1_795_424_900
SECONDS = 240
INSTANCES = tuple(f"registry-{one}" for one in "abcd")
FAILED, WELL = 20, 30
"""Requests of an instance in a second."""
TIGHT = Rules(history_max=10_000, observations_per_second=100)


def _requests(instance: str, second: int, kind: SymptomKind, count: int) -> Symptom:
    seen = tuple(
        Observation(
            id=(name := blake2b(f"{instance}/{second}/{kind}/{number}".encode(), digest_size=8).hexdigest()),
            time=second + number / count,
            duration_seconds=3.0 + number * 0.37 % 9,
            request=name,
            client="docker/24.0",
            route="blob",
        )
        for number in range(count)
    )
    return Symptom(kind=kind, instance=instance, second=second, count=count, observations=seen)


def _cpu(instance: str, second: int) -> Sample:
    return Sample(
        kind=SampleKind.CPU,
        instance=instance,
        time=second + 0.5,
        values={"limit_cores": 0.1, "usage_cores": 0.1, "throttled_ratio": 1.0},
        source="cgroup",
        origin=Origin(topic="registry.metrics", partition=0, offset=second - BEGIN),
    )


@pytest.fixture(scope="module")
def signals() -> dict[int, list[Signal]]:
    """All instances starve, and fail two requests in five."""
    return {
        second: [
            one
            for instance in INSTANCES
            for one in (
                _requests(instance, second, SymptomKind.REQUEST_CANCELLED, FAILED),
                _requests(instance, second, SymptomKind.REQUEST_OK, WELL),
                _cpu(instance, second),
            )
        ]
        for second in range(BEGIN, BEGIN + SECONDS)
    }


def _live(correlator: Correlator, signals: dict[int, list[Signal]], mixed: bool = False) -> list[Output]:
    """Hand over one second after the other, or shuffled and partly twice."""
    said: list[Output] = []
    dice = random.Random(7)
    for second, given in signals.items():
        handed = dice.sample([*given, *given[:3]], len(given) + 3) if mixed else given
        for signal in handed:
            said += correlator.receive(signal)
        said += correlator.advance(second + 1.0)
    return said + correlator.advance(BEGIN + SECONDS + 200.0)


def test_what_does_not_fit_is_counted_by_estimate_and_said_to_be(signals: dict[int, list[Signal]]) -> None:
    """The incident says "about", comes near the truth, and has its cause; nothing is let go in silence."""
    correlator = Correlator("shop", TIGHT)
    said = _live(correlator, signals)
    (last,) = {one.incident.id: one.incident for one in said if isinstance(one, Change)}.values()
    truth = len(INSTANCES) * SECONDS * FAILED
    assert last.cause == "cpu_saturation"
    assert last.impact.estimated
    assert last.impact.requests_failed == pytest.approx(truth, rel=0.1)
    assert last.impact.requests_total == pytest.approx(truth * (FAILED + WELL) / FAILED, rel=0.1)
    let_go = correlator.let_go()
    assert let_go["estimated"] > 0.5 * truth
    assert not correlator.let_go(), "told once"


def test_its_state_keeps_within_the_bound(signals: dict[int, list[Signal]]) -> None:
    """However much happens, a domain keeps what its rules allow, and forgets the oldest of it first."""
    sizes = {}
    for name, rules in (("tight", TIGHT), ("roomy", Rules())):
        correlator = Correlator("shop", rules)
        let_go = Counter[str]()
        for second, given in signals.items():
            for signal in given:
                correlator.receive(signal)
            correlator.advance(second + 1.0)
            let_go += correlator.let_go()
        snapshot = correlator.snapshot()
        kept = sum(len(row[7]) for row in snapshot["events"]) + sum(
            len(row[3]) for row in snapshot["samples"]
        )
        sizes[name] = kept, len(zlib.compress(orjson.dumps(snapshot), 1))
        assert bool(let_go) == (name == "tight")
    kept, packed = sizes["tight"]
    unsettled = (TIGHT.lateness_seconds + 1) * len(INSTANCES) * (FAILED + WELL + 1)
    needed = 180 * (TIGHT.observations_per_second + len(INSTANCES))
    assert kept <= max(TIGHT.history_max, needed) + 30 * TIGHT.observations_per_second + unsettled
    assert packed < sizes["roomy"][1] / 2


def test_order_and_repetitions_leave_no_trace_in_an_estimate(signals: dict[int, list[Signal]]) -> None:
    """What is let go depends on what happened, not on how it arrived."""
    told = [_live(Correlator("shop", TIGHT), signals, mixed) for mixed in (False, True)]
    assert told[0] == told[1]


def test_successes_go_before_failures() -> None:
    """Where leaving out successes makes room enough, every failure is kept and the count is exact."""
    few = {
        second: [
            _requests("registry-a", second, SymptomKind.REQUEST_CANCELLED, 10),
            _requests("registry-a", second, SymptomKind.REQUEST_OK, 200),
            _cpu("registry-a", second),
        ]
        for second in range(BEGIN, BEGIN + 30)
    }
    said = _live(Correlator("shop", TIGHT), few)
    last = [one.incident for one in said if isinstance(one, Change)][-1]
    assert last.impact.requests_failed == 300
    assert not last.impact.estimated
