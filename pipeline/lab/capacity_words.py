"""What capacity found, in words and as the object that `--json` prints."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from pipeline.demand import PEAK_SECONDS, wanted_cores
from pipeline.diagnosis.words import cores, percent
from pipeline.lab.capacity import Answer, Capacity, Onset

FORMAT_VERSION = 1


def lines(found: Capacity) -> Iterator[str]:
    """Everything but the answers, one fact a line."""
    costs = found.costs
    by_cost = sorted(costs.good_seconds.items(), key=lambda item: (-item[1], item[0]))
    told = ", ".join(f"{route} {seconds * 1000:.0f} ms" for route, seconds in by_cost)
    yield f"CPU a request: {told}; {cores(costs.idle_cores)} without any request"
    yield (
        f"Fitted over {costs.windows} windows; 9 of 10 calm ones that were left out were told to within "
        f"{percent(costs.error_ratio)} of the mean use"
    )
    retries = ""
    if found.all_wanted_cores > 1.05 * found.peak_cores:
        retries = f"; {cores(found.all_wanted_cores)} if no failed request was a retry"
    yield (
        f"Today's peak: {cores(found.peak_cores)} over {PEAK_SECONDS:.0f} s, "
        f"{found.peak_requests_per_second:.0f} requests/s arrived{retries}"
    )
    yield f"One instance was seen to do well with up to {cores(found.reach_cores)}"
    yield f"Queues begin {_begins(found.queueing, found.limit_cores)}"
    yield f"Requests begin to fail {_begins(found.failing, found.limit_cores)}"
    if found.unexplained:
        yield (
            f"{found.unexplained} windows had slow or failed requests with CPU to spare: that is not capacity"
        )


def _begins(onset: Onset, limit: float | None) -> str:
    if onset.troubled is None:
        return f"nowhere in these data: the limit was wanted up to {percent(onset.calm)} at most"
    low, high = sorted((onset.calm, onset.troubled))
    here = f", here {cores(low * limit)} to {cores(high * limit)}" if limit is not None else ""
    return f"where {percent(low)} to {percent(high)} of the limit is wanted{here}"


def row(answer: Answer) -> tuple[str, ...]:
    """One answer as cells: load, instances, demand, limit and margin, or why there is none."""
    load = f"{answer.factor:g} times today's peak"
    demand = cores(answer.demand_cores)
    if answer.limit_cores is None or answer.margin_ratio is None:
        return load, str(answer.instances), demand, "not answered", answer.refused or ""
    margin = percent(answer.margin_ratio)
    return load, str(answer.instances), demand, cores(answer.limit_cores), margin


HEADINGS = ("load", "instances", "demand of each", "limit of each", "margin left")


def least_line(least: float, limit: float) -> str:
    """What can be said of a service that was only ever seen starved."""
    return (
        f"While it starved at {cores(limit)} it wanted at least {cores(least)}: raise the limit to "
        f"{cores(wanted_cores(least, limit))} or more, watch throttling, and ask again"
    )


def as_object(domain: str, found: Capacity) -> dict[str, Any]:
    """Turn it into what `undercurrent capacity --json` prints for one domain (docs/capacity.md)."""
    return {"v": FORMAT_VERSION, "domain": domain, **asdict(found)}
