"""Follow: what goes on in an open incident, second by second, until it is over.

Laws:
- a request belongs to the incident whose cause accounts for it, and counts once;
- a cause may be gained while the incident is open, and is lost only to one that is proven while a
  measurement refutes it;
- an incident ends with the last sign of trouble, and that is said only after a quiet time.
"""

import math

from pipeline.core.curves import REDRAW_SECONDS
from pipeline.core.enrich import enrich
from pipeline.core.incident import Member, OpenIncident
from pipeline.core.open import CONFIRMED_FOR_SECONDS
from pipeline.core.state import DomainState
from pipeline.diagnosis import Standing, Verdict, View, finding_on, is_due, weigh
from pipeline.diagnosis.client import still_impatient
from pipeline.diagnosis.words import amount, clock, seconds
from pipeline.history import Request
from schemas import Cause, Change, ChangeKind, IncidentState, SymptomKind

CONFIRM_EVERY_SECONDS = 5
RECENT_SECONDS = 30
UNMEASURED_SECONDS = 5
REJUDGE_FOR_SECONDS = 60
ESCALATION_STEPS = (100, 1_000, 10_000, 100_000)


def follow_incidents(state: DomainState, second: int) -> list[Change]:
    """Take what belongs to each unresolved incident, judge it again where due, move its life along."""
    changes: list[Change] = []
    for incident in state.unresolved():
        failed_before = incident.failures
        changes += _rejudge(state, incident, second)
        recent = {key: end for key, end in incident.keys.items() if end >= second - RECENT_SECONDS}
        for instance in sorted(incident.members):
            _follow_member(state, incident, instance, second, recent)
        if incident.curves is not None and second % REDRAW_SECONDS == 0:
            incident.curves.draw(state.view(incident.curves.instance, second, []))
        changes += _escalate(state, incident, failed_before, second)
        changes += _move_on(state, incident, second)
    return changes


def _follow_member(
    state: DomainState, incident: OpenIncident, instance: str, second: int, recent: dict[str, float]
) -> None:
    """`recent`: the requests the incident took lately, with their end; what this member adds is added."""
    member = incident.members[instance]
    loose = state.loose.get(instance, {})
    if loose or second % CONFIRM_EVERY_SECONDS == 0:
        known = recent | state.loose.get(instance, {})
        view = state.view(instance, second, state.requests(instance, known, second))
        fresh = [request for request in view.requests if request.key in loose]
        if _confirm(incident, member, view, second):
            _absorb(state, incident, member, instance, fresh, second)
            taken = {request.key: incident.keys.get(request.key, -math.inf) for request in fresh}
            recent |= {key: end for key, end in taken.items() if end >= second - RECENT_SECONDS}
        if second + 1 - member.confirmed_at <= CONFIRMED_FOR_SECONDS:
            unmeasured = view.measured_until(incident.cause) + UNMEASURED_SECONDS
            _await(incident, member, [r for r in fresh if r.key in loose and r.end > unmeasured])
    _measure_impact(state, incident, member, instance, second)


def _await(incident: OpenIncident, member: Member, requests: list[Request]) -> None:
    """Whose these failures are is not measured yet: until then they only keep the incident open."""
    ends = [r.end for r in requests if member.clients is None or r.client in member.clients]
    incident.last_sign_at = max([incident.last_sign_at, *ends])


def _confirm(incident: OpenIncident, member: Member, view: View, second: int) -> bool:
    """Look whether the cause still holds; False while the measurement that tells is due."""
    if incident.cause is Cause.UNPROVEN:
        member.confirmed_at = float(second + 1)
        started = view.last_start(second - CONFIRM_EVERY_SECONDS)
        if started is not None:
            incident.last_sign_at = max(incident.last_sign_at, started)
        return True
    if incident.cause is Cause.CLIENT_TIMEOUT and still_impatient(
        view, member.clients or (), incident.number("typical_seconds")
    ):
        member.confirmed_at = float(second + 1)
        return True
    finding = finding_on(view, incident.cause)
    if finding.standing in (Standing.PENDING, Standing.UNDECIDED) and is_due(view):
        member.confirmed_at = float(second + 1)  # the cause stands until its measurement says otherwise
        return False
    if finding.standing is Standing.PROVEN:
        member.follow(finding.explains, float(second + 1))
        if incident.level == "lookups":
            incident.level = finding.level
        if finding.last is not None:
            incident.last_sign_at = max(incident.last_sign_at, finding.last)
    elif finding.standing is Standing.REFUTED and member.end is None and view.requests:
        member.end = member.confirmed_at
    return True


def _absorb(
    state: DomainState,
    incident: OpenIncident,
    member: Member,
    instance: str,
    requests: list[Request],
    second: int,
) -> None:
    if second + 1 - member.confirmed_at > CONFIRMED_FOR_SECONDS:
        return
    loose = state.loose.get(instance, {})
    if incident.cause is Cause.UNPROVEN and _has_its_own_cause(state, instance, requests, second):
        return
    for request in requests:
        if member.takes(request):
            incident.take(request)
            del loose[request.key]


def _has_its_own_cause(state: DomainState, instance: str, requests: list[Request], second: int) -> bool:
    """Whether failures beside an unproven incident have a cause that is proven: then they are not its own."""
    if len(requests) < state.rules.burst.proven_requests:
        return False
    return weigh(state.view(instance, second, requests)).cause not in (None, Cause.UNPROVEN)


def _measure_impact(
    state: DomainState, incident: OpenIncident, member: Member, instance: str, second: int
) -> None:
    """Requests of this second that the incident slowed, and those that went well: the denominator."""
    incident.ok += state.events.count(instance, second, second, (SymptomKind.REQUEST_OK,))
    incident.estimated = incident.estimated or state.events.cut(instance, second, second)
    for request in state.events.slow_requests(instance, second, second):
        if member.takes(request) and request.key not in incident.keys:
            incident.slow += 1
            incident.slow_beyond += request.weight - 1.0
            incident.name(request)
            if incident.cause in (Cause.CPU_SATURATION, Cause.STORAGE_LATENCY) and incident.failed == 0:
                incident.last_sign_at = max(incident.last_sign_at, request.end)


def _rejudge(state: DomainState, incident: OpenIncident, second: int) -> list[Change]:
    """Look for a cause that was not there yet, or drop one that a late measurement refutes."""
    now = second + 1
    if second % CONFIRM_EVERY_SECONDS and incident.settled_verdict:
        return []
    named = incident.cause is not Cause.UNPROVEN
    if named and now > (incident.verdict_at or now) + REJUDGE_FOR_SECONDS:
        return []
    instance, view = _leading_view(state, incident, second, opening_only=True)
    verdict = weigh(view)
    told_at = now + state.rules.lateness_seconds
    if verdict.cause is None:
        return []
    if not incident.settled_verdict or (not named and verdict.cause is not Cause.UNPROVEN):
        first_settled = not incident.settled_verdict
        _take_verdict(incident, verdict, instance, view, told_at)
        if verdict.cause is Cause.UNPROVEN and not first_settled:
            return []
        return [_diagnosed(incident, float(now))]
    if (
        named
        and verdict.cause not in (incident.cause, Cause.UNPROVEN)
        and _refuted(verdict, view, incident.cause)
    ):
        lost = incident.cause
        _take_verdict(incident, verdict, instance, view, told_at)
        incident.trigger = incident.trigger or f"was taken for {lost} at first"
        return [_diagnosed(incident, float(now))]
    return []


def _refuted(verdict: Verdict, view: View, cause: Cause | str) -> bool:
    return finding_on(view, cause).standing is Standing.REFUTED and bool(view.requests)


def _leading_view(
    state: DomainState, incident: OpenIncident, second: int, opening_only: bool = False
) -> tuple[str, View]:
    """The member with most of the incident's failures still remembered, and its view on them.

    `opening_only`: on those it was opened with, so that no later trouble lends it a cause.
    """
    keys = {key: end for key, end in incident.keys.items() if not opening_only or end <= incident.opened_at}
    views = {
        instance: state.view(instance, second, state.requests(instance, keys, second))
        for instance in sorted(incident.members)
    }
    leading = max(views, key=lambda name: (len(views[name].requests), name))
    return leading, views[leading]


def _take_verdict(
    incident: OpenIncident, verdict: Verdict, instance: str, view: View, told_at: float
) -> None:
    incident.judge(verdict, told_at)
    incident.members[instance].follow(verdict.explains, float(view.now))
    enrich(incident, view)


def _diagnosed(incident: OpenIncident, now: float) -> Change:
    if incident.cause is Cause.UNPROVEN:
        missing = [r.reason for r in incident.rivals if r.standing.value == "undecided"]
        reason = "no cause is carried by evidence" + (f": {missing[0]}" if missing else "")
    else:
        fact = incident.evidence[0].text if incident.evidence else incident.cause
        reason = f"cause: {incident.cause} ({incident.confidence:.2f}): {fact}"
    return incident.change(ChangeKind.DIAGNOSED, now, reason)


def _escalate(state: DomainState, incident: OpenIncident, failed_before: int, second: int) -> list[Change]:
    crossed = [step for step in ESCALATION_STEPS if failed_before < step <= incident.failures]
    if not crossed or incident.state is not IncidentState.OPEN:
        return []
    _refresh(state, incident, second)
    reason = f"{amount(incident.failures, 'request')} failed so far"
    return [incident.change(ChangeKind.ESCALATED, float(second + 1), reason)]


def _move_on(state: DomainState, incident: OpenIncident, second: int) -> list[Change]:
    """Recovering, resolved, or failing again."""
    now = second + 1
    life = state.rules.lifecycle
    quiet = now - incident.last_sign_at
    if incident.state is IncidentState.RECOVERING and quiet < life.recovering_after_seconds:
        return [incident.change(ChangeKind.REOPENED, float(now), "requests fail again")]
    if incident.state is IncidentState.OPEN and quiet >= life.recovering_after_seconds:
        _refresh(state, incident, second)
        reason = f"no sign of it since {clock(incident.last_sign_at)}"
        return [incident.change(ChangeKind.RECOVERING, float(now), reason)]
    if incident.state is IncidentState.RECOVERING and quiet >= life.resolved_after_seconds:
        if _awaits_rulings(state, incident):
            return []
        _refresh(state, incident, second)
        lasted = incident.last_sign_at - incident.first_symptom_at
        reason = f"quiet for {seconds(quiet)}; it lasted {seconds(max(lasted, 0.0))}"
        return [incident.change(ChangeKind.RESOLVED, float(now), reason)]
    return []


def _awaits_rulings(state: DomainState, incident: OpenIncident) -> bool:
    """Whether DNS symptoms of its own time are still held: their count belongs into the last word."""
    until = incident.last_sign_at + state.rules.lifecycle.recovering_after_seconds
    return any(
        held.second <= until
        for held in state.held
        if set(state.instances_at(held.place)) & set(incident.members)
    )


def _refresh(state: DomainState, incident: OpenIncident, second: int) -> None:
    """Bring evidence and rivals up to date where the verdict stands, without moving its time."""
    _, view = _leading_view(state, incident, second)
    verdict = weigh(view)
    if verdict.cause == incident.cause and verdict.cause is not Cause.UNPROVEN:
        incident.evidence, incident.rivals = verdict.evidence, verdict.rivals
        if incident.level != "resolver":  # what did not answer once stays what this was
            incident.level = verdict.level or incident.level
        if verdict.confidence >= incident.confidence:
            incident.confidence, incident.strength = verdict.confidence, verdict.strength
    enrich(incident, view)
