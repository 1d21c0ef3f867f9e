"""Where what a record told has gone: which incident counts it, which decision was made on it, who cites it.

A replay watches the core and knows. From what was said alone it is found by domain, instance, kind, second
and request: then the answer says so, and says "one of" where two incidents fit.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import floor

from pipeline.core import Output
from pipeline.explain.answer import Said
from pipeline.explain.trace import Told
from pipeline.intake import IntakeConfig, RawRecord
from pipeline.replay import Arrival, Replayer
from schemas import (
    DNS_KINDS,
    REQUEST_KINDS,
    Cause,
    Decision,
    Incident,
    Origin,
    Rules,
    Symptom,
    SymptomKind,
)


@dataclass(frozen=True, slots=True)
class Home:
    """`incidents`: ids of those that count the request; several where it cannot be told which of them.

    `seen`: the core was watched counting it; else it is concluded from place and time. `late`: it came
    after its second was settled; None where nobody watched.
    """

    incidents: tuple[str, ...] = ()
    seen: bool = False
    late: bool | None = None


@dataclass(frozen=True, slots=True)
class Citation:
    """A place where the record is named as a source: `role` is evidence, rival or example."""

    incident: Incident
    role: str
    text: str


def watch(
    arrivals: Iterable[Arrival],
    record: RawRecord | None,
    told: Iterable[Told],
    config: IntakeConfig,
    rules: Rules,
) -> tuple[list[Output], Replayer, Home]:
    """Replay everything, and look where the core puts what `record` told."""
    replayer = Replayer(config, rules)
    outputs: list[Output] = []
    events = [one for one in told if one.observation is not None]
    incident: str | None = None
    late: bool | None = None
    for arrival in arrivals:
        outputs += replayer.receive(arrival)
        incident = incident or _counted(replayer, events)
        if arrival.record == record:
            time = replayer.event_time
            settled = None if time is None else floor(time - rules.lateness_seconds)
            late = settled is not None and any(one.second < settled for one in events)
    for closing in replayer.closing():
        outputs += closing
        incident = incident or _counted(replayer, events)
    return outputs, replayer, Home((incident,) if incident else (), seen=True, late=late)


def _counted(replayer: Replayer, events: Iterable[Told]) -> str | None:
    found = (replayer.counted_in(one.domain, one.key) for one in events if one.key is not None)
    return next((incident for incident in found if incident is not None), None)


def concluded(told: Iterable[Told], said: Said) -> Home:
    """The incidents that can have counted what a record told, by place and time."""
    fitting = [incident for one in told for incident in said.incidents() if _fits(one, incident)]
    if len(fitting) > 1:
        narrower = [one for one in fitting if _speaks_of(told, one)]
        fitting = narrower or fitting
    return Home(tuple(dict.fromkeys(one.id for one in fitting)))


def _fits(told: Told, incident: Incident) -> bool:
    signal, observation = told.signal, told.observation
    if not isinstance(signal, Symptom) or observation is None or told.domain != incident.domain:
        return False
    fails = signal.kind in REQUEST_KINDS or (signal.kind in DNS_KINDS and observation.request is not None)
    slow = signal.kind is SymptomKind.REQUEST_SLOW
    until = incident.resolved_at if incident.resolved_at is not None else float("inf")
    inside = incident.first_symptom_at - 1e-6 <= observation.time <= until + 1e-6
    return (fails or slow) and signal.instance in incident.instances and inside


def _speaks_of(told: Iterable[Told], incident: Incident) -> bool:
    """Whether the incident's cause is of the kind of what was told, or its clients are."""
    for one in told:
        if not isinstance(one.signal, Symptom) or one.observation is None:
            continue
        if one.signal.kind in DNS_KINDS:
            return incident.cause is Cause.DNS_OUTAGE
        if incident.cause is Cause.CLIENT_TIMEOUT:
            return one.observation.client in incident.impact.clients
    return incident.cause is not Cause.DNS_OUTAGE


def decided_on(told: Iterable[Told], origin: Origin, said: Said) -> list[Decision]:
    """Decisions on the roll-ups that what a record told has gone into."""
    return [
        one for one in said.decisions if origin in one.origins or any(_is_about(one, each) for each in told)
    ]


def _is_about(decision: Decision, told: Told) -> bool:
    signal = told.signal
    if not isinstance(signal, Symptom) or decision.domain != told.domain:
        return False
    same = (decision.kind, decision.symptom_at) == (signal.kind, float(signal.second))
    asked = (decision.upstream, decision.question) == (signal.upstream, signal.question)
    if signal.instance is not None:
        return same and asked and decision.instance == signal.instance and decision.host is None
    return same and asked and decision.host == signal.host


def citations(origin: Origin, said: Said) -> list[Citation]:
    """What in the incidents names this record as its source: of each fact the latest telling."""
    latest: dict[tuple[str, str, str], Citation] = {}
    for change in said.changes:
        for name, one in _citations(change.incident, origin):
            latest[one.incident.id, one.role, name] = one
    return list(latest.values())


def _citations(incident: Incident, origin: Origin) -> Iterator[tuple[str, Citation]]:
    for evidence in incident.evidence:
        if origin in evidence.origins:
            yield evidence.fact, Citation(incident, "evidence", evidence.text)
    for rival in incident.rejected:
        if origin in rival.origins:
            yield str(rival.cause), Citation(incident, "rival", f"{rival.cause}: {rival.reason}")
    for exemplar in incident.exemplars:
        if origin == exemplar.origin:
            yield exemplar.text, Citation(incident, "example", exemplar.text)
