"""`undercurrent replay`: what it promises to readers of its JSON Lines, and what it must not depend on."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from agents.commands.replay import replay as command
from agents.recordings.arrivals import lay_out, layout_of
from agents.recordings.envelopes import fluent_bit
from agents.recordings.recording import read_recording
from agents.recordings.replay import FORMAT_VERSION, Perturbation, perturb
from agents.settings import Topics
from pipeline.intake import IntakeConfig, RawRecord
from pipeline.replay import Arrival, Replayer, closing_time, replay
from schemas import Change, DeadLetterReason, IncidentState, Rules
from tests.replay.folder import START, cancelled, cpu, make

ROOT = Path(__file__).parents[2]
CASCADE, OUTAGE, MIXED = (ROOT / "samples" / name for name in ("cpu_cascade", "dns_outage_direct", "mixed"))
Line = dict[str, Any]


def invoke(path: Path, *options: str) -> Result:
    return CliRunner().invoke(command, [str(path), *options])


def lines(path: Path, *options: str) -> list[Line]:
    result = invoke(path, "--json", *options)
    assert result.exit_code == 0, result.output
    return [orjson.loads(line) for line in result.stdout_bytes.splitlines()]


def of(kind: str, found: list[Line]) -> list[Line]:
    return [line for line in found if line["type"] == kind]


def without_origins(value: Any) -> Any:
    """Leave out which records stand for a number or an example: of equal copies, any may."""
    if isinstance(value, dict):
        return {name: without_origins(value[name]) for name in value.keys() - {"origins", "exemplars"}}
    return [without_origins(part) for part in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def mixed() -> list[Line]:
    return lines(MIXED, "--changes")


def test_the_samples_are_judged_as_their_truth_says() -> None:
    """One incident per true one, on its instance and with its cause."""
    truth = orjson.loads((ROOT / "samples/truth.json").read_bytes())
    for path in (CASCADE, OUTAGE, MIXED):
        expected = sorted((true["instance"], true["cause"]) for true in truth[path.name]["incidents"])
        found = of("incident", lines(path))
        assert sorted((*incident["instances"], incident["cause"]) for incident in found) == expected


def test_every_line_has_exactly_the_documented_keys(mixed: list[Line]) -> None:
    """docs/replay.md lists every key of each type of line, and no key that is not there."""
    text = (ROOT / "docs/replay.md").read_text(encoding="utf-8")
    assert {line["type"] for line in mixed} == {"change", "incident", "decision"}
    for kind in ("incident", "decision", "change"):
        section = text.split(f'### `"type": "{kind}"`')[1].split("\n## ")[0].split("\n### ")[0]
        cells = [row.split("|")[1] for row in section.splitlines() if row.startswith("| `")]
        documented = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
        for line in of(kind, mixed):
            assert set(line) == {"v", "type", *documented}


def test_nested_objects_have_exactly_the_documented_keys(mixed: list[Line]) -> None:
    """The keys of evidence, rivals, steps, advice and impact are as documented, on every object."""
    expected = {
        "evidence": {"fact", "text", "instance", "values", "at", "origins"},
        "rejected": {"cause", "standing", "reason", "text", "values", "origins"},
        "timeline": {"at", "step", "text", "instance"},
        "advice": {"advice", "text", "values"},
        "exemplars": {"origin", "text"},
    }
    text = (ROOT / "docs/replay.md").read_text(encoding="utf-8")
    for name, keys in expected.items():
        parts = [part for incident in of("incident", mixed) for part in incident[name]]
        assert parts
        assert all(set(part) == keys for part in parts)
        row = next(row for row in text.splitlines() if row.startswith(f"| `{name}`"))
        assert keys <= set(re.findall(r"`(\w+)`", row))
    row = next(row for row in text.splitlines() if row.startswith("| `impact`"))
    assert set(re.findall(r"`(\w+)`", row.split("object:")[1])) == set(of("incident", mixed)[0]["impact"])


def test_lines_are_versioned_and_in_their_order(mixed: list[Line]) -> None:
    """Changes, then incidents by their first symptom, then decisions by symptom; times are numbers."""
    assert {line["v"] for line in mixed} == {FORMAT_VERSION}
    kinds = [line["type"] for line in mixed]
    assert kinds == sorted(kinds, key=["change", "incident", "decision"].index)
    incidents, decisions = of("incident", mixed), of("decision", mixed)
    assert incidents == sorted(incidents, key=lambda line: (line["first_symptom_at"], line["id"]))
    assert decisions == sorted(decisions, key=lambda line: (line["symptom_at"], line["id"]))
    for incident in incidents:
        assert incident["first_symptom_at"] <= incident["verdict_at"]
        assert isinstance(incident["resolved_at"], float)


def test_incidents_are_given_in_their_final_form(mixed: list[Line]) -> None:
    """An incident's line is the incident of its last change, and it is over."""
    for incident in of("incident", mixed):
        last = max(
            (line for line in of("change", mixed) if line["incident"]["id"] == incident["id"]),
            key=lambda line: int(line["seq"]),
        )
        assert {"v": 1, "type": "incident", **last["incident"]} == incident
        assert incident["state"] == IncidentState.RESOLVED


def test_changes_are_printed_only_on_demand() -> None:
    """Without `--changes` there are two types of lines."""
    assert {line["type"] for line in lines(OUTAGE)} == {"incident", "decision"}


def test_equal_commands_give_equal_bytes() -> None:
    """Nothing but the recording and the options has a say."""
    options = ("--json", "--changes", "--shuffle", "5", "--duplicate", "0.2", "--seed", "7")
    assert invoke(OUTAGE, *options).stdout_bytes == invoke(OUTAGE, *options).stdout_bytes


@pytest.mark.parametrize(
    "options",
    [
        ("--shuffle", "8", "--seed", "1"),
        ("--shuffle", "8", "--seed", "2"),
        ("--duplicate", "0.1", "--seed", "1"),
        ("--duplicate", "1"),
        ("--shuffle", "8", "--duplicate", "0.5", "--seed", "3"),
    ],
)
def test_order_within_the_lateness_and_duplicates_do_not_matter(
    mixed: list[Line], options: tuple[str, ...]
) -> None:
    """Every change, incident and decision is the same, word for word; only an origin may be a copy's."""
    assert without_origins(lines(MIXED, "--changes", *options)) == without_origins(mixed)


def test_a_verdict_does_not_hang_on_the_metrics_interval_or_delay() -> None:
    """Samples every ten seconds, or 45 s late, still name the starved container."""
    for options in (("--metrics-interval", "10"), ("--metrics-delay", "45")):
        (incident,) = of("incident", lines(CASCADE, *options))
        assert (incident["cause"], incident["instances"]) == ("cpu_saturation", ["registry-a"])


def test_sources_can_be_left_out() -> None:
    """Without the logs nothing failed; without the resolver's lines nothing is held."""
    without_logs = lines(CASCADE, "--sources", "dns,metrics,storage,registry")
    assert of("incident", without_logs) == []
    assert of("decision", lines(CASCADE, "--sources", "logs,metrics,storage,registry")) == []


def test_a_domain_can_be_named() -> None:
    """The name given is the domain of everything."""
    assert {line["domain"] for line in lines(OUTAGE, "--domain", "eu-1")} == {"eu-1"}
    assert {line["domain"] for line in lines(OUTAGE)} == {"default"}


def test_a_settings_file_counts_and_the_environment_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings come from `--config` alone."""
    monkeypatch.setenv("UNDERCURRENT_DEFAULT_DOMAIN", "from-the-environment")
    assert {line["domain"] for line in lines(OUTAGE)} == {"default"}
    config = tmp_path / "settings.yaml"
    config.write_text("default_domain: from-the-file\n")
    assert {line["domain"] for line in lines(OUTAGE, "--config", str(config))} == {"from-the-file"}
    config.write_text("rules:\n  bursts: 1\n")
    refused = invoke(OUTAGE, "--config", str(config))
    assert refused.exit_code == 2
    assert "settings.yaml:2" in refused.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--sources", "logs,traces"), "expected any of logs, dns, metrics, storage, registry"),
        (("--sources", ","), "expected any of"),
        (("--duplicate", "2"), "0<=x<=1"),
        (("--shuffle", "-1"), "x>=0"),
        (("--metrics-interval", "0"), "x>0"),
        (("--as", "pigeon"), "fluent-bit"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_said_in_words(options: tuple[str, ...], words: str) -> None:
    """The message names what would have been right."""
    result = invoke(OUTAGE, *options)
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_folder_that_is_no_recording_is_exit_code_2(tmp_path: Path) -> None:
    """The message names what was looked for; stdout stays empty for whoever reads it."""
    result = invoke(tmp_path, "--json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "looked for plan_<instance>.json" in result.stderr


def test_missing_files_are_a_note_on_stderr(tmp_path: Path) -> None:
    """JSON Lines on stdout stay clean."""
    result = invoke(make(tmp_path, {"registry.log": cancelled(1, "r1")}), "--json")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "note: registry-a: no metrics.jsonl" in result.stderr


def test_people_get_the_incident_and_a_table() -> None:
    """Without `--json` the incident is shown as Slack would, and what went in is counted."""
    result = invoke(OUTAGE)
    assert result.exit_code == 0
    assert "DNS outage" in result.stdout
    assert re.search(r"request_cancelled", result.stdout)
    assert "No incident." in invoke(OUTAGE, "--sources", "metrics").stdout


def arrivals(path: Path) -> list[Arrival]:
    layout = layout_of(fluent_bit, True, Topics())
    return perturb(lay_out(read_recording(path), layout), Perturbation())


def test_the_generator_and_the_replayer_say_the_same() -> None:
    """`replay` is the Replayer driven to its end."""
    recorded = arrivals(OUTAGE)
    replayer = Replayer(IntakeConfig(), Rules())
    outputs = [output for arrival in recorded for output in replayer.receive(arrival)]
    outputs += replayer.finish()
    assert outputs == list(replay(recorded, IntakeConfig(), Rules()))
    assert replayer.counts.received == len(recorded)
    assert replayer.event_time is not None
    assert replayer.event_time >= recorded[-1].at


def test_changes_come_while_it_happens() -> None:
    """An incident is opened long before the recording ends, and event time never goes back."""
    recorded = arrivals(OUTAGE)
    replayer = Replayer(IntakeConfig(), Rules())
    opened_at: Callable[[], float] = lambda: next(  # noqa: E731 - read on the spot
        arrival.at
        for arrival in recorded
        if any(isinstance(output, Change) for output in replayer.receive(arrival))
    )
    assert opened_at() < recorded[-1].at - 30


def test_broken_lines_are_counted_as_dead_letters(tmp_path: Path) -> None:
    """What the recording holds that nobody can read is accounted for, and the rest is replayed."""
    folder = make(tmp_path, {"metrics.jsonl": f'{cpu(0)}\n{{"ts": 17954\n{cpu(1)}'})
    replayer = Replayer(IntakeConfig(), Rules())
    for arrival in arrivals(folder):
        replayer.receive(arrival)
    replayer.finish()
    assert [letter.reason for letter in replayer.dead_letters] == [DeadLetterReason.UNDECODABLE]
    assert replayer.counts.dead_letters == {DeadLetterReason.UNDECODABLE: 1}
    assert replayer.counts.samples == {"cpu": 2}


def test_nothing_in_gives_nothing_out() -> None:
    """No records, or records that bear no time, are no error."""
    assert list(replay([], IntakeConfig(), Rules())) == []
    record = RawRecord("registry.logs", 0, 0, None, None, b"\xff\xfe")
    assert list(replay([Arrival(START, record)], IntakeConfig(), Rules())) == []


def test_the_closing_time_covers_every_wait() -> None:
    """It is later than all waits of the rules one after the other."""
    rules = Rules(lateness_seconds=1, hold_seconds=100, evidence_grace_seconds=1000, retention_seconds=60)
    assert closing_time(START, rules) >= START + 1 + 100 + 1000 + 60 + rules.lifecycle.resolved_after_seconds
