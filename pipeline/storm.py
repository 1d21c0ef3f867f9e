"""Many incidents at once: which of them people hear of first, and what one message says of all of them.

An incident that has to wait for its message leaves a *brief*. The worst brief comes first: what is not
resolved before what is, more failed requests before fewer, what began earlier before what began later.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Self

from schemas import Change, IncidentState

SHOWN = 15
"""Incidents a digest names."""


@dataclass(frozen=True, slots=True)
class Brief:
    """One incident in a line. `since`: unix seconds of its first symptom. JSON-ready by `stored`."""

    incident: str
    domain: str
    cause: str
    state: str
    failed: int
    slow: int
    since: float

    @classmethod
    def of(cls, change: Change) -> Self:
        """The incident as it stands after `change`."""
        incident = change.incident
        return cls(
            incident.id,
            incident.domain,
            str(incident.cause),
            incident.state.value,
            incident.impact.requests_failed,
            incident.impact.requests_slow,
            incident.first_symptom_at,
        )

    def stored(self) -> dict[str, Any]:
        """As a JSON object; `Brief(**stored)` is the same brief."""
        return asdict(self)

    @property
    def rank(self) -> tuple[bool, int, int, float, str]:
        """Sorts the worst first."""
        over = self.state == IncidentState.RESOLVED.value
        return over, -self.failed, -self.slow, self.since, self.incident


@dataclass(frozen=True, slots=True)
class Digest:
    """What one message says of a storm, in incidents; the `worst` first. `number`: of this digest."""

    storm: str
    number: int
    waiting: int
    told: int
    domains: int
    worst: tuple[Brief, ...]

    @classmethod
    def of(cls, storm: str, number: int, waiting: Iterable[Brief], told: int) -> Self:
        """The digest of those that wait now."""
        briefs = sorted(waiting, key=lambda one: one.rank)
        domains = len({one.domain for one in briefs})
        return cls(storm, number, len(briefs), told, domains, tuple(briefs[:SHOWN]))
