"""OpenTelemetry's otlp_json: one record holds many log records or many points of many metrics.

Whole numbers come as decimal strings from the collector and bare from others; both are read.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

from pipeline.intake.entry import Entry, Labels, LogLine, Reading, Unwanted, labels
from pipeline.intake.envelopes.decoder import Decoder, Fields
from pipeline.intake.record import malformed
from pipeline.intake.series import limit, number
from schemas import SampleKind

_CPU, _MEMORY = SampleKind.CPU, SampleKind.MEMORY

METRICS: dict[str, tuple[SampleKind, str, float]] = {
    "container.cpu.time": (_CPU, "usage_seconds_total", 1.0),
    "container.cpu.usage": (_CPU, "usage_cores", 1.0),
    "container.cpu.usage.total": (_CPU, "usage_seconds_total", 1e-9),
    "k8s.container.cpu_limit": (_CPU, "limit_cores", 1.0),
    "k8s.container.cpu.limit": (_CPU, "limit_cores", 1.0),
    "container.cpu.limit": (_CPU, "limit_cores", 1.0),
    "container.cpu.throttling_data.periods": (_CPU, "periods_total", 1.0),
    "container.cpu.throttling_data.throttled_periods": (_CPU, "throttled_periods_total", 1.0),
    "container.cpu.throttling_data.throttled_time": (_CPU, "throttled_seconds_total", 1e-9),
    "container.memory.working_set": (_MEMORY, "working_set_bytes", 1.0),
    "container.memory.usage": (_MEMORY, "usage_bytes", 1.0),
    "container.memory.usage.total": (_MEMORY, "usage_bytes", 1.0),
    "container.memory.usage.limit": (_MEMORY, "limit_bytes", 1.0),
    "k8s.container.memory_limit": (_MEMORY, "limit_bytes", 1.0),
    "k8s.container.restarts": (_MEMORY, "restarts_total", 1.0),
}
"""Name → kind of sample, canonical name and the factor to canonical units."""


def _decode_logs(fields: Fields) -> Sequence[Entry]:
    found: list[Entry] = []
    for resource in _objects(fields, "resourceLogs"):
        where = _place(_attributes(_object(resource, "resource")))
        for scope in _objects(resource, "scopeLogs"):
            found += [_log(record, where) for record in _objects(scope, "logRecords")]
    return found


def _log(record: Mapping[str, Any], where: Labels) -> Entry:
    own = _attributes(record)
    body = _object(record, "body")
    text = body.get("stringValue")
    written = record.get("timeUnixNano") or record.get("observedTimeUnixNano")
    if not isinstance(text, str):
        return Unwanted("irrelevant")
    stream = own.get("log.iostream")
    return LogLine(
        text, written, where, stream if isinstance(stream, str) else None, ended=own.get("logtag") != "P"
    )


def _decode_metrics(fields: Fields) -> Sequence[Entry]:
    found: list[Entry] = []
    for resource in _objects(fields, "resourceMetrics"):
        where = _place(_attributes(_object(resource, "resource")))
        for scope in _objects(resource, "scopeMetrics"):
            for metric in _objects(scope, "metrics"):
                found += _readings(metric, where)
    return found


def _readings(metric: Mapping[str, Any], where: Labels) -> Iterator[Entry]:
    name = metric.get("name")
    target = METRICS.get(name) if isinstance(name, str) else None
    data = _object(metric, "sum") or _object(metric, "gauge")
    delta = data.get("aggregationTemporality") in (1, "AGGREGATION_TEMPORALITY_DELTA")
    if target is None or delta:
        yield Unwanted("unknown_series")
        return
    kind, canonical, factor = target
    for point in _objects(data, "dataPoints"):
        value = number(point.get("asDouble", point.get("asInt"))) * factor
        if not isfinite(value):
            yield Unwanted("not_a_number")
            continue
        read = limit(value) if canonical.startswith("limit") else value
        yield Reading(kind, {canonical: read}, point.get("timeUnixNano"), where, "otlp")


def _place(attributes: Mapping[str, object]) -> Labels:
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


def _attributes(owner: Mapping[str, Any]) -> dict[str, object]:
    """`[{"key": …, "value": {"stringValue": …}}]` → a dict of the text ones."""
    found: dict[str, object] = {}
    for attribute in _objects(owner, "attributes"):
        key, value = attribute.get("key"), _object(attribute, "value").get("stringValue")
        if isinstance(key, str) and isinstance(value, str):
            found[key] = value
    return found


def _object(owner: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = owner.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise malformed(f"{name}: expected an object, found {type(value).__name__}")
    return value


def _objects(owner: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    value = owner.get(name) or []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise malformed(f"{name}: expected a list of objects")
    return value


OTLP_LOGS = Decoder(lambda fields: "resourceLogs" in fields, _decode_logs)
OTLP_METRICS = Decoder(lambda fields: "resourceMetrics" in fields, _decode_metrics)
