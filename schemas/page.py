"""What the page's JSON API answers (docs/page.md). Times are unix seconds of event time.

Every key is always there; what is not known is null. `next` is the cursor of the page after this one,
null on the last: give it back as `before`.
"""

from enum import StrEnum

from schemas.base import Noun
from schemas.outputs import (
    AnyCause,
    ChangeKind,
    DeadLetterReason,
    Decision,
    Incident,
    IncidentState,
)
from schemas.signals import Origin
from schemas.sources import SourceKind


class ChangeLine(Noun):
    """One change of an incident, without the incident."""

    seq: int
    kind: ChangeKind
    at: float
    reason: str


class IncidentLine(Noun):
    """One incident in a list. `verdict`: cause and confidence in words. `changed_at`: its last change."""

    id: str
    domain: str
    instances: tuple[str, ...]
    state: IncidentState
    cause: AnyCause
    level: str | None
    confidence: float
    verdict: str
    impact: str
    first_symptom_at: float
    opened_at: float
    resolved_at: float | None
    changed_at: float
    last_change: ChangeLine
    requests_failed: int
    requests_slow: int
    requests_total: int | None
    suppressed: int
    released: int


class IncidentList(Noun):
    """A page of incidents: open ones first, then recovering, then resolved; of each the newest first.

    `total`: how many match. `states`: how many there are in each state, whatever was asked for.
    `causes`, `domains`: what can be asked for. `forgotten`: how many fell off for lack of room.
    """

    as_of: float
    incidents: tuple[IncidentLine, ...]
    total: int
    states: dict[str, int]
    causes: tuple[str, ...]
    domains: tuple[str, ...]
    forgotten: int
    next: str | None


class IncidentView(Noun):
    """One incident in full, with each of its changes and its decisions counted by outcome."""

    as_of: float
    line: IncidentLine
    incident: Incident
    changes: tuple[ChangeLine, ...]
    decisions: dict[str, int]


class DecisionList(Noun):
    """A page of decisions, those on the newest symptoms first. `outcomes`: how many of each there are."""

    as_of: float
    decisions: tuple[Decision, ...]
    total: int
    outcomes: dict[str, int]
    forgotten: int
    next: str | None


class DeadLetterLine(Noun):
    """A record nobody could read. `text`: its beginning, without secrets; `cut`: there is more of it."""

    origin: Origin
    reason: DeadLetterReason
    detail: str
    at: float | None
    size_bytes: int
    text: str
    cut: bool


class DeadLetterList(Noun):
    """A page of dead letters, the newest first. `reasons`: how many of each there are."""

    as_of: float
    dead_letters: tuple[DeadLetterLine, ...]
    total: int
    reasons: dict[str, int]
    forgotten: int
    next: str | None


class SourceState(StrEnum):
    """How a source is."""

    HEALTHY = "healthy"
    SILENT = "silent"
    """Its readings stopped: more of them are missing than may be."""
    QUIET = "quiet"
    """A log that tells nothing, maybe because there is nothing to tell."""
    NEVER = "never"
    """It would be needed and has not been heard."""
    GONE = "gone"
    """Its container is silent as a whole, while others of its domain are not."""


class SourceLine(Noun):
    """One source. `place`: container, host or DNS server, "" for the whole domain.

    `exporter`: whose readings they are. `age_seconds`: silence in event time. `interval_seconds`: usual
    distance of two readings.
    """

    kind: SourceKind
    place: str
    host: str | None
    exporter: str | None
    state: SourceState
    heard_at: float | None
    age_seconds: float | None
    interval_seconds: float | None


class SourceProblem(Noun):
    """Sources that fell silent together, or were never heard (`heard_at` null), in one sentence."""

    text: str
    kinds: tuple[SourceKind, ...]
    places: tuple[str, ...]
    heard_at: float | None
    age_seconds: float | None


class DomainSources(Noun):
    """All sources of a domain. `event_time`: what their silence is measured against.

    `problems`: what fell silent, the longest first. `missing`: what was never heard, and what that costs.
    """

    domain: str
    event_time: float
    problems: tuple[SourceProblem, ...]
    missing: tuple[SourceProblem, ...]
    sources: tuple[SourceLine, ...]


class SourceList(Noun):
    """A page of domains with their sources: those with problems first, then by name.

    `total`: how many domains match. `silent`: in how many of them something fell silent.
    `behind_seconds`: how far event time lags behind `as_of`, where it lags most; null while unknown.
    """

    as_of: float
    behind_seconds: float | None
    domains: tuple[DomainSources, ...]
    total: int
    silent: int
    forgotten: int
    next: str | None


class Problem(Noun):
    """Why a question was not answered."""

    error: str
