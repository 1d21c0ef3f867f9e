"""Telegraf's outputs.kafka: influx line protocol (the default) and `data_format = "json"`.

Read are the plugins `docker`, `docker_log` and `cgroup` (version 2 names). Durations are nanoseconds
from Docker and microseconds from the kernel; a limit of 2^63 - 1 is Telegraf's word for `max`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

from pipeline.intake.entry import Entry, Labels, LogLine, Reading, Unwanted, labels, mapping_at, text_at
from pipeline.intake.envelopes.decoder import Decoder, Fields
from pipeline.intake.record import malformed
from pipeline.intake.series import limit, number
from schemas import SampleKind

_DOCKER_CPU = {
    "usage_total": ("usage_seconds_total", 1e-9),
    "usage_percent": ("usage_cores", 1e-2),
    "throttling_periods": ("periods_total", 1.0),
    "throttling_throttled_periods": ("throttled_periods_total", 1.0),
    "throttling_throttled_time": ("throttled_seconds_total", 1e-9),
}
_DOCKER_MEMORY = {"usage": ("usage_bytes", 1.0), "limit": ("limit_bytes", 1.0), "cache": ("cache_bytes", 1.0)}
_CGROUP_CPU = {
    "cpu.stat.usage_usec": ("usage_seconds_total", 1e-6),
    "cpu.stat.nr_periods": ("periods_total", 1.0),
    "cpu.stat.nr_throttled": ("throttled_periods_total", 1.0),
    "cpu.stat.throttled_usec": ("throttled_seconds_total", 1e-6),
}

_MEASUREMENT = re.compile(r"(docker_container_cpu|docker_container_mem|docker_log|cgroup)(?=[, ])")
_TAG = re.compile(r",((?:[^,= \\]|\\.)+)=((?:[^,= \\]|\\.)*)")
_FIELD = re.compile(r'[ ,]((?:[^,= \\]|\\.)+)=("(?:[^"\\]|\\.)*"|[^, ]+)', re.DOTALL)
_TIME = re.compile(r" (\d{1,19})\s*")
_ESCAPED = re.compile(r"\\([,= \"\\])")


def _is_json(fields: Fields) -> bool:
    return "fields" in fields and "tags" in fields and "name" in fields


def _decode_json(fields: Fields) -> Sequence[Entry]:
    name, values, tags = text_at(fields, "name"), mapping_at(fields, "fields"), mapping_at(fields, "tags")
    return (_entry(name or "", values, tags, fields.get("timestamp")),)


TELEGRAF_JSON = Decoder(_is_json, _decode_json)


def looks_like_influx(text: str) -> bool:
    """Whether a record that is no JSON starts as a line of one of the plugins read here."""
    return _MEASUREMENT.match(text) is not None


def decode_influx(text: str) -> Sequence[Entry]:
    """The entry of one influx line.

    Raises:
        RefusedError: it begins like one and is none.
    """
    found = _MEASUREMENT.match(text)
    at = found.end() if found else 0
    tags, at = _pairs(_TAG, text, at)
    fields, at = _pairs(_FIELD, text, at)
    time = _TIME.fullmatch(text, at)
    if found is None or not fields or (time is None and text[at:].strip()):
        raise malformed(f"no influx line, from byte {at}: {text[at : at + 60]!r}")
    values = {name: _value(value) for name, value in fields.items()}
    return (_entry(found[1], values, tags, int(time[1]) if time else None),)


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


def _entry(name: str, fields: Fields, tags: Mapping[str, Any], written: object) -> Entry:
    where = _place(fields, tags)
    if name == "docker_log":
        text = text_at(fields, "message")
        if text is None:
            raise malformed("message: a docker_log without its line")
        stream = tags.get("stream")
        return LogLine(text, written, where, stream if isinstance(stream, str) else None)
    read = _READERS.get(name)
    values = read(fields, tags) if read else None
    if not values:
        return Unwanted("unknown_series")
    kind = SampleKind.MEMORY if name == "docker_container_mem" else SampleKind.CPU
    return Reading(kind, values, written, where, "telegraf")


def _place(fields: Fields, tags: Mapping[str, Any]) -> Labels:
    path = tags.get("path")
    scope = path.rpartition("/")[2].removesuffix(".scope") if isinstance(path, str) else ""
    _, dash, scoped_id = scope.rpartition("-")
    return labels(
        container=tags.get("container_name"),
        container_id=fields.get("container_id") or (scoped_id if dash else scope or None),
        host=tags.get("host"),
        image=tags.get("container_image"),
    )


def _mapped(fields: Fields, names: Mapping[str, tuple[str, float]]) -> dict[str, float | None]:
    values: dict[str, float | None] = {}
    for recorded, (name, factor) in names.items():
        if recorded in fields and isfinite(read := number(fields[recorded]) * factor):
            values[name] = limit(read) if name.startswith("limit") else read
    return values


def _docker_cpu(fields: Fields, tags: Mapping[str, Any]) -> dict[str, float | None]:
    return _mapped(fields, _DOCKER_CPU) if tags.get("cpu", "cpu-total") == "cpu-total" else {}


def _docker_memory(fields: Fields, _tags: Mapping[str, Any]) -> dict[str, float | None]:
    return _mapped(fields, _DOCKER_MEMORY)


def _cgroup(fields: Fields, _tags: Mapping[str, Any]) -> dict[str, float | None]:
    values = _mapped(fields, _CGROUP_CPU)
    quota, period = fields.get("cpu.max.0"), fields.get("cpu.max.1")
    if values and quota is not None:
        cores = limit(number(quota)) if quota != "max" else None
        values["limit_cores"] = None if cores is None else cores / (number(period) or 100_000.0)
    return values


_READERS: dict[str, Callable[[Fields, Mapping[str, Any]], dict[str, float | None]]] = {
    "docker_container_cpu": _docker_cpu,
    "docker_container_mem": _docker_memory,
    "cgroup": _cgroup,
}
