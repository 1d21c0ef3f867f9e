"""Advice with numbers from the incident's own data. None is given that its evidence does not carry."""

from pipeline.demand import MARGIN, least_cores, peak_cores, wanted_cores
from pipeline.diagnosis import declared
from pipeline.diagnosis.cpu import examine as _examine_cpu
from pipeline.diagnosis.finding import Standing
from pipeline.diagnosis.view import View
from pipeline.diagnosis.words import amount, cores, percent, seconds
from schemas import Advice, Cause, Incident

DOMINATES_RATIO = 0.5
DEFAULT_STORAGE_TIMEOUT_SECONDS = 30


def advise(incident: Incident, view: View) -> tuple[Advice, ...]:
    """What to do about `incident`, as the data of `view` (its leading instance) carry it."""
    match incident.cause:
        case Cause.CPU_SATURATION:
            return _for_cpu(incident, view)
        case Cause.MEMORY_PRESSURE:
            return _for_memory(incident)
        case Cause.STORAGE_LATENCY:
            return _for_storage(incident)
        case Cause.CLIENT_TIMEOUT:
            return _for_clients(incident)
        case Cause.DNS_OUTAGE:
            return _for_dns(incident)
        case Cause.UNPROVEN:
            return ()
        case declared_name:
            return declared.advise(view.rules, declared_name)


def _for_cpu(incident: Incident, view: View) -> tuple[Advice, ...]:
    advice: list[Advice] = []
    if incident.level == "host":
        advice.append(
            Advice(
                advice="relieve_host",
                text=f"Give {view.instance} CPU on its host: raise its CPU request (shares), "
                "move its neighbours "
                "or move it. Its own limit is not the cause; raising it changes nothing.",
            )
        )
    elif _examine_cpu(view).standing is Standing.PROVEN:
        demand = _demand_cores(view)
        if demand is not None:
            advice.append(_raise_limit(view, *demand))
    advice.extend(_back_off(view))
    advice.extend(_cache_catalog(incident))
    return tuple(advice)


def _demand_cores(view: View) -> tuple[float, float, bool] | None:
    """(limit, demand, bounded): cores wanted by the load, at least.

    Where the instance ran unthrottled within the memory of this view, its highest mean use over ten
    seconds then is what such a load takes. Where it never did, use at the limit scaled by requests
    that arrived over requests that went well is a lower bound.
    """
    episode = next((e for e in reversed(view.episodes) if e.level == "container"), None)
    if episode is None:
        return None
    limit = next((r.limit_cores for r in reversed(episode.readings) if r.limit_cores), None)
    if limit is None:
        return None
    free = [r for r in view.cpu if (r.throttled_ratio or 0.0) < 0.1 and r.usage_cores is not None]
    peak = peak_cores([(r.start, r.end, r.usage_cores or 0.0) for r in free])
    if peak is not None and peak > limit:
        return limit, peak, False
    start, end = episode.start, min(episode.end, float(view.now))
    good = view.ok(start, end)
    arrived = good + view.slow(start, end) + len(view.requests)
    return limit, least_cores(limit, arrived, good), True


def _raise_limit(view: View, limit: float, demand: float, bounded: bool) -> Advice:
    wanted = wanted_cores(demand, limit)
    basis = (
        f"the load asks for at least {cores(demand)}, estimated from requests that arrived and went well; "
        "watch throttling after the change"
        if bounded
        else f"it used up to {cores(demand)} when nothing held it back"
    )
    return Advice(
        advice="raise_cpu_limit",
        text=f"Raise the CPU limit of {view.instance} from {cores(limit)} to {cores(wanted)} or "
        f"more: {basis}. "
        "Or spread the load over more instances behind a load balancer.",
        values={
            "limit_cores": limit,
            "demand_cores": round(demand, 3),
            "wanted_cores": wanted,
            "margin_ratio": MARGIN,
        },
    )


def _back_off(view: View) -> list[Advice]:
    """For the client that failed most, if it came back again and again."""
    ends: dict[str, list[float]] = {}
    for request in view.requests:
        if request.client is not None:
            ends.setdefault(request.client, []).append(request.end)
    if not ends:
        return []
    client = max(ends, key=lambda name: (len(ends[name]), name))
    count, lasted = len(ends[client]), ends[client][-1] - ends[client][0]
    if count < 10:
        return []
    return [
        Advice(
            advice="back_off",
            text=f"Let {client} retry with exponential back-off and jitter: "
            f"{amount(count, 'request')} of it failed "
            f"within {seconds(lasted)}, and each retry is added load.",
            values={"requests": float(count), "span_seconds": round(lasted, 1)},
        )
    ]


def _cache_catalog(incident: Incident) -> list[Advice]:
    catalog = incident.impact.routes.get("catalog", 0)
    total = sum(incident.impact.routes.values())
    if total < 5 or catalog < DOMINATES_RATIO * total:
        return []
    return [
        Advice(
            advice="cache_catalog",
            text=f"Put a cache before _catalog or ask it less often: {percent(catalog / total)} "
            "of the failed and slow "
            "requests walk the whole catalogue, each with hundreds of storage calls.",
            values={"catalog_ratio": round(catalog / total, 3)},
        )
    ]


def _for_memory(incident: Incident) -> tuple[Advice, ...]:
    limit = next((e.values["limit_bytes"] for e in incident.evidence if "limit_bytes" in e.values), None)
    of_limit = f" above {limit / 2**20:.0f} MiB" if limit else ""
    return (
        Advice(
            advice="raise_memory_limit",
            text=f"Raise the memory limit{of_limit}, or lower what is held at once: fewer large "
            "uploads in parallel, "
            "smaller chunks. The working set reached the limit, so how much more it wants was not seen.",
            values={"limit_bytes": limit} if limit else {},
        ),
    )


def _for_storage(incident: Incident) -> tuple[Advice, ...]:
    facts = {name: value for e in incident.evidence for name, value in e.values.items()}
    p95 = facts.get("p95_seconds", 0.0)
    measured = f" Its p95 was {seconds(p95)}." if p95 else ""
    advice = [
        Advice(
            advice="mend_storage",
            text=f"Look at the storage itself: its index, its shards, its neighbours.{measured}",
            values={"p95_seconds": p95} if p95 else {},
        ),
        Advice(
            advice="storage_timeout",
            text=f"Set storage.s3.timeout ({DEFAULT_STORAGE_TIMEOUT_SECONDS} s is the usual "
            "start), so that a slow storage "
            "fails requests instead of piling them up.",
            values={"timeout_seconds": float(DEFAULT_STORAGE_TIMEOUT_SECONDS)},
        ),
    ]
    return (*advice, *_cache_catalog(incident))


def _for_clients(incident: Incident) -> tuple[Advice, ...]:
    facts = {name: value for e in incident.evidence for name, value in e.values.items()}
    client = next(iter(incident.impact.clients), "the client")
    typical = facts.get("typical_seconds", 0.0)
    return (
        Advice(
            advice="raise_client_timeout",
            text=f"Raise the timeout of {client} above {seconds(typical)}, or let it ask for less at once "
            "(smaller pages of _catalog). The service was well.",
            values={"typical_seconds": typical},
        ),
    )


def _for_dns(incident: Incident) -> tuple[Advice, ...]:
    facts = {name: value for e in incident.evidence for name, value in e.values.items()}
    failed = f" ({percent(facts['failed_ratio'])} of lookups failed)" if "failed_ratio" in facts else ""
    names = ", ".join(incident.instances)
    return (
        Advice(
            advice="mend_dns",
            text=f"Check the resolver that {names} "
            f"ask{'s' if len(incident.instances) == 1 else ''}{failed}: is it up, "
            "reachable, overloaded? A second resolver or a node-local cache bridges the next outage.",
        ),
    )
