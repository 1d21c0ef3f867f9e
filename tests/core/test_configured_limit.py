"""A CPU limit that no exporter tells may stand in the rules; the evidence says where it is from.

The recording of a cascade, as an exporter would have written it that knows neither limit nor throttling.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from agents.recordings.arrivals import lay_out, layout_of
from agents.recordings.envelopes import fluent_bit
from agents.recordings.recording import read_recording
from agents.recordings.replay import run
from agents.settings import Settings
from pipeline.replay import Arrival
from schemas import Cause, Incident, Rules

SAMPLE = Path(__file__).parents[2] / "samples" / "cpu_cascade"
UNTOLD = ("cpu_limit_cores", "nr_periods", "nr_throttled", "throttled_seconds")


def knowing_no_limit() -> Iterator[Arrival]:
    settings = Settings()
    for arrival in lay_out(read_recording(SAMPLE), layout_of(fluent_bit, True, settings.topics)):
        value = arrival.record.value or b""
        if b'"source":"cgroup"' in value:
            told = orjson.loads(value)
            for name in UNTOLD:
                told["reading"].pop(name, None)
            arrival = replace(arrival, record=replace(arrival.record, value=orjson.dumps(told)))
        yield arrival


def incident_under(rules: Rules) -> Incident:
    (last,) = run(knowing_no_limit(), Settings().intake_config(), rules).final_changes()
    return last.incident


@pytest.mark.slow
def test_a_configured_limit_fills_in_for_one_that_nobody_tells() -> None:
    """Use at the configured limit proves the cause, and the evidence calls the limit configured."""
    rules = Rules.model_validate({"cpu_limits": ({"instance": "registry-*", "cores": 0.12},)})
    incident = incident_under(rules)
    assert (incident.cause, incident.level) == (Cause.CPU_SATURATION, "container")
    fact = incident.evidence[0]
    assert "of its configured limit of 0.12 cores" in fact.text
    assert fact.values["limit_cores"] == 0.12
    assert "cpu_at_limit" not in {fact.fact for fact in incident_under(Rules()).evidence}


def test_a_limit_that_samples_tell_counts_before_a_configured_one() -> None:
    """Rules fill in for what is missing; they do not overrule what was measured."""
    settings = Settings()
    rules = Rules.model_validate({"cpu_limits": ({"instance": "*", "cores": 64.0},)})
    arrivals = lay_out(read_recording(SAMPLE), layout_of(fluent_bit, True, settings.topics))
    (last,) = run(arrivals, settings.intake_config(), rules).final_changes()
    assert "of its limit of 0.12 cores" in last.incident.evidence[0].text


def test_the_first_entry_that_fits_counts() -> None:
    """Names may hold * and ?; the order of the list decides."""
    entries = ({"instance": "registry-a", "cores": 0.5}, {"instance": "registry-?", "cores": 2.0})
    rules = Rules.model_validate({"cpu_limits": entries})
    assert [rules.configured_cores(name) for name in ("registry-a", "registry-b", "mirror")] == [
        0.5,
        2.0,
        None,
    ]
