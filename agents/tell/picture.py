"""A chart → PNG, for a phone at night: large type, a background of its own, forms beside colours.

The picture brings its background along, so it reads the same in a light and in a dark Slack. Drawn
without a display (Agg) and without pyplot, whose state is global.
"""

import contextlib
import io
import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Any

from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from agents import log
from pipeline.render.chart import Chart, Curve, Panel, Style, Theme, chart
from pipeline.render.clean import cut, visible
from pipeline.render.words import Words, catalogue, clock
from schemas import Change

WIDTH_INCHES, DPI = 6.0, 180
"""1080 pixels wide: three for each point of a phone."""
TITLE_INCHES, PANEL_INCHES, MARK_INCHES, LINE_INCHES, FOOT_INCHES = 1.05, 1.35, 0.25, 0.19, 0.5
TITLE_SIZE, TEXT_SIZE, SMALL_SIZE, FOOTER_SIZE = 14.5, 12, 10.5, 8.5
TITLE_LENGTH = 44
"""Characters of a title that fit in its full size; a longer one is set smaller."""
MARK_LENGTH = 60
"""Characters of a step that fit in its line, a Chinese one counted twice; the rest goes below, once."""
BADGE_SHARE = 0.042
"""Width of a step's number, as a share of the picture's time."""
TICK_SECONDS = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400)
LOG_TIMES = 30.0
"""Latencies that differ by more than this are drawn on a logarithmic scale."""
MARKS_MAX = 12
FIRST_PANEL, CURVES_HEIGHT = 1.25, 0.8
"""The first panel is so much higher, and its curves keep to so much of it: above them stand the numbers."""

LATIN = "DejaVu Sans"
CJK_FAMILIES = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei",
    "Noto Sans CJK JP", "Droid Sans Fallback", "PingFang SC", "Microsoft YaHei",
)  # fmt: skip
"""Of a collection of fonts (Debian's fonts-noto-cjk) matplotlib knows the first one only, the Japanese."""
_CJK_FILE = re.compile(r"cjk|wqy|notosanssc|sourcehan|droidsansfallback|pingfang|msyh", re.IGNORECASE)

COLOURS: dict[Theme, dict[str, str]] = {
    "dark": {
        "ground": "#1b2026", "text": "#eef1f4", "quiet": "#a3adb8", "grid": "#39424d",
        Style.LINE: "#6cb6ff", Style.DASHED: "#6cb6ff", Style.AREA: "#f0a35e", Style.BARS: "#ff7b72",
        Style.HATCHED: "#d2a8ff", Style.HOLLOW: "#eef1f4", "limit": "#ffd866",
    },
    "light": {
        "ground": "#ffffff", "text": "#1b2026", "quiet": "#56606b", "grid": "#d8dee4",
        Style.LINE: "#0550ae", Style.DASHED: "#0550ae", Style.AREA: "#bc5b00", Style.BARS: "#b31d28",
        Style.HATCHED: "#6f42c1", Style.HOLLOW: "#1b2026", "limit": "#7a5c00",
    },
}  # fmt: skip


_log = log.get("slack")


@cache
def cjk_family() -> str | None:
    """A font of this machine with Chinese characters, None if there is none.

    matplotlib remembers which fonts it once found; those installed since are looked for on disk.
    """
    if (family := _known_cjk()) is None:
        for path in filter(_CJK_FILE.search, font_manager.findSystemFonts()):
            with contextlib.suppress(OSError, RuntimeError):  # a file that is no font, or gone
                font_manager.fontManager.addfont(path)
        family = _known_cjk()
    return family


def _known_cjk() -> str | None:
    known = {font.name for font in font_manager.fontManager.ttflist}
    return next((family for family in CJK_FAMILIES if family in known), None)


def can_write(text: str) -> bool:
    """Whether the fonts of this machine have the characters of `text`."""
    return cjk_family() is not None or all(ord(character) < 0x2E80 for character in text)


def drawable(change: Change, words: Words) -> Chart | None:
    """The chart in the language of `words`, or in English where no font has its characters.

    None if nothing was measured of the incident.
    """
    found = chart(change, words)
    if found is None or can_write(found.title):
        return found
    _no_font()
    return chart(change, catalogue("en"))


@cache
def _no_font() -> None:
    """Said once a process."""
    _log.warning(
        "no font has the characters of the language, pictures are in English",
        fix="install a font with Chinese characters, such as Debian's fonts-wqy-microhei, and start again",
    )


def png(drawn: Chart, theme: Theme = "dark") -> bytes:
    """The chart as a PNG of 1080 pixels' width; as high as its panels and steps need."""
    colours = COLOURS[theme]
    marks = [(mark, _wrapped(mark.text)) for mark in drawn.marks[:MARKS_MAX]]
    foot = FOOT_INCHES + sum(MARK_INCHES + LINE_INCHES * (len(lines) - 1) for _, lines in marks)
    ratios = [FIRST_PANEL, *[1.0] * (len(drawn.panels) - 1)]
    height = TITLE_INCHES + PANEL_INCHES * sum(ratios) + foot
    families = [LATIN, *([family] if (family := cjk_family()) else [])]
    figure = Figure(figsize=(WIDTH_INCHES, height), dpi=DPI, facecolor=colours["ground"])
    FigureCanvasAgg(figure)
    text: dict[str, Any] = {"family": families, "color": colours["text"], "parse_math": False}
    _title(figure, drawn, height, text, colours["quiet"])
    grid = figure.subplots(len(ratios), 1, sharex=True, squeeze=False, height_ratios=ratios)
    axes: list[Axes] = list(grid[:, 0])
    bottom = (foot + 0.1) / height
    figure.subplots_adjust(left=0.12, right=0.97, top=1 - TITLE_INCHES / height, bottom=bottom, hspace=0.5)
    end = max([drawn.times[-1] + _step(drawn.times), *(mark.at for mark, _ in marks)])
    for axis, panel in zip(axes, drawn.panels, strict=True):
        _panel(axis, panel, drawn.times, colours, families)
        top = CURVES_HEIGHT if axis is axes[0] else 1.0
        for mark, _ in marks:
            axis.axvline(mark.at, ymax=top, color=colours["quiet"], lw=0.8, ls=(0, (2, 3)))
    _numbers(axes[0], [mark.at for mark, _ in marks], drawn.times[0], end, colours)
    _clock(axes[-1], drawn.times[0], end)
    y = foot - 0.47
    for number, (mark, lines) in enumerate(marks):
        figure.text(0.03, y / height, f"{number + 1}", size=SMALL_SIZE, weight="bold", color=colours["text"])
        figure.text(0.075, y / height, clock(mark.at), size=SMALL_SIZE, **text)
        for line in lines:
            figure.text(0.205, y / height, line, size=SMALL_SIZE, **text)
            y -= LINE_INCHES
        y -= MARK_INCHES - LINE_INCHES
    footer = f"{drawn.footer} · UTC"
    quiet = {**text, "color": colours["quiet"]}
    figure.text(0.97, 0.09 / height, footer, size=FOOTER_SIZE, ha="right", **quiet)
    file = io.BytesIO()
    figure.savefig(file, format="png", facecolor=colours["ground"], metadata={"Software": None})
    return file.getvalue()


def _title(figure: Figure, drawn: Chart, height: float, text: dict[str, Any], quiet: str) -> None:
    """State and cause large, domain and instances below."""
    cause, _, where = visible(drawn.title).partition(" · ")
    size = min(TITLE_SIZE, TITLE_SIZE * TITLE_LENGTH / max(1, _columns(cause)))
    # The Chinese fonts have no bold, and matplotlib would say so each time.
    bold = {**text, "family": LATIN, "weight": "bold"} if cause.isascii() else text
    figure.text(0.03, 1 - 0.18 / height, cause, size=size, va="top", **bold)
    small = min(SMALL_SIZE, SMALL_SIZE * 70 / max(1, _columns(where)))
    figure.text(0.03, 1 - 0.48 / height, where, size=small, va="top", **{**text, "color": quiet})


def _columns(text: str) -> int:
    """How wide a text is: one for each character, two for each of an East Asian width."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _wrapped(text: str) -> list[str]:
    """A step in one line or two, broken at a space or between Chinese characters."""
    if _columns(text) <= MARK_LENGTH:
        return [text]
    at = next(n for n in range(len(text), 0, -1) if _columns(text[:n]) <= MARK_LENGTH)
    space = text.rfind(" ", at // 2, at + 1)
    if space > 0 and unicodedata.east_asian_width(text[at]) not in "WF":
        at = space
    rest = text[at:].lstrip()
    while _columns(rest) > MARK_LENGTH:
        rest = cut(rest, len(rest) - 1)
    return [text[:at].rstrip(), rest]


def _step(times: Sequence[float]) -> float:
    """Seconds from one point to the next."""
    return times[1] - times[0] if len(times) > 1 else 1.0


def _panel(
    axis: Axes, panel: Panel, times: Sequence[float], colours: dict[str, str], families: list[str]
) -> None:
    axis.set_facecolor(colours["ground"])
    floor = [0.0] * len(times)
    for curve in panel.curves:
        floor = _curve(axis, curve, times, floor, colours)
    if panel.limit is not None:
        axis.axhline(panel.limit[0], color=colours["limit"], lw=1.3, ls="--", label=panel.limit[1])
    unit = _scale(axis, panel, max(floor))
    title = f"{panel.title} ({unit})" if unit else panel.title
    for side, spine in axis.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(colours["grid"])
    axis.grid(axis="y", color=colours["grid"], lw=0.6)
    axis.set_axisbelow(True)
    axis.tick_params(colors=colours["quiet"], labelsize=SMALL_SIZE, length=2)
    axis.set_title(title, loc="left", size=TEXT_SIZE, color=colours["text"], family=families, pad=5)
    if panel.unit != "s":
        axis.legend(
            loc="lower right", bbox_to_anchor=(1.0, 0.97), ncols=3, frameon=False, borderaxespad=0.1,
            handlelength=1.6, columnspacing=1.0, labelcolor=colours["text"],
            prop={"family": families, "size": SMALL_SIZE},
        )  # fmt: skip


def _curve(
    axis: Axes, curve: Curve, times: Sequence[float], floor: list[float], colours: dict[str, str]
) -> list[float]:
    """Draw one curve; bars stand on `floor`. Returns what the next bars stand on."""
    colour = colours[curve.style]
    values = [float("nan") if value is None else value for value in curve.values]
    if curve.style is Style.AREA:
        filled = [value or 0.0 for value in curve.values]
        axis.fill_between(times, filled, step="post", color=colour, alpha=0.35, lw=0, label=curve.label)
        return floor
    if curve.style in (Style.LINE, Style.DASHED):
        dashes = "--" if curve.style is Style.DASHED else "-"
        axis.plot(times, values, color=colour, lw=2.0, ls=dashes, drawstyle="steps-post", label=curve.label)
        return floor
    width = _step(times)
    looks: dict[Style, dict[str, Any]] = {
        Style.BARS: {"color": colour, "lw": 0.8, "snap": False},
        Style.HATCHED: {"facecolor": "none", "edgecolor": colour, "hatch": "//////", "lw": 0.0},
        Style.HOLLOW: {"facecolor": "none", "edgecolor": colour, "lw": 0.8, "snap": False},
    }
    axis.bar(times, values, width=width, bottom=floor, align="edge", label=curve.label, **looks[curve.style])
    return [below + (value or 0.0) for below, value in zip(floor, curve.values, strict=True)]


def _scale(axis: Axes, panel: Panel, stacked: float) -> str:
    """Fit the axis to the panel, whose bars reach up to `stacked`; returns the unit its numbers share."""
    values = [value for curve in panel.curves for value in curve.values if value is not None]
    top = max(stacked, *values, 0.0)
    if panel.unit == "%":
        axis.set_ylim(0, max(130.0, 1.2 * min(top, 300.0)))
        axis.set_yticks([0, 50, 100])
        return "%"
    if panel.unit != "s":
        axis.set_ylim(0, 1.2 * top or 1.0)
        axis.locator_params(axis="y", nbins=4)
        return panel.unit
    positive = [value for value in values if value > 0]
    if positive and top > LOG_TIMES * min(positive):
        axis.set_yscale("log")
        axis.yaxis.set_major_locator(LogLocator(numticks=4))
        axis.yaxis.set_major_formatter(lambda value, _: _latency(value))
        axis.minorticks_off()
        return ""
    factor, unit = (1000.0, "ms") if top < 1.0 else (1.0, "s")
    axis.set_ylim(0, 1.15 * top or 1.0)
    axis.locator_params(axis="y", nbins=4)
    axis.yaxis.set_major_formatter(lambda value, _: f"{value * factor:g}")
    return unit


def _latency(seconds: float) -> str:
    """A tick of a logarithmic scale, with its unit."""
    return f"{seconds:g} s" if seconds >= 1.0 else f"{seconds * 1000:g} ms"


def _numbers(axis: Axes, at: Sequence[float], start: float, end: float, colours: dict[str, str]) -> None:
    """The number of each step above its line; of close ones side by side, each tied to its own."""
    low, high = axis.get_ylim()
    axis.set_ylim(low, high / CURVES_HEIGHT)
    width = BADGE_SHARE * (end - start)
    for number, (time, x) in enumerate(zip(at, spread(at, width, start, end), strict=True)):
        axis.annotate(
            f"{number + 1}", (time, CURVES_HEIGHT), (x, 0.93), xycoords=("data", "axes fraction"),
            textcoords=("data", "axes fraction"), annotation_clip=False, clip_on=False,
            ha="center", va="center", size=9, weight="bold", color=colours["ground"],
            bbox={"boxstyle": "circle,pad=0.18", "fc": colours["quiet"], "ec": "none"},
            arrowprops={"arrowstyle": "-", "color": colours["quiet"], "lw": 0.8, "shrinkB": 0},
        )  # fmt: skip


def spread(at: Sequence[float], width: float, start: float, end: float) -> list[float]:
    """Where numbers that need `width` each stand: in order, none over another, as near to `at` as can be.

    Neighbours that would touch become one row around their middle, within `start` and `end` where it fits.
    """
    rows: list[list[float]] = []
    for time in at:
        rows.append([time])
        while len(rows) > 1 and _left(rows[-1], width, start, end) < _left(
            rows[-2], width, start, end
        ) + width * len(rows[-2]):
            rows[-2:] = [rows[-2] + rows[-1]]
    return [_left(row, width, start, end) + width * (n + 0.5) for row in rows for n in range(len(row))]


def _left(row: Sequence[float], width: float, start: float, end: float) -> float:
    """Where a row of numbers begins."""
    wanted = sum(row) / len(row) - width * len(row) / 2
    return max(start - width / 2, min(wanted, end + width / 2 - width * len(row)))


def _clock(axis: Axes, start: float, end: float) -> None:
    """At most six times of day under the last panel."""
    step = next((one for one in TICK_SECONDS if (end - start) / one <= 6), TICK_SECONDS[-1])
    first = -(-start // step) * step
    last = end - 0.05 * (end - start)  # a label further right would be cut off
    ticks = [first + n * step for n in range(int((last - first) // step) + 1)]
    axis.set_xticks(ticks, [clock(at)[: 8 if step < 60 else 5] for at in ticks])
    axis.set_xlim(start, end)
