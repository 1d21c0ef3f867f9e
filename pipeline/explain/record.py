"""What became of one raw record: how it was read, what it told, and where that has gone."""

from collections.abc import Iterator
from typing import Any

from pipeline.explain.answer import Answer, Line, Said, moment, section, where
from pipeline.explain.home import Citation, Home, citations, decided_on
from pipeline.explain.trace import DEAD, DROPPED, MARKER, Told, Trace
from pipeline.render.clean import cut
from pipeline.render.story import verdict
from pipeline.render.words import Words
from schemas import Decision, Sample, Symptom, SymptomKind

WHY_DROPPED = {
    "irrelevant": "it tells of nothing that matters here",
    "noise": "it is of a class known to mean nothing: a client's own mistake, an exporter that finds nobody, "
    "an error that names no cause",
    "alert": "it is somebody else's alert: a conclusion, not an observation",
    "nothing_inside": "it is a batch without entries",
    "unknown_series": "it is of a series nobody looks at",
    "part_of_sum": "its series mean something as a sum only: send the whole scrape as text",
    "not_a_number": "its value is no number",
    "repeated": "it is the same piece of a line once more",
    "counted_elsewhere": "the same is counted in another record",
    "empty": "it has no value",
}
WHY_DEAD = {
    "undecodable": "no decoder recognises its bytes",
    "malformed": "its decoder finds it broken",
    "time_out_of_range": "its event time is absent, absurd or too far in the future",
    "oversize": "it is larger than the bound on one record",
}
TEXT_SHOWN = 160


def explain_record(trace: Trace, home: Home, said: Said, words: Words) -> Answer:
    """Explain one raw record."""
    decisions = decided_on(trace.told, trace.origin, said)
    cited = citations(trace.origin, said)
    name = where(trace.origin)
    sections = (
        *section("How it was read", _read(trace, said)),
        *section("What it told", told_lines(trace)),
        *section("Where that went", _went(trace, home, decisions, said, words)),
        *section("Who names it as a source", (_cited(one, words) for one in cited)),
    )
    answer = f"{name} {_in_short(trace, home, decisions, cited, said, words)}."
    return Answer("record", name, answer, sections, _facts(trace, home, decisions, cited))


def _in_short(
    trace: Trace, home: Home, decisions: list[Decision], cited: list[Citation], said: Said, words: Words
) -> str:
    if trace.fate == DEAD:
        return (
            f"could not be used and went to the dead letters: {WHY_DEAD.get(str(trace.reason), trace.reason)}"
        )
    if trace.fate == DROPPED:
        return f"was dropped: {WHY_DROPPED.get(str(trace.reason), trace.reason)}"
    if trace.fate == MARKER:
        return "is a progress marker: its shipper says how far it has written"
    kinds = ", ".join(sorted({str(one.signal.kind) for one in trace.told}))
    what = f"told of {kinds}" + (", too late" if home.late else "")
    if home.incidents:
        named = " or ".join(_named(one, said, words) for one in home.incidents)
        return f"{what} and counts in incident {named}"
    if decisions:
        return f"{what}, which was {' and '.join(sorted({str(one.outcome) for one in decisions}))}"
    if cited:
        return f"{what} and is named as a source by incident {_named(cited[0].incident.id, said, words)}"
    return f"{what} and is part of no incident"


def _named(incident_id: str, said: Said, words: Words) -> str:
    incident = said.incident(incident_id)
    return incident_id if incident is None else f"{incident_id} ({verdict(incident, words)})"


def _read(trace: Trace, said: Said) -> Iterator[Line]:
    record = trace.record
    size = len(record.value or b"")
    stamp = (
        "" if record.timestamp_ms is None else f", Kafka's timestamp is {moment(record.timestamp_ms / 1000)}"
    )
    yield Line(f"A record of {size:,} bytes{stamp}.", (trace.origin,))
    yield from (Line(text) for text in decoded_lines(trace))
    for one in trace.joined:
        yield Line(f"Half a line: {where(one)} holds the rest, and both count as one.", (one,))
    if trace.partial:
        yield Line("Half a line, whose rest was not found: it counts as partial.")
    if trace.event_time is not None and not trace.told:
        yield Line(f"Its event time is {moment(trace.event_time)}.")
    if trace.fate == DEAD:
        yield Line(f"Dead letter, {trace.reason}: {trace.detail}.")
        kept = [one for one in said.dead_letters if one.origin == trace.origin]
        if kept:
            yield Line(f"Its {kept[0].size_bytes:,} bytes are kept in the dead letters.")
    elif trace.fate == DROPPED:
        yield Line(f"Dropped as {trace.reason}: {WHY_DROPPED.get(str(trace.reason), trace.reason)}.")


def decoded_lines(trace: Trace) -> Iterator[str]:
    """How its bytes were taken apart."""
    if trace.unread:
        yield "The byte test let it go before anything was parsed."
    if trace.packing is not None:
        yield f"It was packed with {trace.packing}."
    if trace.decoder is not None:
        yield f"Decoded as {trace.decoder}."
    if trace.peeled:
        yield f"Around its line stood: {cut(trace.peeled, TEXT_SHOWN)}"
    for reason, count in trace.left_out.items():
        yield f"Left out of the batch: {count:,} as {reason} ({WHY_DROPPED.get(reason, reason)})."


def told_lines(trace: Trace) -> Iterator[str]:
    """What it told, one sentence each."""
    for one in trace.told:
        yield _sample(one, one.signal) if isinstance(one.signal, Sample) else _event(one, one.signal)


def _place(one: Told) -> str:
    on = f" on {one.signal.host}" if one.signal.host else ""
    return f"of {one.signal.instance or 'no named instance'}{on}, domain {one.domain}"


def _sample(one: Told, sample: Sample) -> str:
    values = ", ".join(f"{name} {_number(value)}" for name, value in sample.values.items())
    upstream = f" at {sample.upstream}" if sample.upstream else ""
    return (
        f"A sample of {sample.kind}{upstream} {_place(one)}, at {moment(sample.time)}, by {sample.source}: "
        f"{values}."
    )


def _number(value: float | None) -> str:
    return "unlimited" if value is None else f"{value:g}"


def _event(one: Told, symptom: Symptom) -> str:
    observation = one.observation
    assert observation is not None
    parts = [
        f"request {observation.request}" if observation.request else "",
        f"route {observation.route}" if observation.route else "",
        f"client {observation.client}" if observation.client else "",
        f"{observation.duration_seconds:.3f} s long" if observation.duration_seconds is not None else "",
        f"status {observation.status}" if observation.status is not None else "",
        f"signature {observation.signature}" if observation.signature else "",
        f"asked {symptom.upstream}" if symptom.upstream else "",
        f"for {symptom.question}" if symptom.question else "",
    ]
    known = ", ".join(part for part in parts if part)
    return f"{symptom.kind} {_place(one)}, at {moment(observation.time)}" + (f": {known}." if known else ".")


def _went(trace: Trace, home: Home, decisions: list[Decision], said: Said, words: Words) -> Iterator[Line]:
    for one in trace.told:
        if isinstance(one.signal, Symptom) and one.observation is not None:
            place = one.signal.instance or one.signal.host
            yield Line(
                f"Into the roll-up of {one.signal.kind} of {place} in domain {one.domain} for the second "
                f"{moment(one.second)}, as observation {one.observation.id}."
            )
    if home.late:
        yield Line("Late: its second had been settled when it came. Incidents it concerns count it as late.")
    for incident_id in home.incidents:
        how = "counts its request" if home.seen else "fits by domain, instance, kind and time"
        yield Line(f"Incident {_named(incident_id, said, words)} {how}.")
    for decision in decisions:
        yield Line(f"Decision {decision.id}: {decision.outcome}, {decision.reason}.", decision.origins)
    if trace.told and not home.incidents and not decisions:
        yield Line(_nowhere(trace))


def _nowhere(trace: Trace) -> str:
    kinds = {one.signal.kind for one in trace.told}
    if SymptomKind.REQUEST_OK in kinds:
        return "A request that went well: it is counted, so that the share of failures is known."
    if SymptomKind.REQUEST_SLOW in kinds:
        return "A slow success: incidents on its instance count it while they last; there was none."
    if any(isinstance(one.signal, Sample) for one in trace.told):
        return "Measurements are weighed by whatever goes on at their place and time."
    if kinds <= {SymptomKind.PROCESS_STARTED, SymptomKind.PROCESS_EXITED}:
        return "One start or exit is a deploy as likely as a crash: several together open an incident."
    return "No incident counts it: too few requests failed around it."


def _cited(one: Citation, words: Words) -> Line:
    return Line(f"{one.incident.id} ({verdict(one.incident, words)}), as {one.role}: {one.text}")


def _facts(trace: Trace, home: Home, decisions: list[Decision], cited: list[Citation]) -> dict[str, Any]:
    record = trace.record
    return {
        "record": {
            **trace.origin.model_dump(),
            "timestamp_ms": record.timestamp_ms,
            "size_bytes": len(record.value or b""),
        },
        "read": {
            "fate": trace.fate,
            "reason": trace.reason,
            "detail": trace.detail,
            "decoder": trace.decoder,
            "peeled": trace.peeled,
            "packing": trace.packing,
            "left_out": dict(trace.left_out),
            "joined_with": [one.model_dump() for one in trace.joined],
            "partial": trace.partial,
            "event_time": trace.event_time,
        },
        "told": [_told_fact(one) for one in trace.told],
        "home": {"incidents": list(home.incidents), "seen": home.seen, "late": home.late},
        "decisions": [one.model_dump(mode="json") for one in decisions],
        "cited": [{"incident_id": c.incident.id, "role": c.role, "text": c.text} for c in cited],
    }


def _told_fact(one: Told) -> dict[str, Any]:
    signal = one.signal.model_dump(mode="json", exclude={"observations", "exemplars", "count", "partial"})
    seen = None if one.observation is None else one.observation.model_dump(mode="json")
    return {"domain": one.domain, **signal, "observation": seen}
