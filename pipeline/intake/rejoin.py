"""Puts lines together that were split on their way: an error's text with real newlines in it, a long line.

A *head* ends inside an open quote; a *tail* begins with `caused by:` or `status code:`. Both are written
in one go, so the tail is the next half of its container's stream, microseconds later. Halves wait for each
other, whichever comes first: neighbours closer than 0.1 ms join at once, others when the stream has moved on
so far that nothing can come between them any more. A half that stays alone still counts, as partial; a
middle piece of an error of three lines does not, for its head or its tail counts already.

A *cut* line is one the runtime broke at its buffer's end and marked so (CRI's `P`); what follows in the
same stream is its rest, unless it plainly begins a line of its own: then the rest was lost.
"""

import re
from bisect import insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import orjson

from pipeline.intake.entry import LogLine
from pipeline.intake.instants import NS
from pipeline.intake.record import RawRecord

HEADS_MAX = 1_000
CUT_CHARACTERS_MAX = 1_048_576
SEEN_MAX = 4_096
"""Pieces that are remembered, so that a second copy is known for one."""

CLOSE_NS = NS // 10_000

Key = tuple[object, ...]
"""Container and stream."""

Place = tuple[str, int]
"""Topic and partition."""

_TAIL = re.compile(r"(?:[ \t]|#011)*(caused by:|status code:)")
_OPEN_DETAIL = ' err.detail="'


def is_tail(text: str) -> bool:
    """Whether `text` continues an error that an earlier piece began."""
    return _TAIL.match(text, 0, 64) is not None


def is_middle(text: str) -> bool:
    """Whether `text` continues an error and a cause follows: by itself it tells of no request."""
    found = _TAIL.match(text, 0, 64)
    return found is not None and found[1] == "status code:" and '" err.' not in text


def is_open(text: str) -> bool:
    """Whether `text` ends inside `err.detail="…` or `msg="…`."""
    if not text.startswith("time="):
        return False
    at = text.find(_OPEN_DETAIL)
    if at >= 0:
        return text.find(" err.message=", at) < 0
    if " go.version=" in text:
        return False
    at = text.find(' msg="')
    return at >= 0 and text.count('"', at + 6) % 2 == 0


def begins_a_line(text: str) -> bool:
    """Whether `text` can be no rest of a cut line: a logrus line's beginning, or a JSON object, whole."""
    if not text.startswith("{"):
        return text.startswith('time="')
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False


@dataclass(slots=True)
class Half:
    """A piece of a line that waits: a head (and what was joined to it), a tail, or a cut line's begin.

    `written_ns`: when it was written, None where no envelope or timestamp says so. `records` are the
    raw records in it, whose first stands for all; `decoders` theirs, empty for one already counted.
    `came_ns`: how far its partition, and its stream, had come when it arrived. A half that comes out of
    order waits from then on, as long as any other.
    """

    line: LogLine
    text: str
    written_ns: int | None
    records: list[RawRecord]
    decoders: list[str]
    ended: bool = True
    came_ns: int = 0
    is_tail: bool = field(init=False)

    def __post_init__(self) -> None:
        self.is_tail = is_tail(self.text)

    @property
    def place(self) -> Place:
        """Topic and partition of its last piece, in which the next one is expected."""
        last = self.records[-1]
        return last.topic, last.partition

    @property
    def is_whole(self) -> bool:
        """Whether nothing of the line is missing."""
        return self.ended and not self.is_tail and not is_open(self.text)


@dataclass(slots=True)
class _Stream:
    """`halves` in order of time, then of origin. `clocks_ns`: how far each partition of it has come.

    One partition may be read far ahead of another; it must not end the waiting of the other's halves.
    """

    halves: list[Half] = field(default_factory=list)
    clocks_ns: dict[Place, int] = field(default_factory=dict)


class Rejoiner:
    """Halves that wait, by stream."""

    def __init__(self, wait_seconds: float, halves_max: int = HEADS_MAX) -> None:
        self._wait_ns = round(wait_seconds * NS)
        self._max = halves_max
        self._streams: dict[Key, _Stream] = {}
        self._cuts: dict[Key, Half] = {}
        self._seen: dict[int, None] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count + len(self._cuts)

    @property
    def expects_rest(self) -> bool:
        """Whether a cut line waits: its rest can be any text, so no record may be let go unread."""
        return bool(self._cuts)

    def waiting(self) -> Iterator[Half]:
        """Every half that waits."""
        for stream in self._streams.values():
            yield from stream.halves
        yield from self._cuts.values()

    def awaits(self, key: Key) -> bool:
        """Whether the rest of a cut line is awaited in this stream."""
        return key in self._cuts

    def takes(self, key: Key, piece: Half) -> bool:
        """Whether `piece` begins a cut line, or comes after the begin that waits: not if it is older."""
        begun = self._cuts.get(key)
        if begun is None:
            return not piece.ended
        return (piece.written_ns or begun.written_ns or 0) >= (begun.written_ns or 0)

    def is_repeat(self, key: Key, piece: Half) -> bool:
        """Whether this very piece came before: a shipper that was not answered writes a record again.

        Its first copy may have found its other half already, so the second would stay alone and count.
        """
        identity = hash((key, piece.written_ns, piece.text))
        if identity in self._seen:
            return True
        self._seen[identity] = None
        if len(self._seen) > SEEN_MAX:
            del self._seen[next(iter(self._seen))]
        return False

    def glue(self, key: Key, piece: Half) -> Half | None:
        """Append a piece to the cut line of its stream; gives the line when it is whole.

        A line longer than a record may be, or one too many of them, is given as far as it has come.
        """
        begun = self._cuts.pop(key, None)
        if begun is not None:
            piece = _together(begun, piece, "")
        if piece.ended or len(piece.text) > CUT_CHARACTERS_MAX or len(self._cuts) >= self._max:
            return piece
        self._cuts[key] = piece
        return None

    def cut_short(self, key: Key, text: str) -> list[Half]:
        """The cut line of a stream in which `text` comes next and is not its rest; most often none."""
        begun = self._cuts.get(key)
        return [self._cuts.pop(key)] if begun is not None and begins_a_line(text) else []

    def add(self, key: Key, half: Half) -> list[Half]:
        """Take in a half; gives what is finished by it: joined, or released for want of room or time."""
        stream = self._streams.setdefault(key, _Stream())
        half.came_ns = max(half.came_ns, stream.clocks_ns.get(half.place, 0), half.written_ns or 0)
        self._insert(stream, half)
        at = next(at for at, waits in enumerate(stream.halves) if waits is half)
        done = []
        joined = self._join(stream, at - 1 if half.is_tail else at, CLOSE_NS)
        if joined is not None and joined.is_whole:
            done.append(joined)
        elif joined is not None:
            self._insert(stream, joined)
        if self._count > self._max:
            done += self._release_oldest()
        return done + self.pass_time(key, half.place, half.written_ns)

    def _insert(self, stream: _Stream, half: Half) -> None:
        insort(stream.halves, half, key=_order)
        self._count += 1

    def _join(self, stream: _Stream, at: int, within_ns: int) -> Half | None:
        """Join the head at `at` and the tail next to it, if they lie there; both leave the stream."""
        if at < 0 or at + 1 >= len(stream.halves):
            return None
        head, tail = stream.halves[at : at + 2]
        if head.is_tail or not tail.is_tail or _gap(head, tail) > within_ns:
            return None
        del stream.halves[at : at + 2]
        self._count -= 2
        return _together(head, tail, "\n")

    def pass_time(self, key: Key, place: Place, now_ns: int | None) -> list[Half]:
        """The stream has come to `now_ns` in the partition `place`: gives its halves whose time is up,
        joined where they pair."""
        stream = self._streams.get(key)
        if stream is None or now_ns is None:
            return []
        clock_ns = stream.clocks_ns[place] = max(stream.clocks_ns.get(place, 0), now_ns)
        due = [half for half in stream.halves if half.place == place and self._has_waited(half, clock_ns)]
        return self._settle(key, stream, due) if due else []

    def _has_waited(self, half: Half, clock_ns: int) -> bool:
        return half.written_ns is not None and half.came_ns < clock_ns - self._wait_ns

    def overdue(self, is_overdue: Callable[[Half], bool]) -> list[Half]:
        """Release what `is_overdue`, however far its own stream has come: it may have fallen silent."""
        done = []
        for key, stream in list(self._streams.items()):
            due = [half for half in stream.halves if is_overdue(half)]
            done += self._settle(key, stream, due) if due else []
        for key in [key for key, half in self._cuts.items() if is_overdue(half)]:
            done.append(self._cuts.pop(key))
        return done

    def release(self) -> list[Half]:
        """Everything that waits, joined where it pairs."""
        done = list(self._cuts.values())
        self._cuts = {}
        for key, stream in list(self._streams.items()):
            done += self._settle(key, stream, list(stream.halves))
        return done

    def _release_oldest(self) -> list[Half]:
        key = next(key for key, stream in self._streams.items() if stream.halves)
        stream = self._streams[key]
        return self._settle(key, stream, stream.halves[:1])

    def _settle(self, key: Key, stream: _Stream, due: list[Half]) -> list[Half]:
        """Take `due` out of the stream, a head with the tail next to it."""
        done = []
        for half in due:
            at = next((at for at, waits in enumerate(stream.halves) if waits is half), None)
            if at is None:
                continue  # went with the one before it
            joined = self._join(stream, at, self._wait_ns)
            if joined is None:
                del stream.halves[at]
                self._count -= 1
            done.append(joined or half)
        if not stream.halves:
            del self._streams[key]
        return done


def _order(half: Half) -> tuple[int, bool, str, int, int]:
    """By time, and at the same time heads first, for times may be cut to milliseconds."""
    first = half.records[0]
    return (half.written_ns or 0, half.is_tail, first.topic, first.partition, first.offset)


def _gap(head: Half, tail: Half) -> int:
    """Nanoseconds from head to tail; none where it is not known when they were written."""
    return (tail.written_ns or 0) - (head.written_ns or 0)


def _together(first: Half, second: Half, glue: str) -> Half:
    return Half(
        first.line,
        f"{first.text}{glue}{second.text}",
        first.written_ns,
        first.records + second.records,
        first.decoders + second.decoders,
        second.ended,
        max(first.came_ns, second.came_ns),
    )
