"""Why an incident says what it says."""

from collections.abc import Iterator

from pipeline.diagnosis.weigh import CONFIDENCE_MAX, UNDECIDED_FACTOR, confidence
from pipeline.explain.answer import Answer, Line, Said, moment, section
from pipeline.render.story import impact, verdict
from pipeline.render.words import Words
from schemas import Cause, Change, Decision, Incident, Rival, RivalStanding

DECISIONS_SHOWN = 12


def explain_incident(changes: list[Change], said: Said, words: Words) -> Answer:
    """Explain one incident as the last of its `changes` left it: at least one, by number."""
    incident = changes[-1].incident
    decisions = [one for one in said.decisions if one.incident_id == incident.id]
    sections = (
        *section("What happened", (_told(change) for change in changes)),
        *section(
            "Why this cause" if incident.cause is not Cause.UNPROVEN else "What was seen", _evidence(incident)
        ),
        *section("Why no other", (_rival(one, words) for one in incident.rejected)),
        *section("How sure", _confidence(incident, words)),
        *section("What it cost", _impact(incident, words)),
        *section("How it went", (Line(f"{moment(s.at)}  {s.text}") for s in incident.timeline)),
        *section("DNS symptoms", _decided(decisions)),
        *section("What to do", (one.text for one in incident.advice)),
        *section("Lines as examples", (Line(one.text, (one.origin,)) for one in incident.exemplars)),
    )
    return Answer("incident", incident.id, _answer(incident, words), sections, _facts(changes, decisions))


def _answer(incident: Incident, words: Words) -> str:
    named = verdict(incident, words)
    state = words(f"state.{incident.state}").lower()
    return (
        f"Incident {incident.id} of {incident.domain} on {', '.join(incident.instances)} is {state}: "
        f"{named}, first symptom {moment(incident.first_symptom_at)}."
    )


def _told(change: Change) -> Line:
    return Line(f"{moment(change.at)}  {change.kind}: {change.reason}")


def _evidence(incident: Incident) -> Iterator[Line]:
    for one in incident.evidence:
        yield Line(one.text, one.origins)
    if incident.trigger is not None:
        yield Line(f"It {incident.trigger}.")
    if not incident.evidence:
        yield Line("No cause is carried by evidence.")


def _rival(rival: Rival, words: Words) -> Line:
    return Line(f"{words.named(rival.standing, rival.cause)}: {rival.reason}", rival.origins)


def _confidence(incident: Incident, words: Words) -> Iterator[str]:
    """How the number is made up, or what would make one."""
    undecided = [one for one in incident.rejected if one.standing is RivalStanding.UNDECIDED]
    if incident.cause is Cause.UNPROVEN:
        yield "Nothing is proven, so nothing is claimed: 0."
        return
    if incident.strength is None:
        yield f"{incident.confidence:.2f}; whoever wrote it did not say what its evidence alone is worth."
        return
    names = ", ".join(words.named("cause", one.cause) for one in undecided)
    taken = f", times {UNDECIDED_FACTOR} for each rival nobody could measure ({names})" if undecided else ""
    worth = f"{incident.confidence:.2f} = {incident.strength:.2f} for the evidence"
    yield f"{worth}{taken}; never above {CONFIDENCE_MAX}."
    if confidence(incident.strength, len(undecided)) != incident.confidence:
        yield "It was reached when fewer rivals were undecided, and what was once measured is not forgotten."


def _impact(incident: Incident, words: Words) -> Iterator[str]:
    yield f"{impact(incident.impact, words)[:1].upper()}{impact(incident.impact, words)[1:]}."
    for label, names in (("Routes", incident.impact.routes), ("Clients", incident.impact.clients)):
        if names:
            yield f"{label}: " + ", ".join(f"{name} {count}" for name, count in names.items()) + "."


def _decided(decisions: list[Decision]) -> Iterator[Line]:
    for one in decisions[:DECISIONS_SHOWN]:
        times = f"{one.count} times " if one.count > 1 else ""
        text = f"{moment(one.symptom_at)}  {one.kind} {times}{one.outcome} ({one.id}): {one.reason}"
        yield Line(text, one.origins)
    if len(decisions) > DECISIONS_SHOWN:
        yield Line(f"… and {len(decisions) - DECISIONS_SHOWN} more decisions.")


def _facts(changes: list[Change], decisions: list[Decision]) -> dict[str, object]:
    incident = changes[-1].incident
    undecided = [str(r.cause) for r in incident.rejected if r.standing is RivalStanding.UNDECIDED]
    return {
        "incident": incident.model_dump(mode="json"),
        "changes": [
            {"id": one.id, "seq": one.seq, "kind": str(one.kind), "at": one.at, "reason": one.reason}
            for one in changes
        ],
        "decisions": [one.model_dump(mode="json") for one in decisions],
        "confidence": {
            "value": incident.confidence,
            "strength": incident.strength,
            "undecided": undecided,
            "undecided_factor": UNDECIDED_FACTOR,
        },
    }
