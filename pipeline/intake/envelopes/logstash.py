"""Logstash's `codec => json`: `@timestamp` and `@version`, with whatever its inputs and filters added.

Behind Beats it keeps their `host`, `container` and `kubernetes` objects; a json filter lifts a line's
fields, dotted or nested.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.intake.entry import NO_LABELS, Entry, Labels, LogLine, labels, line_of, text_at
from pipeline.intake.envelopes.beats import place_of_beat
from pipeline.intake.envelopes.decoder import Decoder, Fields
from pipeline.intake.envelopes.kubernetes import workload_labels

_ADDED = ("host", "event", "agent", "input", "log", "path", "tags", "type")
_OF_THE_LINE = ("err.detail", "err.code", "http.request.id", "http.response.status")


def _matches(fields: Fields) -> bool:
    """The registry's own logstash formatter writes `@version` as well, and beside it only its fields."""
    return "@version" in fields and (any(name in fields for name in _ADDED) or "level" not in fields)


def _object(fields: Fields, name: str) -> Mapping[str, Any]:
    value = fields.get(name)
    return value if isinstance(value, dict) else NO_LABELS


def _place(fields: Fields) -> Labels:
    host = fields.get("host")
    if isinstance(host, str):
        fields = {**fields, "host": {"name": host}}
    elif isinstance(host, dict) and "name" not in host:
        fields = {**fields, "host": {"name": host.get("hostname")}}
    found = place_of_beat(fields)
    syslog = _object(_object(fields, "process"), "name") or _object(fields, "process").get("name")
    if found.container is None and isinstance(syslog, str):
        found = labels(container=syslog, host=found.host, service=syslog)
    return found


def _decode(fields: Fields) -> Sequence[Entry]:
    meta = _object(fields, "kubernetes")
    extra = workload_labels(meta) if meta else NO_LABELS
    written, where, stream = fields.get("@timestamp"), _place(fields), text_at(fields, "stream")
    lifted = any(name in fields for name in _OF_THE_LINE) or isinstance(fields.get("err"), dict)
    if lifted:
        return (LogLine("", written, where, stream, extra, fields),)
    return (line_of(fields, ("message",), written, where, stream, extra),)


LOGSTASH = Decoder(_matches, _decode)
