"""Metricbeat's metricsets: `docker`, `kubernetes`, `system.process`, `aws.s3_request` and `prometheus`.

Docker's tell use, but neither limit nor throttling; `kubernetes.container` tells its share of a limit, from
which the limit follows; `system.process` has the figures of the process's cgroup.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

from pipeline.intake.entry import Entry, Labels, Reading, Unwanted, labels, mapping_at
from pipeline.intake.envelopes.decoder import Fields
from pipeline.intake.series import PLAIN_SERIES, SUMMED_SERIES, Series, limit, number, reading_of
from schemas import SampleKind

_Names = dict[str, tuple[str, float]]

_CPU: _Names = {
    "docker.cpu.total.pct": ("usage_cores", 1.0),
    "kubernetes.container.cpu.usage.nanocores": ("usage_cores", 1e-9),
    "kubernetes.container.cpu.usage.core.ns": ("usage_seconds_total", 1e-9),
    "kubernetes.container.cpu.limit.cores": ("limit_cores", 1.0),
    "system.process.cgroup.cpu.stats.periods": ("periods_total", 1.0),
    "system.process.cgroup.cpu.stats.throttled.periods": ("throttled_periods_total", 1.0),
    "system.process.cgroup.cpu.stats.throttled.ns": ("throttled_seconds_total", 1e-9),
    "system.process.cgroup.cpuacct.total.ns": ("usage_seconds_total", 1e-9),
}
_MEMORY: _Names = {
    "docker.memory.usage.total": ("usage_bytes", 1.0),
    "docker.memory.rss.total": ("rss_bytes", 1.0),
    "docker.memory.limit": ("limit_bytes", 1.0),
    "docker.memory.fail.count": ("failures_total", 1.0),
    "kubernetes.container.memory.usage.bytes": ("usage_bytes", 1.0),
    "kubernetes.container.memory.workingset.bytes": ("working_set_bytes", 1.0),
    "kubernetes.container.memory.rss.bytes": ("rss_bytes", 1.0),
    "kubernetes.container.memory.limit.bytes": ("limit_bytes", 1.0),
    "kubernetes.container.status.restarts": ("restarts_total", 1.0),
    "system.process.cgroup.memory.mem.usage.bytes": ("usage_bytes", 1.0),
    "system.process.cgroup.memory.mem.limit.bytes": ("limit_bytes", 1.0),
    "system.process.cgroup.memory.mem.failures": ("failures_total", 1.0),
}
_STORAGE: _Names = {
    "aws.s3_request.requests.total": ("requests", 1.0),
    "aws.s3_request.errors.4xx": ("errors_4xx", 1.0),
    "aws.s3_request.errors.5xx": ("errors_5xx", 1.0),
    "aws.s3_request.latency.first_byte.ms": ("ttfb_mean_seconds", 1e-3),
    "aws.s3_request.latency.total_request.ms": ("total_mean_seconds", 1e-3),
}
_SHARES = {
    SampleKind.CPU: ("kubernetes.container.cpu.usage.limit.pct", "usage_cores", "limit_cores"),
    SampleKind.MEMORY: ("kubernetes.container.memory.usage.limit.pct", "usage_bytes", "limit_bytes"),
}
"""Kind → share of a limit, the use it is a share of, and the limit that follows from both."""

_OF_ANY_PROCESS = "system.process."
"""Metricbeat reports every process of the host: one that is in no container must not pass for its host."""

_DEPTH_MAX = 8


def readings_of_beat(fields: Fields, where: Labels) -> Sequence[Entry]:
    """The readings of one event of Metricbeat.

    Raises:
        RefusedError: a known field is no number.
    """
    written = fields.get("@timestamp")
    known = dict(_flat(fields))
    if where.container_id is None and where.container is None and where.pod is None:
        known = {name: value for name, value in known.items() if not name.startswith(_OF_ANY_PROCESS)}
    found = [*_scraped(fields, written, where)]
    for kind, names in ((SampleKind.CPU, _CPU), (SampleKind.MEMORY, _MEMORY), (SampleKind.STORAGE, _STORAGE)):
        values = _mapped(known, names)
        share, use_name, limit_name = _SHARES.get(kind, ("", "", ""))
        use = values.get(use_name)
        if limit_name not in values and share in known and use and number(known[share]) > 0:
            values[limit_name] = use / number(known[share])
        if values:
            place = where if kind is not SampleKind.STORAGE else labels(service=_bucket(fields))
            found.append(Reading(kind, values, written, place, "metricbeat"))
    return found or (Unwanted("unknown_series"),)


def _flat(fields: Mapping[str, Any], prefix: str = "", depth: int = _DEPTH_MAX) -> Iterator[tuple[str, Any]]:
    """Nested and dotted spellings alike, as dotted names."""
    for name, value in fields.items():
        if isinstance(value, dict) and depth:
            yield from _flat(value, f"{prefix}{name}.", depth - 1)
        elif not prefix or isinstance(value, int | float | str):
            yield prefix + name, value


def _mapped(known: Mapping[str, Any], names: _Names) -> dict[str, float | None]:
    values: dict[str, float | None] = {}
    for recorded, (name, factor) in names.items():
        if known.get(recorded) is not None and isfinite(read := number(known[recorded]) * factor):
            values[name] = limit(read) if name.startswith("limit") else read
    return values


def _bucket(fields: Fields) -> object:
    dimensions = mapping_at(mapping_at(fields, "aws"), "dimensions")
    return dimensions.get("BucketName")


def _scraped(fields: Fields, written: object, where: Labels) -> Iterator[Entry]:
    """The prometheus module: series without their labels' common part, which stands beside them."""
    scraped = mapping_at(fields, "prometheus")
    own = mapping_at(scraped, "labels")
    tags = {
        "namespace": where.namespace,
        "pod": where.pod,
        "container": where.container,
        "node": where.host,
        **own,
    }
    present = {name: value for name, value in tags.items() if value}
    for name, value in mapping_at(scraped, "metrics").items():
        if name in PLAIN_SERIES or name in SUMMED_SERIES:
            yield reading_of(Series(name, present, number(value)), written, "metricbeat")
