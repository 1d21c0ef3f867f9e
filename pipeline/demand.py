"""How much CPU a load wants, and which limit holds it: one set of formulas for advice and for capacity.

Utilisation law (Denning and Buzen, "The Operational Analysis of Queueing Network Models", ACM Computing
Surveys 1978): the CPU a service uses is the sum over its routes of requests a second times CPU seconds
a request. A service that nothing holds back uses what it wants; one at its limit uses its limit, whatever
it wants, so its demand has to be told from what arrived.
"""

import math
from collections.abc import Sequence

MARGIN = 1.5
"""Head room over the estimated peak demand: throttling starts well before the mean reaches the limit."""

STEP_CORES = 0.05
"""Limits are advised in steps of this size."""

AT_LIMIT_FACTOR = 1.2
"""A service that is at its limit now gets at least this much more."""

ARRIVED_FACTOR_MAX = 4.0
"""Clients that retry make more requests than they want; no more than so many are believed."""

PEAK_SECONDS = 10.0

Span = tuple[float, float, float]
"""(start, end, cores): mean use or demand between two times."""


def peak_cores(spans: Sequence[Span]) -> float | None:
    """Highest mean over `PEAK_SECONDS` of consecutive spans; None where they are too short for one."""
    best: float | None = None
    for index, (start, _, _) in enumerate(spans):
        window = [span for span in spans[index : index + 600] if span[1] <= start + PEAK_SECONDS + 0.5]
        window = window or [spans[index]]
        seconds = sum(end - begin for begin, end, _ in window)
        if seconds < PEAK_SECONDS / 2:
            continue
        mean = sum(cores * (end - begin) for begin, end, cores in window) / seconds
        best = mean if best is None else max(best, mean)
    return best


def least_cores(limit_cores: float, arrived: float, good: float) -> float:
    """What a load wants at least that came to a service at its limit: the limit, by what was left undone."""
    factor = arrived / good if good else ARRIVED_FACTOR_MAX
    return limit_cores * min(max(factor, 1.0), ARRIVED_FACTOR_MAX)


def wanted_cores(demand_cores: float, starved_limit_cores: float = 0.0) -> float:
    """The limit that holds a demand with head room; for one that starved at a limit, more than that."""
    enough = max(demand_cores * MARGIN, starved_limit_cores * AT_LIMIT_FACTOR)
    return round(math.ceil(round(enough / STEP_CORES, 6)) * STEP_CORES, 6)
