"""Event time of one partition of undercurrent.signals, made of what the intakes report (law 2)."""

from typing import Any

from schemas import Progress


class Watermark:
    """How far every raw source has been read.

    Laws:
    - it never goes back;
    - a source that holds it (lag left, or a shipper that declares its progress) is never overtaken;
    - while a raw partition exists that nobody has reported yet, it says nothing (None): a worker
      that has not started must not make its records late.
    """

    def __init__(self) -> None:
        self._expected: dict[str, int] = {}
        self._sources: dict[str, tuple[float | None, bool]] = {}
        self._reached: float | None = None

    def receive(self, progress: Progress) -> None:
        """Take in one report; a later report on a source replaces the earlier one."""
        for topic, count in progress.expected.items():
            self._expected[topic] = max(count, self._expected.get(topic, 0))
        for source in progress.sources:
            known, _ = self._sources.get(source.source, (None, False))
            times = [time for time in (known, source.time) if time is not None]
            self._sources[source.source] = (max(times) if times else None, source.holds)
        candidate = self._candidate()
        if candidate is not None and (self._reached is None or candidate > self._reached):
            self._reached = candidate

    def event_time(self) -> float | None:
        """Unix seconds of event time up to which the sources are known to be read, or None."""
        return self._reached

    def _candidate(self) -> float | None:
        wanted = (f"{topic}/{number}" for topic, count in self._expected.items() for number in range(count))
        if any(source not in self._sources for source in wanted):
            return None
        times = [time for time, _ in self._sources.values() if time is not None]
        holding = [time for time, holds in self._sources.values() if holds]
        if any(time is None for time in holding) or not times:
            return None
        return min((time for time in holding if time is not None), default=max(times))

    def snapshot(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "expected": dict(sorted(self._expected.items())),
            "sources": {name: list(self._sources[name]) for name in sorted(self._sources)},
            "reached": self._reached,
        }

    @classmethod
    def restore(cls, snapshot: dict[str, Any]) -> "Watermark":
        """The watermark that gave `snapshot`."""
        mark = cls()
        mark._expected = dict(snapshot["expected"])
        mark._sources = {name: (time, holds) for name, (time, holds) in snapshot["sources"].items()}
        mark._reached = snapshot["reached"]
        return mark
