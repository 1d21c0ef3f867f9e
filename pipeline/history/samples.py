"""Samples by kind and place, sorted by time: counters as read, merged where they meet."""

import math
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from schemas import Origin, Sample, SampleKind

Values = dict[str, float | None]


@dataclass(slots=True, eq=False)
class Row:
    """All that is known of one place at one instant. Of two values that differ, merging keeps the larger.

    Values and origin never change; `derived` is what readings.py has made of this row and the one before it.
    """

    time: float
    values: Values
    source: str
    origin: tuple[str, int, int]
    derived: tuple[Any, ...] | None = None

    def merged(self, values: Values, origin: tuple[str, int, int]) -> "Row":
        """This row and `values`. A repeated reading changes nothing; a contradiction resolves by value,
        not by order."""
        united = dict(self.values)
        for name, value in values.items():
            if name not in united:
                united[name] = value
            elif value != (known := united[name]):
                united[name] = max(known, value) if known is not None and value is not None else None
        return Row(self.time, united, self.source, min(self.origin, origin))

    def where(self) -> Origin:
        """The record this row was read from (the first of them, where several were merged)."""
        topic, partition, offset = self.origin
        return Origin(topic=topic, partition=partition, offset=offset)


@dataclass(slots=True)
class _Series:
    times: list[float] = field(default_factory=list)
    rows: dict[float, Row] = field(default_factory=dict)


Key = tuple[str, str, str]
"""(sample kind, place, upstream); place is an instance, `@host`, or empty for the whole domain."""


def place_of(instance: str | None, host: str | None) -> str:
    """One string for where something happened: the instance, else `@host`, else the whole domain."""
    if instance is not None:
        return instance
    return f"@{host}" if host is not None else ""


class SampleStore:
    """Rows by (kind, place, upstream), bounded to `retention_seconds` by `forget`."""

    def __init__(self) -> None:
        self._series: dict[Key, _Series] = {}

    def add(self, sample: Sample) -> None:
        """Merge `sample` in: same kind, place and time (to the millisecond) share one row."""
        key = (sample.kind.value, place_of(sample.instance, sample.host), sample.upstream or "")
        series = self._series.setdefault(key, _Series())
        time = round(sample.time, 3)
        origin = (sample.origin.topic, sample.origin.partition, sample.origin.offset)
        row = series.rows.get(time)
        if row is None:
            series.rows[time] = Row(time, dict(sample.values), sample.source, origin)
            insort(series.times, time)
        else:
            series.rows[time] = row.merged(sample.values, origin)

    def rows(self, kind: SampleKind, place: str, start: float, end: float, upstream: str = "") -> list[Row]:
        """Rows with `start <= time <= end`, by time."""
        series = self._series.get((kind.value, place, upstream))
        if series is None:
            return []
        low, high = bisect_left(series.times, start), bisect_right(series.times, end)
        return [series.rows[time] for time in series.times[low:high]]

    def keys(self, kind: SampleKind, until: float) -> list[tuple[str, str]]:
        """(place, upstream) of every series of `kind` with a row at `until` or before, sorted."""
        return sorted(
            (place, upstream)
            for (name, place, upstream), series in self._series.items()
            if name == kind.value and series.times and series.times[0] <= until
        )

    def next_from(self, time: float) -> float | None:
        """Time of the first row of all at or after `time`, None if there is none."""
        series = ((one.times, bisect_left(one.times, time)) for one in self._series.values())
        return min((times[at] for times, at in series if at < len(times)), default=None)

    def sizes(self, until: int) -> Counter[int]:
        """Rows kept, by second, up to second `until`."""
        return Counter(
            math.floor(time) for series in self._series.values() for time in series.times if time < until + 1
        )

    def forget(self, before: float) -> None:
        """Drop rows older than `before`, but keep the last one of them: a rate needs its predecessor."""
        for key in list(self._series):
            series = self._series[key]
            cut = bisect_left(series.times, before) - 1
            if cut > 0:
                for time in series.times[:cut]:
                    del series.rows[time]
                del series.times[:cut]
                series.rows[series.times[0]].derived = None  # or it would hold on to the row before it
            if series.times and series.times[-1] < before - 600:
                del self._series[key]

    def snapshot(self) -> list[Any]:
        """JSON-able form, in a stable order."""
        return [
            [*key, [[row.time, row.values, row.source, *row.origin] for row in self._sorted(key)]]
            for key in sorted(self._series)
        ]

    def _sorted(self, key: Key) -> list[Row]:
        series = self._series[key]
        return [series.rows[time] for time in series.times]

    @classmethod
    def restore(cls, snapshot: list[Any]) -> "SampleStore":
        """The store that gave `snapshot`."""
        store = cls()
        for kind, place, upstream, rows in snapshot:
            series = _Series()
            for time, values, source, topic, partition, offset in rows:
                series.times.append(time)
                series.rows[time] = Row(time, values, source, (topic, partition, offset))
            store._series[kind, place, upstream] = series
        return store
