"""Outputs: what the core says. Changes of incidents, decisions on held symptoms, dead letters."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from schemas.base import Noun
from schemas.signals import Exemplar, Origin, SymptomKind


class Cause(StrEnum):
    """Why requests fail. `unproven` is an answer: it says that evidence carries none of the others."""

    CPU_SATURATION = "cpu_saturation"
    MEMORY_PRESSURE = "memory_pressure"
    STORAGE_LATENCY = "storage_latency"
    CLIENT_TIMEOUT = "client_timeout"
    DNS_OUTAGE = "dns_outage"
    UNPROVEN = "unproven"


def _not_ours(name: str) -> str:
    if name in set(Cause):
        raise ValueError(f"{name} is a cause of our own")
    return name


DeclaredName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,47}$"), AfterValidator(_not_ours)]
"""Name of a cause that the rules declare (schemas/declared.py)."""

AnyCause = Annotated[Cause | DeclaredName, Field(union_mode="left_to_right")]
"""A cause of our own, always as `Cause`, or the name of a declared one."""


def cause_named(name: str) -> Cause | str:
    """The cause behind a name as it stands in JSON."""
    return Cause(name) if name in set(Cause) else name


class IncidentState(StrEnum):
    """Where an incident stands; ChangeKind says how it got there."""

    OPEN = "open"
    RECOVERING = "recovering"
    RESOLVED = "resolved"


class ChangeKind(StrEnum):
    """What happened to an incident. The transition table is pipeline/core/lifecycle.py."""

    OPENED = "opened"
    JOINED = "joined"
    DIAGNOSED = "diagnosed"
    ESCALATED = "escalated"
    RECOVERING = "recovering"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    LATE = "late"


class Evidence(Noun):
    """One fact that speaks for the cause.

    `fact`: stable code (`cpu_at_limit`, `durations_smeared`, …), listed in docs/causes.md.
    `text`: the fact in one English sentence with numbers and units.
    `values`: the numbers in it by name, units in names.
    `at`: event time from which it holds. `origins`: the records it was read from, a few at most.
    """

    fact: str
    instance: str | None = None
    text: str
    values: dict[str, float] = {}
    at: float | None = None
    origins: tuple[Origin, ...] = ()


class RivalStanding(StrEnum):
    """What became of a cause that was not named."""

    REJECTED = "rejected"
    UNDECIDED = "undecided"


class Rival(Noun):
    """A cause that was not named: the fact that rejects it, or the measurement that would decide it."""

    cause: AnyCause
    standing: RivalStanding
    reason: str
    values: dict[str, float] = {}
    origins: tuple[Origin, ...] = ()


class Step(Noun):
    """One step of the cascade's timeline (`limit_reached`, `first_cancellation`, `recovered`, …)."""

    at: float
    step: str
    text: str
    instance: str | None = None


class Series(Noun):
    """One curve of the timeline: what was measured on `instance`, at most 96 points.

    `values[n]` tells of the `step_seconds` from `start + n * step_seconds` on, None where nothing was
    measured. `name`: of readings the highest in the step (`cpu_ratio`, use over limit; `throttled_ratio`,
    `pressure_ratio`, `memory_ratio`; `storage_seconds`, p95 at its own side), of events how many
    (`failed`, `slow`, `dns_failed`, `dns_suppressed`, `dns_released`).
    """

    name: str
    instance: str
    start: float
    step_seconds: int
    values: tuple[int | float | None, ...]


class Impact(Noun):
    """What users lost, in requests, not in lines.

    `requests_failed`: distinct failed requests. `requests_slow`: requests that were logged as a
    success but took so long that their client had probably gone. `requests_total`: all requests of
    the hit instances in the same time, None where unknown. `estimated`: a bound was exceeded and
    counts are estimates. `routes`, `clients`: failed and slow requests by name, most first, at most 8.
    """

    requests_failed: int = 0
    requests_slow: int = 0
    requests_total: int | None = None
    estimated: bool = False
    routes: dict[str, int] = {}
    clients: dict[str, int] = {}


class Advice(Noun):
    """One thing to do, with the number the incident's own data carry. `advice` is a stable code."""

    advice: str
    text: str
    values: dict[str, float] = {}


class Incident(Noun):
    """An incident in full, as it stands after a change.

    `first_symptom_at`: event time of the first symptom it explains. `verdict_at`: event time at
    which its cause (or `unproven`, finally) was settled, allowed lateness included. `resolved_at`:
    event time of the last sign of trouble, None while open; it is declared after a quiet period.
    `confidence`: 0 to 1, see docs/causes.md; `strength`: the same before undecided rivals took from it.
    `level`: `container` or `host` for cpu_saturation, `resolver` or `lookups` (single ones) for dns_outage.
    `suppressed`, `released`: DNS symptoms this incident explained, or had held and let go.
    """

    id: str
    domain: str
    instances: tuple[str, ...]
    cause: AnyCause
    level: str | None = None
    confidence: float
    strength: float | None = None
    state: IncidentState
    first_symptom_at: float
    opened_at: float
    verdict_at: float | None = None
    resolved_at: float | None = None
    impact: Impact = Impact()
    evidence: tuple[Evidence, ...] = ()
    rejected: tuple[Rival, ...] = ()
    timeline: tuple[Step, ...] = ()
    advice: tuple[Advice, ...] = ()
    suppressed: int = 0
    released: int = 0
    late: int = 0
    trigger: str | None = None
    exemplars: tuple[Exemplar, ...] = ()
    series: tuple[Series, ...] = ()


class Change(Noun):
    """One record of undercurrent.changes, keyed by domain.

    `id` is `<incident id>:<seq>`: the same change has the same id after a crash or in a replay, so a
    reader drops what it has seen. `at` is event time. `reason` is one English sentence.
    """

    type: Literal["change"] = "change"
    id: str
    seq: int
    kind: ChangeKind
    at: float
    reason: str
    incident: Incident


class Outcome(StrEnum):
    """What became of a symptom that had to be decided on."""

    SUPPRESSED = "suppressed"
    """A named incident explains it; nobody is told about it by itself."""
    RELEASED = "released"
    """It was held and nothing harmless explains it: told, late and marked so."""
    COUNTED = "counted"
    """A stray symptom with no incident around it: counted, told to nobody."""


class Decision(Noun):
    """One record of undercurrent.decisions: what became of the held symptoms of one roll-up."""

    type: Literal["decision"] = "decision"
    id: str
    domain: str
    instance: str | None = None
    host: str | None = None
    kind: SymptomKind
    upstream: str | None = None
    question: str | None = None
    symptom_at: float
    decided_at: float
    count: int
    outcome: Outcome
    incident_id: str | None = None
    reason: str
    origins: tuple[Origin, ...] = ()


REPLAY_HEADER = "undercurrent-replay"
"""Header of what a replay has written: the past, of which nobody is told. Its value: what was replayed."""


class DeadLetterReason(StrEnum):
    """Why a record could not be used."""

    UNDECODABLE = "undecodable"
    """No decoder recognises the bytes."""
    MALFORMED = "malformed"
    """A decoder recognised the record and found it broken."""
    TIME_OUT_OF_RANGE = "time_out_of_range"
    """The event time is absent, absurd or too far in the future."""
    OVERSIZE = "oversize"
    """The record is larger than the bound on one record."""
    UNKNOWN_VERSION = "unknown_version"
    """Written by a newer Undercurrent."""


class DeadLetter(Noun):
    """One record of undercurrent.dead-letters: origin, reason and the bytes (base64, maybe cut).

    `size_bytes` is the size before secrets were taken out of `value_base64` and it was cut to the bound
    on dead letters. `redacted`: secrets were taken out of value or key, so these are not the original
    bytes. `retry_of`: the record had been put back by `undercurrent dead-letters retry`, and was first
    refused there.
    """

    type: Literal["dead_letter"] = "dead_letter"
    origin: Origin
    reason: DeadLetterReason
    detail: str
    value_base64: str
    size_bytes: int
    timestamp_ms: int | None = None
    key_base64: str | None = None
    redacted: bool = False
    retry_of: Origin | None = None


class DeadLetterRetry(Noun):
    """A note in undercurrent.dead-letters: the record first refused at `of` was put back at `to`."""

    type: Literal["dead_letter_retry"] = "dead_letter_retry"
    of: Origin
    to: Origin
