"""What a story leaves behind: log lines and readings, with the time at which each was written."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a container's output. `at`: seconds of the story. `container`: registry or resolver."""

    at: float
    instance: str
    container: str
    stream: str
    text: str


@dataclass(frozen=True, slots=True)
class Taken:
    """One reading of an exporter (`source`), in the fields of its recording."""

    at: float
    instance: str
    source: str
    body: dict[str, Any]


@dataclass(slots=True)
class Output:
    """Everything written so far, in order of writing."""

    lines: list[Line] = field(default_factory=list)
    readings: list[Taken] = field(default_factory=list)
