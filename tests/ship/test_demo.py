"""The demo: the real worker over the embedded broker says what a replay says, and nothing stays behind."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from confluent_kafka import Producer

from agents.broker import API_VERSION, PARTITIONS, embedded_broker
from agents.commands.demo import demo
from agents.demo import (
    DemoError,
    Worker,
    demo_environment,
    last_changes,
    running_worker,
    wait_for_the_end,
)
from agents.recordings.arrivals import lay_out, layout_of
from agents.recordings.envelopes import fluent_bit
from agents.recordings.recording import read_recording
from agents.recordings.replay import Perturbation, perturb, run
from agents.recordings.ship import MAX_SPEED, Pacer, Shipment, shipper
from agents.settings import Settings, Topics
from schemas import Change, ChangeKind, encode
from tests.replay.folder import cpu, make

ROOT = Path(__file__).parents[2]
SHORT = ROOT / "corpus/recordings/debug_level_sample.tar.xz"
NO_SLACK = {name: value for name, value in os.environ.items() if "SLACK" not in name}


@pytest.fixture
def changes() -> list[Change]:
    layout = layout_of(fluent_bit, True, Topics())
    recorded = perturb(lay_out(read_recording(ROOT / "samples/dns_outage_direct"), layout), Perturbation())
    return list(run(recorded, Settings().intake_config(), Settings().rules).changes)


@pytest.mark.slow
def test_the_worker_says_what_a_replay_says() -> None:
    """The same recording gives the same incidents, id for id and fact for fact, live and replayed."""
    recording = read_recording(SHORT)
    shipment = Shipment(recording, fluent_bit, split=True)
    with (
        embedded_broker() as brokers,
        running_worker(demo_environment(NO_SLACK, brokers)) as worker,
        shipper(brokers, 10, API_VERSION) as connected,
    ):
        worker.wait_until_ready()
        topics, rules = worker.settings.topics, worker.settings.rules
        arrivals = shipment.arrivals(topics, connected.partitions(topics), rules)
        connected.ship(arrivals, Pacer(MAX_SPEED), lambda _: None)
        live = wait_for_the_end(worker, shipment.end(rules), 60)
    layout = layout_of(fluent_bit, True, Topics())
    settings = Settings()
    replayed = run(perturb(lay_out(recording, layout), Perturbation()), settings.intake_config(), rules)
    assert [change.incident for change in live] == list(replayed.incidents)
    assert len(live) == 1


@pytest.mark.slow
def test_the_demo_shows_the_incident_and_ends_its_worker() -> None:
    """Exit code 0, the verdict as Slack would show it, and no process left."""
    done = _demo(str(SHORT), "--speed", "max")
    assert done.returncode == 0, done.stderr
    assert "CPU saturation" in done.stdout
    assert not _is_alive(_worker_of(done.stdout))


@pytest.mark.slow
def test_a_demo_without_an_incident_fails(tmp_path: Path) -> None:
    """Exit code 1 when a recording holds nothing to find."""
    done = _demo(str(make(tmp_path, {"metrics.jsonl": "\n".join(cpu(second) for second in range(5))})))
    assert done.returncode == 1
    assert "no incident with a verdict came out" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_ends_its_worker(number: signal.Signals) -> None:
    """Ctrl-C, or being told to stop, ends the worker as well."""
    process = subprocess.Popen(
        [sys.executable, "-m", "agents", "demo", str(SHORT), "--speed", "1"],
        cwd=ROOT,
        env=NO_SLACK,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        shown = ""
        while "process" not in shown:
            line = process.stdout.readline()
            assert line, "the demo ended early"
            shown += line
        assert _is_alive(_worker_of(shown))
        process.send_signal(number)
        assert process.wait(20) != 0
        assert not _is_alive(_worker_of(shown))
    finally:
        process.kill()
        process.communicate()


def test_a_worker_that_dies_is_told_with_its_last_words() -> None:
    """The demo does not wait for a process that has ended."""
    with tempfile.NamedTemporaryFile() as output:
        process = subprocess.Popen([sys.executable, "-c", "print('boom'); exit(3)"], stdout=output)
        process.wait(10)
        with pytest.raises(DemoError, match="exit code 3\nboom"):
            Worker(process, output, Settings()).wait_until_ready()


def test_the_demo_refuses_settings_before_it_starts_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token file that cannot be read is a usage error, told in words."""
    monkeypatch.setenv("UNDERCURRENT_SLACK_TOKEN_FILE", "/nonexistent")
    result = CliRunner().invoke(demo, [str(SHORT)])
    assert result.exit_code == 2
    assert "UNDERCURRENT_SLACK_TOKEN_FILE" in result.stderr


def test_only_slacks_settings_reach_the_demos_worker() -> None:
    """Somebody's own Kafka and topics stay out of it; Slack's token and channel come through."""
    environ = {"UNDERCURRENT_BROKERS": "prod:9092", "UNDERCURRENT_SLACK_CHANNEL": "#ops", "PATH": "/bin"}
    found = demo_environment({**environ, "UNDERCURRENT_TOPICS_LOGS": "mine"}, "127.0.0.1:7")
    assert found["UNDERCURRENT_BROKERS"] == "127.0.0.1:7"
    assert found["UNDERCURRENT_SLACK_CHANNEL"] == "#ops"
    assert found["PATH"] == "/bin"
    assert "UNDERCURRENT_TOPICS_LOGS" not in found


def test_the_last_change_of_each_incident_is_read_from_the_topic(changes: list[Change]) -> None:
    """Whatever the order and however often a change is there, the highest number wins."""
    with embedded_broker() as brokers:
        producer = Producer({"bootstrap.servers": brokers})
        for number, change in enumerate([*changes, *reversed(changes)]):
            producer.produce("changes", encode(change), partition=number % PARTITIONS)
        assert producer.flush(10) == 0
        found = last_changes(brokers, "changes")
    assert [(change.kind, change.incident.instances) for change in found] == [
        (ChangeKind.RESOLVED, ("registry-b",))
    ]


def test_a_topic_without_changes_has_none() -> None:
    """Nothing was said: an empty list, not an endless wait."""
    with embedded_broker() as brokers:
        producer = Producer({"bootstrap.servers": brokers})
        producer.list_topics("changes", timeout=10)
        assert last_changes(brokers, "changes") == []


def _demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agents", "demo", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=NO_SLACK, capture_output=True, text=True, timeout=120, check=False
    )


def _worker_of(shown: str) -> int:
    found = re.search(r"process (\d+)", shown)
    assert found is not None, shown
    return int(found[1])


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
