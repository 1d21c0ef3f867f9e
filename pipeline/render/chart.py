"""An incident's timeline as a chart: which panels, curves and marks it has, and how it is said in words.

Nothing is drawn here (agents/tell/picture.py does), so that the picture and the text that stands for it
come from the same content.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from pipeline.render.clean import cut, visible
from pipeline.render.story import Moment, headline, impact, steps_of
from pipeline.render.words import Words, clock
from schemas import Cause, Change, Incident, IncidentState, Series

ALT_MAX = 1000
"""Slack's limit of an alternative text, in characters (files.getUploadURLExternal, `alt_txt`)."""
MARK_LENGTH = 110

Theme = Literal["dark", "light"]
"""Background of the picture."""


class Style(StrEnum):
    """How a curve is drawn; each differs from the others in form, not only in colour."""

    LINE = "line"
    DASHED = "dashed"
    AREA = "area"
    BARS = "bars"
    HATCHED = "hatched"
    HOLLOW = "hollow"


@dataclass(frozen=True, slots=True)
class Curve:
    """One curve: `values[n]` belongs to `times[n]`, unix seconds; None where nothing is known."""

    label: str
    style: Style
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """Curves that share a unit. `unit`: `%`, `s` or `/s`. `limit`: a value that is marked, with its label."""

    title: str
    unit: str
    curves: tuple[Curve, ...]
    limit: tuple[float, str] | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """All that is drawn. `times`: where the points lie, unix seconds; `marks`: the steps, by time."""

    title: str
    times: tuple[float, ...]
    panels: tuple[Panel, ...]
    marks: tuple[Moment, ...]
    footer: str
    alt: str


def chart(change: Change, words: Words) -> Chart | None:
    """The chart of the incident as it stands after `change`; None if nothing was measured of it."""
    incident = change.incident
    if not incident.series:
        return None
    known = {one.name: one for one in incident.series}
    times = times_of(incident)
    panels = panels_of(incident, words)
    marks = _marks(incident, words)
    return Chart(
        title=headline(incident, words),
        times=times,
        panels=panels,
        marks=marks,
        footer=words("footer", incident=incident.id),
        alt=_alt(incident, times, known, marks, words),
    )


def times_of(incident: Incident) -> tuple[float, ...]:
    """Where the points of an incident's curves begin, unix seconds; nothing if it has none."""
    if not incident.series:
        return ()
    first = incident.series[0]
    return tuple(first.start + n * first.step_seconds for n in range(len(first.values)))


def panels_of(incident: Incident, words: Words) -> tuple[Panel, ...]:
    """What was measured of an incident; nothing if it has no curves."""
    known = {one.name: one for one in incident.series}
    panels = (
        _cpu(known, incident, words),
        _memory(known, incident, words),
        _requests(known, words),
        _storage(known, words),
        _dns(known, words),
    )
    return tuple(panel for panel in panels if panel is not None)


def _cpu(known: dict[str, Series], incident: Incident, words: Words) -> Panel | None:
    ever = any(_values(known, "throttled_ratio"))
    label = "curve.throttled" if ever else "curve.unthrottled"
    throttled = [_ratio(known, "throttled_ratio", label, Style.AREA, words)]
    used = None
    if incident.level != "host":  # where the host is out of CPU the container's own limit says nothing
        used = _ratio(known, "cpu_ratio", "curve.cpu", Style.LINE, words)
    limit = (100.0, words("curve.limit")) if used else None
    if used is None:
        used = _ratio(known, "pressure_ratio", "curve.pressure", Style.LINE, words)
    curves = tuple(one for one in (*throttled, used) if one is not None)
    return Panel(words("panel.cpu"), "%", curves, limit) if curves else None


def _memory(known: dict[str, Series], incident: Incident, words: Words) -> Panel | None:
    """Shown only where memory is the cause: elsewhere it is one more thing to look at."""
    curve = _ratio(known, "memory_ratio", "curve.memory", Style.LINE, words)
    if curve is None or incident.cause is not Cause.MEMORY_PRESSURE:
        return None
    return Panel(words("panel.memory"), "%", (curve,), (100.0, words("curve.limit")))


def _requests(known: dict[str, Series], words: Words) -> Panel | None:
    curves = _counts(known, (("failed", Style.BARS), ("slow", Style.HATCHED)), words)
    return Panel(words("panel.requests"), "/s", curves) if curves else None


def _storage(known: dict[str, Series], words: Words) -> Panel | None:
    series = known.get("storage_seconds")
    if series is None:
        return None
    return Panel(words("panel.storage"), "s", (Curve(words("curve.storage"), Style.LINE, series.values),))


def _dns(known: dict[str, Series], words: Words) -> Panel | None:
    """Failed lookups by what became of them; those not ruled on yet are held."""
    failed = known.get("dns_failed")
    if failed is None:
        return None
    ruled = [known[name].values for name in ("dns_suppressed", "dns_released") if name in known]
    held = tuple(
        max(0.0, (value or 0) - sum(values[n] or 0 for values in ruled)) / failed.step_seconds
        for n, value in enumerate(failed.values)
    )
    curves = _counts(known, (("dns_suppressed", Style.HATCHED), ("dns_released", Style.BARS)), words)
    if any(held):
        curves = (*curves, Curve(words("curve.dns_held"), Style.HOLLOW, held))
    return Panel(words("panel.dns"), "/s", curves) if curves else None


def _ratio(known: dict[str, Series], name: str, label: str, style: Style, words: Words) -> Curve | None:
    series = known.get(name)
    if series is None:
        return None
    return Curve(
        words(label), style, tuple(None if value is None else 100.0 * value for value in series.values)
    )


def _counts(known: dict[str, Series], wanted: Iterable[tuple[str, Style]], words: Words) -> tuple[Curve, ...]:
    """Events per second; a kind of which none was seen is left out."""
    return tuple(
        Curve(
            words(f"curve.{name}"),
            style,
            tuple((value or 0) / series.step_seconds for value in series.values),
        )
        for name, style in wanted
        if (series := known.get(name)) is not None and any(series.values)
    )


def _marks(incident: Incident, words: Words) -> tuple[Moment, ...]:
    """The steps of the cascade and those of the incident itself, by time."""
    own: list[Moment] = []
    if incident.verdict_at is not None:
        own.append(Moment(incident.verdict_at, words("mark.verdict")))
    if incident.state is IncidentState.RESOLVED and incident.resolved_at is not None:
        own.append(Moment(incident.resolved_at, words("mark.over")))
    marks = sorted((*steps_of(incident, words), *own), key=lambda mark: mark.at)
    return tuple(Moment(mark.at, cut(visible(mark.text), MARK_LENGTH)) for mark in marks)


def _alt(
    incident: Incident,
    times: tuple[float, ...],
    known: dict[str, Series],
    marks: tuple[Moment, ...],
    words: Words,
) -> str:
    """What the picture shows, for who cannot see it: each curve's highest value, then the steps."""
    start, end = words.time(times[0]), words.time(times[-1] + known[next(iter(known))].step_seconds)
    parts = [words("alt.title", headline=headline(incident, words), start=start, end=end)]
    for name in ("cpu_ratio", "throttled_ratio"):
        peak = max((value for value in _values(known, name)), default=None)
        if peak is not None:
            parts.append(words(f"alt.{name}", share=words("percent", n=round(100 * peak))))
    if peak := max(_values(known, "storage_seconds"), default=None):
        parts.append(words("alt.storage_seconds", p95=_latency(peak, words)))
    parts.append(impact(incident.impact, words))
    for name in ("dns_failed", "dns_suppressed"):
        if total := sum(_values(known, name)):
            parts.append(words(f"alt.{name}", n=words.number(int(total))))
    parts += [f"{clock(mark.at)} {mark.text}" for mark in marks]
    return cut(visible(words("alt.between").join(parts)), ALT_MAX)


def _latency(seconds: float, words: Words) -> str:
    return (
        words("latency.ms", n=round(1000 * seconds))
        if seconds < 1
        else words("latency.s", n=f"{seconds:.1f}")
    )


def _values(known: dict[str, Series], name: str) -> list[float]:
    series = known.get(name)
    return [] if series is None else [value for value in series.values if value is not None]
