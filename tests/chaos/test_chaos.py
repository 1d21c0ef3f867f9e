"""Workers, broker and Slack are hurt while a recording streams by, and nobody can tell from the outcome.

Each test compares with a quiet replay: the same changes and decisions to the last byte, and in Slack
one root message per incident with its last word, its steps in order, none twice. `make chaos` runs
them; `CHAOS_SEED` repeats one throw of the dice, `CHAOS_KILLS` says how many kills a test is worth.
"""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agents.recordings.recording import Recording, read_recording
from agents.topics import DOMAINS_TABLE, TOLD_TABLE
from pipeline.replay import Arrival
from schemas import Change
from tests.chaos.channel import LiveSlack
from tests.chaos.crowd import RULES, crowd
from tests.chaos.differences import differences
from tests.chaos.fleet import SPLIT, WHOLE, Fleet, Roles
from tests.disk import fill, mounted
from tests.kafka.broker import KafkaBroker
from tests.kafka.test_worker import told
from tests.kafka.workers import Cluster

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
KILLS = int(os.environ.get("CHAOS_KILLS", "34"))
SEED = int(os.environ.get("CHAOS_SEED") or random.randrange(10**6))
TELLING_SECONDS = 120.0

pytestmark = [pytest.mark.chaos, pytest.mark.kafka, pytest.mark.slow]


@pytest.fixture(scope="module")
def recording() -> Recording:
    """A cascade and a DNS outage at once, in three deployments."""
    return crowd(read_recording(SAMPLES / "mixed"))


class Scene:
    """A cluster of eight partitions, a Slack, a recording on its way, and the fleet that reads it."""

    def __init__(self, cluster: Cluster, live: LiveSlack, fleet: Fleet, arrivals: list[Arrival]) -> None:
        self.cluster = cluster
        self.live = live
        self.fleet = fleet
        self.arrivals = arrivals

    def is_as_if_nothing_had_happened(self) -> None:
        """Wait until all is read and told; compare it with the replay."""
        self.cluster.wait_until_read(self.arrivals[-1].at)
        written = self.cluster.as_they_lie(self.arrivals)
        replayed = self.cluster.replayed(written)
        assert not differences(told(self.cluster.said()), told(replayed))
        assert not self.cluster.records(self.cluster.settings.topics.dead_letters)
        changes = [one for one in replayed if isinstance(one, Change)]
        deadline = time.monotonic() + TELLING_SECONDS
        while not self.live.has_all(changes):
            assert time.monotonic() < deadline, f"not told in time: {self.live.answers()}"
            time.sleep(0.5)
        time.sleep(2.0)  # whatever would be said twice would be said now
        self.live.check(changes)
        print(
            f"seed {SEED}: {self.fleet.harm} hurt, {len(written) - len(self.arrivals)} copies shipped,"
            f" {len(replayed)} outputs, Slack {self.live.answers()}"
        )


@contextmanager
def scene(
    bootstrap: str, name: str, recording: Recording, speed: float, forms: tuple[Roles, ...], most: int
) -> Iterator[Scene]:
    """Everything in place, and the recording streaming."""
    with LiveSlack() as live:
        variables = {
            "UNDERCURRENT_TOPICS_PARTITIONS": "8",
            "UNDERCURRENT_TOPICS_RAW_PARTITIONS": "8",
            "UNDERCURRENT_DOMAINS": RULES,
            "UNDERCURRENT_BEHIND_SECONDS": "0",
            **live.variables,
        }
        with Cluster(bootstrap, name, **variables) as cluster:
            fleet = Fleet(cluster, forms, most, random.Random(SEED))
            fleet.muster()
            arrivals = cluster.arrivals(recording)
            shipping = threading.Thread(target=cluster.ship_arrivals, args=(arrivals, speed))
            shipping.start()
            try:
                yield Scene(cluster, live, fleet, arrivals)
            finally:
                shipping.join()


def repeatedly(act: Callable[[], None], times: int, longest_seconds: float, dice: random.Random) -> None:
    """Do it so often, at instants of chance."""
    for _ in range(times):
        time.sleep(dice.uniform(0.2, longest_seconds))
        act()


@pytest.mark.parametrize(
    ("name", "forms", "most"),
    [("whole", WHOLE, 3), ("split", SPLIT, 2), ("both", WHOLE + SPLIT, 1)],
)
def test_killed_at_any_instant_in_any_role(
    kafka: str, recording: Recording, name: str, forms: tuple[Roles, ...], most: int
) -> None:
    """`kill -9` again and again: nothing is lost, nothing said in two ways, nothing told twice."""
    with scene(kafka, f"chaos-{name}", recording, 2.0, forms, most) as it:
        repeatedly(it.fleet.kill, KILLS, 7.0, random.Random(SEED))
        it.fleet.settle()
        it.is_as_if_nothing_had_happened()


def test_rebalances_all_the_time(kafka: str, recording: Recording) -> None:
    """Workers join and leave every few seconds, each with a proper goodbye."""
    with scene(kafka, "chaos-rebalances", recording, 3.0, WHOLE, 3) as it:
        for _ in range(16):
            time.sleep(5.0)
            it.fleet.muster()
        it.fleet.settle()
        it.is_as_if_nothing_had_happened()


def test_a_broker_that_stops_and_starts(kafka_broker: KafkaBroker, recording: Recording) -> None:
    """The broker is stopped, killed and frozen in turn; workers stay and go on."""
    with scene(kafka_broker.bootstrap, "chaos-broker", recording, 3.0, SPLIT, 2) as it:
        for hurt in (kafka_broker.stop, kafka_broker.kill) * 2:
            time.sleep(12.0)
            hurt()
            time.sleep(6.0)
            kafka_broker.start()
        kafka_broker.pause()
        time.sleep(15.0)
        kafka_broker.resume()
        it.is_as_if_nothing_had_happened()


@pytest.mark.parametrize("forms", [WHOLE, SPLIT], ids=["whole", "split"])
def test_zombies(kafka: str, recording: Recording, forms: tuple[Roles, ...]) -> None:
    """Workers are frozen for a minute, lose all they have, wake up and finish what they were about to do."""
    name = f"chaos-zombies-{len(forms)}"
    with scene(kafka, name, recording, 2.0, forms, 1) as it:
        time.sleep(20.0)
        sleepers = it.fleet.all()
        for sleeper in sleepers:
            sleeper.signal(signal.SIGSTOP)
        it.fleet.reinforce()
        time.sleep(60.0)
        for sleeper in sleepers:
            sleeper.signal(signal.SIGCONT)
        it.is_as_if_nothing_had_happened()


EAGER = {"cleanup.policy": "compact", "segment.ms": "1000", "min.cleanable.dirty.ratio": "0.001"}
"""Segments of a second that are cleaned at once: only the last state of each domain survives."""


def test_a_changelog_compacted_under_the_workers(recording: Recording) -> None:
    """State topics are cleaned all the time while workers are killed, so that each recovery meets gaps."""
    name = "chaos-compacted"
    states = [f"{name}-{table}-changelog" for table in (DOMAINS_TABLE, TOLD_TABLE)]
    plans = {one: {"num_partitions": 8, "replication_factor": 1, "configs": EAGER} for one in states}
    with KafkaBroker(more="log.cleaner.backoff.ms=200\n") as server:
        server.admin(lambda admin: admin.create_topics(plans))
        with scene(server.bootstrap, name, recording, 3.0, WHOLE, 2) as it:
            repeatedly(it.fleet.kill, KILLS // 3, 8.0, random.Random(SEED))
            it.fleet.settle()
            it.is_as_if_nothing_had_happened()
            kept = {one: len(it.cluster.records(one)) for one in states}
            written = {one: it.cluster.end_of(one) for one in states}
            print(f"state topics: {written} written, {kept} left")
            assert all(kept[one] < written[one] / 2 for one in states), "they were compacted"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 MB."""
    with mounted(tmp_path, 200 << 20):
        yield tmp_path


def test_a_full_disk(small_disk: Path, recording: Recording) -> None:
    """The broker runs out of disk and dies of it; there is room again, it starts: nothing is lost."""
    server = KafkaBroker(data=small_disk / "data")
    server.start()
    try:
        with scene(server.bootstrap, "chaos-disk", recording, 3.0, WHOLE, 2) as it:
            time.sleep(20.0)
            filler = fill(small_disk)
            deadline = time.monotonic() + 60
            while not server.has_died:
                assert time.monotonic() < deadline, "the broker does not notice"
                time.sleep(0.5)
            time.sleep(5.0)
            filler.unlink()
            server.kill()  # it is dead already: only reaped
            server.start()
            it.is_as_if_nothing_had_happened()
    finally:
        server.close()
