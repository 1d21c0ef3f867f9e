"""From findings to a verdict: the earliest proven cause leads, and every rival gets its reason."""

from dataclasses import dataclass

from pipeline.diagnosis import client, cpu, declared, dns, memory, storage
from pipeline.diagnosis.finding import Explains, Finding, Standing
from pipeline.diagnosis.view import View
from pipeline.diagnosis.words import clock
from schemas import Cause, Evidence, Rival, RivalStanding

MEASURED = {
    Cause.CPU_SATURATION: cpu.examine,
    Cause.MEMORY_PRESSURE: memory.examine,
    Cause.STORAGE_LATENCY: storage.examine,
    Cause.DNS_OUTAGE: dns.examine,
}
"""Causes that stand on their own evidence. client_timeout stands on theirs being refuted. A new cause
is one file and one line here."""

UNDECIDED_FACTOR = 0.95
"""What one rival that nobody could measure takes from the confidence in the named cause."""
CONFIDENCE_MAX = 0.99


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the evidence says about one instance.

    `cause` is None while a measurement that matters is due; `unproven` when none will come.
    `strength`: what the evidence is worth before undecided rivals take from it.
    """

    cause: Cause | str | None
    confidence: float
    evidence: tuple[Evidence, ...]
    rivals: tuple[Rival, ...]
    since: float | None = None
    explains: Explains | None = None
    level: str | None = None
    proven: tuple[Finding, ...] = ()
    strength: float = 0.0


def examine(view: View) -> dict[Cause | str, Finding]:
    """Every cause's finding for the instance of `view`, declared ones included."""
    findings: dict[Cause | str, Finding] = {cause: look(view) for cause, look in MEASURED.items()}
    standings = {cause: finding.standing for cause, finding in findings.items()}
    supported = Standing.PROVEN in standings.values() or Standing.PENDING in standings.values()
    measured = all(
        standings[cause] is Standing.REFUTED for cause in (Cause.CPU_SATURATION, Cause.STORAGE_LATENCY)
    )
    by_measurement = measured and bool(view.cpu) and bool(view.storage)
    if by_measurement and not supported and (stalled := dns.examine_stalls(view)) is not None:
        findings[Cause.DNS_OUTAGE] = stalled
        supported = True
    findings[Cause.CLIENT_TIMEOUT] = client.examine(
        view, others_refuted=not supported and by_measurement, others_unknown=not supported
    )
    findings |= {one.name: declared.examine(view, one) for one in view.rules.causes}
    return findings | {
        one.name: declared.outranked(findings[one.name], one, findings) for one in view.rules.causes
    }


def finding_on(view: View, cause: Cause | str) -> Finding:
    """How one cause stands and what it explains; its evidence and strength may be left out.

    The cause may have gone from the rules since its incident opened. One that stands on its own evidence
    is asked alone: this is asked every second of every instance in trouble.
    """
    if cause == Cause.CPU_SATURATION:
        return cpu.examine(view, in_full=False)
    if cause in (Cause.MEMORY_PRESSURE, Cause.STORAGE_LATENCY):
        return MEASURED[Cause(cause)](view)
    if cause == Cause.DNS_OUTAGE and (finding := dns.examine(view)).standing is Standing.PROVEN:
        return finding
    return examine(view).get(cause) or declared.withdrawn(cause)


def is_due(view: View) -> bool:
    """Whether a measurement that decides any cause has yet to arrive."""
    return any(finding.standing is Standing.PENDING for finding in examine(view).values())


def weigh(view: View) -> Verdict:
    """The verdict on the instance of `view`."""
    findings = examine(view)
    proven = sorted(
        (f for f in findings.values() if f.standing is Standing.PROVEN),
        key=lambda f: (f.since if f.since is not None else view.onset, -f.strength),
    )
    pending = [f for f in findings.values() if f.standing is Standing.PENDING]
    if pending and not _may_speak(view, proven, pending):
        return Verdict(None, 0.0, (), _rivals(view, findings, None), proven=tuple(proven))
    if not proven:
        return Verdict(Cause.UNPROVEN, 0.0, (), _rivals(view, findings, None))
    lead = proven[0]
    if len(proven) > 1 and lead.strength < 0.7 and proven[1].strength >= 0.8:
        lead = proven[1]  # a strong cause is not overtaken by a weak one that merely began earlier
    return _named(lead, _rivals(view, findings, lead), tuple(proven))


def weigh_as(view: View, lead: Finding) -> Verdict:
    """The verdict where `lead` is proven and stands for itself, whatever else goes on."""
    return _named(lead, _rivals(view, examine(view), lead), (lead,))


def confidence(strength: float, undecided: int) -> float:
    """The strength of the evidence, less what each undecided rival takes from it."""
    return round(min(CONFIDENCE_MAX, strength * UNDECIDED_FACTOR**undecided), 2)


def _named(lead: Finding, rivals: tuple[Rival, ...], proven: tuple[Finding, ...]) -> Verdict:
    undecided = sum(rival.standing is RivalStanding.UNDECIDED for rival in rivals)
    return Verdict(
        lead.cause,
        confidence(lead.strength, undecided),
        lead.evidence,
        rivals,
        lead.since,
        lead.explains,
        lead.level,
        proven,
        lead.strength,
    )


def _may_speak(view: View, proven: list[Finding], pending: list[Finding]) -> bool:
    """A proven cause waits only `rival_grace_seconds` for rivals; with nothing proven the grace is theirs."""
    return bool(proven) and view.now >= view.first_end + view.rules.rival_grace_seconds


def _rivals(view: View, findings: dict[Cause | str, Finding], lead: Finding | None) -> tuple[Rival, ...]:
    rivals = []
    for cause, finding in findings.items():
        if lead is not None and cause == lead.cause:
            continue
        if not isinstance(cause, Cause) and not finding.values["requests"]:
            continue  # a declared cause whose marks nobody bears is no rival
        rejected = finding.standing in (Standing.REFUTED, Standing.PROVEN)
        reason = finding.reason
        if finding.standing is Standing.PROVEN and lead is not None:
            reason = _also_seen(finding, lead)
        rivals.append(
            Rival(
                cause=cause,
                standing=RivalStanding.REJECTED if rejected else RivalStanding.UNDECIDED,
                reason=reason,
                values=finding.values,
                origins=finding.origins(),
            )
        )
    return tuple(rivals)


def _also_seen(finding: Finding, lead: Finding) -> str:
    seen = finding.evidence[0].text if finding.evidence else "also seen"
    if finding.since is not None and lead.since is not None and finding.since > lead.since:
        return f"seen too, but it set in at {clock(finding.since)}, later than the cause: {seen}"
    return f"seen too, on weaker evidence: {seen}"
