"""cAdvisor with `-storage_driver=kafka`: its own statistics record, CPU times in nanoseconds."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from pipeline.intake.entry import Entry, Reading, Unwanted, labels, labels_of, mapping_at
from pipeline.intake.envelopes.decoder import Decoder, Fields
from pipeline.intake.series import number
from schemas import SampleKind

_CPU = {
    "usage_seconds_total": (("usage", "total"), 1e-9),
    "periods_total": (("cfs", "periods"), 1.0),
    "throttled_periods_total": (("cfs", "throttled_periods"), 1.0),
    "throttled_seconds_total": (("cfs", "throttled_time"), 1e-9),
    "psi_some_seconds_total": (("psi", "some", "total"), 1e-6),
    "psi_full_seconds_total": (("psi", "full", "total"), 1e-6),
}
_MEMORY = {
    "usage_bytes": (("usage",), 1.0),
    "working_set_bytes": (("working_set",), 1.0),
    "cache_bytes": (("cache",), 1.0),
    "rss_bytes": (("rss",), 1.0),
    "failures_total": (("failcnt",), 1.0),
}


def _matches(fields: Fields) -> bool:
    return "container_stats" in fields


def _decode(fields: Fields) -> Sequence[Entry]:
    stats = mapping_at(fields, "container_stats")
    where = labels(
        container=fields.get("container_Name"),
        container_id=fields.get("container_Id"),
        host=fields.get("machine_name"),
    )
    written = stats.get("timestamp") or fields.get("timestamp")
    extra = labels_of(fields.get("container_labels"))
    found = (
        (SampleKind.CPU, _values(mapping_at(stats, "cpu"), _CPU)),
        (SampleKind.MEMORY, _values(mapping_at(stats, "memory"), _MEMORY)),
    )
    readings = [
        Reading(kind, values, written, where, "cadvisor", extra=extra) for kind, values in found if values
    ]
    return readings or (Unwanted("unknown_series"),)


def _values(
    fields: Mapping[str, Any], names: Mapping[str, tuple[tuple[str, ...], float]]
) -> dict[str, float | None]:
    values: dict[str, float | None] = {}
    for name, (path, factor) in names.items():
        node = fields
        for part in path[:-1]:
            node = mapping_at(node, part)
        found = node.get(path[-1])
        if found is not None and isfinite(read := number(found) * factor):
            values[name] = read
    return values


CADVISOR = Decoder(_matches, _decode)
