"""One Prometheus series becomes one value of a sample, where its name maps plainly.

*Plainly* means that one series is one value of one container. A family that must be summed over
labels (requests by code, queries by zone) has no meaning series by series; it is read from a whole
scrape only, see exposition.py.
"""

from collections.abc import Callable, Mapping
from math import isfinite, isnan
from typing import Any, NamedTuple

from pipeline.intake.entry import Labels, Reading, Unwanted, labels
from pipeline.intake.record import malformed
from schemas import SampleKind
from schemas.latency import BUCKETS, COUNT, SUM

UNLIMITED_FROM = float(1 << 62)
"""Exporters write "no limit" as 0, -1, `max`, or about the largest 64-bit integer."""

CFS_PERIOD_MICROSECONDS = 100_000.0
"""The kernel's, Docker's and Kubernetes' default: a quota that comes without its period is read by it."""


class Series(NamedTuple):
    """One sample of one series as exported."""

    name: str
    labels: Mapping[str, Any]
    value: float


class _Target(NamedTuple):
    kind: SampleKind
    name: str
    convert: Callable[[float], float | None] | None = None
    only: tuple[str, str] | None = None


def number(value: object) -> float:
    """A JSON number, or a number in text (`"1834"`, `"NaN"`, `"+Inf"`) → float, NaN and infinity included.

    Raises:
        RefusedError: it is neither.
    """
    if isinstance(value, str) and len(value) <= 64:
        try:
            return float(value)
        except ValueError as error:
            raise malformed(f"value: {value[:40]!r} is no number") from error
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise malformed(f"value: expected a number, found {type(value).__name__}")


def limit(value: float) -> float | None:
    """A limit as exported; None where the number means "unlimited"."""
    return value if 0 < value < UNLIMITED_FROM else None


def _quota(value: float) -> float | None:
    cores = limit(value)
    return None if cores is None else cores / CFS_PERIOD_MICROSECONDS


_CPU, _MEMORY, _STORAGE, _DNS = SampleKind.CPU, SampleKind.MEMORY, SampleKind.STORAGE, SampleKind.DNS

PLAIN_SERIES: dict[str, tuple[_Target, ...]] = {
    "container_cpu_usage_seconds_total": (_Target(_CPU, "usage_seconds_total"),),
    "container_cpu_cfs_periods_total": (_Target(_CPU, "periods_total"),),
    "container_cpu_cfs_throttled_periods_total": (_Target(_CPU, "throttled_periods_total"),),
    "container_cpu_cfs_throttled_seconds_total": (_Target(_CPU, "throttled_seconds_total"),),
    "container_pressure_cpu_waiting_seconds_total": (_Target(_CPU, "psi_some_seconds_total"),),
    "container_pressure_cpu_stalled_seconds_total": (_Target(_CPU, "psi_full_seconds_total"),),
    "container_spec_cpu_quota": (_Target(_CPU, "limit_cores", _quota),),
    "container_spec_cpu_shares": (_Target(_CPU, "cpu_shares"),),
    "kube_pod_container_resource_limits": (
        _Target(_CPU, "limit_cores", limit, ("resource", "cpu")),
        _Target(_MEMORY, "limit_bytes", limit, ("resource", "memory")),
    ),
    "kube_pod_container_resource_limits_cpu_cores": (_Target(_CPU, "limit_cores", limit),),
    "kube_pod_container_resource_limits_memory_bytes": (_Target(_MEMORY, "limit_bytes", limit),),
    "kube_pod_container_status_restarts_total": (_Target(_MEMORY, "restarts_total"),),
    "container_memory_working_set_bytes": (_Target(_MEMORY, "working_set_bytes"),),
    "container_memory_usage_bytes": (_Target(_MEMORY, "usage_bytes"),),
    "container_memory_cache": (_Target(_MEMORY, "cache_bytes"),),
    "container_memory_rss": (_Target(_MEMORY, "rss_bytes"),),
    "container_memory_failcnt": (_Target(_MEMORY, "failures_total"),),
    "container_spec_memory_limit_bytes": (_Target(_MEMORY, "limit_bytes", limit),),
    "container_oom_events_total": (_Target(_MEMORY, "oom_kills_total"),),
    "container_pressure_memory_waiting_seconds_total": (_Target(_MEMORY, "psi_some_seconds_total"),),
    "container_pressure_memory_stalled_seconds_total": (_Target(_MEMORY, "psi_full_seconds_total"),),
    "container_pressure_io_waiting_seconds_total": (_Target(_MEMORY, "psi_io_some_seconds_total"),),
    "container_pressure_io_stalled_seconds_total": (_Target(_MEMORY, "psi_io_full_seconds_total"),),
    "minio_s3_requests_waiting_total": (_Target(_STORAGE, "waiting"),),
    "coredns_forward_healthcheck_broken_total": (_Target(_DNS, "healthcheck_broken_total"),),
    "coredns_forward_max_concurrent_rejects_total": (_Target(_DNS, "rejected_total"),),
    "coredns_forward_healthcheck_failures_total": (_Target(_DNS, "healthcheck_failures_total"),),
    "coredns_proxy_healthcheck_failures_total": (_Target(_DNS, "healthcheck_failures_total"),),
}
"""Exported name → kind of sample and canonical name."""


class Sum(NamedTuple):
    """A value that is the sum over a family's series: all, or those whose `label` begins so."""

    kind: SampleKind
    name: str
    label: str | None = None
    starts_with: str = ""


_REQUESTS = SampleKind.REQUESTS
_TTFB = (
    Sum(_STORAGE, COUNT, "le", "+Inf"),
    *(Sum(_STORAGE, name, "le", f"{bound:.3f}") for bound, name in BUCKETS.items()),
)
"""MinIO writes its buckets with three decimals, each with all answers up to it (cumulative)."""

SUMMED_SERIES: dict[str, tuple[Sum, ...]] = {
    "registry_http_in_flight_requests": (Sum(_REQUESTS, "in_flight"),),
    "registry_http_requests_total": (
        Sum(_REQUESTS, "requests_total"),
        Sum(_REQUESTS, "errors_total", "code", "5"),
    ),
    "registry_storage_action_seconds_sum": (Sum(_REQUESTS, "storage_seconds_sum_total"),),
    "registry_storage_action_seconds_count": (Sum(_REQUESTS, "storage_seconds_count_total"),),
    "minio_s3_requests_total": (Sum(_STORAGE, "requests_total"),),
    "minio_s3_requests_4xx_errors_total": (Sum(_STORAGE, "errors_4xx_total"),),
    "minio_s3_requests_5xx_errors_total": (Sum(_STORAGE, "errors_5xx_total"),),
    "minio_s3_requests_canceled_total": (Sum(_STORAGE, "aborted_by_client_total"),),
    "minio_s3_requests_inflight_total": (Sum(_STORAGE, "in_flight"),),
    "minio_s3_requests_ttfb_seconds_distribution": _TTFB,
    "minio_s3_time_ttfb_seconds_distribution": _TTFB,
    "minio_api_requests_total": (Sum(_STORAGE, "requests_total"),),
    "minio_api_requests_4xx_errors_total": (Sum(_STORAGE, "errors_4xx_total"),),
    "minio_api_requests_5xx_errors_total": (Sum(_STORAGE, "errors_5xx_total"),),
    "minio_api_requests_canceled_total": (Sum(_STORAGE, "aborted_by_client_total"),),
    "minio_api_requests_inflight_total": (Sum(_STORAGE, "in_flight"),),
    "minio_api_requests_waiting_total": (Sum(_STORAGE, "waiting"),),
    "minio_api_requests_ttfb_seconds_distribution": _TTFB,
    "ceph_rgw_req": (Sum(_STORAGE, "requests_total"),),
    "ceph_rgw_qactive": (Sum(_STORAGE, "in_flight"),),
    "ceph_rgw_qlen": (Sum(_STORAGE, "waiting"),),
    "ceph_rgw_get_initial_lat_sum": (Sum(_STORAGE, SUM),),
    "ceph_rgw_put_initial_lat_sum": (Sum(_STORAGE, SUM),),
    "ceph_rgw_get_initial_lat_count": (Sum(_STORAGE, COUNT),),
    "ceph_rgw_put_initial_lat_count": (Sum(_STORAGE, COUNT),),
    "coredns_dns_requests_total": (Sum(_DNS, "queries_total"),),
    "coredns_dns_responses_total": (Sum(_DNS, "failed_total", "rcode", "SERVFAIL"),),
}
"""Exported name → kind of sample and the canonical name of the sum over its labels."""


def reading_of(series: Series, written: object, source: str) -> Reading | Unwanted:
    """The sample of one series, or why there is none."""
    target = next((t for t in PLAIN_SERIES.get(series.name, ()) if _applies(t, series.labels)), None)
    if target is None or _is_part(series):
        return Unwanted("part_of_sum" if series.name in SUMMED_SERIES else "unknown_series")
    if isnan(series.value) or not isfinite(series.value):
        if not (series.value > 0 and target.convert is limit):  # +Inf as a limit says "unlimited"
            return Unwanted("not_a_number")
        value: float | None = None
    else:
        value = target.convert(series.value) if target.convert else series.value
    upstream = series.labels.get("to")
    return Reading(
        target.kind,
        {target.name: value},
        written,
        place_of_series(series.labels),
        source,
        upstream=upstream if isinstance(upstream, str) else None,
        extra=series.labels,
    )


def _applies(target: _Target, tags: Mapping[str, Any]) -> bool:
    return target.only is None or tags.get(target.only[0]) == target.only[1]


def _is_part(series: Series) -> bool:
    """One CPU of several, or a sandbox or slice around the containers: the container's own series counts."""
    cpu = series.labels.get("cpu")
    if cpu not in (None, "", "total"):
        return True
    container = series.labels.get("container")
    return container == "POD" or (container == "" and "pod" in series.labels)


def place_of_series(tags: Mapping[str, Any]) -> Labels:
    """Labels of cAdvisor, kubelet and kube-state-metrics, and those a scraper adds.

    Where a target's own labels stand in the way, Prometheus keeps the series' ones as `exported_…`
    (unless `honor_labels` is set): those are the container's.
    """

    def get(name: str) -> Any:
        return tags.get(f"exported_{name}") or tags.get(name)

    docker = get("id")
    scope = docker if isinstance(docker, str) and "docker" in docker else None
    return labels(
        get("namespace") or get("container_label_io_kubernetes_pod_namespace"),
        get("pod") or get("pod_name"),
        get("container") or get("container_name") or (get("name") if not get("pod") else None),
        get("container_id") or _id_of_scope(scope),
        get("node") or get("host"),
        get("service") or get("job"),
        get("image"),
    )


def _id_of_scope(scope: str | None) -> str | None:
    """`/system.slice/docker-9b1f….scope` or `/docker/9b1f…` → `9b1f…`."""
    if scope is None:
        return None
    last = scope.rpartition("/")[2].removesuffix(".scope").removeprefix("docker-")
    return last or None
