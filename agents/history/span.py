"""A span of time as a person writes it: `2026-11-20T08:00` to `+2h`, `-30m` to `now`."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

_AMOUNT = re.compile(r"([+-])((?:\d+(?:\.\d+)?[smhdw])+)")
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_UNIT_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}

HOW_TO_WRITE = (
    "a time is 2026-11-20T08:00 (UTC unless it bears an offset), 2026-11-20, now, or relative: -2h before "
    "now, +90m after the beginning; units s, m, h, d, w"
)


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` up to and without `end`, unix seconds of Kafka's timestamps."""

    start: float
    end: float

    def __str__(self) -> str:
        return f"{written(self.start)} to {written(self.end)}"


def read_span(start: str, end: str, now: float) -> Span:
    """Read both ends.

    Raises:
        ValueError: one of them is no time, or nothing lies between them.
    """
    begins = _instant(start, now, None)
    span = Span(begins, _instant(end, now, begins))
    if span.end <= span.start:
        raise ValueError(f"nothing lies between {span}: the end has to come after the beginning")
    return span


def written(time: float) -> str:
    """A time for people, to the second, UTC."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _instant(text: str, now: float, begins: float | None) -> float:
    text = text.strip()
    if text == "now":
        return now
    amount = _AMOUNT.fullmatch(text)
    if amount is not None:
        seconds = sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _PART.findall(amount[2]))
        if amount[1] == "-":
            return now - seconds
        if begins is None:
            raise ValueError(f"{text!r} counts from the beginning, and this is the beginning: {HOW_TO_WRITE}")
        return begins + seconds
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no time: {HOW_TO_WRITE}") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
