"""Undercurrent's own metric JSON: a reading as its exporter recorded it → samples in canonical names.

The form and every name are in docs/signals.md. Only the names listed here are read: a field the
recording's experimenter added can never reach a sample.
"""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

from pipeline.intake.entry import Entry, Labels, Lifecycle, Reading, Unwanted, labels, mapping_at, text_at
from pipeline.intake.exposition import decode_exposition
from pipeline.intake.record import malformed
from pipeline.intake.series import limit, number
from schemas import SampleKind
from schemas.latency import BUCKETS, COUNT, SUM

Names = dict[str, tuple[str, float]]
"""Canonical name → recorded name and the factor to canonical units."""

_MICROSECONDS, _MILLISECONDS = 1e-6, 1e-3

CGROUP_CPU: Names = {
    "usage_seconds_total": ("cpu_usage_seconds_total", 1),
    "limit_cores": ("cpu_limit_cores", 1),
    "periods_total": ("nr_periods", 1),
    "throttled_periods_total": ("nr_throttled", 1),
    "throttled_seconds_total": ("throttled_seconds", 1),
    "psi_some_seconds_total": ("psi_cpu_some_total_us", _MICROSECONDS),
    "host_busy_seconds_total": ("host_cpu_busy_seconds_total", 1),
    "host_idle_seconds_total": ("host_cpu_idle_seconds_total", 1),
    "host_steal_seconds_total": ("host_cpu_steal_seconds_total", 1),
    "cpu_shares": ("cpu_shares", 1),
    "process_up": ("process_up", 1),
    "threads": ("threads", 1),
    "open_fds": ("open_fds", 1),
}

CGROUP_MEMORY: Names = {
    "usage_bytes": ("memory_usage_bytes", 1),
    "cache_bytes": ("memory_cache_bytes", 1),
    "limit_bytes": ("memory_limit_bytes", 1),
    "failures_total": ("memory_failcnt", 1),
    "oom_kills_total": ("memory_oom_kill", 1),
    "restarts_total": ("restarts_total", 1),
    "process_up": ("process_up", 1),
    "psi_some_seconds_total": ("psi_memory_some_total_us", _MICROSECONDS),
    "psi_full_seconds_total": ("psi_memory_full_total_us", _MICROSECONDS),
    "psi_io_some_seconds_total": ("psi_io_some_total_us", _MICROSECONDS),
    "psi_io_full_seconds_total": ("psi_io_full_total_us", _MICROSECONDS),
}

S3_PROXY: Names = {
    "requests": ("n", 1),
    "ttfb_p50_seconds": ("ttfb_ms_p50", _MILLISECONDS),
    "ttfb_p95_seconds": ("ttfb_ms_p95", _MILLISECONDS),
    "ttfb_max_seconds": ("ttfb_ms_max", _MILLISECONDS),
    "total_p95_seconds": ("total_ms_p95", _MILLISECONDS),
    "errors_4xx": ("status_4xx", 1),
    "errors_5xx": ("status_5xx", 1),
    "aborted_by_client": ("aborted_by_client", 1),
    "in_flight": ("inflight", 1),
    "new_connections": ("new_conns", 1),
}

DNS_UPSTREAM: Names = {
    "queries": ("queries", 1),
    "answered": ("answered", 1),
    "failed": ("dropped", 1),
    "delayed": ("delayed", 1),
}

_LIMITS = frozenset({"limit_cores", "limit_bytes"})

CANONICAL: dict[SampleKind, frozenset[str]] = {
    SampleKind.CPU: frozenset(
        {*CGROUP_CPU, "usage_cores", "throttled_ratio", "pressure_ratio", "psi_full_seconds_total"}
    ),
    SampleKind.MEMORY: frozenset({*CGROUP_MEMORY, "working_set_bytes", "rss_bytes"}),
    SampleKind.STORAGE: frozenset(
        {
            *S3_PROXY,
            "requests_total",
            "errors_4xx_total",
            "errors_5xx_total",
            "aborted_by_client_total",
            "waiting",
            SUM,
            COUNT,
            *BUCKETS.values(),
        }
    ),
    SampleKind.DNS: frozenset({*DNS_UPSTREAM, "queries_total", "failed_total"}),
    SampleKind.REQUESTS: frozenset(
        {
            "up",
            "in_flight",
            "goroutines",
            "requests_total",
            "errors_total",
            "storage_seconds_sum_total",
            "storage_seconds_count_total",
            "process_cpu_seconds_total",
            "resident_bytes",
        }
    ),
}
"""Kind → the names that ready-made `values` may bear."""


def decode_metric(fields: Mapping[str, Any]) -> Sequence[Entry]:
    """The samples, or the start or exit, of one own metric record.

    Raises:
        RefusedError: it is broken: no source, a value of the wrong type, an unknown kind.
    """
    if fields.get("undercurrent_metric") != 1:
        raise malformed(
            f"undercurrent_metric: version {str(fields.get('undercurrent_metric'))[:20]}, known is 1"
        )
    source = text_at(fields, "source")
    if not source:
        raise malformed("source: a reading needs the name of its exporter")
    where = labels(
        namespace=fields.get("namespace"), pod=fields.get("instance"), host=fields.get("host"), service=source
    )
    domain = text_at(fields, "domain") or None
    reading = fields.get("reading")
    written = fields.get("time")
    if written is None and isinstance(reading, dict):
        written = reading.get("ts")
    if "values" in fields:
        entries: Sequence[Entry] = (_ready(fields, source, written, where),)
    elif source in SOURCES:
        entries = SOURCES[source](fields, written, where)
    else:
        raise malformed(f"source: {source[:40]!r} has no mapping and the record no values")
    upstream = text_at(fields, "upstream") or None
    return [_placed(entry, domain, upstream) for entry in entries]


def _placed(entry: Entry, domain: str | None, upstream: str | None) -> Entry:
    if isinstance(entry, Reading):
        return entry._replace(domain=domain, upstream=entry.upstream or upstream)
    return entry._replace(domain=domain) if isinstance(entry, Lifecycle) else entry


def _ready(fields: Mapping[str, Any], source: str, written: object, where: Labels) -> Entry:
    """Values in canonical names already; `null` says "known to be unlimited" and belongs to limits only."""
    kind = text_at(fields, "kind")
    if kind not in list(SampleKind):
        raise malformed(f"kind: {str(kind)[:40]!r} is none of {', '.join(SampleKind)}")
    chosen = SampleKind(kind)
    given = mapping_at(fields, "values")
    same: Names = {name: (name, 1.0) for name in sorted(CANONICAL[chosen])}
    return _reading(chosen, same, given, written, where, source)


def _reading(
    kind: SampleKind, names: Names, given: Mapping[str, Any], written: object, where: Labels, source: str
) -> Reading | Unwanted:
    values: dict[str, float | None] = {}
    for name, (recorded, factor) in names.items():
        if recorded not in given:
            continue
        value = given[recorded]
        if value is None:
            if name in _LIMITS:
                values[name] = None
            continue
        read = number(value) * factor
        if isfinite(read):
            values[name] = limit(read) if name in _LIMITS else read
    return Reading(kind, values, written, where, source) if values else Unwanted("unknown_series")


def _cgroup(fields: Mapping[str, Any], written: object, where: Labels) -> Sequence[Entry]:
    given = mapping_at(fields, "reading")
    memory = {**CGROUP_MEMORY, "rss_bytes": (_rss(given), 1.0)}
    return (
        _reading(SampleKind.CPU, CGROUP_CPU, given, written, where, "cgroup"),
        _reading(SampleKind.MEMORY, memory, given, written, where, "cgroup"),
    )


def _rss(given: Mapping[str, Any]) -> str:
    """The cgroup's own figure where there is one, else that of the process."""
    return "memory_rss_bytes" if "memory_rss_bytes" in given else "rss_bytes"


def _s3_proxy(fields: Mapping[str, Any], written: object, where: Labels) -> Sequence[Entry]:
    return (
        _reading(SampleKind.STORAGE, S3_PROXY, mapping_at(fields, "reading"), written, where, "s3-proxy"),
    )


def _dns_upstream(fields: Mapping[str, Any], written: object, where: Labels) -> Sequence[Entry]:
    given = mapping_at(fields, "reading")
    if given.get("event", "second") != "second":
        return (Unwanted("counted_elsewhere"),)  # each lost query is counted in its second's line
    return (_reading(SampleKind.DNS, DNS_UPSTREAM, given, written, where, "dns-upstream"),)


def _registry(fields: Mapping[str, Any], written: object, where: Labels) -> Sequence[Entry]:
    up = fields.get("up", 1)
    if up not in (0, 1) or isinstance(up, float):
        raise malformed(f"up: expected 0 or 1, found {str(up)[:20]}")
    down = Reading(SampleKind.REQUESTS, {"up": 0.0}, written, where, "registry")
    if not up:
        return (down,)
    text = text_at(fields, "text")
    if text is None:
        raise malformed("text: a scrape that succeeded needs its text")
    found = decode_exposition(text, written, where)
    if any(isinstance(entry, Reading) and entry.kind is SampleKind.REQUESTS for entry in found):
        return found
    return [*found, down._replace(values={"up": 1.0})]


def _runtime(fields: Mapping[str, Any], written: object, where: Labels) -> Sequence[Entry]:
    given = mapping_at(fields, "reading")
    event = given.get("event")
    if event == "container_start":
        return (Lifecycle(True, None, written, where),)
    if event != "container_exit":
        return (Unwanted("irrelevant"),)
    code = given.get("exit_code")
    if code is not None and (not isinstance(code, int) or isinstance(code, bool) or abs(code) > 1 << 31):
        raise malformed(f"exit_code: {str(code)[:20]} is none")
    return (Lifecycle(False, code, written, where),)


SOURCES: dict[str, Callable[[Mapping[str, Any], object, Labels], Sequence[Entry]]] = {
    "cgroup": _cgroup,
    "s3-proxy": _s3_proxy,
    "dns-upstream": _dns_upstream,
    "registry": _registry,
    "runtime": _runtime,
}
"""Exporter → how its `reading` is read."""
