"""The book: bounded, and the same whatever the order and however often records come."""

import random

import pytest

from pipeline.page import Answers, Book, Limits
from pipeline.page.answers import CursorError, Slice, UnknownError, Wanted
from pipeline.page.shelf import Shelf
from pipeline.render.words import catalogue
from schemas import IncidentState, Outcome
from tests.page.records import book_of, dead_letter, decision, incident_change, replayed
from tests.render.incidents import CASCADE

NOW = 2_000_000_000.0


def answers(book: Book) -> Answers:
    return Answers(book, catalogue("en"))


@pytest.mark.parametrize("seed", range(5))
def test_order_and_repeats_do_not_matter(seed: int) -> None:
    """Three workers that read the same partitions in another order show the same."""
    outcome = replayed("cpu_cascade")
    records = [*outcome.changes, *outcome.decisions, *(dead_letter(n) for n in range(5))]
    shuffled = [*records, *records[::3]]
    random.Random(seed).shuffle(shuffled)
    right, mixed = answers(book_of(*records)), answers(book_of(*shuffled))
    name = outcome.incidents[0].id
    assert right.incident(name, NOW).incident == outcome.incidents[0]
    for ask in (
        lambda one: one.incidents(Wanted("all"), Slice(), NOW),
        lambda one: one.incident(name, NOW),
        lambda one: one.decisions(name, None, Slice(), NOW),
        lambda one: one.dead_letters(Slice(), NOW),
    ):
        assert ask(mixed) == ask(right)


def test_a_repeat_is_no_news() -> None:
    """Open pages are not woken by what they know."""
    book = Book(Limits())
    for record in (CASCADE[0], decision(1), dead_letter(1)):
        assert book.receive(record).news is not None
        assert book.receive(record).news is None


def test_an_incident_stands_as_its_last_change_says() -> None:
    """All changes are listed, the incident is that of the highest number."""
    view = answers(book_of(*reversed(CASCADE))).incident(CASCADE[0].incident.id, NOW)
    assert view.incident == CASCADE[-1].incident
    assert [one.seq for one in view.changes] == [one.seq for one in CASCADE]
    assert view.line.last_change.reason == CASCADE[-1].reason


def test_resolved_incidents_are_forgotten_first_and_it_is_said() -> None:
    """What is open stays as long as there is anything else to let go."""
    changes = [
        incident_change(n, IncidentState.RESOLVED if n % 2 else IncidentState.OPEN) for n in range(100)
    ]
    listed = answers(book_of(*changes, limits=Limits(incidents=60))).incidents(
        Wanted("all"), Slice(limit=200), NOW
    )
    assert len(listed.incidents) <= 60
    assert listed.forgotten == 100 - len(listed.incidents)
    assert {one.id for one in listed.incidents} >= {one.incident.id for one in changes[::2]}


def test_the_oldest_decisions_are_forgotten_everywhere() -> None:
    """Neither the incident's list nor a count remembers what the list of all has let go."""
    made = [decision(n, "i1" if n % 2 else None) for n in range(50)]
    random.Random(1).shuffle(made)
    asked = answers(book_of(*made, limits=Limits(decisions=20)))
    everything = asked.decisions(None, None, Slice(), NOW)
    assert [one.id for one in everything.decisions] == [decision(n).id for n in range(49, 29, -1)]
    assert (everything.total, everything.forgotten) == (20, 30)
    of_one = asked.decisions("i1", None, Slice(), NOW)
    assert [one.id for one in of_one.decisions] == [decision(n).id for n in range(49, 29, -2)]
    assert of_one.outcomes == {"suppressed": 10, "released": 0, "counted": 0}


def test_pages_of_decisions_hold_each_once() -> None:
    """Turning pages by cursor meets every decision once, even when new ones come in between."""
    book = book_of(*(decision(n, outcome=Outcome.RELEASED if n % 3 else Outcome.COUNTED) for n in range(100)))
    asked, seen, before = answers(book), [], None
    for number in range(200):
        page = asked.decisions(None, Outcome.RELEASED, Slice(before, 7), NOW)
        seen += [one.id for one in page.decisions]
        book.receive(decision(1000 + number, outcome=Outcome.RELEASED))
        before = page.next
        if before is None:
            break
    assert seen == [decision(n).id for n in range(99, -1, -1) if n % 3]


def test_pages_of_incidents_hold_each_once_and_open_ones_first() -> None:
    """Lists begin with what is still going on."""
    states = (IncidentState.RESOLVED, IncidentState.OPEN, IncidentState.RECOVERING)
    asked = answers(book_of(*(incident_change(n, states[n % 3]) for n in range(90))))
    seen, before = [], None
    while True:
        page = asked.incidents(Wanted("all"), Slice(before, 11), NOW)
        seen += page.incidents
        before = page.next
        if before is None:
            break
    assert [one.state for one in seen] == sorted(
        (states[n % 3] for n in range(90)), key=["open", "recovering", "resolved"].index
    )
    assert len({one.id for one in seen}) == 90
    some = asked.incidents(Wanted("all", cause="dns_outage", domain="shop-2"), Slice(), NOW)
    assert {(one.cause, one.domain) for one in some.incidents} == {("dns_outage", "shop-2")}
    assert some.states == {"open": 30, "recovering": 30, "resolved": 30}


@pytest.mark.parametrize("before", ["x", "1~2", "9~1.0~a", "2~nan~a", "2~x~a"])
def test_what_is_no_cursor_is_said_to_be_none(before: str) -> None:
    """A link somebody has cut short gives an error that says so."""
    with pytest.raises(CursorError, match="before: expected a cursor"):
        answers(book_of(incident_change(1))).incidents(Wanted(), Slice(before), NOW)


def test_an_unknown_incident_is_named() -> None:
    """Whoever follows an old link learns that it is gone."""
    with pytest.raises(UnknownError, match="no incident abc"):
        answers(book_of()).incident("abc", NOW)


def test_dead_letters_show_no_secret() -> None:
    """Not even one that stands where the text is cut."""
    secret = b"Authorization: Bearer abcdefghijklmnop"
    for filling in (0, 1_980, 3_990):
        (line,) = (
            answers(book_of(dead_letter(1, b"x " * (filling // 2) + secret * 3)))
            .dead_letters(Slice(), NOW)
            .dead_letters
        )
        assert "abcdef" not in line.text
        assert line.cut is (filling > 1_000)


def test_a_full_shelf_keeps_the_highest() -> None:
    """Whatever comes when, the highest keys stay."""
    keys = [(float(n), "a") for n in range(30)]
    random.Random(3).shuffle(keys)
    shelf: Shelf[float] = Shelf(10)
    for key in keys:
        shelf.put(key, key[0])
    assert [thing for _, thing in shelf.all()] == [float(n) for n in range(20, 30)]
    assert shelf.fallen == 20
