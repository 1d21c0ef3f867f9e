"""Time passes over a long silence without a step for each second of it, and says the same."""

from time import process_time

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core import Correlator, Output
from schemas import Observation, Origin, Rules, Sample, SampleKind, Symptom, SymptomKind

BEGIN = 1_795_424_900
YEAR_SECONDS = 365 * 86_400


def _burst(second: int, count: int) -> Symptom:
    """Requests of one instance that failed within one second."""
    ids = tuple(f"{second:08x}{number:08x}" for number in range(count))
    return Symptom(
        kind=SymptomKind.REQUEST_CANCELLED,
        instance="registry-a",
        second=second,
        count=count,
        observations=tuple(
            Observation(id=one, time=second + 0.5, duration_seconds=0.2, request=one) for one in ids
        ),
    )


def _lookup(second: int) -> Symptom:
    return Symptom(
        kind=SymptomKind.DNS_TIMEOUT,
        instance="registry-a",
        second=second,
        upstream="10.0.0.2",
        count=1,
        observations=(Observation(id=f"{second:016x}", time=second + 0.25),),
    )


def _memory(second: int) -> Sample:
    return Sample(
        kind=SampleKind.MEMORY,
        instance="registry-a",
        time=float(second),
        values={"oom_kills_total": float(second % 3)},
        source="cgroup",
        origin=Origin(topic="registry.metrics", partition=0, offset=second - BEGIN),
    )


MOMENTS = st.lists(
    st.tuples(st.integers(0, 6_000), st.sampled_from([_lookup, _memory, lambda at: _burst(at, 6)])),
    min_size=1,
    max_size=5,
)


@settings(max_examples=25, deadline=None)
@given(MOMENTS, st.integers(0, 59))
def test_one_step_over_a_silence_says_what_a_thousand_say(moments: list[object], phase: int) -> None:
    """Advancing by hours at once gives the outputs and the state of advancing second by second."""
    signals = [make(BEGIN + phase + at) for at, make in moments]  # type: ignore[attr-defined]
    end = BEGIN + 8_000
    leaping, stepping = Correlator("d", Rules()), Correlator("d", Rules())
    for signal in signals:
        leaping.receive(signal)
        stepping.receive(signal)
    leapt = leaping.advance(end)
    stepped: list[Output] = []
    for second in range(BEGIN, end + 1):
        stepped += stepping.advance(second)
    assert leapt == stepped
    assert leaping.snapshot() == stepping.snapshot()


def test_a_clock_that_stood_still_for_years_does_not_stop_the_worker() -> None:
    """A record from thirty years ago before those of today costs no more than a moment."""
    correlator = Correlator("d", Rules())
    correlator.receive(_burst(BEGIN - 30 * YEAR_SECONDS, 1))
    correlator.receive(_burst(BEGIN, 6))
    began = process_time()
    outputs = correlator.advance(BEGIN + 600)
    assert process_time() - began < 10  # second by second it takes an hour
    assert outputs
