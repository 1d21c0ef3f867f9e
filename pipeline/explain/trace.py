"""What the intake makes of one raw record: the record is run through it, alone and with its neighbours.

Nothing is judged here by other means than the intake's own: what a record told is what comes out of an
intake that has read it, or, for half a line, what comes out more than without it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipeline.intake import Batch, Intake, IntakeConfig, RawRecord
from pipeline.intake.entry import LogLine, Unwanted
from pipeline.intake.envelope import decode
from pipeline.intake.packing import unpacked
from pipeline.intake.record import RefusedError
from pipeline.intake.relevance import cannot_matter
from pipeline.intake.unwrap import unwrap
from schemas import Observation, Origin, Sample, Symptom

PEELED_CHARACTERS = 120
PARTNERS_TRIED = 64

TOLD, DROPPED, DEAD, MARKER = "told", "dropped", "dead_letter", "marker"


@dataclass(frozen=True, slots=True)
class Told:
    """One thing a record told: an event of a symptom, or a sample."""

    domain: str
    signal: Symptom | Sample
    observation: Observation | None = None

    @property
    def second(self) -> int:
        """The second of event time it belongs to."""
        return self.signal.second if isinstance(self.signal, Symptom) else int(self.signal.time)

    @property
    def key(self) -> str | None:
        """By what the core knows its request."""
        return None if self.observation is None else self.observation.request or self.observation.id


@dataclass(frozen=True, slots=True)
class Trace:
    """What became of one record in the intake.

    `fate`: told, dropped, dead_letter or marker; `reason` and `detail` of the latter ones. `peeled`: what
    stood around its line. `packing`: what the record was packed in. `left_out`: entries of a batch that
    are of no use, by reason. `joined`: the records with which it makes one line. `partial`: the rest of
    its line was not found. `unread`: it was dropped by the byte test, before anything was parsed.
    """

    record: RawRecord
    fate: str
    reason: str | None = None
    detail: str | None = None
    decoder: str | None = None
    peeled: str | None = None
    packing: str | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)
    told: tuple[Told, ...] = ()
    joined: tuple[Origin, ...] = ()
    partial: bool = False
    unread: bool = False
    event_time: float | None = None

    @property
    def origin(self) -> Origin:
        """Where the record lies."""
        return _origin(self.record)


def trace(record: RawRecord, around: Sequence[RawRecord], config: IntakeConfig) -> Trace:
    """Run `record` through an intake. `around`: its neighbours, for the other half of a split line."""
    intake = Intake(config)
    intake.receive(record)
    batch = intake.flush(release_heads=True)
    source = intake.sources()[record.topic, record.partition]
    value = record.value or b""
    found = replace(
        _envelope(record),
        told=tuple(_told(batch)),
        unread=bool(value) and cannot_matter(value),
        event_time=source.high,
    )
    if batch.dead_letters:
        letter = batch.dead_letters[0]
        return replace(found, fate=DEAD, reason=letter.reason.value, detail=letter.detail)
    if batch.counts.markers:
        return replace(found, fate=MARKER)
    joined = _joined(record, around, config)
    if joined is not None:
        return replace(found, joined=joined[0], told=joined[1] or found.told, reason=None, unread=False)
    if batch.counts.dropped:
        return replace(found, fate=DROPPED, reason=next(iter(batch.counts.dropped)))
    return replace(found, partial=bool(batch.counts.partial))


def _envelope(record: RawRecord) -> Trace:
    """Packing, decoder, what is peeled off the first line, and what of a batch is left out."""
    bare = Trace(record, TOLD)
    try:
        packing, _ = unpacked(record.value or b"")
        name, entries = decode(record.value or b"")
    except RefusedError:
        return bare
    reasons = Counter(entry.reason for entry in entries if isinstance(entry, Unwanted))
    left_out = dict(sorted(reasons.items())) if len(entries) > 1 else {}
    line = next((entry for entry in entries if isinstance(entry, LogLine)), None)
    peeled = None if line is None or line.fields is not None else _peeled(line, record.timestamp_ms)
    return replace(bare, decoder=name, packing=packing, left_out=left_out, peeled=peeled)


def _peeled(line: LogLine, timestamp_ms: int | None) -> str | None:
    bare = unwrap(line, timestamp_ms * 1_000_000 if timestamp_ms else None).text
    if bare == line.text.rstrip("\r\n"):
        return None
    at = line.text.find(bare[:40])
    return (line.text[:at] if at > 0 else line.text)[:PEELED_CHARACTERS].rstrip()


def _joined(
    record: RawRecord, around: Sequence[RawRecord], config: IntakeConfig
) -> tuple[tuple[Origin, ...], tuple[Told, ...]] | None:
    """The other records of its line, and what the whole line told; None where it is a line by itself."""
    others = [one for one in around if one != record]
    nearest = sorted(others, key=lambda one: (_distance(one, record), one.partition, one.offset))
    partners = [one for one in nearest[:PARTNERS_TRIED] if _feed((record, one), config).counts.rejoined]
    if not partners:
        return None
    partner = partners[0]
    whole = _feed((record, partner), config)
    return (_origin(partner),), tuple(_told(whole))


def _distance(one: RawRecord, other: RawRecord) -> tuple[int, int]:
    """How far apart two records lie: first in time, then in offsets."""
    return abs((one.timestamp_ms or 0) - (other.timestamp_ms or 0)), abs(one.offset - other.offset)


def _feed(records: Iterable[RawRecord], config: IntakeConfig) -> Batch:
    intake = Intake(config)
    for one in sorted(records, key=lambda one: (one.partition, one.offset)):
        intake.receive(one)
    return intake.flush(release_heads=True)


def _told(batch: Batch) -> Iterable[Told]:
    for frame in batch.frames:
        for signal in frame.signals:
            if isinstance(signal, Sample):
                yield Told(frame.domain, signal)
            else:
                yield from (Told(frame.domain, signal, one) for one in signal.observations)


def _origin(record: RawRecord) -> Origin:
    return Origin(topic=record.topic, partition=record.partition, offset=record.offset)
