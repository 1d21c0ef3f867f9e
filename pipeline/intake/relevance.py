"""The byte test: what cannot matter is let go before anything is parsed.

A record passes if it holds one of a few words that every line and metric of interest holds. Passing
proves nothing; failing is final, so a word may be left out only if every class of classify.py has
another (tests/intake/test_relevance.py holds them against each other).
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from ahocorasick_rs import BytesAhoCorasick, MatchKind

LINE_WORDS = (
    b"response completed",
    b"rror",
    b"caused by",
    b"status code: ",
    b"listening on",
    b"resolver]",
    b"concurrent DNS",
    b"undercurrent_",
)

METRIC_WORDS = (
    b'"__name__"',
    b'"gauge"',
    b'"counter"',
    b'"metricset"',
    b'"value":',
    b'"fields":',
    b'"container_stats"',
    b'"resourceMetrics"',
    b'"cpu_stats"',
    b'"CPUPerc"',
    b'"groupKey"',
    b'"MESSAGE":[',
)

# All words in one pass over the bytes: eight times as fast as one word after the other. Leftmost matches may
# hide one that overlaps, which changes nothing: a single word is enough.
_LINES = BytesAhoCorasick(LINE_WORDS, matchkind=MatchKind.LeftmostFirst)
_CONTROLS = bytes(sorted({*range(0x20), 0x7F} - {0x09, 0x0A, 0x0D, 0x1B}))
_SERIES = re.compile(
    rb"# |==|(?:ceph|container|coredns|docker_container|go|kube|kubernetes|minio|process|registry)_"
    rb"|(?:cgroup|prometheus),"
)
_TIME = re.compile(rb'"@?time(?:stamp)?":"?([0-9T:.Z+-]{10,40})')

_OPEN, _CLOSE, _NEWLINE, _BRACKET = b"{}\n["


def cannot_matter(value: bytes) -> bool:
    """Whether a well-formed record holds none of the words; what looks broken is left to the decoders."""
    return not _LINES.find_matches_as_indexes(value) and _holds_no_metric(value)


def may_matter(values: Sequence[bytes]) -> list[int]:
    """Which of these records pass the byte test, in order; empty ones are among them.

    The same as `cannot_matter` one by one, at half the cost where most are let go: the words are looked
    for in all of them at once. No word holds the line break that stands between two records.
    """
    joined = b"\n".join(values)
    starts = list(accumulate((len(value) + 1 for value in values), initial=0))
    passed = {bisect_right(starts, found) - 1 for _, found, _ in _LINES.find_matches_as_indexes(joined)}
    passed.update(
        number
        for number, value in enumerate(values)
        if number not in passed and (not value or not _holds_no_metric(value))
    )
    return sorted(passed)


def passing(values: Sequence[bytes | None], bytes_max: int) -> Sequence[int]:
    """The same with bounds: all of them pass where one is longer than `bytes_max`; None is empty."""
    present = [value or b"" for value in values]
    return may_matter(present) if max(map(len, present), default=0) <= bytes_max else range(len(present))


def _holds_no_metric(value: bytes) -> bool:
    """The second half of the test, for a record that holds none of the words of lines."""
    if value[0] == _OPEN:
        if value[-1] != _CLOSE and value[-1] != _NEWLINE:
            return False
        if b'"log":' not in value:
            for word in METRIC_WORDS:
                if word in value:
                    return False
        return value.isascii() or _is_utf8(value)
    return (
        value.isascii() and value[0] != _BRACKET and _SERIES.match(value) is None and not has_controls(value)
    )


def has_controls(value: bytes) -> bool:
    """Whether there are control characters that no line of text has."""
    return len(value.translate(None, _CONTROLS)) != len(value)


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def glance_at_time(value: bytes) -> str | None:
    """The time a JSON envelope bears, as written, without parsing the record."""
    found = _TIME.search(value, 0, 4096)
    return found[1].decode("ascii") if found else None
