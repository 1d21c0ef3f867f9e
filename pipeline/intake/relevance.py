"""The byte test: what cannot matter is let go before anything is parsed.

A record passes if it holds one of a few words that every line and metric of interest holds. Passing
proves nothing; failing is final, so a word may be left out only if every class of classify.py has
another (tests/intake/test_relevance.py holds them against each other).
"""

import re

LINE_WORDS = (
    b"response completed",
    b"rror",
    b"caused by",
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
)

_CONTROLS = bytes(sorted({*range(0x20), 0x7F} - {0x09, 0x0A, 0x0D, 0x1B}))
_SERIES = re.compile(rb"# |(?:container|coredns|go|kube|minio|process|registry)_|docker_container_|cgroup,")
_TIME = re.compile(rb'"@?time(?:stamp)?":"?([0-9T:.Z+-]{10,40})')

_OPEN, _CLOSE, _NEWLINE, _BRACKET = b"{}\n["


def cannot_matter(value: bytes) -> bool:
    """Whether a well-formed record holds none of the words; what looks broken is left to the decoders."""
    for word in LINE_WORDS:
        if word in value:
            return False
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
