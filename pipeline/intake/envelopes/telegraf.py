"""Telegraf's outputs.kafka: influx line protocol (the default) and `data_format = "json"`.

Read are the plugins `docker`, `docker_log`, `cgroup` (both versions), `kubernetes`, and `prometheus` (its
`metric_version` 1 names the measurement by the series, 2 the field). Durations are nanoseconds from Docker
and the kubelet; a limit of 2^63 - 1 is Telegraf's word for `max`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

from pipeline.intake.cgroup import container_of, values_of
from pipeline.intake.entry import Entry, Labels, LogLine, Reading, Unwanted, labels, mapping_at, text_at
from pipeline.intake.envelopes.decoder import Decoder, Fields
from pipeline.intake.logpath import placed
from pipeline.intake.record import malformed
from pipeline.intake.series import PLAIN_SERIES, SUMMED_SERIES, Series, limit, number, reading_of
from schemas import SampleKind

_DOCKER_CPU = {
    "usage_total": ("usage_seconds_total", 1e-9),
    "usage_percent": ("usage_cores", 1e-2),
    "throttling_periods": ("periods_total", 1.0),
    "throttling_throttled_periods": ("throttled_periods_total", 1.0),
    "throttling_throttled_time": ("throttled_seconds_total", 1e-9),
}
_DOCKER_MEMORY = {"usage": ("usage_bytes", 1.0), "limit": ("limit_bytes", 1.0), "cache": ("cache_bytes", 1.0)}

_KUBERNETES_CPU = {
    "cpu_usage_nanocores": ("usage_cores", 1e-9),
    "cpu_usage_core_nanoseconds": ("usage_seconds_total", 1e-9),
}
_KUBERNETES_MEMORY = {
    "memory_usage_bytes": ("usage_bytes", 1.0),
    "memory_working_set_bytes": ("working_set_bytes", 1.0),
    "memory_rss_bytes": ("rss_bytes", 1.0),
}

_MEASUREMENT = re.compile(r"([A-Za-z_]\w{0,199})(?=[, ])", re.ASCII)
_TAG = re.compile(r",((?:[^,= \\]|\\.)+)=((?:[^,= \\]|\\.)*)")
_FIELD = re.compile(r'[ ,]((?:[^,= \\]|\\.)+)=("(?:[^"\\]|\\.)*"|[^, \n]+)', re.DOTALL)
_TIME = re.compile(r" (\d{1,19})[ \t\r]*(?:\n\s*|$)")
_ESCAPED = re.compile(r"\\([,= \"\\])")


def _is_json(fields: Fields) -> bool:
    return "fields" in fields and "tags" in fields and "name" in fields


def _decode_json(fields: Fields) -> Sequence[Entry]:
    name, values, tags = text_at(fields, "name"), mapping_at(fields, "fields"), mapping_at(fields, "tags")
    return _entries(name or "", values, tags, fields.get("timestamp"))


TELEGRAF_JSON = Decoder(_is_json, _decode_json)


def looks_like_influx(text: str) -> bool:
    """Whether a record that is no JSON starts as a line of one of the plugins read here."""
    found = _MEASUREMENT.match(text)
    return found is not None and (found[1] in _PLUGINS or found[1] in PLAIN_SERIES)


def decode_influx(text: str) -> Sequence[Entry]:
    """The entries of influx lines, most often one a record; the last one's time may be absent.

    Raises:
        RefusedError: it begins like one and is none.
    """
    entries: list[Entry] = []
    at = 0
    while at < len(text):
        found = _MEASUREMENT.match(text, at)
        at = found.end() if found else at
        tags, at = _pairs(_TAG, text, at)
        fields, at = _pairs(_FIELD, text, at)
        time = _TIME.match(text, at)
        if found is None or not fields or (time is None and text[at:].strip()):
            raise malformed(f"no influx line, from character {at}: {text[at : at + 60]!r}")
        values = {name: _value(value) for name, value in fields.items()}
        entries += _entries(found[1], values, tags, int(time[1]) if time else None)
        at = time.end() if time else len(text)
    return entries


def _pairs(pattern: re.Pattern[str], text: str, at: int) -> tuple[dict[str, str], int]:
    pairs = {}
    while pair := pattern.match(text, at):
        pairs[_ESCAPED.sub(r"\1", pair[1])] = _ESCAPED.sub(r"\1", pair[2])
        at = pair.end()
    return pairs, at


def _value(text: str) -> object:
    """`12i` and `0.5` are numbers, `"…"` is text, `t` and `false` are of no use here."""
    if text.startswith('"'):
        return text[1:-1]
    try:
        return float(text.removesuffix("i").removesuffix("u"))
    except ValueError:
        return text


def _entries(name: str, fields: Fields, tags: Mapping[str, Any], written: object) -> Sequence[Entry]:
    where = _place(fields, tags)
    if name == "docker_log":
        text = text_at(fields, "message")
        if text is None:
            raise malformed("message: a docker_log without its line")
        stream = tags.get("stream")
        return (LogLine(text, written, where, stream if isinstance(stream, str) else None),)
    series = _series(name, fields)
    if series:
        return [reading_of(Series(one, tags, number(fields[at])), written, "telegraf") for one, at in series]
    read = _READERS.get(name)
    found = read(fields, tags) if read else {}
    readings = [Reading(kind, values, written, where, "telegraf") for kind, values in found.items() if values]
    return readings or (Unwanted("unknown_series"),)


def _series(name: str, fields: Fields) -> list[tuple[str, str]]:
    """The series among the fields of the `prometheus` plugin, each with the field that holds its value."""
    if name == "prometheus":
        return [(field, field) for field in fields if field in PLAIN_SERIES or field in SUMMED_SERIES]
    known = name in PLAIN_SERIES or name in SUMMED_SERIES
    return [(name, field) for field in ("counter", "gauge", "value") if field in fields] if known else []


def _place(fields: Fields, tags: Mapping[str, Any]) -> Labels:
    path = tags.get("path")
    where = labels(
        tags.get("namespace"),
        tags.get("pod_name"),
        tags.get("container_name"),
        fields.get("container_id"),
        tags.get("node_name") or tags.get("host"),
        None,
        tags.get("container_image"),
    )
    of_log = placed(where, path)
    if of_log is not where or where.container_id or not isinstance(path, str):
        return of_log
    cgroup = container_of(path) or path.rpartition("/")[2]
    return where._replace(container_id=labels(container_id=cgroup).container_id)


def _mapped(fields: Fields, names: Mapping[str, tuple[str, float]]) -> dict[str, float | None]:
    values: dict[str, float | None] = {}
    for recorded, (name, factor) in names.items():
        if recorded in fields and isfinite(read := number(fields[recorded]) * factor):
            values[name] = limit(read) if name.startswith("limit") else read
    return values


Values = dict[SampleKind, dict[str, float | None]]


def _docker_cpu(fields: Fields, tags: Mapping[str, Any]) -> Values:
    total = tags.get("cpu", "cpu-total") == "cpu-total"
    return {SampleKind.CPU: _mapped(fields, _DOCKER_CPU)} if total else {}


def _docker_memory(fields: Fields, _tags: Mapping[str, Any]) -> Values:
    return {SampleKind.MEMORY: _mapped(fields, _DOCKER_MEMORY)}


def _kubernetes(fields: Fields, _tags: Mapping[str, Any]) -> Values:
    return {
        SampleKind.CPU: _mapped(fields, _KUBERNETES_CPU),
        SampleKind.MEMORY: _mapped(fields, _KUBERNETES_MEMORY),
    }


def _cgroup(fields: Fields, _tags: Mapping[str, Any]) -> Values:
    return values_of(fields)


_READERS: dict[str, Callable[[Fields, Mapping[str, Any]], Values]] = {
    "docker_container_cpu": _docker_cpu,
    "docker_container_mem": _docker_memory,
    "kubernetes_pod_container": _kubernetes,
    "cgroup": _cgroup,
}
_PLUGINS = frozenset({*_READERS, "docker_log", "prometheus"})
