"""Spans as people write them."""

import pytest

from agents.history import Span, read_span

NOW = 1_795_500_000.0
EIGHT = 1_795_161_600.0
"""2026-11-20T08:00:00Z."""


@pytest.mark.parametrize(
    ("start", "end", "span"),
    [
        ("2026-11-20T08:00", "+2h", Span(EIGHT, EIGHT + 7200)),
        ("2026-11-20T09:00+01:00", "2026-11-20T08:00:30Z", Span(EIGHT, EIGHT + 30)),
        ("2026-11-20", "+1d8h", Span(EIGHT - 8 * 3600, EIGHT + 86_400)),
        ("-2h", "now", Span(NOW - 7200, NOW)),
        ("-1h30m", "-90s", Span(NOW - 5400, NOW - 90)),
    ],
)
def test_a_span_is_read_as_it_is_meant(start: str, end: str, span: Span) -> None:
    """Without an offset a time is UTC; `+` counts from the beginning and `-` from now."""
    assert read_span(start, end, NOW) == span


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("yesterday", "now", "'yesterday' is no time: a time is 2026-11-20T08:00"),
        ("+2h", "now", "counts from the beginning, and this is the beginning"),
        ("now", "-2h", "nothing lies between"),
        ("2026-11-20T08:00", "2 hours", "'2 hours' is no time"),
    ],
)
def test_a_span_that_is_none_is_refused_with_an_example(start: str, end: str, words: str) -> None:
    """The message repeats what was written and shows how it is written."""
    with pytest.raises(ValueError, match=r".") as refused:
        read_span(start, end, NOW)
    assert words in str(refused.value)
