"""What a load costs in CPU, where queues begin, and which limit and how many instances hold more of it.

The law is that of pipeline/demand.py. For each window w of an instance

    used_cores(w) * seconds(w) = idle * seconds(w) + sum over routes r of cost(r) * requests(r, w)

and the costs, none below zero, are those that leave the least squares over (regression.py); this way of
finding service demands is that of Zhang, Cherkasova and Smirni, "A Regression-Based Analytic Model for
Dynamic Resource Provisioning of Multi-Tier Applications", ICAC 2007. Requests that failed are columns of
their own, because only part of their work was done.

What a window *wants* counts a failed request like a good one. Retries are not wanted work, so a route
counts in a window with failures at most as often as in its busiest window that was calm, where there is one.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from pipeline.demand import Span, least_cores, peak_cores, wanted_cores
from pipeline.lab.load import Window
from pipeline.lab.regression import nnls

DAY_SECONDS = 86_400.0
FREE_THROTTLED_RATIO = 0.5
AT_LIMIT_RATIO = 0.85
"""Use over limit from which a window counts as held back where no exporter tells throttling."""
TROUBLE_RATIO = 0.05
"""Share of slow, or of failed, requests from which a window queues, or fails."""
WINDOWS_MIN = 6
"""Calm windows needed, and more than there are unknowns."""
ERROR_RATIO_MAX = 1 / 3
"""An error larger than the head room of MARGIN makes every answer a guess."""
REACH_RATIO = 1.25
"""A load per instance is answered for up to so many times the highest that was seen to go well."""
FACTORS = (1.0, 1.5, 2.0)


class CapacityError(ValueError):
    """The data do not carry an answer; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Costs:
    """CPU seconds by route for requests that went well and that failed; `idle_cores` without any request.

    `error_ratio`: of ten windows left out of the fit in turn, nine were told with no larger error, as a
    share of the mean use. `windows`: how many there were.
    """

    good_seconds: dict[str, float]
    failed_seconds: dict[str, float]
    idle_cores: float
    error_ratio: float
    windows: int

    def used_cores(self, window: Window) -> float:
        """What the window should have used."""
        work = math.fsum(self.good_seconds.get(route, 0.0) * n for route, n in window.good.items())
        work += math.fsum(self.failed_seconds.get(route, 0.0) * n for route, n in window.failed.items())
        return self.idle_cores + work / window.seconds

    def wanted_cores(self, window: Window, busiest: dict[str, float]) -> float:
        """What it would have used had every request gone well. `busiest`: route → most requests a second."""
        work = 0.0
        for route in {*window.good, *window.failed}:
            good, failed = window.good.get(route, 0.0), window.failed.get(route, 0.0)
            most = max(good, busiest.get(route, math.inf) * window.seconds)
            work += self.good_seconds.get(route, 0.0) * min(good + failed, most)
        return self.idle_cores + work / window.seconds


@dataclass(frozen=True, slots=True)
class Onset:
    """Where trouble begins, as demand over limit: it was calm up to `calm`, and not from `troubled` on.

    `troubled` is None where it never was.
    """

    calm: float
    troubled: float | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What holds `factor` times today's peak on so many instances.

    `limit_cores` and `margin_ratio` (head room over the demand, the error of the fit taken off) are None
    where the data do not reach; `refused` says why.
    """

    factor: float
    instances: int
    demand_cores: float
    limit_cores: float | None
    margin_ratio: float | None
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Capacity:
    """All that history says. Cores are per instance, but `peak_cores` and `all_wanted_cores` are of all.

    `peak_cores`: highest demand over PEAK_SECONDS of the last day. `all_wanted_cores`: the same if every
    failed request had been wanted for itself, retries included. `reach_cores`: highest demand of one
    instance that was seen to go well. `peak_requests_per_second`: what arrived in the peak's window.
    """

    costs: Costs
    instances: tuple[str, ...]
    limit_cores: float | None
    peak_cores: float
    all_wanted_cores: float
    peak_requests_per_second: float
    reach_cores: float
    queueing: Onset
    failing: Onset
    unexplained: int
    answers: tuple[Answer, ...]


def is_held_back(window: Window) -> bool:
    """Whether the CPU limit held the window back."""
    if window.throttled_ratio is not None:
        return window.throttled_ratio >= FREE_THROTTLED_RATIO
    return bool(window.limit_cores) and window.used_cores >= AT_LIMIT_RATIO * (window.limit_cores or 0.0)


def is_troubled(window: Window) -> bool:
    """Whether its requests were slow or failed, for whatever reason."""
    return fails(window) or window.slow > TROUBLE_RATIO * max(1.0, window.arrived)


def fails(window: Window) -> bool:
    """Whether its requests failed, for whatever reason."""
    return math.fsum(window.failed.values()) > TROUBLE_RATIO * max(1.0, window.arrived)


def is_calm(window: Window) -> bool:
    """Whether it was in no trouble; being throttled now and then is none."""
    return not is_troubled(window)


def least_of(windows: Iterable[Window]) -> tuple[float, float] | None:
    """(cores wanted at least, limit) of windows that were held back and in trouble; None without any.

    This needs no calm window: it is the bound that an incident's advice gives.
    """
    starved = [one for one in windows if is_held_back(one) and is_troubled(one) and one.limit_cores]
    if not starved:
        return None
    arrived = math.fsum(one.arrived for one in starved)
    good = math.fsum(math.fsum(one.good.values()) - one.slow for one in starved)
    limit = max(one.limit_cores or 0.0 for one in starved)
    return least_cores(limit, arrived, good), limit


def examine(windows: Sequence[Window], factors: Sequence[float] = FACTORS) -> Capacity:
    """Fit the costs and answer.

    Raises:
        CapacityError: the data do not carry an answer.
    """
    if not windows:
        raise CapacityError("no CPU use was measured: cgroup or cAdvisor metrics of the registry are needed")
    calm = [one for one in windows if is_calm(one)]
    costs = fit(windows, calm)
    busiest = _busiest(calm)
    wanted = {id(one): costs.wanted_cores(one, busiest) for one in windows}
    reach = _peak_of([[(one, one.used_cores)] for one in calm])
    latest = max(one.start for one in windows)
    today = [one for one in windows if one.start >= latest - DAY_SECONDS]
    peak = _peak_of(_together(today, lambda one: max(wanted[id(one)], one.used_cores)))
    everything = _peak_of(_together(today, lambda one: max(costs.wanted_cores(one, {}), one.used_cores)))
    busy = max(today, key=lambda one: wanted[id(one)])
    limit = min((one.limit_cores for one in windows if one.start == latest and one.limit_cores), default=None)
    instances = tuple(sorted({one.instance for one in windows}))
    ratios = [(wanted[id(one)] / one.limit_cores, one) for one in windows if one.limit_cores]
    return Capacity(
        costs=costs,
        instances=instances,
        limit_cores=limit,
        peak_cores=peak,
        all_wanted_cores=everything,
        peak_requests_per_second=busy.arrived / busy.seconds,
        reach_cores=reach,
        queueing=_onset([(ratio, is_held_back(one) and is_troubled(one)) for ratio, one in ratios]),
        failing=_onset([(ratio, is_held_back(one) and fails(one)) for ratio, one in ratios]),
        unexplained=sum(is_troubled(one) and not is_held_back(one) for one in windows),
        answers=tuple(_answers(costs, peak, reach, len(instances), factors)),
    )


def fit(windows: Sequence[Window], calm: Sequence[Window]) -> Costs:
    """Find the costs, and how far they can be trusted.

    Raises:
        CapacityError: too few calm windows, no load in them, or costs that do not tell what was used.
    """
    routes = sorted({route for one in windows for route in one.good})
    failed = sorted({route for one in windows for route in one.failed})
    if len(calm) < WINDOWS_MIN:
        raise CapacityError(
            f"{len(calm)} windows in which requests went well are too few, {WINDOWS_MIN} are needed: give it "
            "a longer history, from before the trouble or from a load test"
        )
    if not routes or not any(one.arrived for one in calm):
        raise CapacityError("no requests by route: the registry's log of completed requests is needed")
    rows = [
        [*(one.good.get(r, 0.0) for r in routes), *(one.failed.get(r, 0.0) for r in failed), one.seconds]
        for one in windows
    ]
    targets = [one.used_cores * one.seconds for one in windows]

    def solve(leaving_out: Callable[[int], bool]) -> Costs:
        kept = [number for number in range(len(rows)) if not leaving_out(number)]
        found = nnls([rows[number] for number in kept], [targets[number] for number in kept])
        good, bad = found[: len(routes)], found[len(routes) : -1]
        costs = dict(zip(routes, good, strict=True)), dict(zip(failed, bad, strict=True))
        return Costs(*costs, found[-1], 0.0, len(kept))

    errors = []
    parts = min(10, len(windows))
    for part in range(parts):
        costs = solve(lambda number, part=part: number % parts == part)  # type: ignore[misc]  # bound now
        errors += [
            abs(costs.used_cores(one) - one.used_cores)
            for number, one in enumerate(windows)
            if number % parts == part and is_calm(one)
        ]
    mean = math.fsum(one.used_cores for one in calm) / len(calm)
    error = sorted(errors)[math.ceil(0.9 * len(errors)) - 1] / mean if mean else math.inf
    if median(errors) > ERROR_RATIO_MAX * mean:
        raise CapacityError(
            f"requests by route do not tell what CPU was used (half of the windows are off by more than "
            f"{median(errors) / mean:.0%}): something else uses it, or the windows are too few"
        )
    whole = solve(lambda number: False)
    return Costs(whole.good_seconds, whole.failed_seconds, whole.idle_cores, error, len(windows))


def _busiest(calm: Iterable[Window]) -> dict[str, float]:
    """Route → most requests a second in a calm window."""
    most: dict[str, float] = {}
    for one in calm:
        for route, count in one.good.items():
            most[route] = max(most.get(route, 0.0), count / one.seconds)
    return most


def _together(
    windows: Iterable[Window], value: Callable[[Window], float]
) -> list[list[tuple[Window, float]]]:
    """Windows of all instances at the same time, with a value each; by time."""
    by_start: dict[float, list[tuple[Window, float]]] = {}
    for one in windows:
        by_start.setdefault(one.start, []).append((one, value(one)))
    return [by_start[start] for start in sorted(by_start)]


def _peak_of(moments: Iterable[Sequence[tuple[Window, float]]]) -> float:
    spans: list[Span] = []
    for moment in moments:
        first = moment[0][0]
        spans.append((first.start, first.start + first.seconds, math.fsum(value for _, value in moment)))
    return peak_cores(spans) or 0.0


def _onset(found: list[tuple[float, bool]]) -> Onset:
    """The bound that tells troubled windows from calm ones with the fewest mistakes."""
    ordered = sorted(found)
    troubled = sum(is_so for _, is_so in ordered)
    if not troubled:
        return Onset(max((ratio for ratio, _ in ordered), default=0.0), None)
    best, at, mistakes = len(ordered) - troubled, 0, len(ordered) - troubled
    for number, (_, is_so) in enumerate(ordered):
        mistakes += 1 if is_so else -1
        if mistakes < best:
            best, at = mistakes, number + 1
    below = [ratio for ratio, is_so in ordered[:at] if not is_so]
    above = [ratio for ratio, is_so in ordered[at:] if is_so]
    return Onset(max(below, default=0.0), min(above, default=ordered[-1][0]))


def _answers(
    costs: Costs, peak: float, reach: float, instances: int, factors: Sequence[float]
) -> Iterable[Answer]:
    work = max(0.0, peak - instances * costs.idle_cores)
    for factor in factors:
        for count in sorted({instances, math.ceil(instances * factor), 2 * instances}):
            demand = costs.idle_cores + factor * work / count
            if demand > REACH_RATIO * reach:
                yield Answer(
                    factor, count, demand, None, None,
                    f"the data reach {reach:.3g} cores for one instance, this is {demand:.3g}",
                )  # fmt: skip
                continue
            limit = wanted_cores(demand)
            margin = 1 - demand * (1 + costs.error_ratio) / limit
            yield Answer(factor, count, demand, limit, margin)
