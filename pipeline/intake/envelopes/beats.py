"""Filebeat's and Metricbeat's output.kafka: JSON with `@metadata`, `@timestamp` in ISO milliseconds."""

from collections.abc import Sequence

from pipeline.intake.entry import (
    NO_LABELS,
    Entry,
    Labels,
    labels,
    line_of,
    mapping_at,
    text_at,
)
from pipeline.intake.envelopes.beats_metrics import readings_of_beat
from pipeline.intake.envelopes.decoder import Decoder, Fields
from pipeline.intake.envelopes.kubernetes import (
    has_lifted_labels,
    kubernetes_labels,
    lifted_labels,
    workload_labels,
)
from pipeline.intake.logpath import placed


def _is_beat(fields: Fields) -> bool:
    return "@metadata" in fields


def place_of_beat(fields: Fields) -> Labels:
    """Labels as Beats write them: `host`, `agent`, `container` and `kubernetes` objects."""
    host = mapping_at(fields, "host").get("name") or mapping_at(fields, "agent").get("name")
    container = mapping_at(fields, "container")
    meta = mapping_at(fields, "kubernetes")
    if meta:
        return kubernetes_labels(meta, host, container.get("id"))
    if not container and has_lifted_labels(fields):
        lifted = lifted_labels(fields)
        return lifted._replace(host=lifted.host or labels(host=host).host)
    where = labels(
        container=container.get("name"),
        container_id=container.get("id"),
        host=host,
        service=mapping_at(fields, "syslog").get("appname"),
        image=mapping_at(container, "image").get("name"),
    )
    log = fields.get("log")
    file = log.get("file") if isinstance(log, dict) else None
    return placed(where, file.get("path") if isinstance(file, dict) else None)


def _decode(fields: Fields) -> Sequence[Entry]:
    if "metricset" in fields:
        return readings_of_beat(fields, place_of_beat(fields))
    meta = mapping_at(fields, "kubernetes")
    extra = workload_labels(meta) if meta else NO_LABELS
    written = fields.get("@timestamp")
    return (line_of(fields, ("message",), written, place_of_beat(fields), text_at(fields, "stream"), extra),)


BEATS = Decoder(_is_beat, _decode)
