"""Real worker processes for the tests: started, watched, hurt and ended by their process ids."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from agents.connection import kafka_python_options, security_options
from agents.recordings.recording import Recording
from agents.recordings.ship import MAX_SPEED, Pacer, shipper
from agents.settings import Settings, load_settings
from agents.topics import check
from pipeline.replay import Arrival, replay
from schemas import Change, Decision, Progress, decode
from tests.agents.shipped import shipped

ROOT = Path(__file__).resolve().parents[2]
TOPICS = ("logs", "metrics", "dns", "signals", "changes", "decisions", "feedback", "sources", "dead_letters")
READY_SECONDS = 60.0
END_SECONDS = 90.0


class Cluster:
    """Topics of a test's own on a shared broker, and the workers that share their work."""

    def __init__(self, bootstrap: str, name: str, *, checked: bool = True, **variables: str) -> None:
        self._checked = checked
        self.environ = {
            "UNDERCURRENT_BROKERS": bootstrap,
            "UNDERCURRENT_APP_ID": name,
            "UNDERCURRENT_WEB_PORT": "0",
            "UNDERCURRENT_LOG_FORMAT": "json",
            "UNDERCURRENT_KAFKA_SESSION_TIMEOUT_SECONDS": "6",
            "UNDERCURRENT_CORRELATE_CHECKPOINT_SECONDS": "1",
            **{
                f"UNDERCURRENT_TOPICS_{topic.upper()}": f"{name}.{topic}"
                for topic in (
                    "logs",
                    "metrics",
                    "dns",
                    "signals",
                    "changes",
                    "decisions",
                    "feedback",
                    "sources",
                    "dead_letters",
                )
            },
            **variables,
        }
        self.settings = load_settings(None, self.environ)
        self._workers: list[Worker] = []

    def __enter__(self) -> Self:
        if self._checked:
            assert not [finding for finding in check(self.settings, create=True) if finding.fix]
            used = [topic for topic in self.settings.topics.raw if self.records(topic)]
            assert not used, f"another test of this broker writes to {', '.join(used)}: choose another name"
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.end()

    def worker(self, *roles: str, program: Path = ROOT, **variables: str) -> "Worker":
        """Start one more worker, for these roles only if any are named; it is ended with the cluster.

        `program`: the folder of another version of the program, whose worker it shall be. `variables`:
        settings of its own.
        """
        worker = Worker(self.environ | variables, roles, program)
        self._workers.append(worker)
        return worker

    def ship(self, recording: Recording, speed: float = MAX_SPEED, *, markers: bool = True) -> list[Arrival]:
        """Ship a recording, split lines included, and return what was shipped."""
        arrivals = self.arrivals(recording, markers=markers)
        self.ship_arrivals(arrivals, speed)
        return arrivals

    def ship_arrivals(self, arrivals: list[Arrival], speed: float = MAX_SPEED) -> None:
        """Ship these records."""
        with shipper(self.settings.brokers, END_SECONDS, None, security_options(self.settings)) as connected:
            connected.ship(arrivals, Pacer(speed), lambda _: None)

    def arrivals(self, recording: Recording, *, markers: bool = True) -> list[Arrival]:
        """What shipping `recording` to the fresh topics of this cluster writes."""
        return shipped(recording, self.settings, markers=markers)

    def as_they_lie(self, arrivals: list[Arrival]) -> list[Arrival]:
        """Those `arrivals` with the offsets Kafka gave them, copies included: shippers deliver at least once.

        A broker that dies may have stored what it did not acknowledge; the shipper sends it again. Fails
        where one of them is missing, or where a record lies there that is neither one of them nor a copy.
        """
        places: dict[tuple[str, int], list[int]] = {}
        for number, arrival in enumerate(arrivals):
            places.setdefault((arrival.record.topic, arrival.record.partition), []).append(number)
        found: list[tuple[int, Arrival]] = []
        for topic in self.settings.topics.raw:
            due = {place: deque(numbers) for place, numbers in places.items() if place[0] == topic}
            shipped: dict[tuple[str, int], list[int]] = {place: [] for place in due}
            for record in self.records(topic):
                place = (topic, record.partition)
                if due[place] and arrivals[due[place][0]].record.value == record.value:
                    shipped[place].append(due[place].popleft())
                    number = shipped[place][-1]
                else:
                    same = (
                        one for one in reversed(shipped[place]) if arrivals[one].record.value == record.value
                    )
                    number = next(same, -1)
                    assert number >= 0, (
                        f"{place} offset {record.offset} was never shipped, or out of its order"
                    )
                moved = replace(arrivals[number].record, offset=record.offset)
                found.append((shipped[place][-1], replace(arrivals[shipped[place][-1]], record=moved)))
            lost = {place: len(numbers) for place, numbers in due.items() if numbers}
            assert not lost, f"not in Kafka: {lost}"
        return [arrival for _, arrival in sorted(found, key=lambda one: one[0])]

    def replayed(self, arrivals: Iterable[Arrival]) -> list[Change | Decision]:
        """What the same records give without Kafka, in this process."""
        return list(replay(arrivals, self.settings.intake_config(), self.settings.rules))

    def records(self, topic: str) -> list[Any]:
        """Everything in a topic now, partition by partition."""
        return list(read_all(self.settings, topic))

    def said(self, but: Container[bytes] = ()) -> list[Change | Decision]:
        """All changes and decisions so far, repetitions included, `but` what a test itself has written."""
        topics = self.settings.topics
        changes = [record.value for record in self.records(topics.changes) if record.value not in but]
        decisions = [record.value for record in self.records(topics.decisions)]
        return [
            *(decode(Change, value) for value in changes),
            *(decode(Decision, value) for value in decisions),
        ]

    def wait_for(self, happened: Callable[[], bool]) -> None:
        """Return when it has happened."""
        deadline = time.monotonic() + END_SECONDS
        while not happened():
            assert time.monotonic() < deadline, f"it did not happen in time\n{self.logs()}"
            time.sleep(0.3)

    def wait_until_read(self, event_time: float) -> None:
        """Return when every raw partition has been read up to `event_time` and that is worked off."""
        topics = self.settings.topics
        expected = len(topics.raw) * topics.raw_partitions
        deadline = time.monotonic() + END_SECONDS
        while not self._is_read(expected, event_time):
            assert time.monotonic() < deadline, f"not read up to {event_time} in time\n{self.logs()}"
            time.sleep(0.3)
        # Progress goes on for ever, so an end is noted first and then waited for. Changes end last.
        for topic in (topics.signals, topics.changes):
            ends = self._offsets(topic).ends
            while left := self._offsets(topic).short_of(ends):
                assert time.monotonic() < deadline, f"{topic} not worked off in time: {left}\n{self.logs()}"
                time.sleep(0.3)

    def _is_read(self, expected: int, event_time: float) -> bool:
        read: dict[str, float] = {}
        for record in self.records(self.settings.topics.signals):
            with contextlib.suppress(ValueError):  # a frame, or what a test has put there
                for source in decode(Progress, record.value or b"").sources:
                    read[source.source] = max(source.time or 0.0, read.get(source.source, 0.0))
        return len(read) == expected and min(read.values()) >= event_time

    def _offsets(self, topic: str) -> "Offsets":
        consumer = KafkaConsumer(**kafka_python_options(self.settings), group_id=self.settings.app_id)
        with contextlib.closing(consumer):
            places = [TopicPartition(topic, number) for number in range(self.settings.topics.partitions)]
            committed = {place: consumer.committed(place) or 0 for place in places}
            return Offsets(consumer.end_offsets(places), committed)

    def records_read(self) -> float:
        """How many raw records those workers have read that live."""
        return sum(one.metric("records_read_total") or 0 for one in self._workers)

    def end_of(self, topic: str) -> int:
        """How many records were ever written to a topic of this cluster."""
        return sum(self._offsets(topic).ends.values())

    def logs(self) -> str:
        """The end of what each worker wrote."""
        return "\n".join(f"--- worker {one.process.pid}\n{one.written()[-4000:]}" for one in self._workers)


@dataclass(frozen=True)
class Offsets:
    """Where the partitions of a topic end, and how far the agents have committed them."""

    ends: dict[TopicPartition, int]
    committed: dict[TopicPartition, int]

    def short_of(self, ends: dict[TopicPartition, int]) -> dict[int, str]:
        """Partitions that are not committed up to `ends` yet: how far, of how much."""
        return {
            place.partition: f"{self.committed[place]} of {end}"
            for place, end in ends.items()
            if self.committed[place] < end
        }


class Worker:
    """One `undercurrent worker` process."""

    def __init__(self, environ: dict[str, str], roles: Iterable[str] = (), program: Path = ROOT) -> None:
        only = [word for role in roles for word in ("--only", role)]
        self._output = tempfile.NamedTemporaryFile(prefix="undercurrent-worker-", suffix=".log")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-m", "agents", "worker", *only],
            cwd=program,  # `-m` looks there first
            env={**_clean(os.environ), **environ},
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def written(self) -> str:
        """All it has written so far."""
        return Path(self._output.name).read_text(encoding="utf-8", errors="replace")

    def address(self) -> str:
        """Where its page is, as its log says."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            for line in self.written().splitlines():
                if '"listening"' in line:
                    return "http://" + line.split('"address": "http://')[1].split('"')[0]
            assert self.process.poll() is None, self.written()
            time.sleep(0.1)
        raise AssertionError(f"no page:\n{self.written()}")

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of one of its pages; status 0 when it does not answer."""
        try:
            with urllib.request.urlopen(f"{self.address()}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def metric(self, name: str) -> float | None:
        """Sum over the labels of one metric, None while it is absent."""
        _, text = self.get("/metrics")
        values = [
            float(line.rsplit(" ", 1)[1])
            for line in text.splitlines()
            if line.startswith((f"undercurrent_{name} ", f"undercurrent_{name}{{"))
        ]
        return sum(values) if values else None

    def wait_until_ready(self) -> Self:
        """Return when /readyz says so."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.written()
            if self.get("/readyz")[0] == 200:
                return self
            time.sleep(0.1)
        raise AssertionError(f"not ready in {READY_SECONDS} s: {self.get('/readyz')}\n{self.written()}")

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.process.pid, number)

    def wait(self, seconds: float) -> int:
        """Wait for its end and return its exit code."""
        return self.process.wait(seconds)

    def end(self) -> None:
        """End it whatever state it is in, and remove its output."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._output.close()


def write(settings: Settings, topic: str, value: bytes | None, key: bytes | None) -> None:
    """Write one record, keyed ones into the partition of their key."""
    producer = KafkaProducer(**kafka_python_options(settings), acks="all")
    with contextlib.closing(producer):
        producer.send(topic, value, key=key, partition=None if key else 0).get(10)


def read_all(settings: Settings, topic: str) -> Iterator[Any]:
    """Read a topic from its beginning to its end as it is now."""
    consumer = KafkaConsumer(**kafka_python_options(settings), enable_auto_commit=False)
    with contextlib.closing(consumer):
        places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        ends = consumer.end_offsets(places)
        left = {place: end for place, end in ends.items() if end > 0}
        consumer.assign(list(left))
        if left:
            consumer.seek_to_beginning()
        while left:
            for place, records in consumer.poll(timeout_ms=500).items():
                yield from records
                if place in left and records[-1].offset + 1 >= left[place]:
                    del left[place]


def _clean(environ: os._Environ[str]) -> dict[str, str]:
    return {
        name: value for name, value in environ.items() if not name.startswith(("UNDERCURRENT_", "SLACK_"))
    }
