"""Curves: few points however long an incident lasts, and the same after a restart."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.recordings.arrivals import lay_out, layout_of
from agents.recordings.envelopes import fluent_bit
from agents.recordings.recording import read_recording
from agents.recordings.replay import run
from agents.settings import Settings
from pipeline.core.curves import COUNTS, POINTS_MAX, Curves
from schemas import Incident, Series

SAMPLES = Path(__file__).parents[2] / "samples"


def final(name: str) -> Incident:
    settings = Settings()
    arrivals = lay_out(read_recording(SAMPLES / name), layout_of(fluent_bit, True, settings.topics))
    return run(arrivals, settings.intake_config(), settings.rules).final_changes()[0].incident


@pytest.fixture(scope="module")
def cascade() -> Incident:
    return final("cpu_cascade")


def curve(incident: Incident, name: str) -> Series:
    return next(one for one in incident.series if one.name == name)


def test_the_curves_of_a_cascade_show_it(cascade: Incident) -> None:
    """CPU reaches its limit before the first request fails, and leaves it after the last."""
    cpu, failed = curve(cascade, "cpu_ratio"), curve(cascade, "failed")
    at_limit = [n for n, value in enumerate(cpu.values) if value is not None and value > 0.95]
    failing = [n for n, value in enumerate(failed.values) if value]
    assert at_limit[0] < failing[0] <= failing[-1] <= at_limit[-1] + 3
    assert failed.start + failing[0] * failed.step_seconds <= cascade.first_symptom_at
    assert cascade.first_symptom_at < failed.start + (failing[0] + 1) * failed.step_seconds


def test_counts_are_those_of_the_incident(cascade: Incident) -> None:
    """What the curves count is what the message says."""
    assert sum(curve(cascade, "failed").values) == cascade.impact.requests_failed
    assert sum(curve(cascade, "dns_suppressed").values) == cascade.suppressed
    assert cascade.released == 0
    assert "dns_released" not in [one.name for one in cascade.series]


def test_curves_share_their_axis(cascade: Incident) -> None:
    """Every curve begins with the same second and has the same points."""
    assert all(
        (one.start, one.step_seconds, len(one.values), one.instance)
        == (other.start, other.step_seconds, len(other.values), other.instance)
        for one, other in pairwise(cascade.series)
    )


@given(st.lists(st.tuples(st.integers(0, 100_000), st.integers(1, 9)), min_size=1, max_size=60))
def test_a_day_has_no_more_points_than_a_minute(events: list[tuple[int, int]]) -> None:
    """However long it lasts the curve is bounded, and no event is lost or counted twice."""
    curves = Curves("registry-a", 1_000, 1_000)
    for second, count in events:
        curves.note("dns_suppressed", 1_000 + second, count)
    (shown,) = curves.show()
    assert len(shown.values) <= POINTS_MAX
    assert sum(value or 0 for value in shown.values) == sum(count for _, count in events)


@given(st.lists(st.integers(0, 5_000), min_size=1, max_size=40), st.integers(0, 40))
def test_a_restart_draws_on(seconds: list[int], stop: int) -> None:
    """Stored as JSON and restored at any point, the curves end up the same."""
    through, stored = Curves("a", 0, 0), Curves("a", 0, 0)
    for number, second in enumerate(seconds):
        if number == stop:
            stored = Curves.restore(json.loads(json.dumps(stored.snapshot())))
        through.note("dns_released", second, 1)
        stored.note("dns_released", second, 1)
    assert through.show() == stored.show()


def test_counts_have_no_gaps_and_readings_do(cascade: Incident) -> None:
    """No event is a zero; no reading is not known."""
    for one in cascade.series:
        assert (None in one.values) == (one.name not in COUNTS)
