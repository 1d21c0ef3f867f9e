"""The main job on one machine and without Kafka: embedded broker, real worker, recording, incident.

The worker is the one of production, started as a process of its own; only its broker is embedded.
Whatever happens, it is ended by its process id before the demo ends.
"""

import re
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
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from agents.broker import PARTITIONS
from agents.settings import PREFIX, Settings, load_settings
from pipeline.render.clean import cut
from schemas import Change, IncidentState, decode

READY_SECONDS = 60.0
STOP_SECONDS = 10.0
READ_SECONDS = 10.0
LOG_LINES, LINE_CHARACTERS = 20, 300

_WATERMARK = re.compile(r'^undercurrent_watermark_seconds\{partition="(\d+)"\} (\S+)$', re.MULTILINE)


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

    @property
    def _page(self) -> str:
        return f"http://{self.settings.web.host}:{self.settings.web.port}"

    def wait_until_ready(self) -> None:
        """Return when the worker's /readyz says so.

        Raises:
            DemoError: the worker has ended, or is not ready in time.
        """
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            self.check()
            if _get(f"{self._page}/readyz") is not None:
                return
            time.sleep(0.1)
        raise DemoError(f"the worker was not ready after {READY_SECONDS:.0f} s\n{self.last_lines()}")

    def watermarks(self) -> dict[int, float]:
        """Return the event time each partition of signals has been settled to, as /metrics says."""
        text = _get(f"{self._page}/metrics") or ""
        return {int(partition): float(value) for partition, value in _WATERMARK.findall(text)}

    def check(self) -> None:
        """Raise DemoError if the worker has ended by itself."""
        code = self.process.poll()
        if code is not None:
            raise DemoError(f"the worker ended with exit code {code}\n{self.last_lines()}")

    def last_lines(self) -> str:
        """Return the end of what the worker has written."""
        self.output.flush()
        written = Path(self.output.name).read_text(encoding="utf-8", errors="replace")
        return "\n".join(cut(line, LINE_CHARACTERS) for line in written.splitlines()[-LOG_LINES:])

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


def wait_for_the_end(worker: Worker, end: float, timeout_seconds: float) -> list[Change]:
    """Return the last change of each incident once the worker has settled event time up to `end`.

    Raises:
        DemoError: the worker has ended, the time is up, or an incident is open even then.
    """
    deadline = time.monotonic() + timeout_seconds
    while not _is_through(worker.watermarks(), end):
        worker.check()
        if time.monotonic() > deadline:
            raise DemoError(
                f"after {timeout_seconds:.0f} s the recording is not worked off\n{worker.last_lines()}"
            )
        time.sleep(0.2)
    last = last_changes(worker.settings.brokers, worker.settings.topics.changes)
    if any(change.incident.state is not IncidentState.RESOLVED for change in last):
        raise DemoError(f"an incident is open after the end of the recording\n{worker.last_lines()}")
    return last


def last_changes(brokers: str, topic: str) -> list[Change]:
    """Read the topic of changes to its end; returns the last one of each incident, first symptom first.

    Raises:
        DemoError: the broker does not answer.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "undercurrent-demo",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "log_level": 0,
        }
    )
    last: dict[str, Change] = {}
    unread = set(range(PARTITIONS))
    try:
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in unread])
        while unread:
            message = consumer.poll(READ_SECONDS)
            if message is None:
                raise DemoError(f"no answer from the broker about {topic}")
            error = message.error()
            if error is None:
                change = decode(Change, message.value() or b"")
                known = last.get(change.incident.id)
                last[change.incident.id] = max(known or change, change, key=lambda one: one.seq)
            elif error.code() == KafkaError._PARTITION_EOF:
                unread.discard(message.partition() or 0)
            else:
                raise DemoError(f"{topic} cannot be read: {error}")
    finally:
        consumer.close()
    return sorted(last.values(), key=lambda change: (change.incident.first_symptom_at, change.incident.id))


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


def _is_through(watermarks: Mapping[int, float], end: float) -> bool:
    """Whether every partition of signals has come to `end`; one that says nothing has not."""
    return len(watermarks) == PARTITIONS and min(watermarks.values()) >= end


def _get(url: str) -> str | None:
    """Return what a page says, None if it does not answer or answers with an error."""
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 - our own page on loopback
            text: str = answer.read().decode("utf-8", "replace")
            return text
    except (urllib.error.URLError, OSError):
        return None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
