"""Times as written become nanoseconds since 1970, as integers: an event's identity needs all digits."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import isfinite

NS = 1_000_000_000

_DATE_TIME = re.compile(r"(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2}):(\d{2})", re.ASCII)
_REST = re.compile(r"(?:[.,](\d{1,18}))? ?(Z|[+-]\d{2}:?\d{2})?", re.ASCII)
_NUMBER = re.compile(r"\d{1,19}(?:\.\d{1,18})?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=4096)
def _epoch_seconds(text: str) -> int | None:
    """`2026-11-23T08:50:30` in UTC → unix seconds. Cached: a thousand lines share a second."""
    found = _DATE_TIME.fullmatch(text)
    if found is None:
        return None
    try:
        moment = datetime(*(int(part) for part in found.groups()), tzinfo=UTC)  # type: ignore[arg-type,misc]  # six numbers, no zone
    except ValueError:
        return None
    return (moment - _EPOCH) // timedelta(seconds=1)


def from_rfc3339(text: str) -> int | None:
    """RFC 3339 (any number of digits, any offset, none means UTC) → nanoseconds, None if it is not one."""
    seconds = _epoch_seconds(text[:19])
    if seconds is None:
        return None
    rest = text[19:]
    if rest[-1:] == "Z" and rest[:1] == "." and (digits := rest[1:-1]).isdecimal() and digits.isascii():
        return seconds * NS + int(digits[:9].ljust(9, "0"))
    found = _REST.fullmatch(rest)
    if found is None:
        return None
    digits, zone = found.groups()
    if zone and zone != "Z":
        offset = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
        seconds -= offset if zone[0] == "+" else -offset
    return seconds * NS + (int(digits[:9].ljust(9, "0")) if digits else 0)


def from_number(value: float) -> int | None:
    """Unix time in seconds, milli-, micro- or nanoseconds, told apart by size → nanoseconds."""
    if isinstance(value, float) and not isfinite(value):
        return None
    size = abs(value)
    per_second = 1 if size < 1e11 else 1_000 if size < 1e14 else 1_000_000 if size < 1e17 else NS
    whole = int(value)
    scale = NS // per_second
    return whole * scale + round((value - whole) * scale)  # apart, for a float cannot hold both exactly


def from_written(value: object) -> int | None:
    """A time as an envelope writes it → nanoseconds: a number, also in a string, RFC 3339, or another form.

    `23/Nov/2026:08:48:39 +0000` (access logs), `2026/11/23 08:48:39` (Go's log), `20261123T084839Z` (ISO 8601
    without signs), `Mon, 23 Nov 2026 08:48:39 GMT` (HTTP). No zone means UTC.
    """
    if isinstance(value, str):
        if value[:1].isdigit() and value[4:5] == "-":
            return from_rfc3339(value)
        if _NUMBER.fullmatch(value) is not None:
            return from_number(float(value) if "." in value else int(value))
        return _from_another_form(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return from_number(value)
    return None


_ACCESS = re.compile(r"(\d{2})/([A-Z][a-z]{2})/(\d{4}):(\d{2}:\d{2}:\d{2}) ([+-]\d{4})", re.ASCII)
_SLASHES = re.compile(r"(\d{4})/(\d{2})/(\d{2}) (\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?)", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})(?:\.(\d{1,9}))?Z", re.ASCII)
_HTTP = re.compile(r"[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}:\d{2}:\d{2}) GMT", re.ASCII)
_EXPONENT = re.compile(r"\d(?:\.\d{1,18})?[eE]\+?\d{1,2}", re.ASCII)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _from_another_form(text: str) -> int | None:
    """The rarer forms, each rewritten as RFC 3339."""
    if len(text) > 40:
        return None
    if found := _ACCESS.fullmatch(text) or _HTTP.fullmatch(text):
        day, name, year, time, *zone = found.groups()
        month = f"{_MONTHS.index(name) + 1:02}" if name in _MONTHS else "00"
        return from_rfc3339(f"{year}-{month}-{day}T{time}{zone[0] if zone else 'Z'}")
    if found := _SLASHES.fullmatch(text):
        year, month, day, time = found.groups()
        return from_rfc3339(f"{year}-{month}-{day}T{time}")
    if found := _COMPACT.fullmatch(text):
        year, month, day, hour, minute, second, digits = found.groups()
        return from_rfc3339(f"{year}-{month}-{day}T{hour}:{minute}:{second}.{digits or '0'}Z")
    return from_number(float(text)) if _EXPONENT.fullmatch(text) else None


_BSD = re.compile(r"([A-Z][a-z]{2}) +(\d{1,2}) (\d{2}):(\d{2}):(\d{2})", re.ASCII)


def from_bsd(text: str, near_ns: int | None) -> int | None:
    """`Aug 24 15:12:43` (syslog, UTC) → nanoseconds, in the year that comes closest to `near_ns`.

    None without `near_ns`: the text bears no year.
    """
    found = _BSD.fullmatch(text)
    if found is None or near_ns is None or found[1] not in _MONTHS:
        return None
    day = f"{_MONTHS.index(found[1]) + 1:02}-{int(found[2]):02}T{found[3]}:{found[4]}:{found[5]}"
    year = (_EPOCH + timedelta(seconds=near_ns // NS)).year
    guesses = (_epoch_seconds(f"{guess:04}-{day}") for guess in (year - 1, year, year + 1))
    candidates = [seconds * NS for seconds in guesses if seconds is not None]
    return min(candidates, key=lambda ns: abs(ns - near_ns), default=None)


_DURATION_PART = re.compile(r"(\d{1,12}(?:\.\d{1,12})?)(h|ms|us|µs|μs|ns|m|s)", re.ASCII)
_UNIT_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}


def go_duration_seconds(text: str) -> float | None:
    """Go's `2m43.2s`, `12.200693372s`, `227.399µs` → seconds, None if it is not one."""
    at, total = 0, 0.0
    text = text[:64]
    while at < len(text):
        part = _DURATION_PART.match(text, at)
        if part is None:
            return None
        amount, unit = part.groups()
        total += float(amount) * _UNIT_SECONDS[unit]
        at = part.end()
    return total if at else None
