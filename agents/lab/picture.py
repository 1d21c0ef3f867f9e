"""Pictures of the laboratory: drawn without a screen, the same bytes for the same figures.

A picture brings its own background, so it can be read on a light page as on a dark one; an SVG turns
dark by itself where the reader's system does.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

SUFFIXES = (".svg", ".png")
COLOURS = ("#0b5cad", "#b3261e", "#1a7f37", "#8250df", "#9a6700")
"""Told apart by people who see few colours; each also has a marker of its own."""
QUIET = "#6e7781"
MARKERS = ("o", "s", "^", "D", "v")

_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "svg.hashsalt": "undercurrent",
    "svg.fonttype": "path",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#d8dee4",
    "axes.axisbelow": True,
}
_DARK = (
    "<style>@media (prefers-color-scheme: dark) { svg { filter: invert(0.92) hue-rotate(180deg); } }</style>"
)


@contextmanager
def drawing(path: Path, width_inches: float, height_inches: float) -> Iterator[Figure]:
    """Give a figure to draw on, and write it to `path` (.svg or .png) at the end."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width_inches, height_inches), layout="constrained", facecolor="white")
        yield figure
        if path.suffix == ".svg":
            text = io.StringIO()
            figure.savefig(text, format="svg", metadata={"Date": None, "Creator": "undercurrent"})
            head, mark, rest = text.getvalue().partition("<defs>")
            path.write_text(f"{head}{_DARK}\n {mark}{rest}", encoding="utf-8")
        else:
            figure.savefig(path, format="png", dpi=150, metadata={"Software": "undercurrent"})
