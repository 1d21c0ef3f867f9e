"""Open: failed requests that nothing explains, gathered until they are a burst and have a verdict.

Laws:
- a stray error opens nothing; neither does a busy CPU, a throttled period or a lost DNS query alone;
- a burst is judged before it is told, but told as unproven rather than kept back for long;
- an instance in two troubles has two incidents: DNS and memory stand beside whatever else goes on.
"""

from pipeline.core.enrich import enrich
from pipeline.core.incident import Member, OpenIncident, incident_id
from pipeline.core.state import DomainState
from pipeline.diagnosis import Explains, Finding, Standing, Verdict, View, weigh, weigh_as
from pipeline.diagnosis import dns as dns_cause
from pipeline.diagnosis import memory as memory_cause
from pipeline.diagnosis.words import amount, clock
from pipeline.history import Request
from schemas import Cause, Change, ChangeKind, Evidence, IncidentState, SampleKind, SymptomKind

PATIENCE_SECONDS = 30
"""A burst whose evidence is still due is told as unproven after this long."""
PROVEN_CONFIDENCE = 0.8
"""From here a cause counts as proven by measurement, and fewer failures are enough to open."""
CONFIRMED_FOR_SECONDS = 30
"""How long a cause that was last seen then is taken to go on."""
LATELY_SECONDS = 90
SLOW_REQUESTS_MIN = 20
SLOW_SHARE_MIN = 0.3
SLOW_WINDOW_SECONDS = 30
BESIDE = {Cause.DNS_OUTAGE: dns_cause.examine, Cause.MEMORY_PRESSURE: memory_cause.examine}
"""Causes with symptoms of their own: they need no failed request to be seen."""


def gather(state: DomainState, second: int) -> None:
    """Put the failed requests of `second` where they belong: to an incident that explains them, or loose."""
    incidents = list(state.incidents.values())
    for instance in _instances(state, second):
        loose = state.loose.setdefault(instance, {})
        for request in state.events.failed_requests(instance, second, second):
            taken = any(request.key in incident.keys for incident in incidents)
            if not taken and request.key not in loose:
                loose[request.key] = request.end
        oldest = second - max(state.rules.burst.window_seconds, 2 * state.rules.evidence_grace_seconds)
        state.loose[instance] = {key: end for key, end in loose.items() if end >= oldest}
        if not state.loose[instance]:
            del state.loose[instance]


def _instances(state: DomainState, second: int) -> list[str]:
    return [place for place in state.events.places(second) if place and not place.startswith("@")]


def open_incidents(state: DomainState, second: int) -> list[Change]:
    """Open, join or reopen incidents for the troubles that stand at the end of `second`."""
    changes: list[Change] = []
    for instance in sorted(state.loose):
        oldest = second - state.rules.burst.window_seconds
        recent = {key: end for key, end in state.loose[instance].items() if end >= oldest}
        if len(recent) >= state.rules.burst.proven_requests:
            requests = state.requests(instance, recent, second)
            changes += _open_burst(state, second, instance, requests)
    for instance in _known_instances(state, second):
        changes += _open_beside(state, second, instance)
        changes += _open_slow(state, second, instance)
        changes += _open_restarts(state, second, instance)
    return changes


def _known_instances(state: DomainState, second: int) -> list[str]:
    measured = [place for place, _ in state.samples.keys(SampleKind.MEMORY, second + 1)]
    asking = [place for place, _ in state.samples.keys(SampleKind.DNS, second + 1)]
    logging = _instances(state, second)
    return sorted({place for place in (*logging, *measured, *asking) if place and place[0] != "@"})


def _open_burst(state: DomainState, second: int, instance: str, requests: list[Request]) -> list[Change]:
    view = state.view(instance, second, requests)
    verdict = weigh(view)
    proven = verdict.cause not in (None, Cause.UNPROVEN) and verdict.confidence >= PROVEN_CONFIDENCE
    enough = state.rules.burst.proven_requests if proven else state.rules.burst.requests
    if len(requests) < enough:
        return []
    if verdict.cause is None and second + 1 < view.first_end + PATIENCE_SECONDS:
        return []
    if verdict.cause is Cause.UNPROVEN and second + 1 < view.first_end + state.rules.unproven_after_seconds:
        return []
    taken = [r for r in requests if _within(verdict.explains, r)] or requests
    return _enter(state, second, instance, verdict, taken, view)


def _within(explains: Explains | None, request: Request) -> bool:
    if explains is None:
        return True
    return Member(0, 0, explains.start, explains.end, explains.clients, explains.marks).takes(request)


def _open_beside(state: DomainState, second: int, instance: str) -> list[Change]:
    """DNS and memory troubles show in their own evidence, whatever else the instance suffers from."""
    changes: list[Change] = []
    for cause, examine in BESIDE.items():
        if state.incident_of(instance, cause) is not None or not _suspect(state, second, instance, cause):
            continue
        view = state.view(instance, second, state.requests(instance, state.loose.get(instance, {}), second))
        finding = examine(view)
        if finding.standing is not Standing.PROVEN or _is_old_news(state, instance, finding):
            continue
        verdict = weigh(view)
        if verdict.cause != cause:
            verdict = weigh_as(view, finding)
        taken = [r for r in view.requests if _within(finding.explains, r)]
        changes += _enter(state, second, instance, verdict, taken, view)
    return changes


def _suspect(state: DomainState, second: int, instance: str, cause: Cause) -> bool:
    """A cheap look before the thorough one: did anything of this cause's own kind happen lately?

    Lately, not just now: samples may come a minute after the second they speak of.
    """
    view = state.view(instance, second, [])
    since = second - LATELY_SECONDS
    return view.killed_lately(since) if cause is Cause.MEMORY_PRESSURE else view.lost_lately(since)


def _is_old_news(state: DomainState, instance: str, finding: Finding) -> bool:
    """Whether a resolved incident of the same cause already told of this very trouble."""
    return any(
        incident.cause == finding.cause
        and instance in incident.members
        and incident.state is IncidentState.RESOLVED
        and (finding.evidence[0].at or 0) <= incident.last_sign_at
        and finding.since is not None
        and finding.since <= incident.last_sign_at
        for incident in state.incidents.values()
    )


def _open_slow(state: DomainState, second: int, instance: str) -> list[Change]:
    """v2 logs a pull that was given up on as a slow success: many of them under a proven cause are impact."""
    if second % 5 or any(instance in incident.members for incident in state.unresolved()):
        return []
    first = second - SLOW_WINDOW_SECONDS
    slow = state.events.slow_requests(instance, first, second)
    if len(slow) < SLOW_REQUESTS_MIN:
        return []
    view = state.view(instance, second, slow)
    if len(slow) < SLOW_SHARE_MIN * (len(slow) + view.ok(first, second + 1)):
        return []
    verdict = weigh(view)
    if verdict.cause not in (Cause.CPU_SATURATION, Cause.STORAGE_LATENCY) or verdict.confidence < 0.7:
        return []
    return _enter(state, second, instance, verdict, [], view)


def _open_restarts(state: DomainState, second: int, instance: str) -> list[Change]:
    """A process that starts again and again is no deploy. Why it ends nobody may have measured: say so."""
    if not state.events.count(instance, second, second, (SymptomKind.PROCESS_STARTED,)):
        return []
    if any(instance in incident.members for incident in state.unresolved()):
        return []
    view = state.view(instance, second, [])
    starts = view.starts(second - state.rules.retention_seconds)
    if len(starts) < state.rules.burst.restarts:
        return []
    verdict = weigh(view)
    evidence = Evidence(
        fact="restarts",
        instance=instance,
        text=f"{instance} started {len(starts)} times since {clock(starts[0])}",
        values={"restarts": float(len(starts))},
        at=starts[0],
        origins=view.lines((SymptomKind.PROCESS_STARTED,), starts[0]),
    )
    unproven = Verdict(Cause.UNPROVEN, 0.0, (evidence,), verdict.rivals, since=starts[0])
    return _enter(state, second, instance, unproven, [], view)


def _enter(
    state: DomainState, second: int, instance: str, verdict: Verdict, requests: list[Request], view: View
) -> list[Change]:
    """Let `instance` enter the incident of its cause: join an open one, reopen a recent one, or open one."""
    cause = verdict.cause or Cause.UNPROVEN
    now = float(second + 1)
    told_at = now + state.rules.lateness_seconds
    member = Member(view.onset, now, view.onset)
    member.follow(verdict.explains, now)
    open_one = next((i for i in state.unresolved() if _same_trouble(i, cause, verdict)), None)
    if open_one is not None:
        return _join(state, open_one, instance, member, requests, now)
    if verdict.cause is None and _still_open(state, instance, now):
        return []
    unexplained = state.incident_of(instance, Cause.UNPROVEN)
    if (
        unexplained is not None
        and cause != Cause.UNPROVEN
        and _explains_it(state, unexplained, instance, cause, requests, second)
    ):
        unexplained.judge(verdict, told_at)
        unexplained.members[instance].follow(verdict.explains, now)
        _take(state, unexplained, instance, requests)
        enrich(unexplained, view)
        return [unexplained.change(ChangeKind.DIAGNOSED, now, f"cause: {_spoken(verdict)}")]
    identity, first = _opening(state, instance, verdict, requests, now)
    returned = _returned(state, instance, cause, view.onset) or state.incidents.get(identity)
    if returned is not None and returned.state is not IncidentState.RESOLVED:
        return []  # this very opening is known, and its incident goes on under another cause
    if returned is not None:
        returned.members[instance] = member
        returned.evidence = verdict.evidence or returned.evidence
        _take(state, returned, instance, requests)
        returned.last_sign_at = max(returned.last_sign_at, view.onset, now - 1)
        enrich(returned, view)
        reason = f"{instance} is in the same trouble again, {cause}, since {clock(view.onset)}"
        return [returned.change(ChangeKind.REOPENED, now, reason)]
    incident = _create(state, instance, verdict, requests, view, now, identity, first)
    incident.members[instance] = member
    incident.judge(verdict, told_at)
    _take(state, incident, instance, requests)
    enrich(incident, view)
    what = f"{amount(len(requests), 'request')} failed" if requests else "its own measurements show it"
    reason = f"{what} on {instance} since {clock(incident.first_symptom_at)}; cause: {_spoken(verdict)}"
    return [incident.change(ChangeKind.OPENED, now, reason)]


def _explains_it(
    state: DomainState,
    unexplained: OpenIncident,
    instance: str,
    cause: Cause | str,
    requests: list[Request],
    second: int,
) -> bool:
    """Whether a cause proven by fresh failures is that of an unproven incident's failures as well."""
    if unexplained.failed == 0:
        return True
    keys = unexplained.keys | {request.key: request.end for request in requests}
    return weigh(state.view(instance, second, state.requests(instance, keys, second))).cause == cause


def _still_open(state: DomainState, instance: str, now: float) -> bool:
    """Whether a named incident of this instance goes on: evidence due may only confirm it."""
    return any(
        instance in incident.members
        and incident.cause is not Cause.UNPROVEN
        and now - incident.members[instance].confirmed_at <= CONFIRMED_FOR_SECONDS
        for incident in state.unresolved()
    )


def _spoken(verdict: Verdict) -> str:
    if verdict.cause is None:
        return "not proven yet, evidence is still due"
    if verdict.cause is Cause.UNPROVEN:
        return "unproven"
    return f"{verdict.cause} ({verdict.confidence:.2f})"


def _same_trouble(incident: OpenIncident, cause: Cause | str, verdict: Verdict) -> bool:
    if incident.cause != cause:
        return False
    if cause is Cause.CLIENT_TIMEOUT and verdict.explains is not None:
        mine = set(verdict.explains.clients or ())
        return any(mine & set(member.clients or ()) for member in incident.members.values())
    if cause is Cause.DNS_OUTAGE:
        return True  # a resolver that loses lookups and then does not answer at all is one trouble
    return None in (incident.level, verdict.level) or incident.level == verdict.level


def _join(
    state: DomainState,
    incident: OpenIncident,
    instance: str,
    member: Member,
    requests: list[Request],
    now: float,
) -> list[Change]:
    known = incident.members.get(instance)
    _take(state, incident, instance, requests)
    if known is not None:
        known.start, known.end = min(known.start, member.start), member.end
        known.clients, known.marks = member.clients, member.marks
        known.confirmed_at = now
        if incident.state is IncidentState.RECOVERING:
            return [incident.change(ChangeKind.REOPENED, now, f"{instance} fails again")]
        return []
    incident.members[instance] = member
    return [
        incident.change(ChangeKind.JOINED, now, f"{instance} is hit as well, since {clock(member.since)}")
    ]


def _take(state: DomainState, incident: OpenIncident, instance: str, requests: list[Request]) -> None:
    """Count them here; they are loose no longer, so no other incident counts them as well."""
    loose = state.loose.get(instance, {})
    for request in requests:
        incident.take(request)
        loose.pop(request.key, None)


def _returned(state: DomainState, instance: str, cause: Cause | str, onset: float) -> OpenIncident | None:
    within = state.rules.lifecycle.reopen_within_seconds
    recent = [
        one
        for one in state.incidents.values()
        if one.state is IncidentState.RESOLVED
        and one.cause == cause
        and cause is not Cause.UNPROVEN
        and instance in one.members
        and onset - one.last_sign_at <= within
    ]
    return max(recent, key=lambda one: (one.last_sign_at, one.id), default=None)


def _opening(
    state: DomainState, instance: str, verdict: Verdict, requests: list[Request], now: float
) -> tuple[str, float]:
    """(id, time): the id of an incident comes from the domain, its cause and what opened it, and when."""
    since = verdict.since if verdict.since is not None else now
    first, first_id = min(((r.end, r.first_id) for r in requests), default=(since, ""))
    opening = f"{instance}\n{first:.6f}\n{first_id}"
    return incident_id(state.domain, verdict.cause or Cause.UNPROVEN, opening), first


def _create(
    state: DomainState,
    instance: str,
    verdict: Verdict,
    requests: list[Request],
    view: View,
    now: float,
    identity: str,
    first: float,
) -> OpenIncident:
    """A new incident, and what it follows."""
    cause = verdict.cause or Cause.UNPROVEN
    before = [one for one in state.incidents.values() if instance in one.members and one.cause != cause]
    incident = OpenIncident(
        id=identity,
        domain=state.domain,
        cause=cause,
        opened_at=now,
        first_symptom_at=first,
        last_sign_at=max((r.end for r in requests), default=now),
        state=IncidentState.OPEN,
    )
    recent = [
        one for one in before if view.onset - one.last_sign_at < state.rules.lifecycle.resolved_after_seconds
    ]
    if recent:
        leader = max(recent, key=lambda one: (one.opened_at, one.id))
        incident.trigger = f"follows {leader.id} ({leader.cause}) on {instance}"
    state.incidents[identity] = incident
    return incident
