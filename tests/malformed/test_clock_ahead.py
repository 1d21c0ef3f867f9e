"""One line whose time lies ahead is kept for its time, and makes nothing else late."""

import re
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from agents.recordings.arrivals import lay_out, layout_of
from agents.recordings.envelopes import fluent_bit
from agents.recordings.recording import read_recording
from agents.recordings.replay import Perturbation, perturb, run
from agents.settings import Settings
from pipeline.replay import Arrival, in_order

SETTINGS = Settings()
CONFIG = SETTINGS.intake_config()
SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "cpu_cascade"


@pytest.mark.parametrize(("year", "dead_letters"), [("2026-11-23T23", 0), ("2099-01-01T00", 1)])
def test_a_line_from_the_future_makes_nothing_late(year: str, dead_letters: int) -> None:
    """A line that was written hours before its own time, or decades, changes no number of the incident."""
    layout = layout_of(fluent_bit, True, SETTINGS.topics)
    # Without markers: a shipper that declares its progress would hide the effect.
    good = perturb(lay_out(read_recording(SAMPLE), layout), Perturbation())
    real = next(one for one in good if b"RequestCanceled" in (one.record.value or b""))
    body = orjson.loads(real.record.value or b"")
    body["log"] = re.sub(r'time="[^"]*"', f'time="{year}:50:00Z"', body["log"])
    ahead = replace(real.record, offset=1_000_000, value=orjson.dumps({**body, "time": f"{year}:50:00Z"}))

    clean = run(good, CONFIG, SETTINGS.rules)
    dirty = run(in_order([*good, Arrival(real.at, ahead)]), CONFIG, SETTINGS.rules)

    assert clean.incidents[0].impact.requests_failed > 100
    assert [incident.impact for incident in dirty.incidents] == [
        incident.impact for incident in clean.incidents
    ]
    assert [incident.late for incident in dirty.incidents] == [0]
    assert sum(dirty.counts.dead_letters.values()) == dead_letters
