"""The main job on one machine and without Kafka: embedded broker, real worker, recording, incident.

The worker is the one of production, started as a process of its own; only its broker is embedded.
Whatever happens, it is ended by its process id before the demo ends.
"""

import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from agents.broker import PARTITIONS
from agents.settings import PREFIX, Settings, load_settings
from schemas import Change, IncidentState, Progress, decode

READY_SECONDS = 60.0
STOP_SECONDS = 10.0
QUIET_SECONDS = 2.0
"""So long nothing new may come before the last word is taken for the last."""
LOG_LINES = 20


class DemoError(Exception):
    """The demo cannot go on; the message says why, with the end of the worker's log."""


def demo_environment(environ: Mapping[str, str], brokers: str) -> dict[str, str]:
    """Derive the worker's environment: Slack's settings stay, others of ours give way to the demo's."""
    kept = {
        name: value
        for name, value in environ.items()
        if not name.startswith(PREFIX) or name.startswith(f"{PREFIX}SLACK")
    }
    return {
        **kept,
        f"{PREFIX}BROKERS": brokers,
        f"{PREFIX}TOPICS_PARTITIONS": str(PARTITIONS),
        f"{PREFIX}KAFKA_DECLARE_TOPICS": "false",  # the embedded broker makes a topic when it is used
        f"{PREFIX}WEB_HOST": "127.0.0.1",
        f"{PREFIX}WEB_PORT": str(_free_port()),
    }


@dataclass
class Worker:
    """A running worker process and the file its output goes to."""

    process: subprocess.Popen[bytes]
    output: IO[bytes]
    settings: Settings

    def wait_until_ready(self) -> None:
        """Return when the worker's /readyz says so.

        Raises:
            DemoError: the worker has ended, or is not ready in time.
        """
        url = f"http://{self.settings.web.host}:{self.settings.web.port}/readyz"
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            self.check()
            if _answers(url):
                return
            time.sleep(0.1)
        raise DemoError(f"the worker was not ready after {READY_SECONDS:.0f} s\n{self.last_lines()}")

    def check(self) -> None:
        """Raise DemoError if the worker has ended by itself."""
        code = self.process.poll()
        if code is not None:
            raise DemoError(f"the worker ended with exit code {code}\n{self.last_lines()}")

    def last_lines(self) -> str:
        """Return the end of what the worker has written."""
        self.output.flush()
        written = Path(self.output.name).read_text(encoding="utf-8", errors="replace")
        return "\n".join(written.splitlines()[-LOG_LINES:])

    def stop(self) -> None:
        """End the process: politely, and after a while for certain."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@contextmanager
def running_worker(environ: Mapping[str, str]) -> Iterator[Worker]:
    """Run a worker as long as the context is open."""
    settings = load_settings(None, environ)
    with tempfile.NamedTemporaryFile(prefix="undercurrent-demo-", suffix=".log") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "agents", "worker"],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C is for the demo, which then ends the worker in order.
            start_new_session=True,
        )
        worker = Worker(process, output, settings)
        try:
            yield worker
        finally:
            worker.stop()


@dataclass
class Witness:
    """What has been seen on the topics the worker writes."""

    last: dict[str, Change] = field(default_factory=dict)
    read_to: dict[str, float] = field(default_factory=dict)

    def hear(self, value: Progress | Change) -> None:
        """Take in one record."""
        if isinstance(value, Change):
            known = self.last.get(value.incident.id)
            if known is None or value.seq > known.seq:
                self.last[value.incident.id] = value
            return
        for source in value.sources:
            self.read_to[source.source] = source.time or 0.0

    def is_through(self, end: float) -> bool:
        """Whether every raw partition is read to the end of the recording."""
        return bool(self.read_to) and min(self.read_to.values()) >= end

    def is_over(self) -> bool:
        """Whether no incident is open."""
        return all(change.incident.state is IncidentState.RESOLVED for change in self.last.values())


def wait_for_the_end(worker: Worker, end: float, timeout_seconds: float) -> list[Change]:
    """Return the last change of each incident when all is read up to `end` and nothing is open.

    Raises:
        DemoError: the worker has ended, or the time is up.
    """
    topics = worker.settings.topics
    consumer = Consumer(
        {
            "bootstrap.servers": worker.settings.brokers,
            "group.id": "undercurrent-demo",
            "enable.auto.commit": False,
            "log_level": 0,
        }
    )
    witness = Witness()
    deadline = time.monotonic() + timeout_seconds
    busy_at = time.monotonic()
    try:
        consumer.assign(
            [
                TopicPartition(topic, partition, OFFSET_BEGINNING)
                for topic in (topics.changes, topics.signals)
                for partition in range(PARTITIONS)
            ]
        )
        while time.monotonic() < deadline:
            worker.check()
            said = sum(change.seq + 1 for change in witness.last.values())
            for message in consumer.consume(num_messages=500, timeout=0.2):
                if message.error() is None:
                    _hear(witness, message, topics.changes)
            is_at_rest = witness.is_through(end) and witness.is_over()
            if not is_at_rest or said != sum(change.seq + 1 for change in witness.last.values()):
                busy_at = time.monotonic()
            if time.monotonic() - busy_at > QUIET_SECONDS:
                return sorted(witness.last.values(), key=lambda change: change.incident.first_symptom_at)
    finally:
        consumer.close()
    open_incidents = len(witness.last) and not witness.is_over()
    what = "an incident is still open" if open_incidents else "the recording is not read to its end"
    raise DemoError(f"after {timeout_seconds:.0f} s {what}\n{worker.last_lines()}")


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the program the way Ctrl-C does, so that its worker is ended too."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _hear(witness: Witness, message: Any, changes: str) -> None:
    value = message.value() or b""
    if message.topic() == changes:
        witness.hear(decode(Change, value))
    elif b'"progress"' in value[:100]:
        witness.hear(decode(Progress, value))


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 - our own page on loopback
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
