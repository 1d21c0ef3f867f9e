"""Why a held DNS symptom was suppressed, released or counted."""

from collections.abc import Iterator

from pipeline.explain.answer import Answer, Line, Said, moment, section
from pipeline.render.story import verdict
from pipeline.render.words import Words
from schemas import DNS_KINDS, Decision, Outcome

MEANING = {
    Outcome.SUPPRESSED: "Nobody was told of it by itself: the incident explains it, counts it and says so.",
    Outcome.RELEASED: "It was held and told late, with the incident: nothing harmless explains it.",
    Outcome.COUNTED: "It was counted and told to nobody.",
}


def explain_decision(decision: Decision, said: Said, words: Words) -> Answer:
    """Explain one decision."""
    sections = (
        *section("What it was", _what(decision)),
        *section("What became of it", _outcome(decision)),
        *section("The incident", _incident(decision, said, words)),
    )
    incident = said.incident(decision.incident_id)
    facts = {
        "decision": decision.model_dump(mode="json"),
        "incident": None
        if incident is None
        else {"id": incident.id, "cause": str(incident.cause), "state": str(incident.state)},
    }
    place = decision.instance or f"host {decision.host}"
    answer = (
        f"{decision.count} {decision.kind} of {place} in {decision.domain} at {moment(decision.symptom_at)} "
        f"{'was' if decision.count == 1 else 'were'} {decision.outcome}: {decision.reason}."
    )
    return Answer("decision", decision.id, answer, sections, facts)


def _what(decision: Decision) -> Iterator[Line]:
    asked = f" for {decision.question}" if decision.question else ""
    server = f" at {decision.upstream}" if decision.upstream else ""
    if decision.kind in DNS_KINDS:
        yield Line(f"A lookup{asked}{server} failed: {decision.kind}.")
    if decision.instance is None:
        yield Line("The line names no container, and several or none are known on its host.")
    elif decision.host is not None:
        yield Line(f"The line names no container; {decision.instance} is the one known on {decision.host}.")
    if decision.origins:
        yield Line("It was read from", decision.origins)


def _outcome(decision: Decision) -> Iterator[str]:
    waited = decision.decided_at - decision.symptom_at
    decided = moment(decision.decided_at)
    yield f"Decided at {decided}, {waited:.0f} s of event time after it: {decision.outcome}."
    yield f"{decision.reason[:1].upper()}{decision.reason[1:]}."
    yield MEANING[decision.outcome]


def _incident(decision: Decision, said: Said, words: Words) -> Iterator[Line]:
    if decision.incident_id is None:
        yield Line("None: no incident had to do with it.")
        return
    incident = said.incident(decision.incident_id)
    if incident is None:
        yield Line(f"{decision.incident_id}, whose changes are not there any more.")
        return
    yield Line(f"{incident.id}: {verdict(incident, words)}, on {', '.join(incident.instances)}.")
    for one in incident.evidence:
        yield Line(one.text, one.origins)
