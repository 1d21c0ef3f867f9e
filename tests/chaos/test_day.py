"""A day of event time in minutes, through a real worker and a real Kafka: is all that is kept bounded?

Two domains of two registries each log a request a second and report their CPU every five; each hour one
domain goes through five minutes of CPU starvation. After each hour the worker has caught up, and is
measured: its memory, its state topics as they lie on disk and as a recovery would read them, and what
it wrote. `CHAOS_HOURS` makes the day shorter.
"""

import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from agents.recordings.arrivals import layout_of, markers
from agents.recordings.envelopes import fluent_bit
from agents.settings import Topics as Names
from agents.topics import DOMAINS_TABLE, TOLD_TABLE
from bench.load import START, Registry, Topics
from pipeline.intake import RawRecord
from pipeline.replay import Arrival
from schemas import Change, IncidentState
from tests.chaos.test_chaos import EAGER
from tests.kafka.broker import KafkaBroker
from tests.kafka.workers import Cluster, Worker

HOURS = int(os.environ.get("CHAOS_HOURS", "24"))
BEGIN = START - 10 * 86_400  # Kafka refuses records from the future
TROUBLE = range(1200, 1500)
"""Seconds of an hour in which one domain fails every request."""
NAME = "chaos-day"
DOMAINS = ("north", "south")
STATES = tuple(f"{NAME}-{table}-changelog" for table in (DOMAINS_TABLE, TOLD_TABLE))
SETTINGS = {
    "UNDERCURRENT_TOPICS_PARTITIONS": "1",
    "UNDERCURRENT_TOPICS_RAW_PARTITIONS": "1",
    "UNDERCURRENT_BEHIND_SECONDS": "0",
    "UNDERCURRENT_DOMAINS": "["
    + ", ".join(f'{{"domain": "{one}", "match": {{"pod": "{one}-*"}}}}' for one in DOMAINS)
    + "]",
}
CATCH_UP_SECONDS = 300.0
GROWTH_MB_MAX = 15.0
"""The second half of the day may need so much more than the first: incidents that the page remembers."""

pytestmark = [pytest.mark.chaos, pytest.mark.slow]


@dataclass(frozen=True)
class Hour:
    """What was measured after one hour. `table`: keys and bytes of the newest state of each."""

    resident_mb: float
    states_mb: float
    table: dict[str, int]
    signals_mb: float
    changes: int


def records_of(hour: int, registries: dict[str, list[Registry]], names: Names) -> Iterator[Arrival]:
    """One hour of both domains as their shippers write it, with a marker for each second."""
    topics, layout = Topics(names.logs, names.metrics), layout_of(fluent_bit, False, names, partitions=1)
    for within in range(3600):
        second = BEGIN + hour * 3600 + within
        for number, members in enumerate(registries.values()):
            starved = within in TROUBLE and hour % len(registries) == number
            for registry in members:
                reading = registry.reading(second, starved)
                if second % 5 == 0:
                    yield arrival(topics.record("metrics", second + 0.5, reading))
                for value in registry.line(second + 0.5, starved):
                    yield arrival(topics.record("logs", second + 0.5, value))
        yield from markers(second + 1, second + 1.0, layout, Counter())


def arrival(record: RawRecord) -> Arrival:
    assert record.timestamp_ms is not None
    return Arrival(record.timestamp_ms / 1000, record)


def resident_mb(worker: Worker) -> float:
    """Memory of the worker as the kernel sees it."""
    status = Path(f"/proc/{worker.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1000


def on_disk_mb(data: Path, *topics: str) -> float:
    """What the records of these topics take."""
    files = [file for topic in topics for file in data.glob(f"{topic}-*/*.log")]
    return sum(file.stat().st_size for file in files if file.exists()) / 1e6


def wait_until_caught_up(worker: Worker, event_time: float) -> None:
    deadline = time.monotonic() + CATCH_UP_SECONDS
    while (worker.metric("watermark_seconds") or 0.0) < event_time:
        assert worker.process.poll() is None, worker.written()[-6000:]
        assert time.monotonic() < deadline, f"not caught up with {event_time}"
        time.sleep(0.5)


@contextmanager
def day(server: KafkaBroker) -> Iterator[Cluster]:
    """Topics of the day, with state topics that are cleaned at once."""
    plan = {"num_partitions": 1, "replication_factor": 1, "configs": EAGER}
    server.admin(lambda admin: admin.create_topics(dict.fromkeys(STATES, plan)))
    with Cluster(server.bootstrap, NAME, **SETTINGS) as cluster:
        yield cluster


def test_a_day_at_a_steady_load_needs_no_more_than_its_first_hours() -> None:
    """Memory, tables and state topics stay flat, topics grow evenly, and each incident is counted exactly."""
    hours: list[Hour] = []
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        with (
            KafkaBroker(more="log.cleaner.backoff.ms=200\n", data=data) as server,
            day(server) as cluster,
        ):
            worker = cluster.worker().wait_until_ready()
            names = cluster.settings.topics
            registries = {domain: [Registry(f"{domain}-{one}") for one in "ab"] for domain in DOMAINS}
            print("hour  resident MB  state topics MB  table keys, bytes  signals MB  changes")
            for hour in range(HOURS):
                cluster.ship_arrivals(list(records_of(hour, registries, names)))
                wait_until_caught_up(worker, BEGIN + (hour + 1) * 3600 - 5.0)
                newest = {record.key: len(record.value or b"") for topic in STATES
                          for record in cluster.records(topic) if record.value}  # fmt: skip
                one = Hour(
                    resident_mb(worker),
                    on_disk_mb(data, *STATES),
                    newest,
                    on_disk_mb(data, names.signals),
                    cluster.end_of(names.changes),
                )
                hours.append(one)
                print(
                    f"{hour + 1:4}  {one.resident_mb:11.1f}  {one.states_mb:15.2f}  {len(newest):10}, "
                    f"{sum(newest.values()):5,}  {one.signals_mb:10.2f}  {one.changes:7}",
                    flush=True,
                )
            said = [one for one in cluster.said() if isinstance(one, Change)]
            assert not cluster.records(names.dead_letters)
            assert not worker.metric("late_total")
    exact(said)
    flat(hours)


def exact(said: list[Change]) -> None:
    """One incident for each hour, over, with every failed request of its two instances."""
    last = {one.incident.id: one for one in sorted(said, key=lambda one: one.seq)}
    ended = [one.incident for one in last.values() if one.incident.state is IncidentState.RESOLVED]
    assert len(last) == len(ended) == HOURS
    assert {one.impact.requests_failed for one in ended} == {2 * len(TROUBLE)}


def flat(hours: list[Hour]) -> None:
    """The second half of the day needs what the first did."""
    middle = max(2, len(hours) // 2)
    first, second = hours[1:middle], hours[middle:]
    grown_mb = max(one.resident_mb for one in second) - max(one.resident_mb for one in first)
    print(f"memory, second half against first: {grown_mb:+.1f} MB")
    assert grown_mb < GROWTH_MB_MAX
    # Told incidents are remembered for seven days, so the table has one small key more each hour.
    for hour, one in enumerate(hours, 1):
        assert len(one.table) <= len(DOMAINS) + 1 + hour
    per_hour = [after.signals_mb - before.signals_mb for before, after in pairwise(hours)]
    assert max(per_hour) < 1.5 * min(per_hour), "the topic grows by the hour, and evenly"
    of_domains = [
        max((size for key, size in one.table.items() if key in DOMAINS_KEYS), default=0) for one in hours
    ]
    assert max(of_domains[middle:]) < 1.2 * max(of_domains[:middle])
    assert max(one.states_mb for one in second) < 2 * max(one.states_mb for one in first) + 1.0


DOMAINS_KEYS = frozenset(f'"{domain}"'.encode() for domain in DOMAINS)
"""Keys of their states, which are JSON."""
