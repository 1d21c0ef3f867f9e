"""Patterns of users: what is taken can stall nobody, and what is refused says why."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.patterns import PATTERN_CHARACTERS_MAX, TEXT_CHARACTERS_MAX, WAYS_MAX, checked, looked_at, ways

WORST_SECONDS = 3.0
"""Of this process alone. Far above what is measured (0.1 to 0.8 s), far below what a pattern that blows up
would take."""


@pytest.mark.parametrize(
    "pattern",
    [
        "x509: certificate has expired",
        "x509: .* expired",
        r"x509: .*(?:expired|not yet valid|unknown authority)",
        r"(?i)no space left on device",
        r"\[EACCES\] .*denied$",
        r"(?:\d{1,3}\.){3}\d{1,3}:9000: connect: no route",
        r"[]x]+ quota",
        r"status code: 50[234]\b",
        r"disk \S{1,40} is (?:almost )?full",
        "a{,3}b",
        "code {x}",
    ],
)
def test_what_people_write_is_taken(pattern: str) -> None:
    """Ordinary patterns pass as they are."""
    assert checked(pattern) == pattern


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(a+)+b", "too long"),
        ("(?:a|a)*b", "too long"),
        ("(?:a|ab){1,40}c", "too long"),
        (r"\d+ of \d+", "too long"),
        (".*.*x", "too long"),
        ("a?" * 30 + "a" * 30, "too long"),
        ("(?=a)a", "groups are plain"),
        (r"(a)\1", "back-reference"),
        ("(?P<name>a)", "groups are plain"),
        ("a(?i)b", "no regular expression"),
        ("(unclosed", "no regular expression"),
        ("[unclosed", "no regular expression"),
        ("a**", "no regular expression"),
        ("x" * (PATTERN_CHARACTERS_MAX + 1), "a pattern has at most"),
        ("a*", "in every text"),
        ("", "in every text"),
    ],
)
def test_what_could_stall_or_says_nothing_is_refused_with_the_reason(pattern: str, why: str) -> None:
    """A pattern that can blow up, cannot be read or fits everything does not start the worker."""
    with pytest.raises(ValueError, match=re.escape(why)):
        checked(pattern)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (".*(?:a|b)", "x"),
        ("[a-z]+(?:1|2|3)", "a"),
        (r"\s*a\s{0,2}b", " "),
        ("a{1,63}a{1,63}b", "a"),
        ("(?:a|aa){1,6}(?:a|aa){1,5}b", "a"),
        ("(?:a|aa|aaa){1,6}b", "a"),
        (r"(?:a?b?){1,6}c", "ab"),
        ("(?i)[a-z]+(?:1|2|3|4)", "aZ"),
    ],
)
def test_the_worst_that_is_taken_is_still_quick(pattern: str, text: str) -> None:
    """Patterns close to the bound, on the texts that suit them least."""
    assert WAYS_MAX / 40 < ways(pattern) <= WAYS_MAX
    compiled = re.compile(checked(pattern))
    began = time.process_time()
    assert compiled.search((text * TEXT_CHARACTERS_MAX)[:TEXT_CHARACTERS_MAX]) is None
    assert time.process_time() - began < WORST_SECONDS


pieces = st.recursive(
    st.sampled_from(["a", "b", ".", r"\d", "[ab]", "[^]a]", r"\."]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})"),
        inner.map(lambda one: f"({one})"),
        st.tuples(inner, st.sampled_from(["?", "{2}", "{1,3}", "{,2}", "+?", "*"])).map(
            lambda two: f"(?:{two[0]}){two[1]}"
        ),
    ),
    max_leaves=8,
)


@given(pieces)
def test_every_pattern_is_read_to_its_end(pattern: str) -> None:
    """Counting the ways of any valid pattern ends, gives at least one, and never less than a part of it."""
    re.compile(pattern)
    assert 1 <= ways(pattern) <= ways(f"(?:{pattern})?x")


def test_a_text_is_bounded_and_on_one_line() -> None:
    """An error over several lines reads like one line, and a huge one is cut."""
    assert looked_at("tls: bad\ncaused\n\tby: x509") == "tls: bad caused by: x509"
    assert len(looked_at("x" * 100_000)) == TEXT_CHARACTERS_MAX
