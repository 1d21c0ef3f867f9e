"""What goes into intake and what comes out of it: plain values, no behaviour."""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import overload

from schemas import DeadLetter, DeadLetterReason, Frame, Signature


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record of a raw topic as consumed. `timestamp_ms` is Kafka's, in unix milliseconds.

    `headers`: names and values, in their order.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int | None
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Joined(Sequence[bytes]):
    """Values in one piece, so that a million of them go from one process to another like one."""

    __slots__ = ("_joined", "_starts")

    def __init__(self, values: Iterable[bytes | None]) -> None:
        found = [value or b"" for value in values]
        self._joined = b"".join(found)
        self._starts = array("q", accumulate(map(len, found), initial=0))

    @property
    def total_bytes(self) -> int:
        """Length of all of them together."""
        return len(self._joined)

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, number: int) -> bytes: ...

    @overload
    def __getitem__(self, number: slice) -> list[bytes]: ...

    def __getitem__(self, number: int | slice) -> bytes | list[bytes]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        if number < 0:
            raise IndexError(number)
        return self._joined[self._starts[number] : self._starts[number + 1]]


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive records of one partition, column by column: made for reading millions of them.

    `stamps_ms`: Kafka's timestamps as consumed. `passing`: what `relevance.passing` says of the values,
    and `reached`: what `Dating.reached` says of the records between, where somebody has asked already.
    """

    topic: str
    partition: int
    offsets: Sequence[int]
    stamps_ms: Sequence[int | None]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    passing: Sequence[int] | None = None
    reached: Sequence[float | None] | None = None

    def __len__(self) -> int:
        return len(self.offsets)

    def record(self, number: int) -> RawRecord:
        """One of them by itself."""
        return RawRecord(
            self.topic,
            self.partition,
            self.offsets[number],
            self.stamps_ms[number],
            self.keys[number],
            self.values[number],
        )


@dataclass(frozen=True, slots=True)
class DomainRule:
    """Records whose labels all match belong to `domain`.

    `match`: label → exact value or glob. Labels are `namespace`, `pod`, `container`, `container_id`,
    `host`, `service`, `image`, `topic`, and a workload label as `label.<name>`.
    """

    domain: str
    match: dict[str, str]


@dataclass(frozen=True, slots=True)
class IntakeConfig:
    """Bounds and mappings of intake. The first rule of `domains` that matches wins.

    `future_seconds_max` is measured against the record's Kafka timestamp when it has one.
    `rejoin_seconds`: event time that half a line waits for its other half. `signatures`: error texts
    that the rules name (schemas/declared.py). `redact_emails`: addresses of people are secrets as well.
    """

    domains: tuple[DomainRule, ...] = ()
    default_domain: str = "default"
    observations_per_rollup: int = 256
    record_bytes_max: int = 1_048_576
    dead_letter_bytes_max: int = 65_536
    future_seconds_max: float = 86_400.0
    slow_request_seconds: float = 1.0
    oldest_event_time: float = 946_684_800.0
    rejoin_seconds: float = 2.0
    signatures: tuple[Signature, ...] = ()
    redact_emails: bool = False


@dataclass(slots=True)
class Source:
    """How far one raw partition has been read.

    `high`: the highest event time seen in it, in unix seconds, None if none was borne by a record.
    `declared`: its shipper writes progress markers.
    """

    high: float | None = None
    declared: bool = False


@dataclass(slots=True)
class Counts:
    """What became of records since the flush before. Each record ends in exactly one of the first five.

    `records`: kept, by decoder. `dropped`: by reason. `dead_letters`: by reason. `markers`: progress
    markers. `held`: halves of lines that wait *now*; they will be counted as kept or dropped later.
    `symptoms`: events by kind, `samples`: by kind. `partial`: events told by half a line only.
    `rejoined`: events put together from several records.
    """

    received: int = 0
    records: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    dead_letters: dict[str, int] = field(default_factory=dict)
    markers: int = 0
    held: int = 0
    symptoms: dict[str, int] = field(default_factory=dict)
    samples: dict[str, int] = field(default_factory=dict)
    partial: int = 0
    rejoined: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """All that one flush found. `frames` are sorted by domain; a big one is cut into several."""

    frames: tuple[Frame, ...]
    dead_letters: tuple[DeadLetter, ...]
    counts: Counts


class RefusedError(Exception):
    """The record cannot be read: it becomes a dead letter with this reason."""

    def __init__(self, reason: DeadLetterReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def malformed(detail: str) -> RefusedError:
    """A decoder recognised the record and found it broken."""
    return RefusedError(DeadLetterReason.MALFORMED, detail)


def undecodable(detail: str) -> RefusedError:
    """No decoder recognises the bytes."""
    return RefusedError(DeadLetterReason.UNDECODABLE, detail)
