"""The curves of an incident: drawn and told from what the incident carries, and nothing beside it."""

import re

import pytest

from pipeline.page.plot import HEIGHT, WIDTH, plots_of
from pipeline.page.timeline import timeline
from pipeline.render.words import catalogue
from schemas import Incident, Series
from tests.page.records import book_of, replayed
from tests.page.test_book import NOW, answers

WORDS = catalogue("en")


def incident_with(name: str, *values: float | None, step: int = 10) -> Incident:
    """An incident with one curve that begins at 1,000."""
    series = Series(name=name, instance="registry-a", start=1000.0, step_seconds=step, values=values)
    return replayed("cpu_cascade").incidents[0].model_copy(update={"series": (series,)})


def test_the_cascade_is_drawn_as_it_was_measured() -> None:
    """CPU against its limit, throttling, failures, storage and what became of DNS errors, each counted."""
    incident = replayed("cpu_cascade").incidents[0]
    drawn = plots_of(incident, WORDS, incident.series[0].start, incident.series[0].start + 400)
    assert drawn is not None
    assert [(plot.title, plot.said) for plot in drawn.plots] == [
        ("CPU", "periods throttled up to 100 %; use, of its limit up to 151 %"),
        ("Requests", "failed 270 in the time shown; slow 233 in the time shown"),
        ("Storage, p95 at its own side", "p95 up to 22 ms"),
        ("DNS errors", "suppressed 17 in the time shown"),
    ]
    assert drawn.plots[0].limit is not None
    rows = dict(drawn.rows())
    assert 50 < len(rows) <= len(incident.series[0].values)  # no row where nothing was measured
    failed = next(one for one in incident.series if one.name == "failed")
    told = [cells[2] for cells in rows.values()]
    assert sum(bool(one) for one in told) == sum(bool(one) for one in failed.values)


def test_a_line_breaks_where_nothing_is_known() -> None:
    """A gap is no zero, and a single reading is still to be seen."""
    drawn = plots_of(incident_with("storage_seconds", 0.1, None, 0.2, 0.2, None), WORDS, 1000, 1050)
    assert drawn is not None
    (curve,) = drawn.plots[0].curves
    assert curve.path.count("M") == 2
    assert curve.path.startswith("M0.0 ")
    assert curve.texts == ("100 ms", "", "200 ms", "200 ms", "")


def test_counts_stand_on_each_other() -> None:
    """What failed and what was slow in one step are as high as both together."""
    incident = incident_with("failed", 10, 0, 20)
    slow = incident.series[0].model_copy(update={"name": "slow", "values": (10, 30, 0)})
    both = incident.model_copy(update={"series": (*incident.series, slow)})
    drawn = plots_of(both, WORDS, 1000, 1030)
    assert drawn is not None
    failed, slower = drawn.plots[0].curves
    assert failed.said == "30 in the time shown"
    top = re.findall(r"V([0-9.]+)H", slower.path)
    assert float(top[0]) == pytest.approx(HEIGHT * (1 - 2 / (3 * 1.08)), abs=0.1)
    assert f"M0.0 {HEIGHT:.1f}" in failed.path
    assert f"M0.0 {HEIGHT:.1f}" not in slower.path


def test_everything_lies_within_the_timeline() -> None:
    """Marks, steps and curves share one scale of time."""
    outcome = replayed("cpu_cascade")
    view = answers(book_of(*outcome.changes)).incident(outcome.incidents[0].id, NOW)
    made = timeline(view, WORDS)
    assert made is not None
    assert made.curves is not None
    paths = " ".join(curve.path for plot in made.curves.plots for curve in plot.curves)
    across = [float(x) for x in re.findall(r"[ML]([0-9.-]+) ", paths)]
    assert 0 <= min(across) < max(across) <= WIDTH
    steps = [lane for lane in made.lanes if lane.code == "step"]
    assert len(made.verticals) == len(steps[0].marks)


def test_an_incident_without_curves_has_a_timeline_without_them() -> None:
    """Older incidents carry none."""
    outcome = replayed("cpu_cascade")
    bare = {"incident": outcome.incidents[0].model_copy(update={"series": ()})}
    changes = [one.model_copy(update=bare) for one in outcome.changes]
    made = timeline(answers(book_of(*changes)).incident(outcome.incidents[0].id, NOW), WORDS)
    assert made is not None
    assert made.curves is None
