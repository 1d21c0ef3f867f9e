"""What the clients saw: the truth that no exporter tells."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a client. `outcome`: ok, timeout, failed (5xx) or refused (no process, or reset)."""

    instance: str
    operation: str
    sent_at: float
    ended_at: float
    outcome: str


@dataclass(slots=True)
class Ledger:
    """All attempts, in the order in which they ended."""

    attempts: list[Attempt] = field(default_factory=list)

    def outcomes(self, instance: str | None, start: float, end: float) -> Counter[str]:
        """Count the outcomes of the attempts that ended between two times, at one instance or at all."""
        return Counter(
            attempt.outcome
            for attempt in self.attempts
            if start <= attempt.ended_at <= end and instance in (None, attempt.instance)
        )
