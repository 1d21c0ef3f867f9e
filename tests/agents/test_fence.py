"""Readers that wake up too late: what they write is known for what it is, and nothing else is."""

import pytest

from agents.fence import Fence, Reader, next_term

ONE = ("registry.logs/0", "registry.logs/1")
OTHER = ("registry.logs/2",)


def test_a_reader_is_admitted_until_somebody_else_has_spoken() -> None:
    """A later term on any of its partitions ends a reader, on all of them: its group has gone on."""
    fence = Fence()
    sleeper = Reader(5, ONE)
    assert fence.admits(sleeper)
    assert fence.admits(sleeper)
    assert fence.admits(Reader(6, ONE[:1]))
    assert not fence.admits(sleeper)
    assert fence.admits(Reader(6, ONE[1:]))


def test_readers_of_other_partitions_do_not_matter() -> None:
    """Terms are compared partition by partition: a low term elsewhere is nobody's end."""
    fence = Fence()
    assert fence.admits(Reader(9, ONE))
    assert fence.admits(Reader(1, OTHER))


def test_who_does_not_say_is_admitted() -> None:
    """A worker of a version without terms, or a record written by hand, is taken as it is."""
    fence = Fence({ONE[0]: 9})
    assert fence.admits(Reader.of(None))
    assert fence.admits(Reader.of([("other", b"x")]))
    assert fence.admits(Reader.of([("undercurrent-reader", b"{")]))


def test_a_reader_travels_in_a_header() -> None:
    """What is written is what is read, whether headers come as pairs or as a mapping."""
    reader = Reader(7, ONE)
    assert Reader.of([reader.header()]) == Reader.of(dict([reader.header()])) == reader


@pytest.mark.parametrize(("before", "clock", "term"), [([], 5, 5), ([7, 3], 5, 8), ([2], 5, 5)])
def test_a_term_is_above_all_before_it(before: list[int], clock: int, term: int) -> None:
    """Even where the clock goes back, or what was committed is gone."""
    assert next_term(before, clock) == term


def test_what_was_stored_never_lowers_a_term() -> None:
    """State of several domains may be of different age."""
    fence = Fence()
    fence.learn({"a": 5})
    fence.learn({"a": 3, "b": 1})
    assert fence.terms == {"a": 5, "b": 1}
