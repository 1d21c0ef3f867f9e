"""Raw records → what was recognised in them: shippers, places, rates, clocks, readings and their interval."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from pipeline.intake import Intake, IntakeConfig, RawRecord
from pipeline.intake import entry as entries
from pipeline.intake.envelope import decode
from pipeline.intake.instants import NS, from_rfc3339, from_written
from pipeline.intake.logrus import parse
from pipeline.intake.record import RefusedError
from pipeline.intake.unwrap import unwrap
from schemas import Sample, SampleKind, Symptom

NAMES_MAX = 50
CLOCKS_MAX = 20_000
DETAIL_CHARACTERS_MAX = 200


@dataclass(slots=True)
class Input:
    """What one shipper writes to one topic.

    `behind_seconds`: by how much records enter Kafka later than what they tell of happened, one number per
    record; negative where the shipper's clock is ahead.
    """

    topic: str
    decoder: str
    records: int = 0
    bytes: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    instances: set[str] = field(default_factory=set)
    domains: set[str] = field(default_factory=set)
    told: Counter[str] = field(default_factory=Counter)
    behind_seconds: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float | None:
        """Records per second, None where there are too few to say."""
        if self.first_ms is None or self.last_ms is None or self.last_ms <= self.first_ms:
            return None
        return self.records / ((self.last_ms - self.first_ms) / 1000)

    @property
    def delay_seconds(self) -> float | None:
        """The median of `behind_seconds`, None without any time."""
        return median(self.behind_seconds) if self.behind_seconds else None


@dataclass(slots=True)
class Reading:
    """The samples of one kind, place and source. `names`: of their values; `times`: unix seconds."""

    kind: SampleKind
    place: str
    source: str
    names: set[str] = field(default_factory=set)
    unlimited: set[str] = field(default_factory=set)
    times: set[float] = field(default_factory=set)

    @property
    def interval_seconds(self) -> float | None:
        """The median distance of two samples, None with less than two."""
        times = sorted(self.times)
        return median(later - earlier for earlier, later in pairwise(times)) if len(times) > 1 else None


@dataclass(slots=True)
class Refused:
    """Records that nobody can read: one `topic`, `reason` and example of a detail."""

    topic: str
    reason: str
    detail: str
    records: int = 0


class Look:
    """Takes records in; then its fields can be read, after `close`."""

    def __init__(self, config: IntakeConfig) -> None:
        self._config = config
        self._intakes: dict[tuple[str, str], Intake] = {}
        self.records = 0
        self.inputs: dict[tuple[str, str], Input] = {}
        self.readings: dict[tuple[SampleKind, str, str], Reading] = {}
        self.refused: dict[tuple[str, str], Refused] = {}
        self.symptoms: Counter[str] = Counter()
        self.log_instances: set[str] = set()
        self.has_durations = False
        self.has_clients = False

    def receive(self, record: RawRecord) -> None:
        """Take one record in; never raises, whatever its bytes."""
        self.records += 1
        value = record.value
        if not value:
            return
        try:
            decoder, found = decode(value)
        except RefusedError as error:
            self._refuse(record.topic, error.reason.value, error.detail)
            return
        if decoder == "undercurrent-marker":
            return
        key = record.topic, decoder
        if key not in self.inputs:
            self.inputs[key] = Input(*key)
            self._intakes[key] = Intake(self._config)
        self._note(self.inputs[key], record, found)
        self._intakes[key].receive(record)

    def close(self) -> None:
        """Nothing more will come: find the places and readings in what was taken in."""
        for key, intake in self._intakes.items():
            batch = intake.flush(release_heads=True)
            for letter in batch.dead_letters:
                self._refuse(key[0], letter.reason.value, letter.detail)
            for frame in batch.frames:
                self.inputs[key].domains.add(frame.domain)
                for signal in frame.signals:
                    self._signal(self.inputs[key], signal)

    def _note(self, into: Input, record: RawRecord, found: object) -> None:
        into.records += 1
        into.bytes += len(record.value or b"")
        stamp = record.timestamp_ms
        if stamp is None or stamp <= 0:
            return
        into.first_ms = stamp if into.first_ms is None else min(into.first_ms, stamp)
        into.last_ms = stamp if into.last_ms is None else max(into.last_ms, stamp)
        if isinstance(found, list | tuple) and found and len(into.behind_seconds) < CLOCKS_MAX:
            ns = time_of(found[0], stamp)
            if ns is not None:
                into.behind_seconds.append(stamp / 1000 - ns / NS)

    def _signal(self, into: Input, signal: object) -> None:
        if isinstance(signal, Sample):
            place = signal.instance or (f"@{signal.host}" if signal.host else "")
            key = signal.kind, place, signal.source
            reading = self.readings.setdefault(key, Reading(*key))
            reading.names |= signal.values.keys()
            reading.unlimited |= {name for name, value in signal.values.items() if value is None}
            reading.times.add(signal.time)
            into.told[signal.kind.value] += 1
            self._name(into.instances, signal.instance)
        elif isinstance(signal, Symptom):
            into.told[signal.kind.value] += signal.count
            self.symptoms[signal.kind.value] += signal.count
            self._name(into.instances, signal.instance)
            self._name(self.log_instances, signal.instance)
            for one in signal.observations:
                self.has_durations = self.has_durations or one.duration_seconds is not None
                self.has_clients = self.has_clients or one.client is not None

    def _name(self, names: set[str], name: str | None) -> None:
        if name is not None and len(names) < NAMES_MAX:
            names.add(name)

    def _refuse(self, topic: str, reason: str, detail: str) -> None:
        known = self.refused.setdefault(
            (topic, reason), Refused(topic, reason, detail[:DETAIL_CHARACTERS_MAX])
        )
        known.records += 1


def time_of(entry: object, stamp_ms: int) -> int | None:
    """When what an entry tells happened, as it says itself: nanoseconds, None where only Kafka dates it."""
    if isinstance(entry, entries.LogLine):
        line = unwrap(entry, stamp_ms * 1_000_000)
        own = parse(line.text).time if line.fields is None else None
        return (from_rfc3339(own) if own else None) or from_written(line.written)
    if isinstance(entry, entries.Reading | entries.Lifecycle):
        return from_written(entry.written)
    return None
