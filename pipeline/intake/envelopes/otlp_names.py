"""What OpenTelemetry's names mean here, whichever encoding they came in.

Metrics are those of the kubeletstats, k8s_cluster and docker_stats receivers, and any series a
prometheus receiver has scraped, under its Prometheus name and labels.
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import NamedTuple

from pipeline.intake.entry import Entry, Labels, LogLine, Reading, Unwanted, labels, line_of
from pipeline.intake.logpath import placed
from pipeline.intake.series import PLAIN_SERIES, SUMMED_SERIES, Series, limit, reading_of
from schemas import SampleKind

_CPU, _MEMORY = SampleKind.CPU, SampleKind.MEMORY

METRICS: dict[str, tuple[SampleKind, str, float]] = {
    "container.cpu.time": (_CPU, "usage_seconds_total", 1.0),
    "container.cpu.usage": (_CPU, "usage_cores", 1.0),
    "container.cpu.usage.total": (_CPU, "usage_seconds_total", 1e-9),
    "k8s.container.cpu_limit": (_CPU, "limit_cores", 1.0),
    "k8s.container.cpu.limit": (_CPU, "limit_cores", 1.0),
    "container.cpu.limit": (_CPU, "limit_cores", 1.0),
    "container.cpu.shares": (_CPU, "cpu_shares", 1.0),
    "container.cpu.throttling_data.periods": (_CPU, "periods_total", 1.0),
    "container.cpu.throttling_data.throttled_periods": (_CPU, "throttled_periods_total", 1.0),
    "container.cpu.throttling_data.throttled_time": (_CPU, "throttled_seconds_total", 1e-9),
    "container.memory.working_set": (_MEMORY, "working_set_bytes", 1.0),
    "container.memory.rss": (_MEMORY, "rss_bytes", 1.0),
    "container.memory.usage": (_MEMORY, "usage_bytes", 1.0),
    "container.memory.usage.total": (_MEMORY, "usage_bytes", 1.0),
    "container.memory.usage.limit": (_MEMORY, "limit_bytes", 1.0),
    "k8s.container.memory_limit": (_MEMORY, "limit_bytes", 1.0),
    "k8s.container.memory.limit": (_MEMORY, "limit_bytes", 1.0),
    "k8s.container.restarts": (_MEMORY, "restarts_total", 1.0),
    "k8s.container.restart.count": (_MEMORY, "restarts_total", 1.0),
    "container.restarts": (_MEMORY, "restarts_total", 1.0),
}
"""Name → kind of sample, canonical name and the factor to canonical units."""

SHARES: dict[str, tuple[SampleKind, str, str]] = {
    "k8s.container.cpu_limit_utilization": (_CPU, "usage_cores", "limit_cores"),
    "k8s.container.cpu.limit.utilization": (_CPU, "usage_cores", "limit_cores"),
    "k8s.container.cpu.limit_utilization": (_CPU, "usage_cores", "limit_cores"),
    "k8s.container.memory_limit_utilization": (_MEMORY, "usage_bytes", "limit_bytes"),
    "k8s.container.memory.limit.utilization": (_MEMORY, "usage_bytes", "limit_bytes"),
}
"""Name of a share of a limit → kind, the use it is a share of, and the limit that follows from both."""

_SHARE = "share_of_"
_TEXTS = ("log", "message", "MESSAGE")


class Point(NamedTuple):
    """One data point: `time` as it stands there, `attributes` of text only."""

    name: str
    value: float
    time: object
    attributes: Mapping[str, object]


def place(attributes: Mapping[str, object]) -> Labels:
    """Labels of a resource, by semantic conventions."""
    get = attributes.get
    return labels(
        get("k8s.namespace.name"),
        get("k8s.pod.name"),
        get("k8s.container.name") or get("container.name"),
        get("container.id"),
        get("k8s.node.name") or get("host.name"),
        get("service.name"),
        get("container.image.name"),
    )


def line_entry(body: object, attributes: Mapping[str, object], written: object, where: Labels) -> Entry:
    """The line of one log record: its body is text, or an object that a parser (or journald) made."""
    where = placed(where, attributes.get("log.file.path"))
    stream = attributes.get("log.iostream")
    named = stream if isinstance(stream, str) else None
    whole = attributes.get("logtag") != "P"
    if isinstance(body, str):
        return LogLine(body, written, where, named, ended=whole)
    if not isinstance(body, dict) or not body:
        return Unwanted("irrelevant")
    text = next((name for name in _TEXTS if isinstance(body.get(name), str)), None)
    if text is None or "level" in body:
        return LogLine("", written, where, named, fields=body)
    return line_of(body, (text,), written, where, named, ended=whole)


def point_entry(point: Point, resource: Mapping[str, object]) -> Entry:
    """The reading of one point of a sum or a gauge, or why there is none."""
    if point.name in PLAIN_SERIES or point.name in SUMMED_SERIES:
        tags = {**_prometheus_tags(resource), **point.attributes}
        return reading_of(Series(point.name, tags, point.value), point.time, "otlp")
    share = SHARES.get(point.name)
    target = METRICS.get(point.name)
    if target is None and share is None:
        return Unwanted("unknown_series")
    if not isfinite(point.value):
        return Unwanted("not_a_number")
    where = place(resource)
    if share is not None:
        kind, _, name = share
        return Reading(kind, {_SHARE + name: point.value}, point.time, where, "otlp")
    assert target is not None
    kind, canonical, factor = target
    value = point.value * factor
    read = limit(value) if canonical.startswith("limit") else value
    return Reading(kind, {canonical: read}, point.time, where, "otlp")


def _prometheus_tags(resource: Mapping[str, object]) -> Mapping[str, object]:
    """A prometheus receiver puts the target's labels on the resource, under conventional names."""
    known = place(resource)
    named = {
        "namespace": known.namespace,
        "pod": known.pod,
        "container": known.container,
        "node": known.host,
        "service": known.service,
    }
    return {name: value for name, value in named.items() if value}


def joined(readings: Sequence[Entry]) -> Sequence[Entry]:
    """The readings of one resource; a share of a limit becomes the limit, by the use beside it.

    A share whose use is not there says nothing in cores or bytes.
    """
    uses = {
        (one.kind, one.written, name): value
        for one in readings
        if isinstance(one, Reading)
        for name, value in one.values.items()
        if name in ("usage_cores", "usage_bytes") and value
    }
    return [_limited(one, uses) if _is_share(one) else one for one in readings]


def _is_share(entry: Entry) -> bool:
    return isinstance(entry, Reading) and next(iter(entry.values)).startswith(_SHARE)


def _limited(entry: Entry, uses: Mapping[tuple[SampleKind, object, str], float]) -> Entry:
    assert isinstance(entry, Reading)
    (name, share), *_ = entry.values.items()
    limit_name = name.removeprefix(_SHARE)
    use_name = next(use for kind, use, named in SHARES.values() if kind is entry.kind and named == limit_name)
    use = uses.get((entry.kind, entry.written, use_name))
    if use is None or not share or share < 0:
        return Unwanted("unknown_series")
    return entry._replace(values={limit_name: use / share})
