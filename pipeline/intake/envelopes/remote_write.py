"""Prometheus remote write, versions 1 and 2: a protobuf message in a raw snappy block.

The messages are built here from their numbers in Prometheus' prompb/remote.proto and prompb/types.proto
(prometheus.WriteRequest), and prompb/io/prometheus/write/v2/types.proto (io.prometheus.write.v2.Request);
only the fields that are read are declared, the rest is skipped as unknown.
"""

from collections.abc import Sequence
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from pipeline.intake.bound import Bound
from pipeline.intake.entry import Entry
from pipeline.intake.packing import snappy_block
from pipeline.intake.record import malformed
from pipeline.intake.series import Series, reading_of

LABELS_MAX = 256
"""Labels of one series: Prometheus' own servers take 64 at most."""

_STRING, _DOUBLE, _INT64, _UINT32, _MESSAGE = 9, 1, 3, 13, 11
_MESSAGES: dict[str, tuple[tuple[str, int, int, str | None], ...]] = {
    "Label": (("name", 1, _STRING, None), ("value", 2, _STRING, None)),
    "Sample": (("value", 1, _DOUBLE, None), ("timestamp", 2, _INT64, None)),
    "TimeSeries": (("labels", 1, _MESSAGE, "Label"), ("samples", 2, _MESSAGE, "Sample")),
    "WriteRequest": (("timeseries", 1, _MESSAGE, "TimeSeries"),),
    "TimeSeriesV2": (("labels_refs", 1, _UINT32, None), ("samples", 2, _MESSAGE, "Sample")),
    "RequestV2": (("symbols", 4, _STRING, None), ("timeseries", 5, _MESSAGE, "TimeSeriesV2")),
}
"""Message → its fields: name, number, type, and the message it holds. Version 2 has the same Sample."""

_REPEATED = frozenset({"labels", "samples", "timeseries", "labels_refs", "symbols"})


def _classes() -> dict[str, Any]:
    """The messages as classes. The pool is our own: another library may know the same names."""
    file = descriptor_pb2.FileDescriptorProto(name="remote_write.proto", package="u", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, inner in fields:
            message.field.add(
                name=field,
                number=number,
                type=kind,
                label=3 if field in _REPEATED else 1,  # repeated or optional
                type_name=f".u.{inner}" if inner else None,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"u.{name}")) for name in _MESSAGES
    }


_CLASS = _classes()


def series_of(value: bytes) -> Sequence[Entry] | None:
    """The entries of a request, None if it is none.

    Raises:
        RefusedError: it holds too much.
    """
    request = snappy_block(value) or b""
    if request[:1] == b"\x0a":
        return _first_version(request)
    return _second_version(request) if request[:1] == b"\x22" else None


def _first_version(value: bytes) -> Sequence[Entry] | None:
    request = _parsed("WriteRequest", value)
    if request is None or not request.timeseries:
        return None
    if not any(label.name == "__name__" for label in request.timeseries[0].labels[:LABELS_MAX]):
        return None
    bound = Bound()
    found: list[Entry] = []
    for series in bound.take(request.timeseries):
        if len(series.labels) > LABELS_MAX:
            raise malformed(f"a series of {len(series.labels)} labels")
        tags = {label.name: label.value for label in series.labels}
        found += _entries(tags, bound.take(series.samples))
    return found


def _second_version(value: bytes) -> Sequence[Entry] | None:
    request = _parsed("RequestV2", value)
    if request is None or not request.timeseries:
        return None
    bound = Bound()
    found: list[Entry] = []
    symbols = bound.take(request.symbols)
    for series in bound.take(request.timeseries):
        refs = series.labels_refs
        if len(refs) > 2 * LABELS_MAX or len(refs) % 2 or any(ref >= len(symbols) for ref in refs):
            raise malformed("labels_refs: not pairs of known symbols")
        tags = {symbols[refs[at]]: symbols[refs[at + 1]] for at in range(0, len(refs), 2)}
        found += _entries(tags, bound.take(series.samples))
    return found


def _parsed(name: str, value: bytes) -> Any:
    try:
        return _CLASS[name].FromString(value)
    except DecodeError:
        return None


def _entries(tags: dict[str, str], samples: Sequence[Any]) -> Sequence[Entry]:
    name = tags.get("__name__")
    if not name:
        raise malformed("__name__: a series without a name")
    return [
        reading_of(Series(name, tags, sample.value), sample.timestamp or None, "prometheus")
        for sample in samples
    ]
