"""The time a log line bears by itself: what a shipper that tails the file would go by."""

import re
from datetime import UTC, datetime, timedelta, timezone

_LOGRUS = re.compile(rb'(?:^|[\s{,])"?(?:time|@timestamp)"?[=:]\s*"([0-9T:.Z+\- ]{19,40})"')
_ACCESS = re.compile(rb"\[(\d{2})/([A-Z][a-z]{2})/(\d{4}):(\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})\]")
_HOST_USER = re.compile(rb"\S+ \S+ \S+ $")
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")


def written_at(line: bytes) -> float | None:
    """Return the unix time a line bears, or None if it bears none that can be read.

    A logrus line's `time` is when it was written. The bracket of an access log line is the start of
    its request, to the second.
    """
    logrus = _LOGRUS.search(line)
    try:
        if logrus is not None:
            moment = datetime.fromisoformat(logrus.group(1).decode("ascii"))
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        access = _ACCESS.search(line)
        if access is not None:
            day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = access.groups()
            offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
            zone = timezone(offset if sign == b"+" else -offset)
            date = (int(year), _MONTHS.index(month) + 1, int(day))
            return datetime(*date, int(hour), int(minute), int(second), tzinfo=zone).timestamp()
    except (ValueError, OverflowError):
        return None
    return None


def is_access(line: bytes) -> bool:
    """Return whether a line is of the access log, which goes to stdout."""
    access = _ACCESS.search(line, 0, 512)
    return access is not None and _HOST_USER.fullmatch(line[: access.start()]) is not None
