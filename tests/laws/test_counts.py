"""Numbers are right: whatever the core counts, a person with pencil and paper counts the same."""

from collections import Counter
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core import Output
from schemas import DNS_KINDS, Change, Decision, Incident, Outcome, SymptomKind
from tests.laws import oracle
from tests.laws.blocks import cascade, good_service, histories, one_trouble, united
from tests.laws.bounds import searched
from tests.laws.histories import History
from tests.laws.ways import BRISK, arriving, at_once, end_of, outputs

END = end_of(BRISK)


def final(said: Iterable[Output]) -> dict[str, Incident]:
    """Every incident as its last change shows it."""
    return {output.incident.id: output.incident for output in said if isinstance(output, Change)}


def decisions(said: Iterable[Output]) -> list[Decision]:
    return [output for output in said if isinstance(output, Decision)]


def about(decision: Decision) -> oracle.Lookup:
    place = f"@{decision.host}" if decision.host is not None else decision.instance or ""
    second = int(decision.symptom_at)
    return place, second, decision.kind.value, decision.upstream or "", decision.question or ""


@searched(40)
@given(histories)
def test_no_failed_request_is_counted_twice(history: History) -> None:
    """All incidents together never count more failed requests than there were."""
    incidents = final(outputs(at_once(history, END), BRISK)).values()
    counted = sum(incident.impact.requests_failed for incident in incidents)
    assert counted <= sum(len(requests) for requests in oracle.failed_requests(history).values())


@searched(25)
@given(one_trouble(), st.integers(0, 3))
def test_a_lone_trouble_counts_every_failed_request_once(history: History, delay: int) -> None:
    """Where one starved instance is all that happens, its incident counts what the oracle counts."""
    said = outputs(arriving(history, END, lambda number, _: number * delay % 4), BRISK)
    (incident,) = final(said).values()
    (instance,) = incident.instances
    assert incident.impact.requests_failed == len(oracle.failed_requests(history)[instance])
    assert not incident.impact.estimated


@searched(15)
@given(st.lists(st.one_of(cascade(), good_service()), min_size=2, max_size=5).map(united))
def test_slow_and_good_requests_are_counted_at_most_once(history: History) -> None:
    """Slow successes and the total beside the failures never exceed what was logged."""
    for incident in final(outputs(at_once(history, END), BRISK)).values():
        failed = sum(len(oracle.failed_requests(history)[one]) for one in incident.instances)
        slow = oracle.events_of(history, SymptomKind.REQUEST_SLOW)
        good = oracle.events_of(history, SymptomKind.REQUEST_OK)
        assert incident.impact.requests_slow <= sum(len(slow[one]) for one in incident.instances)
        logged = failed + sum(len(slow[one]) + len(good[one]) for one in incident.instances)
        assert (incident.impact.requests_total or 0) <= logged


@searched(40)
@given(histories)
def test_every_failed_lookup_is_ruled_on_exactly_once(history: History) -> None:
    """Suppressed, released or counted: nothing is lost, nothing is ruled on twice, and the counts agree."""
    ruled: Counter[oracle.Lookup] = Counter()
    found = decisions(outputs(at_once(history, END), BRISK))
    for decision in found:
        ruled[about(decision)] += decision.count
    assert dict(ruled) == {lookup: len(names) for lookup, names in oracle.lookups(history).items()}
    assert len({decision.id for decision in found}) == len(found)


@searched(25)
@given(histories, st.integers(1, 60))
def test_late_lookups_are_ruled_on_as_well(history: History, late_seconds: int) -> None:
    """A failed lookup that comes after its second was settled is ruled on like any other, and once."""
    steps = arriving(history, END, lambda number, _: float(late_seconds if number % 3 == 0 else 0))
    found = decisions(outputs(steps, BRISK))
    ruled: Counter[oracle.Lookup] = Counter()
    for decision in found:
        if decision.kind in DNS_KINDS:
            ruled[about(decision)] += decision.count
    assert dict(ruled) == {lookup: len(names) for lookup, names in oracle.lookups(history).items()}
    assert len({decision.id for decision in found}) == len(found)


@searched(30)
@given(histories)
def test_an_incident_shows_the_sum_of_its_decisions(history: History) -> None:
    """What a change says was suppressed or released is what the decisions before it said."""
    told: Counter[tuple[str | None, Outcome]] = Counter()
    for output in outputs(at_once(history, END), BRISK):
        if isinstance(output, Decision):
            told[output.incident_id, output.outcome] += output.count
        else:
            one = output.incident
            assert one.suppressed == told[one.id, Outcome.SUPPRESSED]
            assert one.released == told[one.id, Outcome.RELEASED]


@searched(40)
@given(histories)
def test_a_lookup_of_an_instance_that_was_never_starved_is_never_suppressed(history: History) -> None:
    """Where CPU is measured and never near its limit, starvation explains nothing away."""
    well = oracle.never_starved(history)
    for decision in decisions(outputs(at_once(history, END), BRISK)):
        if decision.outcome is Outcome.SUPPRESSED:
            assert not oracle.instances_at(about(decision)[0]) & well
