"""GELF: Fluent Bit's `format gelf`, Docker's gelf driver behind Graylog or Logstash.

The line is `short_message` (or `full_message`, where the short one is its first line); what the shipper
adds stands under names that begin with `_`, Fluent Bit's nested objects joined by `_`.
"""

from collections.abc import Sequence

from pipeline.intake.entry import Entry, labels, line_of, text_at
from pipeline.intake.envelopes.decoder import Decoder, Fields

_LABELS = "_kubernetes_labels_"


def _matches(fields: Fields) -> bool:
    return "version" in fields and ("short_message" in fields or "_log" in fields)


def _decode(fields: Fields) -> Sequence[Entry]:
    get = fields.get
    where = labels(
        get("_kubernetes_namespace_name"),
        get("_kubernetes_pod_name"),
        get("_kubernetes_container_name") or get("_container_name"),
        get("_kubernetes_docker_id") or get("_container_id"),
        get("_kubernetes_host") or get("host"),
        get("_tag"),
        get("_kubernetes_container_image") or get("_image_name"),
    )
    extra = {name.removeprefix(_LABELS): value for name, value in fields.items() if name.startswith(_LABELS)}
    written = get("_time") or get("timestamp")
    cut = get("__p") == "P" or get("_logtag") == "P"
    names = ("full_message", "_log", "short_message")
    return (line_of(fields, names, written, where, text_at(fields, "_stream"), extra, not cut),)


GELF = Decoder(_matches, _decode)
