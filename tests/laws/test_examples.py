"""Small histories that once broke a law, kept beside the properties that look for more of them."""

from collections.abc import Iterable
from typing import Any

from pipeline.core import Correlator, Output
from schemas import Change, ChangeKind, Decision, Rules, Signal, SymptomKind
from tests.laws.blocks import cpu_sample
from tests.laws.histories import BASE, Event, Fact, roll_up, signals
from tests.laws.ways import BRISK, DOMAIN, Step, arriving, at_once, end_of, outputs

USUAL = Rules()


def event(kind: SymptomKind, second: float, **more: Any) -> Event:
    return Event(kind, BASE + second, more.pop("instance", "registry-a"), more.pop("host", None), **more)


def lookup(second: float, number: int = 0, **more: Any) -> Event:
    return event(SymptomKind.DNS_TIMEOUT, second, number=number, upstream="10.0.0.2", **more)


def cancelled(second: float, request: str, **more: Any) -> Event:
    return event(SymptomKind.REQUEST_CANCELLED, second, request=request, **more)


def changes(said: Iterable[Output]) -> list[Change]:
    return [output for output in said if isinstance(output, Change)]


def decisions(said: Iterable[Output]) -> list[Decision]:
    return [output for output in said if isinstance(output, Decision)]


def test_a_restart_loop_that_pauses_is_the_same_incident() -> None:
    """What opened an incident is its id: seen again after it was over, it reopens that incident."""
    starts = [event(SymptomKind.PROCESS_STARTED, second) for second in (0, 10, 20, 30, 150, 170)]
    said = changes(outputs(at_once(tuple(starts), BASE + 600.0), USUAL))
    assert [change.kind.value for change in said] == [
        "opened",
        "recovering",
        "resolved",
        "reopened",
        "recovering",
        "resolved",
    ]
    assert [change.seq for change in said] == [1, 2, 3, 4, 5, 6]
    assert len({change.incident.id for change in said}) == 1
    assert "started 5 times" in said[3].incident.evidence[0].text


def test_a_lookup_that_comes_after_the_ruling_is_ruled_on_by_itself() -> None:
    """The first decision counted one lookup; the second counts the other, under an id of its own."""
    steps: list[Step] = [*roll_up([lookup(10.1)]), BASE + 100.0, *roll_up([lookup(10.2, number=1)])]
    first, second = decisions(outputs([*steps, BASE + 200.0], USUAL))
    assert (first.count, second.count) == (1, 1)
    assert first.id != second.id


def test_a_late_roll_up_that_comes_again_with_one_line_more_counts_that_line() -> None:
    """Of a repeated roll-up only what is new in it is late."""
    burst = signals([cancelled(10 + number, f"r{number}") for number in range(8)])
    one, two = cancelled(12.5, "late-1"), cancelled(12.6, "late-2")
    steps: list[Step] = [*burst, BASE + 50.0, *roll_up([one]), *roll_up([one, two]), *roll_up([one, two])]
    said = [change for change in changes(outputs(steps, USUAL)) if change.kind is ChangeKind.LATE]
    assert [(change.incident.late, change.incident.impact.requests_failed) for change in said] == [
        (1, 9),
        (2, 10),
    ]


def test_a_late_line_of_a_counted_request_counts_nothing() -> None:
    """A second line of a request that was counted tells that it was late, and changes no number."""
    burst = signals([cancelled(10 + number, f"r{number}") for number in range(8)])
    late = roll_up([event(SymptomKind.REQUEST_FAILED, 12.9, request="r2")])
    last = changes(outputs([*burst, BASE + 50.0, *late], USUAL))[-1]
    assert (last.kind, last.incident.impact.requests_failed) == (ChangeKind.LATE, 8)


def test_a_core_with_something_left_to_say_is_busy() -> None:
    """Slow pulls at the very end open their incident seconds later; until then the core asks for time."""
    starved: list[Fact] = [cpu_sample("registry-a", second, starved=True) for second in range(13)]
    slow = [
        event(SymptomKind.REQUEST_SLOW, 11 + number / 40, number=number, duration_seconds=5.0)
        for number in range(30)
    ]
    core = Correlator(DOMAIN, USUAL)
    for signal in signals([*starved, *slow]):
        core.receive(signal)
    for second in range(10, 40):
        busy, said = core.busy, core.advance(BASE + second + USUAL.lateness_seconds)
        assert busy or not said
    assert core.advance(BASE + 2000.0)
    assert not core.busy


def test_a_kill_is_not_known_before_its_second() -> None:
    """An exit at 20.9 is told at 21, however early it arrived."""
    memory = [cpu_sample("registry-a", second, starved=False, memory=True) for second in range(0, 40)]
    killed = event(SymptomKind.PROCESS_EXITED, 20.9, status=137)
    said = changes(outputs(at_once((*memory, killed), end_of(BRISK)), BRISK))
    assert said[0].at == BASE + 21.0


def test_an_instance_that_is_not_there_yet_explains_nothing() -> None:
    """Who runs on a host is learnt second by second: not from records that merely came early."""
    lost = [lookup(second, instance=None, host="node-1") for second in range(3, 9)]
    later = [cpu_sample("registry-b", second, starved=False, host="node-1") for second in range(30, 60)]
    there = [cpu_sample("registry-a", second, starved=False, host="node-1") for second in range(60)]
    history: tuple[Fact, ...] = (*lost, *later, *there)
    early = outputs(at_once(history, end_of(BRISK)), BRISK)
    assert early == outputs(arriving(history, end_of(BRISK), lambda *_: 0.0), BRISK)


def test_a_line_that_comes_again_is_shown_once() -> None:
    """Two copies of one line are one example, the one that was read first."""
    once, again = lookup(10.1), lookup(10.1, copy=1)
    (decision,) = decisions(outputs([*roll_up([once]), *roll_up([again]), BASE + 200.0], USUAL))
    assert [origin.offset for origin in decision.origins] == [once.exemplar.origin.offset]


def test_a_decision_names_lines_of_its_own_upstream() -> None:
    """Two resolvers fail in the same second: each decision points at its own line."""
    one, other = lookup(10.1), event(SymptomKind.DNS_TIMEOUT, 10.2, upstream="10.0.0.3")
    said = decisions(outputs(at_once((one, other), BASE + 200.0), USUAL))
    found = {decision.upstream: [origin.offset for origin in decision.origins] for decision in said}
    assert found == {
        "10.0.0.2": [one.exemplar.origin.offset],
        "10.0.0.3": [other.exemplar.origin.offset],
    }


def test_failures_that_one_incident_took_are_not_taken_by_the_next() -> None:
    """Lookups fail, then the container starves: no request is counted in both incidents, none flaps."""
    cpu = [cpu_sample("registry-a", second, starved=10 < second <= 40) for second in range(120)]
    lost = [lookup(second + 0.5, number=number) for second in (0, 1) for number in (0, 1)]
    failed = [
        cancelled(
            second + 0.1,
            f"r{second}",
            client="registry-ui",
            route="catalog",
            duration_seconds=5 + second * 7 % 11 / 5,
        )
        for second in range(15, 40)
    ]
    said = changes(outputs(at_once((*cpu, *lost, *failed), end_of(BRISK)), BRISK))
    last = {change.incident.id: change.incident for change in said}
    assert sum(incident.impact.requests_failed for incident in last.values()) <= len(failed)
    assert sum(change.kind is ChangeKind.REOPENED for change in said) <= 3


def test_good_requests_from_long_ago_say_nothing() -> None:
    """A shipper that catches up on an hour of access logs is not told about each second of it."""
    old: list[Signal] = list(roll_up([event(SymptomKind.REQUEST_OK, 1.0)]))
    steps: list[Step] = [*roll_up([event(SymptomKind.REQUEST_OK, 2000.0)]), BASE + 2500.0, *old]
    assert outputs(steps, USUAL) == []
