"""Filebeat's and Metricbeat's output.kafka: JSON with `@metadata`, `@timestamp` in ISO milliseconds."""

from collections.abc import Sequence

from pipeline.intake.entry import (
    NO_LABELS,
    Entry,
    Labels,
    Reading,
    Unwanted,
    labels,
    line_of,
    mapping_at,
    text_at,
)
from pipeline.intake.envelopes.decoder import Decoder, Fields
from pipeline.intake.envelopes.kubernetes import kubernetes_labels, workload_labels
from pipeline.intake.series import number
from schemas import SampleKind


def _is_beat(fields: Fields) -> bool:
    return "@metadata" in fields


def _place(fields: Fields) -> Labels:
    host = mapping_at(fields, "host").get("name") or mapping_at(fields, "agent").get("name")
    container = mapping_at(fields, "container")
    meta = mapping_at(fields, "kubernetes")
    if meta:
        return kubernetes_labels(meta, host, container.get("id"))
    return labels(
        container=container.get("name"),
        container_id=container.get("id"),
        host=host,
        service=mapping_at(fields, "syslog").get("appname"),
        image=mapping_at(container, "image").get("name"),
    )


def _decode(fields: Fields) -> Sequence[Entry]:
    if "metricset" in fields:
        return _readings(fields)
    meta = mapping_at(fields, "kubernetes")
    extra = workload_labels(meta) if meta else NO_LABELS
    written = fields.get("@timestamp")
    return (line_of(fields, ("message",), written, _place(fields), text_at(fields, "stream"), extra),)


def _readings(fields: Fields) -> Sequence[Entry]:
    """`docker.cpu` and `kubernetes.container` tell use, but neither limit nor throttling in cores."""
    values: dict[str, float | None] = {}
    cores = mapping_at(mapping_at(mapping_at(fields, "docker"), "cpu"), "total").get("pct")
    if cores is not None:
        values["usage_cores"] = number(cores)
    cpu = mapping_at(mapping_at(mapping_at(fields, "kubernetes"), "container"), "cpu")
    usage = mapping_at(cpu, "usage")
    if usage.get("nanocores") is not None:
        values["usage_cores"] = number(usage["nanocores"]) / 1e9
        share = mapping_at(usage, "limit").get("pct")
        if share is not None and number(share) > 0 and values["usage_cores"]:
            values["limit_cores"] = values["usage_cores"] / number(share)
    if not values:
        return (Unwanted("unknown_series"),)
    return (Reading(SampleKind.CPU, values, fields.get("@timestamp"), _place(fields), "metricbeat"),)


BEATS = Decoder(_is_beat, _decode)
