"""What can stand in the way of history on a real Kafka: each has its words and its exit code."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from agents.cli import main
from agents.recordings.recording import read_recording
from tests.kafka.broker import KafkaBroker
from tests.kafka.test_acls import LISTENER, Guarded
from tests.kafka.workers import ROOT, Cluster, write
from tools.ports import free_ports

SAMPLE = ROOT / "samples" / "cpu_cascade"
SPAN = ("--from", "2026-11-23T09:00", "--to", "+1h")


def run(cluster: Cluster, *words: str, **variables: str) -> Result:
    return CliRunner().invoke(main, list(words), env={**cluster.environ, **variables})


def delete(cluster: Cluster, topics: tuple[str, ...], share: float) -> None:
    """Delete the first records of each partition, as retention does."""
    admin = AdminClient({"bootstrap.servers": cluster.settings.brokers})
    ends: dict[tuple[str, int], int] = {}
    for topic in topics:
        for record in cluster.records(topic):
            ends[topic, record.partition] = record.offset + 1
    places = [TopicPartition(*place, round(end * share)) for place, end in ends.items()]
    for answer in admin.delete_records(places).values():
        answer.result(20)


def test_what_retention_has_deleted_is_said(kafka: str, tmp_path: Path) -> None:
    """A beginning: a note, and the rest is replayed. All of it: 4, by replay and by record, and no file."""
    with Cluster(kafka, "retention") as cluster:
        cluster.ship(read_recording(SAMPLE))
        raw = cluster.settings.topics.raw
        delete(cluster, raw, 0.3)
        rest = run(cluster, "replay", *SPAN, "--json")
        assert rest.exit_code == 0, rest.output
        assert "note: Kafka has deleted the beginning of this span in " in rest.stderr
        delete(cluster, raw, 1.0)
        gone = run(cluster, "replay", *SPAN)
        assert gone.exit_code == 4, gone.output
        assert "Kafka has deleted what" in gone.stderr
        assert "retention.ms" in gone.stderr
        saved = run(cluster, "record", str(tmp_path / "never.jsonl.zst"), *SPAN)
        assert saved.exit_code == 4
        assert list(tmp_path.iterdir()) == []


def test_signals_of_a_newer_version_are_not_guessed_at(kafka: str) -> None:
    """Beside those of this version: 7, with the place of the first one that is newer."""
    with Cluster(kafka, "mixed-versions") as cluster:
        names = cluster.settings.topics
        write(cluster.settings, names.signals, b'{"v":99,"type":"frame"}', b"default")
        newer = run(cluster, "replay", "--from", "-1h", "--topic", names.signals)
        assert newer.exit_code == 7, newer.output
        assert f"{names.signals}:" in newer.stderr
        assert "wire version 99" in newer.stderr


def test_an_interrupted_replay_of_kafka_writes_and_tells_nothing(kafka: str) -> None:
    """Ctrl-C while it reads: 130, how far it came, and not even the shadow topics are there."""
    with Cluster(kafka, "interrupted") as cluster:
        cluster.ship(read_recording(SAMPLE))
        words = ["replay", *SPAN, "--json", "--into", "interrupted-past"]
        code = (
            "import _thread\n"
            "from agents.history.play import Player\n"
            "steps = Player.steps\n"
            "def halted(self):\n"
            "    for number, _ in enumerate(steps(self)):\n"
            "        if number == 40: _thread.interrupt_main()\n"
            "        yield\n"
            "Player.steps = halted\n"
            "from agents.cli import main\n"
            f"main({words!r})\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT, env={**os.environ, **cluster.environ}, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 130, done.stderr
        assert "interrupted at 2026-11-23T09:" in done.stderr
        there = AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=20).topics
        assert not [name for name in there if name.startswith("interrupted-past")]


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    """A broker that grants who logs in nothing yet."""
    (safe,) = free_ports(1)
    server = KafkaBroker(more=LISTENER.format(safe=safe))
    server.start()
    try:
        yield Guarded(server, safe)
    finally:
        server.close()


@pytest.mark.kafka
@pytest.mark.slow
def test_what_a_user_may_not_is_said_with_the_right_that_helps(guarded: Guarded, tmp_path: Path) -> None:
    """A topic hidden, readable but not writable, and a wrong password: 6 each, and who may not do what."""
    with Cluster(guarded.plain, "guarded") as cluster:
        cluster.ship(read_recording(SAMPLE))
        names = cluster.settings.topics
        page = {**guarded.settings("page"), "UNDERCURRENT_APP_ID": "guarded"}
        for words in (("replay", *SPAN), ("record", str(tmp_path / "never"), *SPAN), ("verify", *SPAN)):
            hidden = run(cluster, *words, **page)
            assert hidden.exit_code in (5, 6), hidden.output
            assert "page may not read" in hidden.stderr or "there is no topic" in hidden.stderr
        guarded.grant([("page", "topic", topic, "Read") for topic in names.raw])
        seen = run(cluster, "replay", *SPAN, "--json", **page)
        assert seen.exit_code == 0, seen.output
        unwritable = run(cluster, "replay", *SPAN, "--json", "--into", "guarded-past", **page)
        assert unwritable.exit_code == 6, unwritable.output
        assert "page may not fill guarded-past.*" in unwritable.stderr
        assert unwritable.stdout == seen.stdout
        stranger = run(cluster, "replay", *SPAN, **{**page, "UNDERCURRENT_KAFKA_PASSWORD": "wrong"})
        assert stranger.exit_code == 6
        assert "does not let page in: is the password right?" in stranger.stderr
