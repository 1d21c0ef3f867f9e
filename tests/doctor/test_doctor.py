"""The doctor: what is there is recognised, and what is missing is named with the line that adds it."""

from collections.abc import Iterable
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from agents.cli import main
from agents.recordings.arrivals import lay_out, layout_of
from agents.recordings.envelopes import fluent_bit
from agents.recordings.recording import read_recording
from agents.settings import Topics
from pipeline.doctor import Diagnosis, Look, Outlook, diagnose
from pipeline.intake import IntakeConfig, RawRecord
from pipeline.replay import Arrival
from schemas import Cause, SampleKind

CASCADE = Path(__file__).resolve().parents[2] / "samples" / "cpu_cascade"
NOW_MS = 1_795_425_000_000


@pytest.fixture(scope="module")
def arrivals() -> list[Arrival]:
    """A recording with everything but the container's memory limit."""
    return lay_out(read_recording(CASCADE), layout_of(fluent_bit, True, Topics()))


def looked(records: Iterable[RawRecord]) -> tuple[Look, dict[Cause, Diagnosis], list[str]]:
    """What the doctor says of records."""
    look = Look(IntakeConfig())
    for record in records:
        look.receive(record)
    look.close()
    causes, remarks = diagnose(look, "kafka:9092")
    return look, {one.cause: one for one in causes}, remarks


def only(arrivals: list[Arrival], *groups: str) -> list[RawRecord]:
    """The records of some groups of telemetry."""
    return [one.record for one in arrivals if one.group in groups]


def metric(kind: str, instance: str, second: int, **values: float | None) -> RawRecord:
    """One reading in Undercurrent's own form."""
    body = {"undercurrent_metric": 1, "source": "x", "instance": instance, "kind": kind, "values": values}
    at = NOW_MS / 1000 + second
    value = orjson.dumps({**body, "time": at})
    return RawRecord("registry.metrics", 0, second, round(at * 1000), None, value)


def test_a_full_recording_can_prove_all_but_what_it_lacks(arrivals: list[Arrival]) -> None:
    """Shippers, places, rates and intervals are right; only the memory limit is missed."""
    look, causes, remarks = looked(one.record for one in arrivals)
    assert {(one.topic, one.decoder): one.records for one in look.inputs.values()} == {
        ("registry.logs", "fluent-bit"): 7280,
        ("registry.metrics", "undercurrent-metric"): 723,
        ("dns.logs", "fluent-bit"): 17,
    }
    assert {name for one in look.inputs.values() for name in one.instances} == {"registry-a"}
    assert {name for one in look.inputs.values() for name in one.domains} == {"default"}
    intervals = {one.kind: one.interval_seconds for one in look.readings.values()}
    assert intervals[SampleKind.CPU] == pytest.approx(1, abs=0.05)
    assert intervals[SampleKind.REQUESTS] == pytest.approx(5, abs=0.05)
    assert remarks == []
    outlooks = {cause: one.outlook for cause, one in causes.items()}
    assert outlooks == dict.fromkeys(outlooks, Outlook.PROVABLE) | {Cause.MEMORY_PRESSURE: Outlook.WEAK}
    assert "--only 'registry-a' --brokers kafka:9092" in causes[Cause.MEMORY_PRESSURE].needs[0].snippet


def test_logs_alone_prove_little_and_each_gap_has_its_line(arrivals: list[Arrival]) -> None:
    """Without metrics: storage and memory never, the rest less surely, with a snippet for each."""
    _, causes, _ = looked(only(arrivals, "logs"))
    assert {cause: one.outlook for cause, one in causes.items()} == {
        Cause.CPU_SATURATION: Outlook.WEAK,
        Cause.MEMORY_PRESSURE: Outlook.NEVER,
        Cause.STORAGE_LATENCY: Outlook.NEVER,
        Cause.CLIENT_TIMEOUT: Outlook.WEAK,
        Cause.DNS_OUTAGE: Outlook.WEAK,
    }
    assert "storage_latency can never be proven" in causes[Cause.STORAGE_LATENCY].why
    for cause in (Cause.CPU_SATURATION, Cause.MEMORY_PRESSURE, Cause.STORAGE_LATENCY, Cause.DNS_OUTAGE):
        assert all(need.snippet.startswith("undercurrent ship ") for need in causes[cause].needs)
        assert causes[cause].needs


def test_every_line_it_prints_is_a_command_there_is(arrivals: list[Arrival]) -> None:
    """What is printed to be copied is accepted, up to the point where it would connect."""
    for records in (only(arrivals, "logs"), only(arrivals, "metrics"), []):
        _, causes, _ = looked(records)
        for need in (need for one in causes.values() for need in one.needs):
            if need.snippet.startswith("undercurrent "):
                words = [word.strip("'") for word in need.snippet.split()[1:]]
                shown = CliRunner().invoke(main, [*words, "--help"])
                assert shown.exit_code == 0, shown.output
                assert all(word.split("=")[0] in shown.output for word in words if word.startswith("--"))


def test_nothing_is_said_plainly() -> None:
    """Empty topics: nothing can be found, and how to begin."""
    look, causes, remarks = looked([])
    assert look.records == 0
    assert Outlook.PROVABLE not in {one.outlook for one in causes.values()}
    assert "undercurrent ship logs" in remarks[0]


def test_readings_of_another_name_prove_nothing(arrivals: list[Arrival]) -> None:
    """CPU of `9f1c64be02d7` does not meet the log of `registry-a`: both names are said."""
    metrics = [metric("cpu", "9f1c64be02d7", n, usage_cores=0.9, throttled_ratio=0.9) for n in range(3)]
    _, causes, _ = looked([*only(arrivals, "logs"), *metrics])
    cpu = causes[Cause.CPU_SATURATION]
    assert cpu.outlook is Outlook.NEVER
    assert any("registry-a" in need.text and "9f1c64be02d7" in need.text for need in cpu.needs)


def test_coarse_readings_and_odd_clocks_are_remarked() -> None:
    """A reading a minute is too few; a clock ahead and late records are told in seconds."""
    slow = [metric("cpu", "a", 60 * n, usage_cores=0.9, limit_cores=1, throttled_ratio=0.9) for n in range(4)]
    _, causes, _ = looked(slow)
    assert any("every 60 s" in need.text for need in causes[Cause.CPU_SATURATION].needs)
    ahead = [RawRecord("registry.metrics", 0, 0, NOW_MS - 9_000, None, slow[0].value)]
    assert any("9.0 s ahead" in remark for remark in looked(ahead)[2])
    late = [RawRecord("registry.metrics", 0, 0, NOW_MS + 90_000, None, slow[0].value)]
    assert any("90 s after" in remark for remark in looked(late)[2])


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_whatever_the_bytes_it_goes_on(values: list[bytes]) -> None:
    """Records nobody can read are counted with their reason."""
    look, _, remarks = looked(RawRecord("t", 0, n, NOW_MS, None, value) for n, value in enumerate(values))
    assert look.records == len(values)
    assert sum(one.records for one in look.refused.values()) <= len(values)
    assert all(isinstance(remark, str) for remark in remarks)


def test_the_command_prints_for_people_and_for_programs() -> None:
    """Exit code 1 because something is missing; the JSON says the same."""
    shown = CliRunner().invoke(main, ["doctor", str(CASCADE)])
    assert shown.exit_code == 1, shown.output
    assert "cpu_saturation can be proven" in shown.output
    body = orjson.loads(CliRunner().invoke(main, ["doctor", str(CASCADE), "--json"]).stdout)
    assert {one["cause"]: one["outlook"] for one in body["causes"]}["memory_pressure"] == "weak"
    assert body["inputs"][0]["records_per_second"] == pytest.approx(34, abs=1)
