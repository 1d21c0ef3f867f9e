"""Rule: decide what becomes of held DNS symptoms, once enough is settled to be sure."""

from hashlib import sha256

from pipeline.core.hold import Held, Ruling, harmless, measured_late, starved_at, starved_since
from pipeline.core.incident import OpenIncident
from pipeline.core.state import DomainState
from pipeline.diagnosis import View
from pipeline.diagnosis.words import clock
from pipeline.history.events import Bucket
from schemas import DNS_KINDS, Cause, Decision, Outcome, SymptomKind

PEER_LINES_MIN = 2
PEER_SECONDS = 30


def rule_held(state: DomainState, second: int) -> list[Decision]:
    """Rule on every held symptom that is ripe at the end of `second`, oldest first."""
    decisions = []
    for held in sorted(
        state.held, key=lambda one: (one.second, one.place, one.kind, one.upstream, one.question)
    ):
        if held.second > second:
            break
        ruled = _rule(state, held, second)
        if ruled is None:
            continue
        ruling, incident = ruled
        del state.held[held]
        decisions += _decision(state, held, ruling, incident, second)
    return decisions


def _rule(state: DomainState, held: Held, second: int) -> tuple[Ruling, OpenIncident | None] | None:
    """The ruling and the incident it refers to; None while it is too early to tell."""
    instances = state.instances_at(held.place)
    views = [state.view(instance, second, []) for instance in instances]
    for view in views:
        outage = state.incident_of(view.instance, Cause.DNS_OUTAGE)
        if outage is not None and _inside(outage, view, held):
            return Ruling(Outcome.RELEASED, f"part of the DNS outage: {_fact(outage)}"), outage
    waited_seconds = second + 1 - held.second
    if waited_seconds < state.rules.hold_seconds:
        return None
    if waited_seconds < state.rules.hold_seconds_max and any(measured_late(v, held) for v in views):
        return None
    return _final(state, held, views, second)


def _inside(outage: OpenIncident, view: View, held: Held) -> bool:
    member = outage.members[view.instance]
    inside = held.second + 1 >= member.start and (member.end is None or held.second <= member.end)
    # Single lost lookups are an outage of their own only where CPU is measured as normal.
    return inside and not (outage.level == "lookups" and starved_since(view, held) is not None)


def _fact(incident: OpenIncident) -> str:
    return incident.evidence[0].text if incident.evidence else str(incident.cause)


def _final(
    state: DomainState, held: Held, views: list[View], second: int
) -> tuple[Ruling, OpenIncident | None]:
    covering = [_covering(state, view, held) for view in views]
    if views and all(incident is not None for incident in covering):
        doubts = [
            _resolver_failed(state, view, held) or harmless(view, held, _healthy_peers(state, held, second))
            for view in views
        ]
        doubt = next((one for one in doubts if one is not None), None)
        incident = covering[0]
        assert incident is not None
        if doubt is None:
            began = starved_since(views[0], held)
            at = clock(held.second if began is None else began)
            reason = f"{views[0].instance} was starved of CPU at {at} and its other lookups were answered"
            return Ruling(Outcome.SUPPRESSED, reason), incident
        return Ruling(Outcome.RELEASED, f"starved of CPU, but {doubt}"), incident
    troubled = _troubled(state, views, held.second)
    if troubled is not None:
        reason = _unexplained(troubled)
        return Ruling(Outcome.RELEASED, f"{reason}; held for {state.rules.hold_seconds:.0f} s"), troubled
    if any(starved_since(view, held) is not None for view in views):
        return Ruling(
            Outcome.COUNTED, "starved of CPU, but no request failed: a stray with no incident"
        ), None
    return Ruling(Outcome.COUNTED, "a stray: no incident around it, other lookups were answered"), None


def _unexplained(incident: OpenIncident) -> str:
    """Why a lookup lost near an incident is told."""
    if incident.cause is Cause.UNPROVEN:
        return "requests failed around it and no cause is proven"
    if incident.cause is Cause.DNS_OUTAGE:
        return f"close to a DNS outage: {_fact(incident)}"
    return f"not explained by {incident.cause}"


def _resolver_failed(state: DomainState, view: View, held: Held) -> str | None:
    """A resolver of the same instance that failed close by stands against any harmless explanation."""
    for incident in sorted(state.incidents.values(), key=lambda one: (one.opened_at, one.id)):
        failing = incident.cause is Cause.DNS_OUTAGE and incident.level != "lookups"
        if failing and view.instance in incident.members:
            # Requests fail long after the resolver does: they wait for it first.
            start = min(incident.first_symptom_at, incident.members[view.instance].start)
            near_seconds = state.rules.dns.near_outage_seconds
            if start - near_seconds <= held.second <= incident.last_sign_at + near_seconds:
                return f"its resolver was failing around then ({incident.id})"
    return None


def _covering(state: DomainState, view: View, held: Held) -> OpenIncident | None:
    """The CPU incident of this instance that covers the lookup, by measured starvation of the instance."""
    for incident in sorted(state.incidents.values(), key=lambda one: (one.opened_at, one.id)):
        member = incident.members.get(view.instance)
        if incident.cause is not Cause.CPU_SATURATION or member is None:
            continue
        if view.cpu:
            if starved_since(view, held, incident.level) is not None and held.second + 61 >= member.start:
                return incident
        elif member.start <= held.second <= incident.last_sign_at:
            return incident
    return None


def _healthy_peers(state: DomainState, held: Held, second: int) -> list[str]:
    """Instances that were not starved and failed at the same upstream around the same time."""
    peers = []
    for place in state.events.places(second):
        for instance in state.instances_at(place):
            if place == held.place or not instance or instance in state.instances_at(held.place):
                continue
            first, last = held.second - PEER_SECONDS, min(held.second + PEER_SECONDS, second)
            lines = sum(
                bucket.count()
                for _, tag, bucket in state.events.buckets(place, first, last, DNS_KINDS)
                if tag[1] == held.upstream and held.upstream
            )
            if lines >= PEER_LINES_MIN and not starved_at(state.view(instance, second, []), held.second):
                peers.append(instance)
    return sorted(set(peers))


def _troubled(state: DomainState, views: list[View], second: int) -> OpenIncident | None:
    """An incident on one of the instances around that second which does not explain the symptom."""
    instances = {view.instance for view in views}
    near = [
        one
        for one in state.incidents.values()
        if instances & set(one.members) and one.first_symptom_at - 60 <= second <= one.last_sign_at + 20
    ]
    return min(near, key=lambda one: (one.opened_at, one.id), default=None)


def _events(bucket: Bucket) -> int:
    """Distinct lookups: two lines of one request tell of one."""
    if bucket.cut:
        return bucket.count()
    return len({one.request or one.id for one in bucket.observations.values()})


def _decision(
    state: DomainState, held: Held, ruling: Ruling, incident: OpenIncident | None, second: int
) -> list[Decision]:
    """What is said of the held lookups, once of each: of one that comes after the ruling as well."""
    tag = (held.kind, held.upstream, held.question)
    found = state.events.buckets(held.place, held.second, held.second, DNS_KINDS)
    bucket = next((bucket for _, its_tag, bucket in found if its_tag == tag), None)
    if bucket is None:
        return []
    ruled, bucket.ruled = bucket.ruled, max(bucket.ruled, _events(bucket))
    count = bucket.ruled - ruled
    if not count:
        return []
    instances = state.instances_at(held.place)
    if incident is not None and ruling.outcome is Outcome.SUPPRESSED:
        incident.suppressed += count
        _note(incident, "dns_suppressed", held, instances, count)
    elif incident is not None and ruling.outcome is Outcome.RELEASED:
        incident.released += count
        _note(incident, "dns_released", held, instances, count)
    name = f"{state.domain}\n{held.place}\n{held.second}\n{held.kind}\n{held.upstream}\n{held.question}"
    name += f"\nafter {ruled}" if ruled else ""
    decision = Decision(
        id=sha256(name.encode()).hexdigest()[:16],
        domain=state.domain,
        instance=instances[0] if len(instances) == 1 else None,
        host=held.place[1:] if held.place.startswith("@") else None,
        kind=SymptomKind(held.kind),
        upstream=held.upstream or None,
        question=held.question or None,
        symptom_at=float(held.second),
        decided_at=float(second + 1),
        count=count,
        outcome=ruling.outcome,
        incident_id=incident.id if incident is not None else None,
        reason=ruling.reason,
        origins=tuple(exemplar.origin for exemplar in bucket.examples()),
    )
    return [decision]


def _note(incident: OpenIncident, name: str, held: Held, instances: list[str], count: int) -> None:
    """Draw the ruling at the time of the lookup, where the incident's curves are those of its instance."""
    if incident.curves is not None and incident.curves.instance in instances:
        incident.curves.note(name, held.second, count)
