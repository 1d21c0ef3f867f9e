"""Capacity in a picture: where trouble begins, how well the fit tells CPU, and what holds how much."""

import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from agents.lab.picture import COLOURS, MARKERS, QUIET, drawing
from pipeline.lab.capacity import Capacity, fails, is_held_back, is_troubled
from pipeline.lab.load import Window


def draw_capacity(path: Path, found: Capacity, windows: Sequence[Window]) -> None:
    """Write the picture."""
    with drawing(path, 13.5, 4.2) as figure:
        trouble, told, holds = figure.subplots(1, 3)
        _trouble(trouble, found, windows)
        _told(told, found, windows)
        _holds(holds, found)


def _trouble(panel: Axes, found: Capacity, windows: Sequence[Window]) -> None:
    kinds: dict[str, list[tuple[float, float]]] = {
        "calm": [],
        "queueing": [],
        "failing": [],
        "other trouble": [],
    }
    for one in windows:
        if not one.limit_cores:
            continue
        bad = (math.fsum(one.failed.values()) + one.slow) / max(1.0, one.arrived)
        kind = "calm"
        if is_troubled(one):
            kind = "other trouble" if not is_held_back(one) else "failing" if fails(one) else "queueing"
        wanted = max(one.used_cores, found.costs.wanted_cores(one, {}))
        kinds[kind].append((wanted / one.limit_cores, 100 * min(1.0, bad)))
    for (kind, points), colour, marker in zip(
        kinds.items(), (COLOURS[2], COLOURS[4], COLOURS[1], QUIET), MARKERS, strict=False
    ):
        if points:
            panel.plot(*zip(*points, strict=True), marker=marker, color=colour, linestyle="none", label=kind)
    onset = found.queueing
    if onset.troubled is not None:
        panel.axvspan(*sorted((onset.calm, onset.troubled)), color="#d8dee4", label="queues begin")
    panel.set(
        xlabel="CPU wanted / limit (failed requests counted as wanted)",
        ylabel="slow or failed requests, %", title="where trouble begins",
    )  # fmt: skip
    panel.legend(fontsize=8)


def _told(panel: Axes, found: Capacity, windows: Sequence[Window]) -> None:
    told = [found.costs.used_cores(one) for one in windows]
    used = [one.used_cores for one in windows]
    high = 1.1 * max([*told, *used, 0.01])
    panel.plot([0, high], [0, high], color=QUIET, linewidth=1)
    panel.plot(told, used, marker="o", markersize=4, color=COLOURS[0], linestyle="none")
    panel.set(
        xlim=(0, high), ylim=(0, high), xlabel="cores told by requests", ylabel="cores used", title="the fit"
    )


def _holds(panel: Axes, found: Capacity) -> None:
    for number, one in enumerate(found.answers):
        label = f"{one.factor:g} times on {one.instances}"
        if one.limit_cores is None:
            panel.barh(label, one.demand_cores, color="white", edgecolor=QUIET, hatch="///")
        else:
            panel.barh(label, one.limit_cores, color=COLOURS[0], alpha=0.35)
            panel.barh(label, one.demand_cores, color=COLOURS[0])
        text = "not answered" if one.limit_cores is None else f"limit {one.limit_cores:g}"
        panel.annotate(
            text,
            (one.limit_cores or one.demand_cores, number),
            (4, -3),
            textcoords="offset points",
            fontsize=8,
        )
    panel.invert_yaxis()
    panel.margins(x=0.25)
    panel.set(xlabel="cores of each instance: wanted (dark), limit (light)", title="what holds today's peak")
