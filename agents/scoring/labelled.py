"""What people said was wrong, as cases with a known truth that `undercurrent score` reads.

A case is what lay in the raw topics around the incident, secrets taken out, and the cause a person
named for it. Only `wrong_cause` is a label: an acknowledged incident may still be a wrong one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from agents.history import kafka_history
from agents.history.saved import Head
from agents.history.saving import Saved, write_records
from agents.history.span import Span
from agents.past import past
from agents.settings import Settings
from agents.tell.feedback import everything_said
from pipeline.redact import redactor
from schemas import Change, Feedback, FeedbackKind, Incident, decode
from schemas.feedback import NO_TROUBLE

LEAD_SECONDS = 300.0
"""What is kept of the time before the first symptom, and after the last sign."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """An incident as it was told last, and what a person says of it. `end`: its last sign so far."""

    incident: Incident
    end: float
    feedback: Feedback

    @property
    def span(self) -> Span:
        """The time that belongs to the case."""
        return Span(self.incident.first_symptom_at - LEAD_SECONDS, self.end + LEAD_SECONDS)


def labelled(said: Iterable[Feedback], changes: Iterable[Change]) -> list[Labelled]:
    """The disputed incidents, the latest word on each, in the order of their first symptoms."""
    words = {one.incident: one for one in said if one.kind is FeedbackKind.WRONG_CAUSE}
    last: dict[str, Change] = {}
    for change in changes:
        known = last.get(change.incident.id)
        if change.incident.id in words and (known is None or known.seq < change.seq):
            last[change.incident.id] = change
    found = [
        Labelled(one.incident, one.incident.resolved_at or one.at, words[name]) for name, one in last.items()
    ]
    return sorted(found, key=lambda one: (one.incident.first_symptom_at, one.incident.id))


def truth_of(case: Labelled) -> dict[str, Any]:
    """The case's entry in truth.json (corpus/README.md)."""
    cause = str(case.feedback.right_cause)
    trouble = {
        "instances": list(case.incident.instances),
        "cause": cause,
        "start": case.incident.first_symptom_at,
        "end": case.end,
    }
    incidents = [] if cause == NO_TROUBLE else [trouble]
    return {
        "causes": [cause],
        "incident_count": len(incidents),
        "incidents": incidents,
        "dns_suppressible": [],
        "dns_genuine": [],
        "said_by": case.feedback.by,
        "said_at": case.feedback.at,
        "told": str(case.feedback.said),
    }


def disputed(settings: Settings, timeout_seconds: float) -> list[Labelled]:
    """All disputed incidents that Kafka still knows. Raises PastError."""
    said = [one for one in everything_said(settings, timeout_seconds) if one.kind is FeedbackKind.WRONG_CAUSE]
    if not said:
        return []
    wanted = [one.incident.encode() for one in said]
    with past(settings, timeout_seconds) as reader:
        values = (record.value or b"" for record in reader.everything(settings.topics.changes))
        changes = [decode(Change, value) for value in values if any(name in value for name in wanted)]
    return labelled(said, changes)


def write_case(settings: Settings, case: Labelled, folder: Path) -> Saved:
    """Write the records of a case into `folder`/recordings. Raises HistoryError."""
    path = folder / "recordings" / f"{case.incident.id}.jsonl.zst"
    path.parent.mkdir(parents=True, exist_ok=True)
    with kafka_history(settings, case.span, settings.topics.raw) as history:
        records = (arrival.record for arrival in history.arrivals())
        hide = redactor(settings.intake.redact_emails)
        return write_records(path, Head(case.span, settings.topics.raw), records, hide)


def add_truth(folder: Path, cases: Iterable[Labelled]) -> None:
    """Put the truth of `cases` into `folder`/truth.json, beside what stands there."""
    path = folder / "truth.json"
    known = orjson.loads(path.read_bytes()) if path.exists() else {}
    known |= {case.incident.id: truth_of(case) for case in cases}
    path.write_bytes(orjson.dumps(known, option=orjson.OPT_INDENT_2) + b"\n")
