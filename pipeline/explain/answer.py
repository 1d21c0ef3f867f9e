"""What an explanation consists of, whoever asks and whatever about."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from schemas import Change, DeadLetter, Decision, Incident, Origin

FORMAT_VERSION = 1
"""`v` of the JSON form; raised when a documented key changes its meaning or goes away."""


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence, with the records it can be checked against."""

    text: str
    origins: tuple[Origin, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """Lines under one heading."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """`of`: incident, decision or record. `answer`: all of it in one sentence.

    `facts`: the same for programs, JSON-able.
    """

    of: str
    id: str
    answer: str
    sections: tuple[Section, ...]
    facts: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The documented JSON form (docs/explain.md)."""
        sections = [
            {
                "title": section.title,
                "lines": [
                    {"text": line.text, "origins": [origin.model_dump() for origin in line.origins]}
                    for line in section.lines
                ],
            }
            for section in self.sections
        ]
        return {
            "v": FORMAT_VERSION,
            "type": "explanation",
            "of": self.of,
            "id": self.id,
            "answer": self.answer,
            "sections": sections,
            **self.facts,
        }


@dataclass(frozen=True, slots=True)
class Said:
    """Everything that was said, as far as it is still known: each change and decision once, in order."""

    changes: tuple[Change, ...] = ()
    decisions: tuple[Decision, ...] = ()
    dead_letters: tuple[DeadLetter, ...] = ()

    def changes_of(self, incident_id: str) -> list[Change]:
        """The changes of one incident, by their number."""
        return sorted(
            (one for one in self.changes if one.incident.id == incident_id), key=lambda one: one.seq
        )

    def incidents(self) -> list[Incident]:
        """Every incident in its last known form, by opening and id."""
        last = {one.incident.id: one.incident for one in sorted(self.changes, key=lambda one: one.seq)}
        return sorted(last.values(), key=lambda one: (one.opened_at, one.id))

    def incident(self, incident_id: str | None) -> Incident | None:
        """One incident in its last known form."""
        return next((one for one in self.incidents() if one.id == incident_id), None)


def section(title: str, lines: Iterable[Line | str]) -> tuple[Section, ...]:
    """A section of these lines; none where there are none."""
    made = tuple(one if isinstance(one, Line) else Line(one) for one in lines)
    return (Section(title, made),) if made else ()


def moment(at: float) -> str:
    """Unix seconds as `2026-11-23 09:10:41.123 UTC`; milliseconds only where there are any."""
    instant = datetime.fromtimestamp(at, UTC)
    text = instant.strftime("%Y-%m-%d %H:%M:%S")
    return f"{text}.{instant.microsecond // 1000:03d} UTC" if instant.microsecond >= 1000 else f"{text} UTC"


def where(origin: Origin) -> str:
    """A record as it is asked for: `topic:partition:offset`."""
    return f"{origin.topic}:{origin.partition}:{origin.offset}"
