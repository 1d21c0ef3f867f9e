"""What a cause says about one instance in trouble."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from pipeline.history import Sourced
from schemas import Cause, Evidence, Origin


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
    `seen`: the readings the numbers in `reason` are of.
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
    seen: Sequence[Sourced] = ()

    def origins(self) -> tuple[Origin, ...]:
        """Records its numbers were read from: the first and the last of what it has seen."""
        if self.evidence:
            return self.evidence[0].origins
        return tuple(dict.fromkeys(one.origin for one in (*self.seen[:1], *self.seen[-1:])))
