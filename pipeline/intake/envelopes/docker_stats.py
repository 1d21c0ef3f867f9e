"""Docker's own statistics: a container's from the API, and lines of `docker stats --format json`.

The API tells no CPU limit; its memory limit is the host's memory where the container has none.
"""

import re
from collections.abc import Sequence
from math import isfinite
from typing import Any

from pipeline.intake.entry import Entry, Reading, Unwanted, labels, mapping_at, text_at
from pipeline.intake.envelopes.decoder import Decoder, Fields
from pipeline.intake.record import malformed
from pipeline.intake.series import limit, number
from schemas import SampleKind

_NANO = 1e-9
_UNITS = {
    "B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,9})?) ?([kKMGT]?i?B)", re.ASCII)
_PERCENT = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)%", re.ASCII)


def _is_api(fields: Fields) -> bool:
    return "cpu_stats" in fields and "read" in fields


def _decode_api(fields: Fields) -> Sequence[Entry]:
    cpu = mapping_at(fields, "cpu_stats")
    throttling = mapping_at(cpu, "throttling_data")
    memory = mapping_at(fields, "memory_stats")
    stats = mapping_at(memory, "stats")
    cache = stats.get("total_inactive_file", stats.get("inactive_file", stats.get("cache")))
    found = (
        (
            SampleKind.CPU,
            {
                "usage_seconds_total": _scaled(mapping_at(cpu, "cpu_usage").get("total_usage"), _NANO),
                "periods_total": _scaled(throttling.get("periods")),
                "throttled_periods_total": _scaled(throttling.get("throttled_periods")),
                "throttled_seconds_total": _scaled(throttling.get("throttled_time"), _NANO),
            },
        ),
        (
            SampleKind.MEMORY,
            {
                "usage_bytes": _scaled(memory.get("usage")),
                "cache_bytes": _scaled(cache),
                "failures_total": _scaled(memory.get("failcnt")),
            },
        ),
    )
    where = labels(container=fields.get("name"), container_id=fields.get("id"))
    readings = []
    for kind, named in found:
        values = {name: value for name, value in named.items() if value is not None}
        bound = _scaled(memory.get("limit")) if kind is SampleKind.MEMORY else None
        if values:
            limits = {} if bound is None else {"limit_bytes": limit(bound)}
            readings.append(Reading(kind, {**values, **limits}, fields.get("read"), where, "docker-stats"))
    return readings or (Unwanted("unknown_series"),)


def _scaled(value: Any, factor: float = 1.0) -> float | None:
    if value is None:
        return None
    read = number(value) * factor
    return read if isfinite(read) else None


def _is_line(fields: Fields) -> bool:
    return "CPUPerc" in fields and "MemUsage" in fields


def _decode_line(fields: Fields) -> Sequence[Entry]:
    """No time is in it: the Kafka timestamp dates it."""
    where = labels(container=fields.get("Name"), container_id=fields.get("ID") or fields.get("Container"))
    cpu = _PERCENT.fullmatch(text_at(fields, "CPUPerc") or "")
    used, _, bound = (text_at(fields, "MemUsage") or "").partition(" / ")
    if cpu is None:
        raise malformed(f"CPUPerc: {str(fields['CPUPerc'])[:40]!r} is no share")
    memory = {"usage_bytes": _bytes(used), "limit_bytes": limit(_bytes(bound))}
    return (
        Reading(SampleKind.CPU, {"usage_cores": float(cpu[1]) / 100}, None, where, "docker-stats"),
        Reading(SampleKind.MEMORY, memory, None, where, "docker-stats"),
    )


def _bytes(text: str) -> float:
    found = _SIZE.fullmatch(text)
    if found is None or found[2] not in _UNITS:
        raise malformed(f"MemUsage: {text[:40]!r} is no size")
    return float(found[1]) * _UNITS[found[2]]


DOCKER_STATS = Decoder(_is_api, _decode_api)
DOCKER_STATS_LINE = Decoder(_is_line, _decode_line)
