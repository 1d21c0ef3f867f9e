"""Curves: what was measured around an incident, as few points as a picture needs.

Laws:
- at most `POINTS_MAX` points a curve, however long the incident lasts: when they would be more, two
  neighbours become one (counts are added, of readings the highest stays);
- a point is a function of what is settled, so a replay draws the same curves;
- the curves are those of one instance, the one that led when the incident was opened.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pipeline.diagnosis import View
from schemas import Series

POINTS_MAX = 96
LEAD_SECONDS = 60
"""How much of the time before the first symptom is drawn."""
REDRAW_SECONDS = 30
"""How often an incident in which nothing changes is drawn; far below the retention of history."""

COUNTS = frozenset({"failed", "slow", "dns_failed", "dns_suppressed", "dns_released"})
"""Events per step. Every other curve holds readings, of which a step shows the highest."""
RULED = frozenset({"dns_suppressed", "dns_released"})
"""Noted as they are decided, not read from a view."""


@dataclass(slots=True)
class Curves:
    """The curves of one instance from event second `first` on; point `n` covers `step` seconds from
    `first + n * step`. `drawn`: the event time up to which they are known.
    """

    instance: str
    first: int
    drawn: int
    step: int = 1
    points: dict[str, dict[int, float | int]] = field(default_factory=dict)

    def draw(self, view: View) -> None:
        """Draw again what `view` remembers of its instance; what is older stays as it was drawn."""
        memory_seconds = view.rules.retention_seconds
        # A reading needs the one before it, so the far end of memory lacks what was drawn from it before.
        oldest = view.now - (memory_seconds if not self.points else memory_seconds // 2)
        self._reach(view.now)
        since = max(0, -((self.first - oldest) // self.step))
        for name in set(self.points) - RULED:
            self.points[name] = {at: value for at, value in self.points[name].items() if at < since}
        for name, start, end, value in _readings(view):
            for at in range(max(since, self._index(start)), self._index(max(start, end - 1e-6)) + 1):
                self._put(name, at, value)

    def note(self, name: str, second: int, count: int) -> None:
        """Count `count` events of a ruled kind in `second`."""
        self._reach(second + 1)
        if second >= self.first:
            self._put(name, self._index(second), count)

    def show(self) -> tuple[Series, ...]:
        """The curves as nouns, by name; where nothing was measured a reading is None."""
        length = max((at + 1 for known in self.points.values() for at in known), default=0)
        length = max(length, self._index(self.drawn - 1) + 1)
        return tuple(
            Series(
                name=name,
                instance=self.instance,
                start=float(self.first),
                step_seconds=self.step,
                values=tuple(known.get(at, 0 if name in COUNTS else None) for at in range(length)),
            )
            for name, known in sorted(self.points.items())
            if known
        )

    def snapshot(self) -> dict[str, Any]:
        """JSON-able form."""
        points = {name: sorted(known.items()) for name, known in self.points.items()}
        return {
            "instance": self.instance, "first": self.first, "drawn": self.drawn, "step": self.step,
            "points": points,
        }  # fmt: skip

    @classmethod
    def restore(cls, snapshot: dict[str, Any]) -> "Curves":
        """The curves that gave `snapshot`."""
        points = {name: dict(known) for name, known in snapshot["points"].items()}
        return cls(**{**snapshot, "points": points})

    def _index(self, time: float) -> int:
        return int((time - self.first) // self.step)

    def _put(self, name: str, at: int, value: float | int) -> None:
        known = self.points.setdefault(name, {})
        known[at] = _joined(name, known.get(at), value)

    def _reach(self, now: int) -> None:
        """Make room up to event second `now`."""
        self.drawn = max(self.drawn, now)
        while self._index(self.drawn - 1) >= POINTS_MAX:
            self.step *= 2
            for name, known in self.points.items():
                halved: dict[int, float | int] = {}
                for at in sorted(known):
                    halved[at // 2] = _joined(name, halved.get(at // 2), known[at])
                self.points[name] = halved


def _joined(name: str, one: float | int | None, other: float | int) -> float | int:
    if one is None:
        return other
    return one + other if name in COUNTS else max(one, other)


def _readings(view: View) -> Iterable[tuple[str, float, float, float | int]]:
    """Name, start, end and value of everything a curve is drawn from, in the order of their names."""
    measured: list[tuple[str, float, float, float | None]] = []
    since = view.now - view.rules.retention_seconds
    for cpu in view.cpu:
        measured.append(("cpu_ratio", cpu.start, cpu.end, cpu.usage_ratio))
        measured.append(("throttled_ratio", cpu.start, cpu.end, cpu.throttled_ratio))
        measured.append(("pressure_ratio", cpu.start, cpu.end, cpu.pressure_ratio))
    measured += [("memory_ratio", one.start, one.end, one.used_ratio) for one in view.memory]
    measured += [("storage_seconds", one.start, one.end, one.p95_seconds) for one in view.storage]
    for name, start, end, value in measured:
        if value is not None:
            yield name, start, end, _rounded(value)
    for name, requests in (("failed", view.failed_list(since)), ("slow", view.slow_list(since))):
        yield from ((name, request.end, request.end, 1) for request in requests)
    yield from (("dns_failed", line.second, line.second, line.count) for line in view.dns_lines)


def _rounded(value: float) -> float:
    """Three digits: more than a picture shows, and fewer bytes."""
    return float(f"{value:.3g}")
