"""Judges one case: what was reported against what is true.

A report (an incident in its final form) and a trouble *meet* if the report names one of the trouble's
instances and the times overlap, log lag included. Every report is right, wrong or tolerated:

- `right`: it meets a trouble and says its cause, or an answer that is right as well.
- `unproven`: it meets a trouble and names no cause.
- `wrong`: it names a cause that no trouble it meets has.
- `repeated`: it says of a trouble what another report about the same instances has said already.
- `false alarm`: it meets no trouble and names no cause.
- `tolerated`: neither right nor wrong, by the truth.

Every trouble is right, unproven, wrong or missed, by the best of the reports that meet it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from agents.recordings.replay import Outcome
from agents.scoring.truth import Trouble, Truth, Window
from schemas import Cause, Decision, Incident
from schemas import Outcome as Fate

LAG_SECONDS = 45.0
"""How long after its end a trouble is still logged: a lookup gives up after 40 s."""
EARLY_SECONDS = 10.0
"""Clocks differ, and a request that fails first began before."""
RANK = ("right", "unproven", "wrong", "missed")


@dataclass(frozen=True, slots=True)
class Report:
    """One reported incident and what it is worth. `truth`: cause of the trouble it meets, if any."""

    cause: str
    verdict: str
    confidence: float
    instances: tuple[str, ...]
    first_symptom_at: float
    truth: str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one trouble. `verdict_seconds`: event time from its first symptom to the verdict."""

    cause: str
    verdict: str
    said: str | None
    verdict_seconds: float | None
    acceptable: bool = False


@dataclass(frozen=True, slots=True)
class Lookups:
    """Failed lookups by what was decided on them.

    `suppressible`, `handled`: in windows where they are a side effect or noise, and how many of those
    were suppressed or counted. `suppressed`, `suppressed_rightly`: how many were suppressed, and of
    those how many where that is right. `hidden`: those of a real outage that were suppressed as
    something else.
    """

    suppressible: int = 0
    handled: int = 0
    suppressed: int = 0
    suppressed_rightly: int = 0
    genuine: int = 0
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class Judged:
    """One case, judged. `story`: what really happened, in words and in what clients saw."""

    name: str
    family: str
    kind: str
    reports: tuple[Report, ...]
    findings: tuple[Finding, ...]
    lookups: Lookups
    story: str = ""
    seconds: float = 0.0
    dead_letters: int = 0
    problems: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        problems = [
            f"{finding.cause} {finding.verdict}" + (f" ({finding.said})" if finding.said else "")
            for finding in self.findings
            if finding.verdict != "right"
        ]
        problems += [
            f"{report.verdict}: {report.cause} on {'+'.join(report.instances)}"
            for report in self.reports
            if report.verdict in ("wrong", "false alarm", "repeated")
        ]
        lookups = self.lookups
        if lookups.hidden:
            problems.append(f"{lookups.hidden} failed lookups of an outage suppressed")
        if lookups.handled < lookups.suppressible:
            problems.append(
                f"{lookups.suppressible - lookups.handled} of {lookups.suppressible} lookups told"
            )
        object.__setattr__(self, "problems", tuple(problems))


def judge(truth: Truth, outcome: Outcome) -> tuple[tuple[Report, ...], tuple[Finding, ...], Lookups]:
    """Compare an outcome with the truth."""
    incidents = outcome.incidents
    met = {
        incident.id: [trouble for trouble in truth.troubles if _meets(trouble, incident)]
        for incident in incidents
    }
    reports: list[Report] = []
    told: dict[Trouble, list[tuple[Incident, Report]]] = {trouble: [] for trouble in truth.troubles}
    for incident in incidents:
        report, trouble = _report(incident, met[incident.id], told, truth)
        reports.append(report)
        if trouble is not None:
            told[trouble].append((incident, report))
    findings = tuple(_finding(trouble, told[trouble]) for trouble in truth.troubles)
    return tuple(reports), findings, _lookups(truth, outcome.decisions, incidents)


def _report(
    incident: Incident,
    met: list[Trouble],
    told: dict[Trouble, list[tuple[Incident, Report]]],
    truth: Truth,
) -> tuple[Report, Trouble | None]:
    """Say what one report is worth, and about which trouble it is."""
    cause = str(incident.cause)
    agreeing = sorted((t for t in met if cause in t.right), key=lambda t: (len(told[t]), t.start))
    verdict: str
    about: Trouble | None
    if agreeing:
        about = agreeing[0]
        seen = {
            name for earlier, report in told[about] if report.verdict == "right" for name in earlier.instances
        }
        verdict = "repeated" if seen & set(incident.instances) else "right"
    elif any(
        tolerance.cause == cause and _inside(tolerance.where, incident) for tolerance in truth.tolerated
    ):
        about, verdict = None, "tolerated"
    else:
        about = min(met, key=lambda t: (len(told[t]), t.start)) if met else None
        named = cause != Cause.UNPROVEN
        verdict = "wrong" if named else ("unproven" if about else "false alarm")
    report = Report(
        cause, verdict, incident.confidence, incident.instances, incident.first_symptom_at,
        about.cause if about else None,
    )  # fmt: skip
    return report, about


def _finding(trouble: Trouble, told: list[tuple[Incident, Report]]) -> Finding:
    if not told:
        return Finding(trouble.cause, "missed", None, None)
    incident, report = min(told, key=lambda pair: (RANK.index(_rank(pair[1])), pair[0].first_symptom_at))
    seconds = None if incident.verdict_at is None else incident.verdict_at - incident.first_symptom_at
    said = report.cause
    return Finding(trouble.cause, _rank(report), said, seconds, acceptable=said != trouble.cause)


def _rank(report: Report) -> str:
    return "right" if report.verdict == "repeated" else report.verdict


def _meets(trouble: Trouble, incident: Incident) -> bool:
    here = not trouble.instances or bool(set(trouble.instances) & set(incident.instances))
    return here and _overlaps(trouble.start, trouble.end, incident)


def _inside(window: Window, incident: Incident) -> bool:
    here = not window.instances or bool(set(window.instances) & set(incident.instances))
    return here and _overlaps(window.start, window.end, incident)


def _overlaps(start: float, end: float, incident: Incident) -> bool:
    last = incident.first_symptom_at if incident.resolved_at is None else incident.resolved_at
    return incident.first_symptom_at <= end + LAG_SECONDS and last >= start - EARLY_SECONDS


def _lookups(truth: Truth, decisions: Iterable[Decision], incidents: Iterable[Incident]) -> Lookups:
    dns = {incident.id for incident in incidents if incident.cause is Cause.DNS_OUTAGE}
    suppressible = handled = suppressed = rightly = genuine = hidden = 0
    for decision in decisions:
        real = any(_covers(window, decision, LAG_SECONDS) for window in truth.genuine)
        harmless = any(_covers(window, decision, EARLY_SECONDS) for window in truth.suppressible)
        harmless = harmless and not any(_covers(window, decision, 0.0) for window in truth.genuine)
        quiet = decision.outcome is not Fate.RELEASED
        muted = decision.outcome is Fate.SUPPRESSED and decision.incident_id not in dns
        if harmless:
            suppressible += decision.count
            handled += decision.count * quiet
        elif real:
            genuine += decision.count
            hidden += decision.count * muted
        suppressed += decision.count * muted
        rightly += decision.count * (muted and (harmless or not real))
    return Lookups(suppressible, handled, suppressed, rightly, genuine, hidden)


def _covers(window: Window, decision: Decision, after_seconds: float) -> bool:
    here = not window.instances or decision.instance is None or decision.instance in window.instances
    return here and window.start - 1 <= decision.symptom_at <= window.end + after_seconds
