"""Hours of the day, such as 22:00-07:00, in a zone: when routes hold and when nobody is to be called."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class Hours:
    """From `start` up to and without `end`, minutes of the day; over midnight where `end` is not later."""

    start: int
    end: int

    def hold(self, at: float, zone: str) -> bool:
        """Whether the unix second `at` lies within, on the clocks of `zone`."""
        there = datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(zone))
        minute = there.hour * 60 + there.minute
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


def hours_of(text: str) -> Hours:
    """Read `HH:MM-HH:MM`. Raises ValueError for anything else."""
    found = _HOURS.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} are no hours; write them as 22:00-07:00")
    first, minute, last, end = map(int, found.groups())
    if last * 60 + end > 24 * 60:
        raise ValueError(f"{text!r} are no hours; a day ends at 24:00")
    return Hours(first * 60 + minute, last * 60 + end)


def checked_hours(text: str) -> str:
    """`text`, if it is hours. Raises ValueError."""
    hours_of(text)
    return text


def checked_zone(name: str) -> str:
    """`name`, if this machine knows the zone. Raises ValueError."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"no time zone {name!r}; write it as Europe/Berlin or UTC") from error
    return name
