"""The spread of durations on cancelled requests: evidence that needs no metric.

A client that gives up does so at its own timeout, so its cancelled requests share one duration to
within milliseconds, whether storage is slow, lookups hang or the client is merely impatient. A
starved server notices the cancellation late and starts the request late, so the durations smear to
both sides. Recordings: 98-100 % of lines within 10 ms of the timeout without starvation, 3-72 % with.
Only per client and route: pooled over clients with different timeouts the spread means nothing.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.history import Request
from schemas.rules import Durations

GROUP_REQUESTS_MIN = 4

_ONE_REQUEST_ROUTES = frozenset({"catalog", "tags", "manifest"})
"""Routes where one client operation is one request. A push is several under one timeout, and the
log shows only the one that was cut, at any duration."""


@dataclass(frozen=True, slots=True)
class Spread:
    """`sharp_ratio`: share of `requests` that sit on one of their client's timeouts.

    `typical_seconds`: the most common duration. `clients`: whose requests they are.
    """

    requests: int
    sharp_ratio: float
    near_ratio: float
    typical_seconds: float
    clients: tuple[str, ...]
    rules: Durations

    @property
    def sharp(self) -> bool:
        """One constant duration per client: nothing held the server up."""
        return self.requests >= self.rules.sharp_requests and self.sharp_ratio >= self.rules.sharp_ratio

    @property
    def near(self) -> bool:
        """One duration per client, widened as a little throttling does."""
        return self.requests >= self.rules.sharp_requests and self.near_ratio >= self.rules.near_ratio

    @property
    def smeared(self) -> bool:
        """Durations all over the place: the server itself was held up."""
        return self.requests >= self.rules.smeared_requests and self.sharp_ratio <= self.rules.smeared_ratio


def spread(requests: Iterable[Request], rules: Durations) -> Spread | None:
    """Spread over all (client, route) groups of cancelled requests; None where no group is large enough."""
    groups: dict[tuple[str, str], list[float]] = defaultdict(list)
    for request in requests:
        if (
            request.cancelled
            and request.duration_seconds is not None
            and request.client
            and request.route in _ONE_REQUEST_ROUTES
        ):
            groups[request.client, request.route].append(request.duration_seconds)
    usable = {key: sorted(found) for key, found in groups.items() if len(found) >= GROUP_REQUESTS_MIN}
    if not usable:
        return None
    total = sum(len(found) for found in usable.values())
    sharp = sum(_members(found, rules.sharp_window_seconds, rules) for found in usable.values())
    near = sum(_members(found, rules.near_window_seconds, rules) for found in usable.values())
    largest = max(usable.values(), key=lambda found: (len(found), found))
    return Spread(
        requests=total,
        sharp_ratio=sharp / total,
        near_ratio=near / total,
        typical_seconds=_densest(largest, rules.sharp_window_seconds)[1],
        clients=tuple(sorted({client for client, _ in usable})),
        rules=rules,
    )


def _members(durations: list[float], window_seconds: float, rules: Durations) -> int:
    """Members of clumps' densest windows: the share of each clump that sits on one timeout."""
    members, clump = 0, [durations[0]]
    for duration in durations[1:]:
        if duration - clump[-1] > rules.clump_gap_seconds:
            members += _densest(clump, window_seconds)[0] if len(clump) >= 3 else 0
            clump = []
        clump.append(duration)
    return members + (_densest(clump, window_seconds)[0] if len(clump) >= 3 else 0)


def _densest(durations: list[float], window_seconds: float) -> tuple[int, float]:
    """(count, first duration) of the window that holds most of `durations`."""
    best, start, low = 0, durations[0], 0
    for high, duration in enumerate(durations):
        while duration - durations[low] > window_seconds:
            low += 1
        if high - low + 1 > best:
            best, start = high - low + 1, durations[low]
    return best, start
