"""An incident's timeline as lanes of marks, in percent of the width, for the page to draw."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pipeline.page.plot import WIDTH, Plots, plots_of
from pipeline.render.chart import times_of
from pipeline.render.words import Words, clock
from schemas.page import IncidentView

LEVELS = 3
NEAR_PERCENT = 2.2
"""Marks nearer than this are drawn at different heights."""
MARGIN = 0.03
TICKS_MAX = 6
STEPS_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing that happened. `percent`: where it is drawn; `level`: how high; `target`: id of its text."""

    at: float
    percent: float
    level: int
    text: str
    target: str


@dataclass(frozen=True, slots=True)
class Lane:
    """Marks of one kind, in order of time."""

    name: str
    code: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """All lanes that hold anything, from `start` to `end` in unix seconds, and the ticks below them.

    `verticals`: where the steps are drawn through the curves, in their units.
    """

    start: float
    end: float
    lanes: tuple[Lane, ...]
    ticks: tuple[tuple[float, str], ...]
    curves: Plots | None
    verticals: tuple[float, ...]


def timeline(view: IncidentView, words: Words) -> Timeline | None:
    """The timeline of an incident; None when nothing bears a time."""
    incident = view.incident
    found = {
        (words("label.timeline"), "step"): [
            (one.at, words.sentence(one.text), f"step-{n}") for n, one in enumerate(incident.timeline)
        ],
        (words("page.evidence"), "fact"): [
            (one.at, words.sentence(one.text), f"fact-{n}")
            for n, one in enumerate(incident.evidence)
            if one.at is not None
        ],
        (words("page.said"), "change"): [
            (one.at, f"{words(f'change.{one.kind}')}: {words.sentence(one.reason)}", f"change-{one.seq}")
            for one in view.changes
        ],
    }
    times = [at for marks in found.values() for at, _, _ in marks]
    times += times_of(incident)[:1] + times_of(incident)[-1:]
    if not times:
        return None
    margin = max(1.0, (max(times) - min(times)) * MARGIN)
    start, end = min(times) - margin, max(times) + margin
    lanes = tuple(
        Lane(name, code, tuple(_marks(sorted(marks), start, end)))
        for (name, code), marks in found.items()
        if marks
    )
    steps = [mark for lane in lanes if lane.code == "step" for mark in lane.marks]
    verticals = tuple(mark.percent / 100 * WIDTH for mark in steps)
    curves = plots_of(incident, words, start, end)
    return Timeline(start, end, lanes, tuple(_ticks(start, end)), curves, verticals)


def _marks(found: Iterable[tuple[float, str, str]], start: float, end: float) -> Iterator[Mark]:
    before, level = -100.0, 0
    for at, text, target in found:
        percent = round((at - start) / (end - start) * 100, 2)
        level = (level + 1) % LEVELS if percent - before < NEAR_PERCENT else 0
        before = percent
        yield Mark(at, percent, level, text, target)


def _ticks(start: float, end: float) -> Iterator[tuple[float, str]]:
    step = next((one for one in STEPS_SECONDS if (end - start) / one <= TICKS_MAX), STEPS_SECONDS[-1])
    at = (int(start) // step + 1) * step
    while at < end and (at - start) / step < 2 * TICKS_MAX:
        yield round((at - start) / (end - start) * 100, 2), clock(at)
        at += step
