"""Puts lines together that were split on their way: an error's text with real newlines in it, a long line.

A *head* ends inside an open quote; a *tail* begins with `caused by:` or `status code:`. Both are written
in one go, so the tail is the next piece of its container's stream, microseconds later. Halves wait for
each other whichever comes first; two that lie closer than 100 ms join at once, others when their time
is up and nothing lies between them. A half that stays alone still counts, as partial.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeline.intake.entry import LogLine
from pipeline.intake.instants import NS
from pipeline.intake.record import RawRecord

HEADS_MAX = 1_000
CLOSE_NS = NS // 10

Key = tuple[object, ...]
"""Container and stream."""

_TAIL = re.compile(r"(?:[ \t]|#011)*(?:caused by:|status code:)")
_OPEN_DETAIL = ' err.detail="'
_ENDS = (" err.message=", " go.version=")


def is_tail(text: str) -> bool:
    """Whether `text` continues an error that an earlier piece began."""
    return _TAIL.match(text, 0, 64) is not None


def is_open(text: str) -> bool:
    """Whether `text` ends inside `err.detail="…` or `msg="…`."""
    if not text.startswith("time="):
        return False
    at = text.find(_OPEN_DETAIL)
    if at >= 0:
        return _ENDS[0] not in text[at:]
    if _ENDS[1] in text:
        return False
    at = text.find(' msg="')
    return at >= 0 and text.count('"', at + 6) % 2 == 0


def is_complete(text: str) -> bool:
    """Whether a tail brings its line to an end."""
    return _ENDS[0] in text or _ENDS[1] in text


@dataclass(slots=True)
class Half:
    """A head (or head and what was joined to it) or a tail that waits.

    `written_ns`: when it was written, None where no envelope or timestamp says so.
    `records`: the raw records in it, the first one's origin stands for all.
    """

    line: LogLine
    text: str
    written_ns: int | None
    records: list[RawRecord]
    decoders: list[str]
    head: bool


@dataclass(slots=True)
class _Stream:
    halves: list[Half] = field(default_factory=list)
    clock_ns: int = 0


class Rejoiner:
    """Halves that wait, by stream."""

    def __init__(self, wait_seconds: float, halves_max: int = HEADS_MAX) -> None:
        self._wait_ns = round(wait_seconds * NS)
        self._max = halves_max
        self._streams: dict[Key, _Stream] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def waiting(self) -> Iterator[Half]:
        """Every half that waits."""
        for stream in self._streams.values():
            yield from stream.halves

    def add(self, key: Key, half: Half) -> list[Half]:
        """Take in a half; gives what is finished by it: joined, or released for want of room or time."""
        stream = self._streams.setdefault(key, _Stream())
        done = []
        partner = _partner(stream.halves, half, CLOSE_NS)
        if partner is None:
            stream.halves.append(half)
            self._count += 1
        else:
            joined = _join(partner, half)
            stream.halves.remove(partner)
            self._count -= 1
            if is_complete(joined.text):
                done.append(joined)
            else:
                stream.halves.append(joined)
                self._count += 1
        if self._count > self._max:
            done += self._release_oldest()
        return done + self.pass_time(key, half.written_ns)

    def pass_time(self, key: Key, now_ns: int | None) -> list[Half]:
        """The stream has come to `now_ns`: gives the halves whose time is up, joined where they pair."""
        stream = self._streams.get(key)
        if stream is None or now_ns is None:
            return []
        stream.clock_ns = max(stream.clock_ns, now_ns)
        horizon = stream.clock_ns - self._wait_ns
        due = [half for half in stream.halves if half.written_ns is not None and half.written_ns < horizon]
        return self._settle(key, stream, due) if due else []

    def release(self) -> list[Half]:
        """Everything that waits, joined where it pairs."""
        done = []
        for key, stream in list(self._streams.items()):
            done += self._settle(key, stream, list(stream.halves))
        return done

    def _release_oldest(self) -> list[Half]:
        key = next(key for key, stream in self._streams.items() if stream.halves)
        stream = self._streams[key]
        return self._settle(key, stream, stream.halves[:1])

    def _settle(self, key: Key, stream: _Stream, due: list[Half]) -> list[Half]:
        """Take `due` out of the stream, each with the half that lies next to it in time."""
        done = []
        for half in sorted(due, key=_order):
            if half not in stream.halves:
                continue  # went with the one before it
            stream.halves.remove(half)
            self._count -= 1
            partner = _partner(stream.halves, half, self._wait_ns)
            if partner is not None:
                stream.halves.remove(partner)
                self._count -= 1
                half = _join(partner, half)
            done.append(half)
        if not stream.halves:
            del self._streams[key]
        return done


def _order(half: Half) -> tuple[int, str, int, int]:
    first = half.records[0]
    return (half.written_ns or 0, first.topic, first.partition, first.offset)


def _partner(halves: list[Half], new: Half, within_ns: int) -> Half | None:
    """The half of the other sort that lies nearest on the right side, with no other half between."""
    fitting = [half for half in halves if half.head != new.head and _gap(half, new) <= within_ns]
    if not fitting:
        return None
    return min(fitting, key=lambda half: (_gap(half, new), _steps(half, new)))


def _gap(one: Half, other: Half) -> int:
    """Nanoseconds from head to tail; huge where the tail was written first."""
    head, tail = (one, other) if one.head else (other, one)
    if head.written_ns is None or tail.written_ns is None:
        return 0
    gap = tail.written_ns - head.written_ns
    return gap if gap >= 0 else 1 << 62


def _steps(one: Half, other: Half) -> int:
    """Offsets between two halves of one partition; halves of different partitions come last."""
    head, tail = (one, other) if one.head else (other, one)
    before, after = head.records[-1], tail.records[0]
    same = (before.topic, before.partition) == (after.topic, after.partition)
    return after.offset - before.offset if same and after.offset > before.offset else 1 << 62


def _join(one: Half, other: Half) -> Half:
    head, tail = (one, other) if one.head else (other, one)
    return Half(
        head.line,
        f"{head.text}\n{tail.text}",
        head.written_ns,
        head.records + tail.records,
        head.decoders + tail.decoders,
        True,
    )
