"""memory_pressure: the working set is at its limit, the kernel stalls the container or kills it.

Needs: a kill for want of memory, or a working set at its limit with the container stalled on memory.
Refuted by: readings that show room and no kill. Restarts alone are a deploy as likely as a crash.
"""

from pipeline.diagnosis.finding import Explains, Finding, Standing
from pipeline.diagnosis.view import View
from pipeline.diagnosis.words import amount, clock, percent
from pipeline.history import MemoryReading
from schemas import Cause, Evidence


def examine(view: View) -> Finding:
    """How memory_pressure stands for this instance."""
    start = min(view.onset, float(view.now)) - view.rules.memory.lookback_seconds
    readings = [r for r in view.memory if r.end >= start]
    kills = [r for r in readings if r.oom_kills > 0]
    killed_at = view.kills(start, view.now)
    full = [r for r in readings if (r.used_ratio or 0.0) >= view.rules.memory.full_ratio]
    stalled = [r for r in full if (r.pressure_ratio or 0.0) >= view.rules.memory.stalled_ratio]
    if kills or (killed_at and full):
        return _proven(view, readings, kills, killed_at)
    if len(stalled) >= 3 and view.requests:
        return _stalling(view, stalled)
    if not readings:
        return _without_readings(view, killed_at)
    if view.requests and view.awaits(readings[-1].end, view.rules.evidence_grace_seconds):
        return Finding(
            Cause.MEMORY_PRESSURE,
            Standing.PENDING,
            f"the memory sample of {view.instance} that covers the first failure has not arrived",
        )
    return _judge(view, readings)


def _proven(
    view: View, readings: list[MemoryReading], kills: list[MemoryReading], killed_at: list[float]
) -> Finding:
    first = min([r.end for r in kills] + killed_at)
    filled = next(
        (r for r in readings if (r.used_ratio or 0.0) >= view.rules.memory.full_ratio and r.end <= first),
        None,
    )
    peak = max((r.used_ratio or 0.0 for r in readings), default=0.0)
    count = max(int(sum(r.oom_kills for r in kills)), len(killed_at))
    limit = next((r.limit_bytes for r in reversed(readings) if r.limit_bytes), None)
    of_limit = f", its memory at {percent(peak)} of {limit / 2**20:.0f} MiB" if limit and peak else ""
    values = {"oom_kills": float(count), "used_ratio": round(peak, 4)}
    if limit:
        values["limit_bytes"] = limit
    evidence = Evidence(
        fact="killed_for_memory",
        instance=view.instance,
        text=f"{view.instance} was killed for want of memory {amount(count, 'time')} from "
        f"{clock(first)}{of_limit}",
        values=values,
        at=first,
        origins=tuple(r.origin for r in kills[:2]),
    )
    since = filled.end if filled is not None else first
    return Finding(
        Cause.MEMORY_PRESSURE,
        Standing.PROVEN,
        since=since,
        strength=0.95 if kills else 0.85,
        evidence=(evidence,),
        explains=Explains(since - view.rules.memory.lookback_seconds),
        last=max([r.end for r in kills] + killed_at),
    )


def _stalling(view: View, stalled: list[MemoryReading]) -> Finding:
    used = sum(r.used_ratio or 0.0 for r in stalled) / len(stalled)
    pressure = sum(r.pressure_ratio or 0.0 for r in stalled) / len(stalled)
    return Finding(
        Cause.MEMORY_PRESSURE,
        Standing.PROVEN,
        since=stalled[0].start,
        strength=0.8,
        evidence=(
            Evidence(
                fact="stalled_on_memory",
                instance=view.instance,
                text=f"{view.instance} stood at {percent(used)} of its memory limit and was "
                "stalled on memory "
                f"{percent(pressure)} of the time from {clock(stalled[0].start)}",
                values={"used_ratio": round(used, 4), "pressure_ratio": round(pressure, 4)},
                at=stalled[0].start,
                origins=(stalled[0].origin, stalled[-1].origin),
            ),
        ),
        explains=Explains(stalled[0].start),
    )


def _without_readings(view: View, killed_at: list[float]) -> Finding:
    if killed_at:
        at = clock(killed_at[0])
        reason = f"{view.instance} exited by SIGKILL at {at}; its memory use and limit would decide"
    else:
        reason = (
            f"no memory sample of {view.instance} arrives; working set with its limit and kills would decide"
        )
    return Finding(Cause.MEMORY_PRESSURE, Standing.UNDECIDED, reason)


def _judge(view: View, readings: list[MemoryReading]) -> Finding:
    known = [r.used_ratio for r in readings if r.used_ratio is not None]
    if known and max(known) < view.rules.memory.room_ratio:
        return Finding(
            Cause.MEMORY_PRESSURE,
            Standing.REFUTED,
            f"memory of {view.instance} peaked at {percent(max(known))} of its limit, nothing was killed",
            values={"used_ratio": round(max(known), 4)},
            seen=readings,
        )
    if known:
        return Finding(
            Cause.MEMORY_PRESSURE,
            Standing.REFUTED,
            f"memory of {view.instance} reached {percent(max(known))} of its limit, but nothing "
            "was killed or stalled",
            values={"used_ratio": round(max(known), 4)},
            seen=readings,
        )
    stalls = [r.pressure_ratio for r in readings if r.pressure_ratio is not None]
    if stalls and max(stalls) < view.rules.memory.stalled_ratio:
        return Finding(
            Cause.MEMORY_PRESSURE,
            Standing.REFUTED,
            f"{view.instance} was stalled on memory {percent(max(stalls))} of the time at most, "
            "nothing was killed",
            values={"pressure_ratio": round(max(stalls), 4)},
            seen=readings,
        )
    return Finding(
        Cause.MEMORY_PRESSURE,
        Standing.UNDECIDED,
        f"{view.instance} has no memory limit that reaches us, and nothing was killed; a limit would decide",
    )
