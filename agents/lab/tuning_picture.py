"""The trade in a picture: what is got wrong against the noise that is made, and a curve per threshold."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.ticker import MaxNLocator

from agents.lab.picture import COLOURS, MARKERS, QUIET, drawing
from agents.lab.tuning import Tried
from pipeline.lab.sweep import Axis, Tally, front, value_of

NAMES_SHOWN = 6


def draw_trade(path: Path, tried: Sequence[Tried], axes: Sequence[Axis], together: bool) -> None:
    """Write the picture; numbers are those of the table. Thresholds varied together have no curve."""
    curves = [] if together else list(axes)
    with drawing(path, 5.2 + 4.2 * len(curves), 4.2) as figure:
        panels = figure.subplots(1, 1 + len(curves), squeeze=False)[0]
        _trade(panels[0], tried)
        for panel, axis in zip(panels[1:], curves, strict=True):
            _curve(panel, tried, axis)


def _serious(tally: Tally) -> int:
    return tally.hidden + tally.wrong + tally.missed + tally.unproven


def _annoying(tally: Tally) -> int:
    return tally.noise + tally.told


def _trade(panel: Axes, tried: Sequence[Tried]) -> None:
    best = front([one.tally for one in tried])
    places: dict[tuple[int, int], list[str]] = {}
    on_front: set[tuple[int, int]] = set()
    for number, (one, is_best) in enumerate(zip(tried, best, strict=True)):
        place = _annoying(one.tally), _serious(one.tally)
        places.setdefault(place, []).append(f"#{number}")
        on_front |= {place} if is_best else set()
    for place, names in places.items():
        colour, marker = (COLOURS[0], "o") if place in on_front else (QUIET, "x")
        panel.plot(*place, marker=marker, color=colour, linestyle="none")
        more = ", …" if len(names) > NAMES_SHOWN else ""
        label = ", ".join(names[:NAMES_SHOWN]) + more
        panel.annotate(label, place, (5, 4), textcoords="offset points", fontsize=8, color=colour)
    panel.set(
        xlabel="noise: false or repeated reports, harmless lookups told",
        ylabel="wrong, hidden, missed, unproven",
        title="the trade (dots: nothing is better)",
        xlim=(-0.5, 1.2 * max(place[0] for place in places) + 1),
        ylim=(-0.5, 1.3 * max(place[1] for place in places) + 1),
    )
    _whole_numbers(panel.xaxis, panel.yaxis)


def _whole_numbers(*axes: XAxis | YAxis) -> None:
    for axis in axes:
        axis.set_major_locator(MaxNLocator(integer=True))


def _curve(panel: Axes, tried: Sequence[Tried], axis: Axis) -> None:
    now = value_of(tried[0].variant.rules, axis.key)
    values = sorted({now, *axis.values})
    by_value = {value_of(one.variant.rules, axis.key): one.tally for one in reversed(tried)
                if all(key == axis.key for key, _ in one.variant.changes)}  # fmt: skip
    known = [value for value in values if value in by_value]
    lines = {
        "wrong or hidden": [by_value[value].wrong + by_value[value].hidden for value in known],
        "missed or unproven": [by_value[value].missed + by_value[value].unproven for value in known],
        "noise": [_annoying(by_value[value]) for value in known],
    }
    for (name, counts), colour, marker in zip(lines.items(), COLOURS, MARKERS, strict=False):
        panel.plot(range(len(known)), counts, color=colour, marker=marker, label=name)
    panel.axvline(known.index(now), color=QUIET, linestyle=":", linewidth=1)
    panel.set_xticks(range(len(known)), [str(value) for value in known])
    panel.set(xlabel=f"{axis.key} (dotted: now)", ylabel="count", title=axis.key)
    panel.set_ylim(0, 1.1 * max(max(counts) for counts in lines.values()) + 1)
    _whole_numbers(panel.yaxis)
    panel.legend(fontsize=8)
