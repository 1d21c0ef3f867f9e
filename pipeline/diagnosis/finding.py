"""What a cause says about one instance in trouble."""

from dataclasses import dataclass, field
from enum import StrEnum

from schemas import Cause, Evidence


class Standing(StrEnum):
    """How a cause stands before the evidence."""

    PROVEN = "proven"
    """Its decisive evidence was seen, in the right order of time."""
    REFUTED = "refuted"
    """A measurement speaks against it."""
    UNDECIDED = "undecided"
    """No measurement that could decide it reaches us."""
    PENDING = "pending"
    """The measurement that decides it is due and has not arrived yet."""


@dataclass(frozen=True, slots=True)
class Explains:
    """Which requests a proven cause accounts for: those that overlap `[start, end]`.

    `end` is None while the cause goes on. `clients`: only theirs. `marks`: only what bears one of these
    signatures or kinds.
    """

    start: float
    end: float | None = None
    clients: tuple[str, ...] | None = None
    marks: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause's answer for one instance.

    `since`: event time at which the cause set in, so that of two proven causes the earlier leads.
    `last`: the cause's own latest sign (a kill, a failed lookup), which keeps its incident open.
    `reason`: the fact that refutes it, or the measurement that would decide it.
    `strength`: 0 to 1, how much its decisive evidence alone is worth (docs/causes.md).
    """

    cause: Cause | str
    standing: Standing
    reason: str = ""
    since: float | None = None
    strength: float = 0.0
    evidence: tuple[Evidence, ...] = ()
    explains: Explains | None = None
    level: str | None = None
    last: float | None = None
    values: dict[str, float] = field(default_factory=dict)
