"""The exporters: what they read at their intervals, in the fields in which recordings have it."""

import math
from dataclasses import dataclass

from pipeline.simulation.cpu import CpuCounters
from pipeline.simulation.lookups import DnsCounts
from pipeline.simulation.output import Taken
from pipeline.simulation.plan import Knobs
from pipeline.simulation.registry import Registry
from pipeline.simulation.storage import ProxyWindow

MEGABYTE = 1 << 20
HOST_CORES = 2


@dataclass(slots=True)
class MemoryCounters:
    """What the kernel counts about a container's memory."""

    failures: int = 0
    oom_kills: int = 0
    restarts: int = 0
    pressure_seconds: float = 0.0


def cgroup(
    at: float, instance: str, cpu: CpuCounters, knobs: Knobs, megabytes: float, memory: MemoryCounters,
    process: Registry | None, host_busy_seconds: float, host_idle_seconds: float,
) -> Taken:  # fmt: skip
    """Read a container's CPU and memory files and its host's CPU time."""
    limit = knobs.memory_limit_mb
    cache = max(0.0, min(knobs.cache_mb, limit - megabytes)) if limit is not None else knobs.cache_mb
    body = {
        "ts": at,
        "cpu_limit_cores": knobs.limit_cores,
        "cpu_usage_seconds_total": round(cpu.usage_seconds, 6),
        "nr_periods": cpu.periods,
        "nr_throttled": cpu.throttled_periods,
        "throttled_seconds": round(cpu.throttled_seconds, 6),
        "psi_cpu_some_total_us": round(cpu.pressure_seconds * 1e6),
        "host_cpu_busy_seconds_total": round(host_busy_seconds, 2),
        "host_cpu_idle_seconds_total": round(host_idle_seconds, 2),
        "host_cpu_steal_seconds_total": 0.0,
        "memory_usage_bytes": round((megabytes + cache) * MEGABYTE),
        "memory_cache_bytes": round(cache * MEGABYTE),
        "memory_rss_bytes": round(megabytes * MEGABYTE),
        "memory_limit_bytes": None if limit is None else round(limit * MEGABYTE),
        "memory_failcnt": memory.failures,
        "memory_oom_kill": memory.oom_kills,
        "psi_memory_some_total_us": round(memory.pressure_seconds * 1e6),
        "psi_memory_full_total_us": round(memory.pressure_seconds * 0.8e6),
        "restarts_total": memory.restarts,
        "process_up": int(process is not None),
        "open_fds": 8 + (0 if process is None else process.in_flight * 2),
        "threads": 7,
    }
    return Taken(at, instance, "cgroup", body)


def s3_proxy(at: float, instance: str, window: ProxyWindow, in_flight: int) -> Taken:
    """Read what the proxy in front of the storage has seen since it was last read."""
    ordered = sorted(seconds * 1000 for seconds in window.ttfb_seconds)
    body = {
        "ts": at,
        "n": len(ordered),
        "ops": dict(window.operations),
        "new_conns": window.new_connections,
        "aborted_by_client": window.aborted,
        "inflight": in_flight,
        "status_4xx": 0,
        "status_5xx": window.status_5xx,
        "slowdown_503": window.status_5xx,
        **{f"ttfb_ms_{name}": _quantile(ordered, q) for name, q in (("p50", 0.5), ("p95", 0.95), ("max", 1))},
        **{
            f"total_ms_{name}": _quantile(ordered, q) for name, q in (("p50", 0.5), ("p95", 0.95), ("max", 1))
        },
    }
    return Taken(at, instance, "s3-proxy", body)


def dns_upstream(at: float, instance: str, counts: DnsCounts) -> Taken:
    """Read what the upstream DNS server has counted since it was last read."""
    body = {
        "ts": at,
        "event": "second",
        "queries": counts.queries,
        "answered": counts.answered,
        "dropped": counts.dropped,
        "delayed": counts.delayed,
    }
    return Taken(at, instance, "dns-upstream", body)


def scrape(at: float, instance: str, process: Registry | None, cpu: CpuCounters) -> Taken:
    """Scrape the service's own metrics, which is an answer only if there is a process."""
    if process is None:
        return Taken(at, instance, "registry", {"ts": at, "up": 0})
    action = 'action="GetContent",driver="s3aws"'
    lines = [
        *(
            f'registry_http_requests_total{{code="{status}",handler="{kind}",method="get"}} {count}'
            for (kind, status), count in sorted(process.served.items())
        ),
        f'registry_http_in_flight_requests{{handler="manifest"}} {process.in_flight}',
        f"registry_storage_action_seconds_sum{{{action}}} {process.storage.seconds_total}",
        f"registry_storage_action_seconds_count{{{action}}} {process.storage.calls_total}",
        f"go_goroutines {18 + 3 * process.in_flight}",
        f"process_cpu_seconds_total {cpu.usage_seconds}",
        f"process_resident_memory_bytes {(40 + process.megabytes) * MEGABYTE}",
    ]
    text = "\n".join(lines) + "\n"
    return Taken(at, instance, "registry", {"ts": at, "up": 1, "text": text})


def _quantile(ordered: list[float], share: float) -> float:
    if not ordered:
        return 0
    return round(ordered[max(0, math.ceil(share * len(ordered)) - 1)], 3)
