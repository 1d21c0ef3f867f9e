"""Several processes read a span of Kafka as one does, byte for byte, and none of them is left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import TopicPartition

from agents.history import HistoryError, KafkaHistory, Span, kafka_history
from agents.history.kafka import KafkaReader, Stretch, Stretches
from agents.history.play import Player
from agents.history.readers import MANY_RECORDS, Readers, readers_for, shares
from agents.recordings.recording import read_recording
from agents.recordings.replay import Outcome, Perturbation, json_lines, perturb
from agents.settings import Settings
from pipeline.intake import IntakeConfig
from pipeline.replay import Arrival
from tests.history.test_replay import SAMPLE, SPAN, interruptible, invoke
from tests.kafka.workers import ROOT, Cluster

HOUR = Span(1_795_424_400.0, 1_795_428_000.0)
DEADLINE_SECONDS = 60.0
BROKEN = (b"", b"\xff\xfe", b'{"time":', b'{"time":"2026-11-23T09:10:30Z","log":"begins","_p":"P"}')


def scattered(cluster: Cluster) -> list[Arrival]:
    """A recording in disorder, within the lateness and beyond it, a part of it twice, with broken and cut
    records in between, and the halves of every split line in two partitions."""
    chaos = Perturbation(duplicate_share=0.05, shuffle_seconds=25.0, seed=1)
    count = cluster.settings.topics.raw_partitions
    found = []
    for number, one in enumerate(perturb(cluster.arrivals(read_recording(SAMPLE)), chaos)):
        value = one.record.value if number % 97 else BROKEN[number // 97 % len(BROKEN)]
        found.append(replace(one, record=replace(one.record, partition=number % count, value=value)))
    return found


def opened(cluster: Cluster) -> AbstractContextManager[KafkaHistory]:
    return kafka_history(cluster.settings, HOUR, cluster.settings.topics.raw)


def played(history: KafkaHistory, settings: Settings, jobs: int) -> Outcome:
    player = Player(history, settings.intake_config(), settings.rules, jobs)
    for _ in player.steps():
        pass
    return player.outcome()


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def readers_of(parent: int) -> list[int]:
    """Process ids of the readers that a process has started."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in cmdline(int(child))]


def cmdline(process: int) -> bytes:
    """Empty for a process that has ended, or was never there."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


def replaying(cluster: Cluster) -> subprocess.Popen[bytes]:
    """`undercurrent replay` with two readers, in a process group of its own, as a shell has it."""
    return subprocess.Popen(
        [sys.executable, "-m", "agents", "replay", *SPAN, "--json", "--jobs", "2"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **cluster.environ},
        preexec_fn=interruptible,
        process_group=0,
    )


def test_readers_give_what_one_process_gives(kafka: str) -> None:
    """Outcome, counts and dead letters are equal, with halves of lines in the shares of different readers."""
    with Cluster(kafka, "readers") as cluster:
        cluster.ship_arrivals(scattered(cluster))
        with opened(cluster) as history:
            alone = played(history, cluster.settings, 1)
            assert alone.incidents
            assert alone.dead_letters
            assert alone.counts.rejoined > 100
            assert alone.counts.received == history.records_max
            assert played(history, cluster.settings, 3) == alone
        result = invoke(cluster, *SPAN, "--json", "--changes", "--jobs", "2")
        assert result.exit_code == 0, result.output
        assert result.stdout_bytes.splitlines() == list(json_lines(alone, True))


def test_readers_end_when_a_replay_is_left(kafka: str) -> None:
    """In the middle of it, with what was found until then."""
    with Cluster(kafka, "left") as cluster:
        cluster.ship(read_recording(SAMPLE))
        with opened(cluster) as history:
            player = Player(history, cluster.settings.intake_config(), cluster.settings.rules, 2)
            with closing(player.steps()) as steps:
                for _ in range(100):
                    next(steps)
                readers = readers_of(os.getpid())
                assert len(readers) == 2
            assert not any(map(cmdline, readers))
            assert 0 < player.outcome().counts.received < (history.records_max or 0)


@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGKILL])
def test_readers_end_with_the_one_who_started_them(kafka: str, blow: signal.Signals) -> None:
    """Ctrl-C, which a terminal sends to all of them, is said once and has its exit code; a kill is a kill."""
    with Cluster(kafka, f"blow-{blow.name.lower()}") as cluster:
        cluster.ship(read_recording(SAMPLE))
        process = replaying(cluster)
        wait_until(lambda: len(readers_of(process.pid)) == 2)
        readers = readers_of(process.pid)
        if blow is signal.SIGINT:
            os.killpg(process.pid, blow)
        else:
            process.kill()
        _, said = process.communicate(timeout=DEADLINE_SECONDS)
        wait_until(lambda: not any(map(cmdline, readers)))
        if blow is signal.SIGINT:
            assert process.returncode == 130, said
            assert said.startswith(b"interrupted at ")
            assert b"Traceback" not in said


def test_a_reader_that_is_killed_is_said(kafka: str) -> None:
    """Half of a history must not look like the whole of it."""
    with Cluster(kafka, "killed-reader") as cluster:
        cluster.ship(read_recording(SAMPLE))
        with opened(cluster) as history, Readers(history, 2, IntakeConfig()) as readers:
            killed, other = readers.process_ids
            os.kill(killed, signal.SIGKILL)
            with pytest.raises(HistoryError, match="ended before its time"):
                list(readers.runs())
        assert not cmdline(other)


def stretches(*lengths: int) -> tuple[Stretch, ...]:
    return tuple(
        Stretch(TopicPartition("registry.logs", number), 0, 0, length)
        for number, length in enumerate(lengths)
    )


def test_what_a_reader_cannot_read_is_said_in_its_words() -> None:
    """By the one who asked for it, with the exit code that belongs to it."""
    settings = Cluster(
        "127.0.0.1:9", "nobody", checked=False, UNDERCURRENT_KAFKA_REQUEST_TIMEOUT_SECONDS="2"
    ).settings
    history = KafkaHistory(KafkaReader(settings), Stretches(HOUR, stretches(5, 5), ()), {})
    with (
        Readers(history, 2, IntakeConfig()) as readers,
        pytest.raises(HistoryError, match=r"Kafka at 127\.0\.0\.1:9 does not answer"),
    ):
        list(readers.runs())


def test_readers_are_for_much_and_have_like_shares() -> None:
    """What is read faster than a process starts is read without any, unless somebody asks for it."""

    def history(*lengths: int) -> KafkaHistory:
        return KafkaHistory(KafkaReader(Settings()), Stretches(HOUR, stretches(*lengths), ()), {})

    assert readers_for(history(10, 10), 0) == 1
    assert readers_for(history(10, 10), 2) == 2
    assert readers_for(history(10, 10), 5) == 2
    assert readers_for(history(MANY_RECORDS), 0) == 1
    dealt = shares(stretches(50, 10, 60, 10, 5), 2)
    assert [sum(part.end for part in share) for share in dealt] == [70, 65]
