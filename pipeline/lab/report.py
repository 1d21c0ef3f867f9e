"""A difference in words: rows that the terminal and the page show, and the object that `--json` prints."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipeline.diagnosis.words import amount, clock
from pipeline.lab.difference import (
    Difference,
    Figure,
    IncidentDifference,
    Kind,
    MessageDifference,
    NoiseDifference,
    Value,
)
from schemas import Incident, Outcome

FORMAT_VERSION = 1
"""`v` of the object; raised when a documented key changes its meaning or goes away."""

NOISE = {
    Outcome.SUPPRESSED: "newly suppressed",
    Outcome.RELEASED: "newly released",
    Outcome.COUNTED: "newly counted",
    None: "no longer decided on",
}
"""What is said of failed lookups by their new outcome."""

MARKS = {
    Kind.GAINED: "+", Kind.LOST: "-", Kind.MERGED: ">", Kind.SPLIT: "<", Kind.CAUSE: "!", Kind.FIGURES: "~",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Compared:
    """One history and what differs in it."""

    name: str
    difference: Difference


@dataclass(frozen=True, slots=True)
class Row:
    """One difference in words. `mark`: one character; `what`: the kind of difference."""

    mark: str
    what: str
    text: str


def rows(difference: Difference) -> Iterator[Row]:
    """Every difference of one history: incidents, then noise, then messages."""
    for incident in difference.incidents:
        yield Row(MARKS[incident.kind], incident.kind.value, _incident_text(incident))
    yield from _noise_rows(difference.noise)
    for message in difference.messages or ():
        yield Row("+" if message.by > 0 else "-", "messages", _message_text(message))


def summary(compared: Iterable[Compared]) -> dict[str, int]:
    """Kind of difference → how many; every kind is there. Messages count both ways apart."""
    counts = Counter[str]()
    for one in compared:
        counts.update(incident.kind.value for incident in one.difference.incidents)
        for noise in one.difference.noise:
            counts[NOISE[noise.new]] += noise.count
        for message in one.difference.messages or ():
            counts["messages more" if message.by > 0 else "messages fewer"] += abs(message.by)
    names = [*(kind.value for kind in Kind), *NOISE.values(), "messages more", "messages fewer"]
    return {name: counts[name] for name in names}


def as_object(compared: list[Compared]) -> dict[str, Any]:
    """Turn differences into what `undercurrent diff --json` prints (docs/lab.md)."""
    return {
        "v": FORMAT_VERSION,
        "same": all(one.difference.same for one in compared),
        "histories": len(compared),
        "summary": summary(compared),
        "differences": [_object_of(one) for one in compared if not one.difference.same],
    }


def _object_of(one: Compared) -> dict[str, Any]:
    found = one.difference
    return {
        "history": one.name,
        "incidents": [
            {
                "kind": incident.kind.value,
                "old": [_brief(given) for given in incident.old],
                "new": [_brief(given) for given in incident.new],
                "figures": [{"name": f.name, "old": f.old, "new": f.new} for f in incident.figures],
            }
            for incident in found.incidents
        ],
        "noise": [
            {
                "what": NOISE[noise.new],
                "old": noise.old,
                "new": noise.new,
                "count": noise.count,
                "instance": noise.decision.instance,
                "host": noise.decision.host,
                "kind": noise.decision.kind.value,
                "upstream": noise.decision.upstream,
                "question": noise.decision.question,
                "symptom_at": noise.decision.symptom_at,
            }
            for noise in found.noise
        ],
        "messages": None
        if found.messages is None
        else [
            {"incident": one.incident.id, "act": one.act, "kind": one.kind, "by": one.by}
            for one in found.messages
        ],
    }


def _brief(incident: Incident) -> dict[str, Any]:
    keys = {"id", "domain", "instances", "cause", "level", "confidence", "state"}
    keys |= {"first_symptom_at", "verdict_at", "resolved_at"}
    return incident.model_dump(mode="json", include=keys)


def _incident_text(found: IncidentDifference) -> str:
    match found.kind:
        case Kind.LOST:
            return _named(found.old[0])
        case Kind.GAINED:
            return _named(found.new[0])
        case Kind.CAUSE:
            others = [figure for figure in found.figures if figure.name != "cause"]
            told = f"; {_figures_text(others)}" if others else ""
            return f"{found.old[0].cause} → {found.new[0].cause}: {_place(found.new[0])}{told}"
        case Kind.FIGURES:
            return f"{found.new[0].cause}: {_place(found.new[0])}: {_figures_text(found.figures)}"
        case Kind.MERGED | Kind.SPLIT:
            return f"{_all(found.old)} → {_all(found.new)}"


def _all(incidents: Iterable[Incident]) -> str:
    return " and ".join(_named(incident) for incident in incidents)


def _named(incident: Incident) -> str:
    failed = amount(incident.impact.requests_failed, "failed request")
    return f"{incident.cause}: {_place(incident)}, {failed}"


def _place(incident: Incident) -> str:
    until = "on" if incident.resolved_at is None else clock(incident.resolved_at)
    day = datetime.fromtimestamp(incident.first_symptom_at, UTC).strftime("%Y-%m-%d")
    where = f"{incident.domain}/{'+'.join(incident.instances)}"
    return f"{where}, {day} {clock(incident.first_symptom_at)} to {until} UTC ({incident.id})"


def _figures_text(figures: Iterable[Figure]) -> str:
    return "; ".join(
        f"{figure.name} {_value(figure.name, figure.old)} → {_value(figure.name, figure.new)}"
        for figure in figures
    )


def _value(name: str, value: Value) -> str:
    if value is None:
        return "-"
    if name.endswith("_at") and isinstance(value, int | float):
        return clock(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _noise_rows(noise: Iterable[NoiseDifference]) -> Iterator[Row]:
    """One row for all lookups that went the same way at the same place."""
    grouped: dict[tuple[str, ...], list[NoiseDifference]] = {}
    for one in noise:
        at = one.decision
        where = at.instance or (f"host {at.host}" if at.host else "an unknown place")
        asked = f" of {at.question}" if at.question else ""
        server = f" at {at.upstream}" if at.upstream else ""
        key = (
            NOISE[one.new],
            f"{at.kind}{asked}{server} on {at.domain}/{where}",
            one.old or "not decided on",
        )
        grouped.setdefault(key, []).append(one)
    for (what, lookups, before), members in grouped.items():
        first = min(one.decision.symptom_at for one in members)
        last = max(one.decision.symptom_at for one in members)
        count = math.fsum(one.count for one in members)
        when = clock(first) if first == last else f"{clock(first)} to {clock(last)}"
        yield Row("·", what, f"{count:.0f} {lookups}, {when} UTC ({before} before)")


def _message_text(message: MessageDifference) -> str:
    act = ("message to the channel", "messages to the channel")
    if message.act == "reply":
        act = ("reply in the thread", "replies in the thread")
    much = amount(abs(message.by), *act)
    more = "more" if message.by > 0 else "fewer"
    return f"{much} {more} ({message.kind}) about {message.incident.cause} {message.incident.id}"
