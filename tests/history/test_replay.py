"""`undercurrent replay` of a span of Kafka and of files: the same as a replay of those records, and calm."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import orjson
from click.testing import CliRunner, Result

from agents.cli import main
from agents.history import FileHistory, groups, kafka_history, read_span
from agents.history.play import Player
from agents.recordings.recording import read_recording
from agents.recordings.replay import json_lines, run
from agents.settings import Settings
from tests.kafka.workers import ROOT, Cluster

SAMPLE = ROOT / "samples" / "cpu_cascade"
SPAN = ("--from", "2026-11-23T09:00", "--to", "+1h")


def invoke(cluster: Cluster, *options: str) -> Result:
    return CliRunner().invoke(main, ["replay", *options], env=cluster.environ)


def test_a_span_of_kafka_gives_what_its_records_give(kafka: str) -> None:
    """Read in runs or one by one, the output is that of the shipped records, byte for byte."""
    with Cluster(kafka, "replayed") as cluster:
        shipped = cluster.ship(read_recording(SAMPLE))
        intake, rules = cluster.settings.intake_config(), cluster.settings.rules
        result = invoke(cluster, *SPAN, "--json", "--changes")
        assert result.exit_code == 0, result.output
        assert result.stdout_bytes.splitlines() == list(json_lines(run(shipped, intake, rules), True))
        with kafka_history(
            cluster.settings, read_span(SPAN[1], SPAN[3], 0), cluster.settings.topics.raw
        ) as history:
            assert run(history.arrivals(), intake, rules) == run(shipped, intake, rules)
        metrics = invoke(cluster, *SPAN, "--json", "--topic", cluster.settings.topics.metrics)
        assert metrics.exit_code == 0
        assert metrics.stdout == ""
        elsewhere = invoke(cluster, *SPAN, "--json", "--domain", "elsewhere")
        assert elsewhere.stdout == ""


def test_what_stands_in_the_way_has_its_exit_code(kafka: str) -> None:
    """An empty span, an unknown topic, a mixture of both ways to name history, options of recordings."""
    with Cluster(kafka, "codes") as cluster:
        assert invoke(cluster, *SPAN).exit_code == 3
        assert invoke(cluster, *SPAN, "--topic", "absent").exit_code == 5
        names = cluster.settings.topics
        assert invoke(cluster, *SPAN, "--topic", names.signals).exit_code == 3
        assert invoke(cluster, *SPAN, "--topic", names.signals, "--topic", names.logs).exit_code == 2
        assert invoke(cluster, "--from", "yesterday").exit_code == 2
        assert invoke(cluster).exit_code == 2
        assert invoke(cluster, *SPAN, "--shuffle", "3").exit_code == 2


def test_standard_input_is_a_history() -> None:
    """A log piped in gives the incident of the same log as a file, under the name of the pipe."""
    log = (SAMPLE / "registry.log").read_bytes()
    result = CliRunner().invoke(main, ["replay", "--json", "-"], input=log)
    assert result.exit_code == 0, result.output
    assert [orjson.loads(line)["instances"] for line in result.stdout_bytes.splitlines()] == [["stdin"]]


def interruptible() -> None:
    """What a shell runs in the background ignores Ctrl-C, and so does everything that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_says_how_far_it_came_and_prints_what_it_found(tmp_path: Path) -> None:
    """Exit code 130; the process had read everything that was there, and waited for more."""
    process = subprocess.Popen(
        [sys.executable, "-m", "agents", "replay", "--json", "-"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        preexec_fn=interruptible,
    )
    assert process.stdin is not None
    log = (SAMPLE / "registry.log").read_bytes()
    process.stdin.write(log)  # more than a pipe holds: when it is written, it has been read
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert b"interrupted at 2026-11-23T09:" in err
    assert all(orjson.loads(line)["v"] for line in out.splitlines())


def test_a_player_that_is_left_in_the_middle_says_what_it_has() -> None:
    """Part of the records, and an outcome that can be printed."""
    settings = Settings()
    history = FileHistory([SAMPLE / "registry.log"], settings.topics.logs, groups(settings), 1_795_500_000.0)
    player = Player(history, settings.intake_config(), settings.rules)
    steps = player.steps()
    for _ in range(100):
        next(steps)
    found = player.outcome()
    assert 0 < found.counts.received <= player.records < 7010
    assert player.event_time is not None
