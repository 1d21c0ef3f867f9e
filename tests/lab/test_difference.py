"""Sides written by hand: each kind of difference, and nothing else."""

import orjson
import pytest

from pipeline.lab.difference import Kind, compare
from pipeline.lab.report import Compared, rows, summary
from pipeline.lab.said import SaidError, Side, messages_of, read_side
from schemas import Change, ChangeKind, Decision, Impact, Incident, IncidentState, Outcome, SymptomKind

A, B = "registry-a", "registry-b"


def incident(name: str, cause: str, first: float, last: float, where: str = A, failed: int = 10) -> Incident:
    return Incident(
        id=name, domain="default", instances=(where,), cause=cause, confidence=0.9, opened_at=first,
        state=IncidentState.RESOLVED, first_symptom_at=first, resolved_at=last,
        impact=Impact(requests_failed=failed),
    )  # fmt: skip


def decision(at: float, count: int, outcome: Outcome) -> Decision:
    return Decision(
        id=f"{at}-{outcome}", domain="default", instance=A, kind=SymptomKind.DNS_TIMEOUT, symptom_at=at,
        decided_at=at + 10, count=count, outcome=outcome, reason="because",
    )  # fmt: skip


def side(*incidents: Incident, decisions: tuple[Decision, ...] = ()) -> Side:
    changes = [
        Change(id=f"{one.id}:{seq}", seq=seq, kind=kind, at=one.opened_at + seq, reason="so", incident=one)
        for one in incidents
        for seq, kind in enumerate((ChangeKind.OPENED, ChangeKind.RESOLVED), 1)
    ]
    return Side(incidents, decisions, messages_of(changes))


CPU = incident("c", "cpu_saturation", 100, 200)
DNS = incident("d", "dns_outage", 150, 180)


def kinds(old: Side, new: Side) -> list[tuple[Kind, int, int]]:
    return [(one.kind, len(one.old), len(one.new)) for one in compare(old, new).incidents]


def test_equal_sides_are_the_same() -> None:
    """Nothing differs between a side and itself, in whatever order its incidents are told."""
    assert compare(side(CPU, DNS), side(DNS, CPU)).same


def test_a_concurrent_incident_that_goes_away_is_lost_not_merged() -> None:
    """Two troubles at one place and time are two: one that is no longer told was lost."""
    assert kinds(side(CPU, DNS), side(CPU)) == [(Kind.LOST, 1, 0)]
    assert kinds(side(CPU), side(CPU, DNS)) == [(Kind.GAINED, 0, 1)]


def test_one_that_takes_the_requests_of_another_has_merged_it() -> None:
    """Two become one where the one counts more than its own partner did."""
    larger = incident("c", "cpu_saturation", 100, 200, failed=20)
    assert kinds(side(CPU, DNS), side(larger)) == [(Kind.MERGED, 2, 1)]
    assert kinds(side(larger), side(CPU, DNS)) == [(Kind.SPLIT, 1, 2)]


def test_one_that_reaches_into_the_time_of_another_has_merged_it() -> None:
    """Two that followed one another become one that lasts, whatever is counted."""
    first, then = incident("x", "dns_outage", 100, 140), incident("y", "dns_outage", 160, 200)
    whole = incident("z", "dns_outage", 100, 200)
    assert kinds(side(first, then), side(whole)) == [(Kind.MERGED, 2, 1)]
    assert kinds(side(whole), side(first, then)) == [(Kind.SPLIT, 1, 2)]


def test_another_name_for_the_same_trouble_is_a_changed_cause() -> None:
    """A new id does not make a new incident of the same place and time."""
    renamed = incident("e", "unproven", 104, 200)
    found = compare(side(CPU), side(renamed)).incidents
    assert [(one.kind, [figure.name for figure in one.figures]) for one in found] == [
        (Kind.CAUSE, ["cause", "first_symptom_at", "opened_at"])
    ]


def test_elsewhere_or_later_is_not_the_same_incident() -> None:
    """Neither the same cause elsewhere nor the same place later is a match."""
    for other in (
        incident("e", "cpu_saturation", 100, 200, B),
        incident("e", "cpu_saturation", 300, 400),
    ):
        assert sorted(kinds(side(CPU), side(other))) == [(Kind.GAINED, 0, 1), (Kind.LOST, 1, 0)]


def test_noise_is_told_by_where_it_came_from_and_went() -> None:
    """Lookups that are decided on alike are no difference; the others are counted by their new fate."""
    old = side(decisions=(decision(1, 5, Outcome.RELEASED), decision(2, 3, Outcome.SUPPRESSED)))
    new = side(
        decisions=(
            decision(1, 2, Outcome.RELEASED),
            decision(1, 3, Outcome.SUPPRESSED),
            decision(4, 1, Outcome.COUNTED),
        )
    )
    flows = [(one.decision.symptom_at, one.count, one.old, one.new) for one in compare(old, new).noise]
    assert flows == [
        (1, 3, Outcome.RELEASED, Outcome.SUPPRESSED),
        (2, 3, Outcome.SUPPRESSED, None),
        (4, 1, None, Outcome.COUNTED),
    ]
    counted = summary([Compared("one", compare(old, new))])
    assert (counted["newly suppressed"], counted["newly released"], counted["no longer decided on"]) == (
        3,
        0,
        3,
    )


def test_messages_follow_the_incidents() -> None:
    """A lost incident is a message to the channel and two replies fewer; a later one is no difference."""
    lost = compare(side(CPU, DNS), side(CPU)).messages
    assert [(one.incident.id, one.act, one.kind, one.by) for one in lost or ()] == [
        ("d", "post", "opened", -1), ("d", "reply", "opened", -1), ("d", "reply", "resolved", -1),
    ]  # fmt: skip
    later = incident("c", "cpu_saturation", 101, 200)
    assert compare(side(CPU), side(later)).messages == ()


def test_changes_that_were_not_saved_are_not_taken_for_silence() -> None:
    """Without changes on one side nothing is said of messages."""
    silent = Side((CPU,), (), None)
    assert compare(side(CPU), silent).messages is None
    assert compare(side(CPU), silent).same


def test_every_difference_has_a_row() -> None:
    """The words name place, time and counts of what they are about."""
    found = [row.text for row in rows(compare(side(CPU, DNS), side(CPU)))]
    assert (
        found[0]
        == "dns_outage: default/registry-a, 1970-01-01 00:02:30 to 00:03:00 UTC (d), 10 failed requests"
    )
    assert found[1] == "1 message to the channel fewer (opened) about dns_outage d"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "no JSON"),
        (b'{"v": 1, "type": "other"}', "no incident, decision or change"),
        (b'{"v": 2, "type": "incident"}', "format version 2"),
        (b'{"v": 1, "type": "incident"}', "no key 'id'"),
        (b"[]", "no incident, decision or change"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(line: bytes, message: str) -> None:
    """A saved output that is broken says in which line and how."""
    with pytest.raises(SaidError, match=message) as raised:
        read_side([b"", line])
    assert raised.value.line == 2


def test_a_value_that_is_wrong_is_named() -> None:
    """A key of the wrong type says which one."""
    body = {**CPU.model_dump(mode="json"), "v": 1, "type": "incident", "confidence": "high"}
    with pytest.raises(SaidError, match="confidence"):
        read_side([orjson.dumps(body)])
