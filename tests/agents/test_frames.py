"""Frames on their way to Kafka: in the partition of their domain, and never larger than Kafka takes."""

import pytest

from agents.frames import encoded, outgoing
from agents.outbox import RECORD_BYTES_MAX
from agents.settings import Topics
from agents.topics import partition_of
from schemas import Exemplar, Frame, Observation, Origin, Sample, SampleKind, Symptom, SymptomKind, decode

ORIGIN = Origin(topic="registry.logs", partition=0, offset=0)


def symptom(second: int, observations: int, client: str = "curl", exemplars: int = 0) -> Symptom:
    """A roll-up of this size."""
    return Symptom(
        kind=SymptomKind.REQUEST_CANCELLED,
        instance="a",
        second=second,
        count=observations,
        observations=tuple(
            Observation(id=f"{number:016x}", time=second + 0.5, client=client)
            for number in range(observations)
        ),
        exemplars=tuple(Exemplar(origin=ORIGIN, text="x" * 400) for _ in range(exemplars)),
    )


def test_a_frame_goes_where_its_domain_lives() -> None:
    """Key and partition follow from the domain, so all of it meets at one worker."""
    frames = [Frame(domain=domain, signals=()) for domain in ("default", "shop", "läden")]
    for frame, record in zip(frames, outgoing(frames, Topics()), strict=True):
        assert (record.topic, record.key) == ("undercurrent.signals", frame.domain.encode())
        assert record.partition == partition_of(frame.domain, 4)


def test_a_large_frame_becomes_several_with_the_same_signals() -> None:
    """Signals are independent of each other: nothing is lost and nothing doubled."""
    frame = Frame(domain="default", signals=tuple(symptom(second, 256) for second in range(100)))
    parts = list(encoded(frame))
    assert len(parts) > 1
    assert max(map(len, parts)) <= RECORD_BYTES_MAX
    assert [one for part in parts for one in decode(Frame, part).signals] == list(frame.signals)


def test_a_single_signal_that_is_too_large_keeps_the_smallest_ids() -> None:
    """A roll-up cut short is a roll-up with a lower bound: it still merges, and its count stands."""
    big = symptom(1, 200, client="a" * 20_000, exemplars=2)
    (part,) = encoded(Frame(domain="default", signals=(big,)))
    (kept,) = decode(Frame, part).signals
    assert isinstance(kept, Symptom)
    assert kept.count == 200
    assert 0 < len(kept.observations) < 200
    assert kept.observations == big.observations[: len(kept.observations)]


@pytest.mark.parametrize(
    "signal",
    [
        symptom(1, 1, client="a" * 2_000_000),
        Sample(
            kind=SampleKind.CPU,
            time=1.0,
            values={f"value_{number}": 1.0 for number in range(100_000)},
            source="cgroup",
            origin=ORIGIN,
        ),
    ],
)
def test_what_cannot_be_made_smaller_is_a_bug(signal: Symptom | Sample) -> None:
    """Intake bounds names and values; if it does not, that must be found and not be hidden."""
    with pytest.raises(ValueError, match="does not fit"):
        list(encoded(Frame(domain="default", signals=(signal,))))
