"""What undercurrent.dead-letters holds: each refused record once, and whether it has been put back."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from agents.past import Past
from pipeline.intake import RawRecord
from schemas import DeadLetter, DeadLetterReason, DeadLetterRetry, Origin, decode

_AGO = re.compile(r"(\d{1,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Kept:
    """One dead letter. `place`: where it lies itself. `kept_at`: unix seconds, None if Kafka bears none.

    `put_back`: where its record was put back, None if it was not.
    """

    letter: DeadLetter
    place: Origin
    kept_at: float | None
    put_back: Origin | None = None

    @property
    def state(self) -> str:
        """`new`, `put back`, or `refused again`: a record that had been put back before."""
        if self.put_back is not None:
            return "put back"
        return "new" if self.letter.retry_of is None else "refused again"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which letters are meant: those that fit everything that is given. `since`: kept at or after it."""

    reasons: frozenset[DeadLetterReason] = frozenset()
    topics: frozenset[str] = frozenset()
    since: float | None = None

    def fits(self, one: Kept) -> bool:
        """Whether a letter is meant."""
        late = self.since is None or (one.kept_at is not None and one.kept_at >= self.since)
        reason = not self.reasons or one.letter.reason in self.reasons
        return late and reason and (not self.topics or one.letter.origin.topic in self.topics)


def letters_in(past: Past, topic: str) -> tuple[list[Kept], int]:
    """Everything kept, oldest first, and the number of records that are neither letter nor note.

    A crash may write a letter twice; the first counts.

    Raises:
        PastError: the topic cannot be read, or not in time.
    """
    letters: dict[Origin, tuple[DeadLetter, RawRecord]] = {}
    put_back: dict[Origin, Origin] = {}
    unreadable = 0
    for record in past.everything(topic):
        try:
            noun = read(record.value or b"")
        except ValueError:
            unreadable += 1
            continue
        if isinstance(noun, DeadLetterRetry):
            put_back[noun.of] = noun.to
        else:
            letters.setdefault(noun.origin, (noun, record))
    found = [_kept(letter, record, put_back.get(origin)) for origin, (letter, record) in letters.items()]
    return sorted(
        found, key=lambda one: (one.kept_at or 0.0, one.place.partition, one.place.offset)
    ), unreadable


def read(value: bytes) -> DeadLetter | DeadLetterRetry:
    """One record of the topic.

    Raises:
        ValueError: it is neither.
    """
    try:
        return decode(DeadLetter, value)
    except ValueError as error:
        try:
            return decode(DeadLetterRetry, value)
        except ValueError:
            raise error from None


def _kept(letter: DeadLetter, record: RawRecord, put_back: Origin | None) -> Kept:
    place = Origin(topic=record.topic, partition=record.partition, offset=record.offset)
    kept_at = None if record.timestamp_ms is None else record.timestamp_ms / 1000
    return Kept(letter, place, kept_at, put_back)


def chosen(letters: Iterable[Kept], origins: Iterable[Origin]) -> Iterator[tuple[Origin, Kept | None]]:
    """The letters that these ids name: the record's place, or the letter's own."""
    by_place: dict[Origin, Kept] = {}
    for one in letters:
        by_place |= {one.letter.origin: one, one.place: one}
    for origin in origins:
        yield origin, by_place.get(origin)


def instant(text: str, now: float) -> float:
    """Unix seconds of `2h` (before `now`; s, m, h, d) or of a time as 2026-11-24T09:00:00Z.

    Raises:
        ValueError: it is neither; without a zone it is UTC.
    """
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return now - int(ago[1]) * _SECONDS[ago[2]]
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            "expected an age such as 90s, 30m, 2h or 7d, or a time such as 2026-11-24T09:00:00Z"
        ) from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
