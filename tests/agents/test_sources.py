"""Event time of the raw partitions: who holds it back, when it moves by itself, who must wait."""

from agents.settings import Intake
from agents.sources import Note, Place, Sources

A: Place = ("registry.logs", 0)
B: Place = ("registry.logs", 1)
SETTINGS = Intake(idle_seconds=3, alignment_seconds=60, declared_seconds=30)


def sources(**highs: float | None) -> Sources:
    """Partitions A and B, caught up at clock 0, at these event times."""
    known = Sources(SETTINGS, 0.0)
    known.assign({A: Note(highs.get("a")), B: Note(highs.get("b"))}, 0.0)
    for place in (A, B):
        known.moved(place, 10, 10)
    return known


def report(known: Sources, now: float) -> dict[str, tuple[float | None, bool]]:
    """What is said of each partition: its time, and whether it holds."""
    return {one.source: (one.time, one.holds) for one in known.report(now)}


def test_a_partition_with_lag_holds_event_time_back() -> None:
    """What is left to read may be older than anything read."""
    known = sources(a=100.0, b=200.0)
    known.moved(A, 10, 15)
    assert report(known, 1.0) == {"registry.logs/0": (100.0, True), "registry.logs/1": (200.0, False)}


def test_a_partition_of_unknown_end_is_not_spoken_of() -> None:
    """Until Kafka has said where it ends nobody may conclude that it is caught up."""
    known = Sources(SETTINGS, 0.0)
    known.assign({A: Note(100.0)}, 0.0)
    assert report(known, 1.0) == {}


def test_silence_moves_time_on_with_the_clock() -> None:
    """Three seconds after the last record anywhere, event time follows the clock, in whole seconds."""
    known = sources(a=100.0, b=200.5)
    assert report(known, 3.0)["registry.logs/0"] == (100.0, False)
    assert report(known, 7.9) == {"registry.logs/0": (107.0, False), "registry.logs/1": (207.5, False)}


def test_no_silence_while_anything_is_left_to_read() -> None:
    """A worker that is stuck with lag must not let time run out for what it has not read."""
    known = sources(a=100.0, b=200.0)
    known.moved(B, 10, 11)
    assert report(known, 60.0)["registry.logs/0"] == (100.0, False)


def test_a_record_ends_the_silence() -> None:
    """Silence is counted from the last record of any partition."""
    known = sources(a=100.0, b=200.0)
    known.records_came(50.0)
    known.read(A, 150.0, False, 50.0)
    assert report(known, 52.0)["registry.logs/0"] == (150.0, False)


def test_a_shipper_that_declares_its_progress_is_waited_for_and_not_for_ever() -> None:
    """Markers hold event time although nothing is left; thirty seconds after the last they no longer do."""
    known = sources(a=None, b=None)
    known.read(A, 100.0, True, 10.0)
    known.records_came(10.0)
    assert report(known, 39.0)["registry.logs/0"] == (100.0, True)
    assert report(known, 41.0)["registry.logs/0"] == (131.0, False)


def test_the_time_of_the_last_reader_is_taken_over() -> None:
    """A partition that fell silent before this worker came is not at time unknown."""
    assert report(sources(a=500.0), 1.0)["registry.logs/0"] == (500.0, False)


def test_a_shipper_that_declared_its_progress_is_waited_for_by_the_next_reader() -> None:
    """Whoever takes over finds nothing left to read and no marker yet: the others must not run ahead."""
    known = Sources(SETTINGS, 0.0)
    known.assign({A: Note(100.0, declared=True), B: Note(100.0)}, 0.0)
    for place in (A, B):
        known.moved(place, 10, 10)
    known.read(B, 400.0, False, 1.0)
    known.records_came(1.0)
    assert report(known, 2.0) == {"registry.logs/0": (100.0, True), "registry.logs/1": (400.0, False)}
    known.read(A, 101.0, False, 3.0)  # a record, and still no marker
    assert known.declares(A, 32.0)
    assert not known.declares(A, 34.0), "it has fallen silent"


def test_who_leaves_lets_event_time_wait_for_who_comes() -> None:
    """What comes to a partition that nobody reads must not be late when somebody does: also in silence."""
    known = sources(a=100.0)
    for now in (1.0, 60.0):
        before, left = known.report(now), known.leave(now)
        assert [one.time for one in left] == [one.time for one in before]
        assert all(one.holds for one in left)
        assert not any(one.holds for one in before)


def test_a_partition_never_goes_back() -> None:
    """The intake of a new worker starts from nothing; what is remembered counts until it is passed."""
    known = sources(a=500.0, b=500.0)
    known.read(A, 400.0, False, 1.0)
    assert known.high(A) == 500.0


def test_a_partition_far_ahead_waits_for_the_slowest_with_lag() -> None:
    """Else correlate would have to keep minutes of the fast one until the slow one has come there."""
    known = sources(a=100.0, b=161.0)
    assert known.too_far_ahead() == set()
    known.moved(A, 10, 15)
    assert known.too_far_ahead() == {B}
    known.read(A, 102.0, False, 1.0)
    assert known.too_far_ahead() == set()


def test_the_slowest_partition_never_waits() -> None:
    """Waiting for oneself would be for ever."""
    known = sources(a=100.0, b=900.0)
    known.moved(A, 10, 15)
    known.moved(B, 10, 15)
    assert known.too_far_ahead() == {B}
    known.moved(A, 15, 15)
    assert known.too_far_ahead() == set()
