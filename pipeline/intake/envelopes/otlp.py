"""OpenTelemetry's otlp_json: one record holds many log records or many points of many metrics.

Whole numbers come as decimal strings from the collector and bare from others; both are read.
What its names mean is in otlp_names.py, which the protobuf form shares.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite, nan
from typing import Any

from pipeline.intake.bound import Bound
from pipeline.intake.entry import Entry, Unwanted
from pipeline.intake.envelopes.decoder import Decoder, Fields
from pipeline.intake.envelopes.otlp_names import Point, joined, line_entry, place, point_entry
from pipeline.intake.record import malformed
from pipeline.intake.series import number

_DEPTH_MAX = 8


def _decode_logs(fields: Fields) -> Sequence[Entry]:
    bound = Bound()
    found: list[Entry] = []
    for resource in bound.take(_objects(fields, "resourceLogs")):
        where = place(_attributes(_object(resource, "resource")))
        for scope in bound.take(_objects(resource, "scopeLogs")):
            for record in bound.take(_objects(scope, "logRecords")):
                body = _value(_object(record, "body"))
                written = record.get("timeUnixNano") or record.get("observedTimeUnixNano")
                found.append(line_entry(body, _attributes(record), written, where))
    return found


def _decode_metrics(fields: Fields) -> Sequence[Entry]:
    bound = Bound()
    found: list[Entry] = []
    for resource in bound.take(_objects(fields, "resourceMetrics")):
        tags = _attributes(_object(resource, "resource"))
        readings: list[Entry] = []
        for scope in bound.take(_objects(resource, "scopeMetrics")):
            for metric in bound.take(_objects(scope, "metrics")):
                readings += _readings(metric, tags, bound)
        found += joined(readings)
    return found


def _readings(metric: Mapping[str, Any], tags: Mapping[str, object], bound: Bound) -> Iterator[Entry]:
    name = metric.get("name")
    data = _object(metric, "sum") or _object(metric, "gauge")
    delta = data.get("aggregationTemporality") in (1, "AGGREGATION_TEMPORALITY_DELTA")
    points = bound.take(_objects(data, "dataPoints"))
    if not isinstance(name, str) or delta or not data:
        yield Unwanted("unknown_series")
        return
    for point in points:
        value = number(point.get("asDouble", point.get("asInt")))
        yield point_entry(Point(name, value, point.get("timeUnixNano"), _attributes(point)), tags)


def _attributes(owner: Mapping[str, Any]) -> dict[str, object]:
    """`[{"key": …, "value": {"stringValue": …}}]` → a dict of the text ones."""
    found: dict[str, object] = {}
    for attribute in _objects(owner, "attributes"):
        key, value = attribute.get("key"), _object(attribute, "value").get("stringValue")
        if isinstance(key, str) and isinstance(value, str):
            found[key] = value
    return found


def _value(value: Mapping[str, Any], depth: int = _DEPTH_MAX) -> object:
    """An AnyValue as plain JSON: text, number, or an object of them; None for what it is not."""
    if "kvlistValue" in value and depth:
        pairs = _objects(_object(value, "kvlistValue"), "values")
        return {str(pair.get("key")): _value(_object(pair, "value"), depth - 1) for pair in pairs}
    for name in ("stringValue", "doubleValue", "boolValue"):
        if name in value:
            return value[name]
    whole = number(value["intValue"]) if "intValue" in value else nan
    return int(whole) if isfinite(whole) else None


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
