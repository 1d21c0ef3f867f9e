"""Names under which a storage's latency travels when it is counted instead of measured.

`ttfb_le_S_total` counts the answers whose first byte came within S seconds, `ttfb_seconds_count_total` all
of them, `ttfb_seconds_sum_total` their seconds; all as read (docs/signals.md).
"""

from collections.abc import Mapping

BUCKETS: Mapping[float, str] = {
    bound: f"ttfb_le_{bound:g}_total" for bound in (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
}
"""Bound in seconds → name. The bounds are MinIO's (its documentation's `le` of the distribution)."""

SUM, COUNT = "ttfb_seconds_sum_total", "ttfb_seconds_count_total"
