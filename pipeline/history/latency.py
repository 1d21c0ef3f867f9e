"""Latency of one interval from counters: a histogram's buckets, or a sum and a count.

A share of the answers is looked for as Prometheus' histogram_quantile does: linear within its bucket. Above
the last bucket its bound is all that is known.
"""

from collections.abc import Callable
from itertools import pairwise

from schemas.latency import BUCKETS, COUNT, SUM


def latency(growth: Callable[[str], float | None]) -> tuple[float | None, float | None]:
    """Median and 95th percentile in seconds; of a mean, which is taken for the median, no percentile.

    `growth`: what a counter grew by in the interval, None where that is not known.
    """
    count = growth(COUNT)
    if not count:
        return None, None
    within = [(bound, grown) for bound, name in BUCKETS.items() if (grown := growth(name)) is not None]
    if within:
        return _quantile(within, 0.5 * count), _quantile(within, 0.95 * count)
    total = growth(SUM)
    return (None if total is None else total / count), None


def _quantile(within: list[tuple[float, float]], rank: float) -> float:
    for (lower, below), (upper, grown) in pairwise([(0.0, 0.0), *within]):
        if grown >= rank:
            return lower + (upper - lower) * (rank - below) / (grown - below) if grown > below else upper
    return within[-1][0]
