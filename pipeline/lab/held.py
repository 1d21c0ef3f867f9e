"""Did it hold? Attempts of a load test, summed up by step and operation, against what was asked for."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request of a load test. `at`: unix seconds when it was sent. `step`: number of the rate, from 0.

    `outcome`: `ok`, `failed` (5xx, 429 or no proper answer), `timeout`, or `unsent` where too many were
    still under way. `seconds`: to the last byte.
    """

    at: float
    step: int
    operation: str
    outcome: str
    status: int | None
    seconds: float


@dataclass(frozen=True, slots=True)
class StepResult:
    """What came of one rate. Percentiles are of requests that were answered well; None without any."""

    rate_per_second: float
    sent: int
    good: int
    failed: int
    timeouts: int
    unsent: int
    p50_seconds: float | None
    p95_seconds: float | None
    p99_seconds: float | None

    @property
    def failed_ratio(self) -> float:
        """Share of what should have been sent that did not go well."""
        wanted = self.sent + self.unsent
        return 1 - self.good / wanted if wanted else 0.0

    def holds(self, failed_ratio_max: float, p95_seconds_max: float) -> bool:
        """Whether it stayed within both bounds. Nothing sent, or nothing answered, holds nothing."""
        if self.p95_seconds is None:
            return False
        return self.failed_ratio <= failed_ratio_max and self.p95_seconds <= p95_seconds_max


def sum_up(attempts: Iterable[Attempt], rates: Sequence[float]) -> list[StepResult]:
    """One result per rate, in their order."""
    by_step: dict[int, list[Attempt]] = {}
    for one in attempts:
        by_step.setdefault(one.step, []).append(one)
    return [_result(rate, by_step.get(step, [])) for step, rate in enumerate(rates)]


def _result(rate: float, attempts: list[Attempt]) -> StepResult:
    outcomes = Counter(one.outcome for one in attempts)
    took = sorted(one.seconds for one in attempts if one.outcome == "ok")
    return StepResult(
        rate, len(attempts) - outcomes["unsent"], outcomes["ok"], outcomes["failed"], outcomes["timeout"],
        outcomes["unsent"], percentile(took, 0.5), percentile(took, 0.95), percentile(took, 0.99),
    )  # fmt: skip


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that so large a share does not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None
