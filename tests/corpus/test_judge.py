from dataclasses import replace
from typing import Any

import pytest

from agents.recordings.replay import Outcome
from agents.scoring.judge import Judged, judge
from agents.scoring.sum import below_floors, sum_up
from agents.scoring.truth import Tolerance, Trouble, Truth, TruthError, Window, read_truth
from pipeline.intake import Counts
from schemas import Change, ChangeKind, Decision, Incident, IncidentState, SymptomKind
from schemas import Outcome as Fate

A, B = "registry-a", "registry-b"
CPU = Trouble("cpu_saturation", (A,), 100.0, 200.0)


def incident(cause: str, first: float, last: float, *instances: str, **more: Any) -> Incident:
    name = f"{cause}-{first:.0f}-{'-'.join(instances)}"
    given = {
        "confidence": 0.9,
        "state": IncidentState.RESOLVED,
        "opened_at": first,
        "verdict_at": first + 20,
        **more,
    }
    return Incident(
        id=name, domain="default", instances=instances or (A,), cause=cause, first_symptom_at=first,
        resolved_at=last, **given,
    )  # fmt: skip


def decision(
    at: float, outcome: Fate, instance: str | None = A, by: str | None = None, count: int = 1
) -> Decision:
    return Decision(
        id=f"{at}-{outcome}", domain="default", instance=instance, kind=SymptomKind.DNS_TIMEOUT,
        symptom_at=at, decided_at=at + 10, count=count, outcome=outcome, incident_id=by, reason="because",
    )  # fmt: skip


def outcome(*incidents: Incident, decisions: tuple[Decision, ...] = ()) -> Outcome:
    changes = tuple(
        Change(
            id=f"{one.id}:1", seq=1, kind=ChangeKind.RESOLVED, at=one.opened_at, reason="over", incident=one
        )
        for one in incidents
    )
    return Outcome(changes, decisions, Counts(), ())


def verdicts(truth: Truth, *incidents: Incident) -> tuple[list[str], list[str]]:
    reports, findings, _ = judge(truth, outcome(*incidents))
    return [report.verdict for report in reports], [finding.verdict for finding in findings]


@pytest.mark.parametrize(
    ("reported", "report", "finding"),
    [
        (incident("cpu_saturation", 110, 190), "right", "right"),
        (incident("unproven", 110, 190), "unproven", "unproven"),
        (incident("storage_latency", 110, 190), "wrong", "wrong"),
        (incident("cpu_saturation", 110, 190, B), "wrong", "missed"),
        (incident("cpu_saturation", 300, 350), "wrong", "missed"),
        (incident("unproven", 300, 350), "false alarm", "missed"),
        (incident("cpu_saturation", 240, 250), "right", "right"),
    ],
)
def test_a_report_is_judged_by_cause_place_and_time(reported: Incident, report: str, finding: str) -> None:
    """A report is right only if cause, instance and time agree, the lag of logging included."""
    assert verdicts(Truth((CPU,)), reported) == ([report], [finding])


def test_silence_is_a_miss() -> None:
    """A trouble nobody reports is missed, and nothing to report is no fault."""
    assert verdicts(Truth((CPU,))) == ([], ["missed"])
    assert verdicts(Truth()) == ([], [])


def test_saying_it_twice_is_a_fault_of_the_report_not_of_the_finding() -> None:
    """A second report of one trouble about the same instance is a repetition."""
    told = verdicts(Truth((CPU,)), incident("cpu_saturation", 110, 140), incident("cpu_saturation", 150, 190))
    assert told == (["right", "repeated"], ["right"])


def test_one_trouble_of_two_instances_may_be_two_reports() -> None:
    """A shared trouble is told right in one report per instance."""
    shared = Trouble("dns_outage", (A, B), 100.0, 200.0)
    told = verdicts(
        Truth((shared,)), incident("dns_outage", 110, 190, A), incident("dns_outage", 112, 190, B)
    )
    assert told == (["right", "right"], ["right"])


def test_a_right_report_outweighs_a_wrong_one() -> None:
    """What became of a trouble is the best that was said of it; the wrong report still counts as wrong."""
    told = verdicts(
        Truth((CPU,)), incident("storage_latency", 105, 120), incident("cpu_saturation", 110, 190)
    )
    assert told == (["wrong", "right"], ["right"])


def test_what_the_truth_accepts_or_tolerates_is_not_wrong() -> None:
    """`acceptable` makes another answer right; `tolerated` takes a report out of the score."""
    blind = Trouble("cpu_saturation", (A,), 100.0, 200.0, ("unproven",))
    assert verdicts(Truth((blind,)), incident("unproven", 110, 190)) == (["right"], ["right"])
    tolerated = Truth((CPU,), tolerated=(Tolerance("storage_latency", Window((A,), 200.0, 260.0)),))
    assert verdicts(tolerated, incident("storage_latency", 210, 250)) == (["tolerated"], ["missed"])
    assert verdicts(tolerated, incident("dns_outage", 210, 250))[0] == ["wrong"]


def test_an_incident_that_lasts_cannot_swallow_the_next() -> None:
    """Two troubles of different causes need two reports."""
    next_one = Trouble("storage_latency", (A,), 210.0, 300.0)
    told = verdicts(Truth((CPU, next_one)), incident("cpu_saturation", 110, 320))
    assert told == (["right"], ["right", "missed"])


def test_lookups_are_counted_by_window_and_fate() -> None:
    """Suppressing noise is right, hiding an outage is not, and counting a stray is quiet as well."""
    truth = Truth((CPU,), suppressible=(Window((A,), 100.0, 200.0),), genuine=(Window((B,), 100.0, 200.0),))
    decisions = (
        decision(120, Fate.SUPPRESSED, A, "cpu"),
        decision(130, Fate.COUNTED, A),
        decision(140, Fate.RELEASED, A, count=2),
        decision(150, Fate.SUPPRESSED, B, "cpu", count=3),
        decision(160, Fate.RELEASED, B),
    )
    _, _, lookups = judge(truth, outcome(decisions=decisions))
    assert (lookups.suppressible, lookups.handled) == (4, 2)
    assert (lookups.genuine, lookups.hidden) == (4, 3)
    assert (lookups.suppressed, lookups.suppressed_rightly) == (4, 1)


def test_the_dns_incident_hides_nothing_of_itself() -> None:
    """A failed lookup that a reported DNS outage explains is told, not hidden."""
    outage = incident("dns_outage", 105, 190)
    truth = Truth((Trouble("dns_outage", (A,), 100.0, 200.0),), genuine=(Window((A,), 100.0, 200.0),))
    _, _, lookups = judge(truth, outcome(outage, decisions=(decision(120, Fate.SUPPRESSED, A, outage.id),)))
    assert (lookups.genuine, lookups.hidden) == (1, 0)


def judged(truth: Truth, *incidents: Incident) -> Judged:
    reports, findings, lookups = judge(truth, outcome(*incidents))
    return Judged("one", "family", "incident", reports, findings, lookups)


def test_the_sum_counts_what_was_judged() -> None:
    """Precision is of reports, recall of troubles, and the share of wrong causes of named ones."""
    total = sum_up(
        [
            judged(Truth((CPU,)), incident("cpu_saturation", 110, 190)),
            judged(Truth((CPU,)), incident("unproven", 110, 190)),
            judged(Truth(), incident("dns_outage", 110, 190)),
            judged(Truth((CPU,))),
        ]
    )
    assert total.precision == pytest.approx(2 / 3)
    assert total.recall == pytest.approx(1 / 3)
    assert total.wrong_share == pytest.approx(1 / 2)
    assert total.verdict_median_seconds == 20
    cpu = next(cause for cause in total.causes if cause.cause == "cpu_saturation")
    assert (cpu.troubles, cpu.right, cpu.unproven, cpu.missed) == (3, 1, 1, 1)
    assert (cpu.precision, cpu.recall) == (1.0, pytest.approx(1 / 3))
    assert [line.split()[0] for line in below_floors(total)] == ["precision", "recall", "wrong_share"]


def test_a_good_score_is_below_no_floor() -> None:
    """Floors hold for a score without fault, and figures there is nothing of do not count."""
    assert below_floors(sum_up([judged(Truth((CPU,)), incident("cpu_saturation", 110, 190))])) == []


def test_a_verdict_may_be_as_late_as_its_readings() -> None:
    """Where readings arrive 45 s late the time to a verdict is held to its floor without those."""
    total = replace(
        sum_up([judged(Truth((CPU,)), incident("cpu_saturation", 110, 190))]), verdict_median_seconds=74.0
    )
    assert below_floors(total, 45.0) == []
    assert (
        len(below_floors(total)) == len(below_floors(replace(total, verdict_median_seconds=76.0), 45.0)) == 1
    )


def test_a_truth_that_cannot_be_read_names_its_case() -> None:
    """A missing key is an error with the name of the case."""
    with pytest.raises(TruthError, match=r"odd: .*'end'"):
        read_truth("odd", {"incidents": [{"instance": A, "cause": "dns_outage", "start": 1.0}]})
