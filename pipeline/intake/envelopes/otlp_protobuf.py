"""OpenTelemetry's otlp_proto, the default encoding of the collector's Kafka exporter.

Logs, metrics and traces all begin alike on the wire; what a record is shows in its innermost messages.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_DELTA, MetricsData

from pipeline.intake.bound import Bound
from pipeline.intake.entry import Entry, Unwanted
from pipeline.intake.envelopes.otlp_names import Point, joined, line_entry, place, point_entry

_DEPTH_MAX = 8
_BEGIN = b"\x0a"
"""Field 1, of a length: the first `resource_logs`, `resource_metrics` or `resource_spans`."""


def logs_of(value: bytes) -> Sequence[Entry] | None:
    """The entries of a record of logs, None if it is none.

    Raises:
        RefusedError: it holds too many.
    """
    data = _parsed(LogsData, value)
    first = _first(data, "resource_logs", "scope_logs", "log_records")
    if first is None or not (first.time_unix_nano or first.observed_time_unix_nano or _has_body(first)):
        return None
    bound = Bound()
    found: list[Entry] = []
    for resource in bound.take(data.resource_logs):
        where = place(_attributes(resource.resource.attributes))
        for scope in bound.take(resource.scope_logs):
            for record in bound.take(scope.log_records):
                written = record.time_unix_nano or record.observed_time_unix_nano or None
                found.append(line_entry(_value(record.body), _attributes(record.attributes), written, where))
    return found


def metrics_of(value: bytes) -> Sequence[Entry] | None:
    """The entries of a record of metrics, None if it is none.

    Raises:
        RefusedError: it holds too many.
    """
    data = _parsed(MetricsData, value)
    first = _first(data, "resource_metrics", "scope_metrics", "metrics")
    if first is None or not first.name or first.WhichOneof("data") is None:
        return None
    bound = Bound()
    found: list[Entry] = []
    for resource in bound.take(data.resource_metrics):
        tags = _attributes(resource.resource.attributes)
        readings: list[Entry] = []
        for scope in bound.take(resource.scope_metrics):
            for metric in bound.take(scope.metrics):
                readings += _readings(metric, tags, bound)
        found += joined(readings)
    return found


def _parsed(form: Any, value: bytes) -> Any:
    if not value.startswith(_BEGIN):
        return None
    try:
        return form.FromString(value)
    except DecodeError:
        return None


def _first(data: Any, *path: str) -> Any:
    """The first innermost message, None if there is none."""
    for name in path:
        inner = getattr(data, name, None)
        if not inner:
            return None
        data = inner[0]
    return data


def _has_body(record: Any) -> bool:
    return record.body.WhichOneof("value") is not None


def _readings(metric: Any, tags: Mapping[str, object], bound: Bound) -> Iterator[Entry]:
    kind = metric.WhichOneof("data")
    if kind not in ("gauge", "sum") or (
        kind == "sum" and metric.sum.aggregation_temporality == AGGREGATION_TEMPORALITY_DELTA
    ):
        yield Unwanted("unknown_series")
        return
    for point in bound.take(getattr(metric, kind).data_points):
        value = float(point.as_int) if point.WhichOneof("value") == "as_int" else point.as_double
        written = point.time_unix_nano or None
        yield point_entry(Point(metric.name, value, written, _attributes(point.attributes)), tags)


def _attributes(attributes: Any) -> dict[str, object]:
    """The text ones."""
    return {one.key: one.value.string_value for one in attributes if one.value.HasField("string_value")}


def _value(value: Any, depth: int = _DEPTH_MAX) -> object:
    """An AnyValue as plain JSON: text, number, or an object of them; None for what it is not."""
    kind = value.WhichOneof("value")
    if kind == "kvlist_value" and depth:
        return {pair.key: _value(pair.value, depth - 1) for pair in value.kvlist_value.values}
    if kind in ("string_value", "int_value", "double_value", "bool_value"):
        found: object = getattr(value, kind)
        return found
    return None
