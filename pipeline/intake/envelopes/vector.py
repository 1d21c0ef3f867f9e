"""Vector's kafka sink with `encoding.codec: json`: log events with `source_type`, and metric events."""

from collections.abc import Sequence

from pipeline.intake.entry import (
    NO_LABELS,
    Entry,
    Labels,
    Unwanted,
    labels,
    labels_of,
    line_of,
    mapping_at,
    text_at,
)
from pipeline.intake.envelopes.decoder import Decoder, Fields
from pipeline.intake.envelopes.kubernetes import (
    has_lifted_labels,
    kubernetes_labels,
    lifted_labels,
    workload_labels,
)
from pipeline.intake.logpath import placed
from pipeline.intake.record import malformed
from pipeline.intake.series import Series, number, reading_of


def _is_log(fields: Fields) -> bool:
    return "source_type" in fields


def _decode_log(fields: Fields) -> Sequence[Entry]:
    meta = mapping_at(fields, "kubernetes")
    if meta:
        where, extra = kubernetes_labels(meta), workload_labels(meta)
    else:
        where = lifted_labels(fields) if has_lifted_labels(fields) else _plain_place(fields)
        extra = labels_of(fields.get("label") or NO_LABELS)
    stream, written = text_at(fields, "stream"), fields.get("timestamp")
    whole = fields.get("_partial") is not True  # with auto_partial_merge = false
    return (line_of(fields, ("message",), written, where, stream, extra, whole),)


def _plain_place(fields: Fields) -> Labels:
    get = fields.get
    where = labels(
        container=get("container_name") or get("CONTAINER_NAME"),
        container_id=get("container_id"),
        host=get("host"),
        service=get("SYSLOG_IDENTIFIER") or get("appname"),
        image=get("image"),
    )
    return placed(where, get("file"))


def _is_metric(fields: Fields) -> bool:
    return "name" in fields and ("gauge" in fields or "counter" in fields) and "kind" in fields


def _decode_metric(fields: Fields) -> Sequence[Entry]:
    """An incremental counter is no counter as read: it is left out, like every unknown series."""
    if fields.get("kind") != "absolute":
        return (Unwanted("unknown_series"),)
    name = text_at(fields, "name")
    if not name:
        raise malformed("name: a metric without a name")
    prefix = text_at(fields, "namespace")
    value = mapping_at(fields, "gauge" if "gauge" in fields else "counter").get("value")
    series = Series(f"{prefix}_{name}" if prefix else name, mapping_at(fields, "tags"), number(value))
    return (reading_of(series, fields.get("timestamp"), "vector"),)


VECTOR_LOG = Decoder(_is_log, _decode_log)
VECTOR_METRIC = Decoder(_is_metric, _decode_metric)
