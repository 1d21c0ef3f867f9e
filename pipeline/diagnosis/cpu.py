"""cpu_saturation: the container is at its CPU limit, or its host is out of CPU, while requests fail.

Needs: use near the limit *and* most periods throttled (or, at host level, the container waiting for
CPU on a busy host), begun before the failures end and covering most of them.
Refuted by: readings that cover the failures and show room. Throttling alone proves nothing, nor does
a busy CPU that nobody suffers from. Where no metric tells, the smear of cancelled durations carries it.
"""

from pipeline.diagnosis.finding import Explains, Finding, Standing
from pipeline.diagnosis.view import View
from pipeline.diagnosis.words import amount, clock, cores, percent, seconds
from pipeline.history import CpuReading, Episode
from schemas import Cause, Evidence, SymptomKind

COVERED_RATIO = 0.6
"""Share of the failed requests that must have run while the instance was starved."""
DRAIN_SECONDS = 2.0
"""A request that begins this soon after the starvation still queues behind those that began inside."""
STRADDLE_SECONDS = 5.0
OVERDUE_SECONDS = 15.0
"""An episode that was open at the last sample is taken to go on until the next one is this overdue."""


def examine(view: View, in_full: bool = True) -> Finding:
    """How cpu_saturation stands for this instance; not `in_full`: without strength and evidence."""
    episodes = [episode for episode in view.episodes if _until(episode) >= view.onset]
    ranges = [(episode.start, _until(episode)) for episode in episodes]
    if episodes and view.overlap(ranges) >= COVERED_RATIO and not _contradicted(view, episodes):
        return _proven(view, _leading(view, episodes), in_full)
    if not view.cpu:
        return _from_durations(view)
    if view.awaits(view.cpu[-1].end, view.rules.evidence_grace_seconds):
        return Finding(
            Cause.CPU_SATURATION,
            Standing.PENDING,
            f"the CPU sample of {view.instance} that covers the first failure has not arrived",
        )
    return _judge_readings(view)


def _contradicted(view: View, episodes: list[Episode]) -> bool:
    """Host-level waiting that leaves the durations razor sharp held nobody up."""
    at_host = all(one.level == "host" for one in episodes)
    return at_host and view.spread is not None and view.spread.sharp


def _until(episode: Episode) -> float:
    """End of an episode; one that was still going on at the last sample lasts until the next is overdue."""
    if not episode.open:
        return episode.end + DRAIN_SECONDS
    interval = episode.readings[-1].end - episode.readings[-1].start
    return episode.end + max(OVERDUE_SECONDS, 2 * interval)


def _leading(view: View, episodes: list[Episode]) -> Episode:
    """The episode that overlaps most of the failed requests, the earliest of equals."""
    return max(episodes, key=lambda one: (view.overlap([(one.start, _until(one))]), -one.start))


def _proven(view: View, episode: Episode, in_full: bool) -> Finding:
    strength, evidence = _weight(view, episode) if in_full else (0.0, [])
    return Finding(
        Cause.CPU_SATURATION,
        Standing.PROVEN,
        since=episode.start,
        strength=strength,
        evidence=tuple(evidence),
        explains=Explains(episode.start, _until(episode)),
        level=episode.level,
    )


def _weight(view: View, episode: Episode) -> tuple[float, list[Evidence]]:
    """What speaks for this episode as the cause, and how strongly."""
    evidence = [_at_limit(view, episode) if episode.level == "container" else _host_starved(view, episode)]
    strength = 0.9
    found = view.spread
    if found is not None and found.smeared:
        strength = 0.95
        evidence.append(_smeared(view, found.sharp_ratio, found.requests))
    elif found is not None and found.sharp and found.requests >= 15:
        strength = 0.6  # starvation smears; razor-sharp durations under throttling speak for a rival
    evidence += [hint for hint in (_queue_grew(view, episode), _scrapes_failed(view, episode)) if hint]
    return strength, evidence


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _lead(view: View, start: float) -> str:
    """How the starvation lies to the first failure: the order of things is part of the proof."""
    ahead = view.first_end - start
    return f", {seconds(ahead)} before the first failed request ended" if ahead > 0 else ""


def _at_limit(view: View, episode: Episode) -> Evidence:
    readings = episode.readings
    usage = _mean([r.usage_ratio for r in readings if r.usage_ratio is not None])
    throttled = _mean([r.throttled_ratio for r in readings if r.throttled_ratio is not None])
    limit = next((r.limit_cores for r in reversed(readings) if r.limit_cores), None)
    origin = "configured " if any(r.limit_configured for r in readings) else ""
    known = f" of its {origin}limit of {cores(limit)}" if limit is not None else ""
    at = f"used {percent(usage)}{known}, " if limit is not None else ""
    values = {"throttled_ratio": throttled, "lead_seconds": view.first_end - episode.start}
    if limit is not None:
        values |= {"usage_ratio": usage, "limit_cores": limit}
    return Evidence(
        fact="cpu_at_limit",
        instance=view.instance,
        text=f"{view.instance} {at}throttled in {percent(throttled)} of periods from {clock(episode.start)}"
        f"{_lead(view, episode.start)}",
        values=_rounded(values),
        at=episode.start,
        origins=(readings[0].origin, readings[-1].origin),
    )


def _host_starved(view: View, episode: Episode) -> Evidence:
    readings = episode.readings
    pressure = _mean([r.pressure_ratio for r in readings if r.pressure_ratio is not None])
    busy = _mean([r.host_busy_ratio for r in readings if r.host_busy_ratio is not None])
    used = _mean([r.usage_cores for r in readings if r.usage_cores is not None])
    return Evidence(
        fact="host_out_of_cpu",
        instance=view.instance,
        text=f"{view.instance} waited for CPU {percent(pressure)} of the time from {clock(episode.start)}"
        f"{_lead(view, episode.start)}: its host was {percent(busy)} busy, its own use only {cores(used)} "
        "and never throttled",
        values=_rounded(
            {
                "pressure_ratio": pressure,
                "host_busy_ratio": busy,
                "usage_cores": used,
                "lead_seconds": view.first_end - episode.start,
            }
        ),
        at=episode.start,
        origins=(readings[0].origin, readings[-1].origin),
    )


QUEUE_TIMES = 3.0
QUEUE_REQUESTS_MIN = 10.0


def _queue_grew(view: View, episode: Episode) -> Evidence | None:
    """The service's own count of requests in flight shows the queue; a corroboration, not a proof."""
    before = [r.in_flight for r in view.service if r.in_flight is not None and r.end < episode.start]
    during = [
        r for r in view.service if r.in_flight is not None and episode.start <= r.end <= _until(episode)
    ]
    if not before or not during:
        return None
    normal = sorted(before)[len(before) // 2]
    peak = max(during, key=lambda r: (r.in_flight or 0.0, -r.end))
    if (peak.in_flight or 0.0) < max(QUEUE_REQUESTS_MIN, QUEUE_TIMES * normal):
        return None
    return Evidence(
        fact="queue_grew",
        instance=view.instance,
        text=f"requests in flight on {view.instance} rose from {normal:.0f} to {peak.in_flight:.0f}",
        values=_rounded({"normal_in_flight": normal, "peak_in_flight": peak.in_flight or 0.0}),
        at=peak.end,
        origins=(peak.origin,),
    )


def _scrapes_failed(view: View, episode: Episode) -> Evidence | None:
    """Failed fetches of its metrics: a starved process does not answer those either."""
    during = [r for r in view.service if episode.start <= r.end <= _until(episode)]
    failed = [r for r in during if not r.up]
    if not failed:
        return None
    return Evidence(
        fact="scrapes_failed",
        instance=view.instance,
        text=f"{len(failed)} of {amount(len(during), 'scrape')} of {view.instance}'s own "
        "metrics failed meanwhile",
        values={"failed": float(len(failed)), "scrapes": float(len(during))},
        at=failed[0].end,
        origins=(failed[0].origin,),
    )


def _smeared(view: View, sharp_ratio: float, requests: int) -> Evidence:
    return Evidence(
        fact="durations_smeared",
        instance=view.instance,
        text=f"only {percent(sharp_ratio)} of {amount(requests, 'cancelled request')} end at their client's "
        "timeout; a server that is not held up gives 98 % or more",
        values=_rounded({"sharp_ratio": sharp_ratio, "requests": float(requests)}),
        at=view.first_end,
        origins=view.lines((SymptomKind.REQUEST_CANCELLED,), view.first_end),
    )


def _from_durations(view: View) -> Finding:
    """Without one CPU sample: smeared durations carry the verdict, with less confidence."""
    found = view.spread
    long_enough = found is not None and found.typical_seconds >= view.rules.client.short_timeout_seconds
    if found is not None and found.smeared and long_enough:  # a short timeout smears under little throttling
        return Finding(
            Cause.CPU_SATURATION,
            Standing.PROVEN,
            since=view.onset,
            strength=0.65,
            evidence=(_smeared(view, found.sharp_ratio, found.requests),),
            explains=Explains(view.onset),
        )
    if found is not None and found.sharp:
        return Finding(
            Cause.CPU_SATURATION,
            Standing.REFUTED,
            f"{percent(found.sharp_ratio)} of {amount(found.requests, 'cancelled request')} end within "
            "10 ms of their client's timeout; starvation smears them",
            values={"sharp_ratio": round(found.sharp_ratio, 3)},
        )
    return Finding(
        Cause.CPU_SATURATION,
        Standing.UNDECIDED,
        f"no CPU sample of {view.instance} arrives; usage with its limit and throttled periods would decide",
    )


def _judge_readings(view: View) -> Finding:
    """Readings cover the failures and show no lasting starvation: refuted if they tell of room."""
    during = [r for r in view.cpu if r.end >= view.onset and r.start <= view.last_end]
    telling = [r for r in during if _tells(view, r)]
    if not telling:
        return Finding(Cause.CPU_SATURATION, _standing_without(view), _what_is_missing(view, during))
    usage = _mean([r.usage_ratio for r in telling if r.usage_ratio is not None])
    throttled = _mean([r.throttled_ratio for r in telling if r.throttled_ratio is not None])
    pressure = _mean([r.pressure_ratio for r in telling if r.pressure_ratio is not None])
    values = _rounded({"usage_ratio": usage, "throttled_ratio": throttled, "pressure_ratio": pressure})
    if throttled < 0.5 and (usage < 0.75 or throttled < 0.1) and pressure < 0.3:
        reason = (
            f"{view.instance} had CPU to spare: {_room(telling, usage)}, "
            f"throttled in {percent(throttled)} of periods"
        )
        return Finding(Cause.CPU_SATURATION, Standing.REFUTED, reason, values=values, seen=telling)
    late = next((e for e in view.episodes if e.start > view.median_end), None)
    if late is not None and any((r.throttled_ratio or 0.0) < 0.1 for r in telling):
        reason = f"{view.instance} reached its limit at {clock(late.start)}, after the failures began"
        return Finding(Cause.CPU_SATURATION, Standing.REFUTED, reason, values=values, seen=telling)
    reason = (
        f"{view.instance} was busy ({percent(usage)} of its limit, throttled in "
        f"{percent(throttled)} of periods), "
        "but not lastingly starved while requests failed"
    )
    due_soon = view.now < view.first_end + view.rules.rival_grace_seconds
    standing = Standing.PENDING if due_soon and _lives(view) else Standing.UNDECIDED
    return Finding(Cause.CPU_SATURATION, standing, reason, values=values, seen=telling)


def _lives(view: View) -> bool:
    """Whether the next CPU sample is not overdue."""
    last = view.cpu[-1]
    return last.end + OVERDUE_SECONDS + (last.end - last.start) >= view.now


def _tells(view: View, reading: CpuReading) -> bool:
    """Whether a reading speaks of the trouble itself, and speaks at all.

    An interval that straddles the onset mixes calm and trouble. It tells only if it is calm throughout.
    """
    if reading.usage_ratio is None and reading.throttled_ratio is None and not reading.unlimited:
        return False
    inside = reading.start >= view.onset - STRADDLE_SECONDS
    calm = (reading.throttled_ratio or 0.0) < 0.05 and (reading.usage_ratio or 0.0) < 0.6
    return inside or (calm and reading.end >= view.median_end)


def _standing_without(view: View) -> Standing:
    """Without a telling reading: the next one is due soon if the stream lives, else nobody will tell."""
    waiting = view.now < view.first_end + view.rules.evidence_grace_seconds
    informative = any(r.usage_ratio is not None or r.throttled_ratio is not None for r in view.cpu)
    return Standing.PENDING if _lives(view) and waiting and informative else Standing.UNDECIDED


def _what_is_missing(view: View, during: list[CpuReading]) -> str:
    if not during:
        return f"the last CPU sample of {view.instance} is from {clock(view.cpu[-1].end)}, before the trouble"
    if all(r.usage_ratio is None and r.throttled_ratio is None for r in during):
        return f"the CPU samples of {view.instance} carry neither limit nor throttling; either would decide"
    return f"no CPU sample of {view.instance} lies wholly inside the trouble; a shorter interval would decide"


def _room(readings: list[CpuReading], usage: float) -> str:
    limit = next((r.limit_cores for r in reversed(readings) if r.limit_cores), None)
    if limit is not None:
        return f"{percent(usage)} of its {cores(limit)} used"
    used = _mean([r.usage_cores for r in readings if r.usage_cores is not None])
    return f"{cores(used)} used, without a limit"


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}
