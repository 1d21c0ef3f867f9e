"""Fluent Bit and Fluentd: the record as JSON, the line in `log` or `message`.

Fluent Bit's out_kafka adds `@timestamp` in float seconds (or ISO 8601). Fluentd's kafka2 adds no time
at all unless told to; Docker's fluentd driver names container and stream, and cuts long lines. With
`Merge_Log` the fields of a JSON line are lifted to the top level.
"""

from collections.abc import Sequence

from pipeline.intake.entry import NO_LABELS, Entry, Labels, labels, line_of, mapping_at, text_at
from pipeline.intake.envelopes.decoder import Decoder, Fields
from pipeline.intake.envelopes.kubernetes import kubernetes_labels, lifted_labels, workload_labels
from pipeline.intake.logpath import placed

PATHS = ("file", "filename", "filepath", "file_path", "path", "log_path")
"""What people call the path of the log: Fluent Bit's `Path_Key`, Fluentd's `path_key`."""

TEXTS = ("log", "message", "MESSAGE", "log_processed")


def _is_fluent_bit(fields: Fields) -> bool:
    if "@timestamp" not in fields or "_HOSTNAME" in fields:  # the latter is journald's
        return False
    return "@metadata" not in fields and "@version" not in fields and "source_type" not in fields


def _decode_fluent_bit(fields: Fields) -> Sequence[Entry]:
    cut = fields.get("_p") == "P" or fields.get("logtag") == "P"
    written = fields.get("time") or fields.get("@timestamp")
    meta = mapping_at(fields, "kubernetes")
    extra = workload_labels(meta) if meta else NO_LABELS
    return (line_of(fields, TEXTS, written, _place(fields, meta), text_at(fields, "stream"), extra, not cut),)


def _place(fields: Fields, meta: Fields) -> Labels:
    if meta:
        return kubernetes_labels(meta)
    lifted = lifted_labels(fields)
    docker = mapping_at(fields, "docker")
    if not docker:
        return placed(lifted, next((fields[name] for name in PATHS if name in fields), None))
    return labels(
        container=lifted.container or docker.get("name"),
        container_id=lifted.container_id or docker.get("container_id"),
        host=lifted.host,
        image=lifted.image,
    )


def _is_fluentd(fields: Fields) -> bool:
    if "log" not in fields and "message" not in fields:
        return False
    return "docker" in fields or "kubernetes" in fields or ("source" in fields and "container_id" in fields)


def _decode_fluentd(fields: Fields) -> Sequence[Entry]:
    meta = mapping_at(fields, "kubernetes")
    docker = mapping_at(fields, "docker")
    where = kubernetes_labels(meta, container_id=docker.get("container_id")) if meta else _place(fields, meta)
    extra = workload_labels(meta) if meta else NO_LABELS
    stream = text_at(fields, "stream") or text_at(fields, "source")
    cut = fields.get("partial_message") == "true" and fields.get("partial_last") != "true"
    cut = cut or fields.get("logtag") == "P"
    return (line_of(fields, TEXTS, fields.get("time"), where, stream, extra, not cut),)


FLUENT_BIT = Decoder(_is_fluent_bit, _decode_fluent_bit)
FLUENTD = Decoder(_is_fluentd, _decode_fluentd)
