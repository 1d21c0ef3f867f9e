"""A recording through a real shipper: its log goes to a file that is followed, the rest is shipped beside it.

What has arrived in Kafka then goes through intake and core in the order in which it happened.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agents.recordings.arrivals import lay_out, layout_of
from agents.recordings.envelopes import fluent_bit
from agents.recordings.recording import LogLine, Recording, read_recording
from agents.recordings.replay import Outcome, run
from agents.recordings.ship import MAX_SPEED, Pacer, shipper
from agents.settings import Settings, load_settings
from agents.topics import check
from pipeline.doctor.look import time_of
from pipeline.intake import RawRecord
from pipeline.intake.envelope import decode
from pipeline.intake.instants import NS
from pipeline.replay import Arrival
from tests.examples.programs import ROOT, wait_for
from tests.kafka.workers import read_all

CASCADE = ROOT / "samples" / "cpu_cascade"
BATCH = 50
KINDS = ("logs", "metrics", "dns", "decisions")


@dataclass(frozen=True)
class Stage:
    """Topics of a test's own, and the recording that is played on them."""

    settings: Settings
    recording: Recording

    @property
    def log(self) -> list[LogLine]:
        """The registry's log, line by line."""
        entries = self.recording.entries
        return [one for one in entries if isinstance(one, LogLine) and one.container == "registry"]

    def places(self, log: Path) -> dict[str, str]:
        """What to exchange in an example."""
        return {
            "/var/log/registry/registry.log": str(log),
            "kafka:9092": self.settings.brokers,
            "registry.logs": self.settings.topics.logs,
        }

    def write(self, log: Path, *, as_: Callable[[LogLine], bytes] = lambda line: line.text) -> None:
        """Write the registry's log as a registry does, a few lines at a time; `as_`: what its runtime makes
        of a line."""
        lines = [as_(one) for one in self.log]
        with log.open("ab", buffering=0) as file:
            for at in range(0, len(lines), BATCH):
                file.write(b"".join(line + b"\n" for line in lines[at : at + BATCH]))

    def ship_the_rest(self) -> None:
        """Ship everything but the registry's log: metrics, and the resolver's lines."""
        topics = self.settings.topics
        layout = layout_of(fluent_bit, True, topics, topics.raw_partitions)
        rest = [one for one in lay_out(self.recording, layout) if one.group not in ("logs", "markers")]
        with shipper(self.settings.brokers, 30.0) as connected:
            connected.ship(rest, Pacer(MAX_SPEED), lambda _: None)

    def wait_for_lines(self, said: Callable[[], str], records: int | None = None) -> None:
        """Return when as many records as lines are in Kafka; more than that is an error."""
        expected = len(self.log) if records is None else records
        wait_for(lambda: len(list(self.records(self.settings.topics.logs))) >= expected, said)

    def records(self, topic: str) -> Iterator[RawRecord]:
        """A topic as it stands."""
        for one in read_all(self.settings, topic):
            yield RawRecord(one.topic, one.partition, one.offset, one.timestamp, one.key, one.value)

    def outcome(self) -> Outcome:
        """What intake and core make of all that is in Kafka."""
        arrivals: list[Arrival] = []
        for topic in self.settings.topics.raw:
            clocks: dict[int, float] = {}
            for record in self.records(topic):
                told = self._time(record)
                clocks[record.partition] = max(clocks.get(record.partition, 0.0), told or 0.0)
                arrivals.append(Arrival(clocks[record.partition], record))
        arrivals.sort(key=lambda one: one.at)
        return run(arrivals, self.settings.intake_config(), self.settings.rules)

    def _time(self, record: RawRecord) -> float | None:
        """When what a record tells happened; what lies outside of the recording is no time of it."""
        times = [time_of(entry, record.timestamp_ms or 0) for entry in decode(record.value or b"")[1]]
        first, last = self.recording.entries[0].at, self.recording.entries[-1].at
        inside = [ns / NS for ns in times if ns is not None and first - 1 <= ns / NS <= last + 1]
        return max(inside, default=None)

    def expect_the_same_incident(self) -> Outcome:
        """The incident of the demo: cause, container, requests and times are those of the recording."""
        expected = self.reference().incidents
        outcome = self.outcome()
        found = outcome.incidents
        assert [(one.cause, one.instances, one.state) for one in found] == [
            (one.cause, one.instances, one.state) for one in expected
        ]
        for one, other in zip(found, expected, strict=True):
            assert one.id == other.id, "what opened it is the same line"
            assert one.first_symptom_at == other.first_symptom_at
            assert one.impact == other.impact
        assert not outcome.dead_letters
        return outcome

    def reference(self) -> Outcome:
        """The recording replayed without Kafka, without markers, as the demo ships it."""
        layout = layout_of(fluent_bit, True, self.settings.topics)
        arrivals = [one for one in lay_out(self.recording, layout) if one.group != "markers"]
        return run(arrivals, self.settings.intake_config(), self.settings.rules)


def cri(line: LogLine) -> bytes:
    """A line as containerd writes it: its time, its stream, and that it is whole."""
    seconds, ns = divmod(round(line.at * NS), NS)
    moment = datetime.fromtimestamp(seconds, UTC)
    return b"%s.%09dZ stderr F %s" % (moment.strftime("%Y-%m-%dT%H:%M:%S").encode(), ns, line.text)


def staged(kafka: str, name: str) -> Stage:
    """Topics of its own for one test, created."""
    topics = {f"UNDERCURRENT_TOPICS_{kind.upper()}": f"{name}.{kind}" for kind in KINDS}
    settings = load_settings(None, {"UNDERCURRENT_BROKERS": kafka, **topics})
    assert not [finding for finding in check(settings, create=True) if finding.fix]
    return Stage(settings, read_recording(CASCADE))
