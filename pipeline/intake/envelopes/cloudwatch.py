"""CloudWatch metric streams of S3 in JSON: one metric an object, several objects a record.

A value is the statistics of one minute: `max`, `min`, `sum`, `count`; latencies in milliseconds.
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from pipeline.intake.entry import Entry, Reading, Unwanted, labels, mapping_at, text_at
from pipeline.intake.envelopes.decoder import Decoder, Fields
from pipeline.intake.series import number
from schemas import SampleKind

_MILLISECONDS = 1e-3

_NAMES: dict[str, tuple[tuple[str, str, float], ...]] = {
    "FirstByteLatency": (
        ("ttfb_mean_seconds", "mean", _MILLISECONDS),
        ("ttfb_max_seconds", "max", _MILLISECONDS),
    ),
    "TotalRequestLatency": (("total_mean_seconds", "mean", _MILLISECONDS),),
    "AllRequests": (("requests", "sum", 1.0),),
    "4xxErrors": (("errors_4xx", "sum", 1.0),),
    "5xxErrors": (("errors_5xx", "sum", 1.0),),
}
"""CloudWatch's name → (canonical name, statistic, factor)."""


def _matches(fields: Fields) -> bool:
    return "metric_stream_name" in fields


def _decode(fields: Fields) -> Sequence[Entry]:
    names = _NAMES.get(text_at(fields, "metric_name") or "", ())
    if text_at(fields, "namespace") != "AWS/S3" or not names:
        return (Unwanted("unknown_series"),)
    statistics = _statistics(mapping_at(fields, "value"))
    values: dict[str, float | None] = {
        name: statistics[statistic] * factor for name, statistic, factor in names if statistic in statistics
    }
    if not values:
        return (Unwanted("not_a_number"),)
    where = labels(service=mapping_at(fields, "dimensions").get("BucketName"))
    return (Reading(SampleKind.STORAGE, values, fields.get("timestamp"), where, "cloudwatch"),)


def _statistics(value: Mapping[str, Any]) -> dict[str, float]:
    found = {name: number(value[name]) for name in ("max", "sum", "count") if name in value}
    if found.get("count") and "sum" in found:
        found["mean"] = found["sum"] / found["count"]
    return {name: one for name, one in found.items() if isfinite(one)}


CLOUDWATCH = Decoder(_matches, _decode)
