"""Fluent Bit and Fluentd: the record as JSON, the line in `log`, `message` or journald's `MESSAGE`.

Fluent Bit's out_kafka adds `@timestamp` in float seconds (or ISO 8601). Fluentd's kafka2 adds no time
at all unless told to. With `Merge_Log` the fields of a JSON line are lifted to the top level.
"""

from collections.abc import Sequence

from pipeline.intake.entry import NO_LABELS, Entry, Labels, labels, line_of, mapping_at, text_at
from pipeline.intake.envelopes.decoder import Decoder, Fields
from pipeline.intake.envelopes.kubernetes import kubernetes_labels, workload_labels

TEXTS = ("log", "message", "MESSAGE", "log_processed")


def _is_fluent_bit(fields: Fields) -> bool:
    return "@timestamp" in fields and "@metadata" not in fields and "@version" not in fields


def _decode_fluent_bit(fields: Fields) -> Sequence[Entry]:
    cut = fields.get("_p") == "P" or fields.get("logtag") == "P"
    written = (
        fields.get("@timestamp") if "MESSAGE" in fields else fields.get("time") or fields.get("@timestamp")
    )
    meta = mapping_at(fields, "kubernetes")
    extra = workload_labels(meta) if meta else NO_LABELS
    return (line_of(fields, TEXTS, written, _place(fields, meta), text_at(fields, "stream"), extra, not cut),)


def _place(fields: Fields, meta: Fields) -> Labels:
    if meta:
        return kubernetes_labels(meta)
    get = fields.get
    if "_HOSTNAME" in fields:
        return labels(
            container=get("CONTAINER_NAME"),
            container_id=get("CONTAINER_ID_FULL"),
            host=get("_HOSTNAME"),
            service=get("SYSLOG_IDENTIFIER") or get("_SYSTEMD_UNIT"),
        )
    docker = mapping_at(fields, "docker")
    return labels(
        container=get("container_name") or docker.get("name"),
        container_id=get("container_id") or docker.get("container_id"),
        host=get("host") or get("hostname"),
        image=get("container_image"),
    )


def _is_fluentd(fields: Fields) -> bool:
    return ("log" in fields or "message" in fields) and ("docker" in fields or "kubernetes" in fields)


def _decode_fluentd(fields: Fields) -> Sequence[Entry]:
    meta = mapping_at(fields, "kubernetes")
    docker = mapping_at(fields, "docker")
    where = kubernetes_labels(meta, container_id=docker.get("container_id")) if meta else _place(fields, meta)
    extra = workload_labels(meta) if meta else NO_LABELS
    return (line_of(fields, TEXTS, fields.get("time"), where, text_at(fields, "stream"), extra),)


FLUENT_BIT = Decoder(_is_fluent_bit, _decode_fluent_bit)
FLUENTD = Decoder(_is_fluentd, _decode_fluentd)
