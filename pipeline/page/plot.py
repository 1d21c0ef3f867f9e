"""An incident's curves as paths of an SVG, WIDTH by HEIGHT units from `start` to `end`, and as a table.

What is drawn and how it is called comes from pipeline/render/chart.py, as for the picture in Slack. Each
curve differs from its neighbours in form, not only in colour; counts stand on each other.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.render.chart import Curve, Panel, Style, panels_of, times_of
from pipeline.render.words import Words, clock
from schemas import Incident

WIDTH, HEIGHT = 1000.0, 100.0
HEADROOM = 1.08
STACKED = frozenset({Style.BARS, Style.HATCHED, Style.HOLLOW})

Values = tuple[float | None, ...]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Plotted:
    """One curve. `path`: SVG path data. `said`: its highest value, or how many there were in all."""

    label: str
    style: str
    path: str
    said: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """Curves over one scale that begins at 0. `limit`: where a marked value is drawn, and what it is."""

    title: str
    limit: tuple[float, str] | None
    curves: tuple[Plotted, ...]

    @property
    def said(self) -> str:
        """All curves in words, for who cannot see them."""
        return "; ".join(f"{one.label} {one.said}" for one in self.curves)


@dataclass(frozen=True, slots=True)
class Plots:
    """All plots of an incident over the same times, those of `instance`, `step_seconds` apart."""

    instance: str
    first: float
    step_seconds: int
    plots: tuple[Plot, ...]
    times: tuple[str, ...]

    def rows(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The table: each time with what each curve says of it, where any says something."""
        curves = [curve for plot in self.plots for curve in plot.curves]
        for number, time in enumerate(self.times):
            cells = tuple(curve.texts[number] for curve in curves)
            if any(cells):
                yield time, cells


def plots_of(incident: Incident, words: Words, start: float, end: float) -> Plots | None:
    """The curves of an incident, drawn from `start` to `end` in unix seconds; None if there are none."""
    panels = panels_of(incident, words)
    if not panels:
        return None
    first = incident.series[0]
    times, step = times_of(incident), first.step_seconds

    def across(at: float) -> float:
        return (at - start) / (end - start) * WIDTH

    spans = [(across(at), across(at + step)) for at in times]
    return Plots(
        instance=first.instance,
        first=first.start,
        step_seconds=step,
        plots=tuple(_plot(panel, spans, step, words) for panel in panels),
        times=tuple(clock(at) for at in times),
    )


def _plot(panel: Panel, spans: Sequence[Point], step: int, words: Words) -> Plot:
    highest = max(_heights(panel), default=0.0)
    top = max(highest, panel.limit[0] if panel.limit else 0.0) * HEADROOM or 1.0
    below: list[float] = [0.0] * len(spans)
    drawn = []
    for curve in panel.curves:
        stacked = curve.style in STACKED
        path = _bars(curve, spans, below, top) if stacked else _line(curve, spans, top)
        if stacked:
            below = [low + (value or 0.0) for low, value in zip(below, curve.values, strict=True)]
        said = _said(curve, panel.unit, step, words)
        texts = tuple(_text(value, stacked, panel.unit, words) for value in curve.values)
        drawn.append(Plotted(curve.label, curve.style.value, path, said, texts))
    limit = None if panel.limit is None else (_y(panel.limit[0], top), panel.limit[1])
    return Plot(panel.title, limit, tuple(drawn))


def _heights(panel: Panel) -> Iterator[float]:
    for values in zip(*(one.values for one in panel.curves), strict=True):
        known = [value for value in values if value is not None]
        if known:
            yield sum(known) if panel.curves[0].style in STACKED else max(known)


def _line(curve: Curve, spans: Sequence[Point], top: float) -> str:
    """A line through the middle of each step, broken where nothing is known; an area down to the ground."""
    parts = []
    for run in _runs(curve.values):
        points = [((spans[n][0] + spans[n][1]) / 2, _y(curve.values[n] or 0.0, top)) for n in run]
        if len(points) == 1:  # a single reading has the width of its step
            points = [(spans[run[0]][0], points[0][1]), (spans[run[0]][1], points[0][1])]
        line = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        if curve.style is Style.AREA:
            parts.append(f"M{points[0][0]:.1f} {HEIGHT:.0f}L{line}L{points[-1][0]:.1f} {HEIGHT:.0f}Z")
        else:
            parts.append(f"M{line}")
    return "".join(parts)


def _bars(curve: Curve, spans: Sequence[Point], below: Sequence[float], top: float) -> str:
    parts = []
    for (left, right), low, value in zip(spans, below, curve.values, strict=True):
        if value:
            ground, height = _y(low, top), _y(low + value, top)
            parts.append(f"M{left:.1f} {ground:.1f}V{height:.1f}H{right:.1f}V{ground:.1f}Z")
    return "".join(parts)


def _runs(values: Values) -> Iterator[list[int]]:
    run: list[int] = []
    for number, value in enumerate(values):
        if value is None:
            if run:
                yield run
            run = []
        else:
            run.append(number)
    if run:
        yield run


def _y(value: float, top: float) -> float:
    return HEIGHT * (1 - value / top)


def _said(curve: Curve, unit: str, step: int, words: Words) -> str:
    known = [value for value in curve.values if value is not None]
    if curve.style in STACKED:
        return words("curve.in_all", n=words.number(round(sum(known) * step)))
    return words("curve.up_to", value=value_text(max(known, default=0.0), unit, words))


def _text(value: float | None, stacked: bool, unit: str, words: Words) -> str:
    """A value, "" where there is none: nothing known of a reading, nothing happened of events."""
    return "" if value is None or (stacked and not value) else value_text(value, unit, words)


def value_text(value: float, unit: str, words: Words) -> str:
    """A value with its unit: `%`, `s` or `/s`."""
    if unit == "%":
        return words("percent", n=math.floor(value + 0.5))
    if unit == "s":
        small = words("latency.ms", n=round(1000 * value))
        return small if value < 1 else words("latency.s", n=f"{value:.1f}")
    return words("per_second", n=f"{value:.1f}" if value < 10 and value % 1 else f"{value:.0f}")
