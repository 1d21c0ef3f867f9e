"""What correlate hears is written where its domain lives, and counted; a partition that goes is forgotten."""

from agents.hearing import Listener
from agents.outbox import Outbox
from agents.page.reader import read_source
from agents.settings import load_settings
from agents.telemetry import PREFIX, Telemetry
from schemas import EventTime, Frame, Heard, Origin, Progress, Sample, SampleKind, SourceProgress

SETTINGS = load_settings(None, {"UNDERCURRENT_TOPICS_SOURCES": "ours.sources"})
PROGRESS = Progress(
    worker="w", expected={"t": 1}, sources=(SourceProgress(source="t/0", time=1.0, holds=True),)
)


class Ear:
    """A listener over no Kafka, its metrics, and the clock it looks at."""

    def __init__(self) -> None:
        self.now = 100.0
        self.telemetry = Telemetry()
        self.listener = Listener(SETTINGS, Outbox(SETTINGS), self.telemetry, lambda: self.now)

    def told(self) -> list[tuple[int | None, Heard | EventTime]]:
        """What is written now: where to, and what."""
        records = list(self.listener.due())
        assert {one.topic for one in records} <= {"ours.sources"}
        read = [(one.partition, read_source(one.value)) for one in records]
        assert [one.key for one in records] == [noun.key.encode() for _, noun in read]
        return read

    def last_heard(self) -> float | None:
        """What Prometheus is told of the CPU of `shop`."""
        labels = {"domain": "shop", "source": "cpu"}
        return self.telemetry.registry.get_sample_value(
            f"{PREFIX}source_last_heard_timestamp_seconds", labels
        )


def cpu(at: float, instance: str) -> Frame:
    """A frame with one reading."""
    sample = Sample(
        kind=SampleKind.CPU,
        instance=instance,
        time=at,
        values={"usage_cores": 1.0},
        source="cadvisor",
        origin=Origin(topic="registry.metrics", partition=0, offset=1),
    )
    return Frame(domain="shop", signals=(sample,))


def test_what_is_heard_goes_to_the_partition_of_its_domain() -> None:
    """Beside it lies the event time of that partition, also while nothing is heard."""
    ear = Ear()
    ear.listener.hear(2, cpu(50.0, "a"), 48.0)
    ear.listener.hear(2, cpu(40.0, "b"), 51.0)
    ear.listener.hear(3, PROGRESS, 49.0)
    told = ear.told()
    assert [(where, noun.at) for where, noun in told] == [(2, 50.0), (2, 40.0), (2, 51.0), (3, 49.0)]
    assert ear.last_heard() == 50.0
    ear.now += 31
    ear.listener.hear(3, PROGRESS, 80.0)
    assert ear.told() == [(3, EventTime(partition=3, at=80.0))]


def test_a_partition_that_goes_to_others_is_forgotten() -> None:
    """Its new owner says what it hears; the old one says nothing more of it, nor does its gauge."""
    ear = Ear()
    ear.listener.hear(2, cpu(50.0, "a"), 48.0)
    ear.told()
    ear.listener.hear(2, cpu(60.0, "a"), 61.0)
    ear.listener.forget()
    ear.telemetry.reassigned("agents")
    ear.now += 31
    assert ear.told() == []
    assert ear.last_heard() is None
    ear.listener.hear(2, cpu(55.0, "a"), None)
    assert [noun.at for _, noun in ear.told()] == [55.0]
    assert ear.last_heard() == 55.0
