"""How much faster intake is than a plain Faust agent that does the same work, measured in one run.

    make bench        (or: python -m bench.intake_vs_agent --records 150000)

Both read the same records from the same topic with the same `pipeline.intake` and write frames to
Kafka, each in a process of its own, one after the other, alone. *agent*: a Faust agent, one event at a
time: decode, flush, send what that event gave. *intake*: `agents/intake.py` as it runs in the worker:
batches, one frame per domain and flush, waiting for Kafka before it commits. The records are the log
lines of samples/cpu_cascade as Fluent Bit writes them, as if from a fleet of registries at once.

The broker is a real Kafka where Java and Maven are there, else the embedded one. The exit code is 0
when intake is at least five times as fast.
"""

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import faust
from confluent_kafka import Producer

from agents.broker import embedded_broker
from agents.connection import faust_options
from agents.health import Health
from agents.intake import IntakeService
from agents.outbox import Outbox
from agents.recordings.envelopes import fluent_bit, wrap_line
from agents.recordings.recording import Group, LogLine, read_recording
from agents.settings import Settings
from agents.telemetry import Telemetry
from pipeline.intake import Counts, Intake, RawRecord
from schemas import encode
from tests.kafka import broker as kafka

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "samples" / "cpu_cascade"
FLEET = 32
PARTITIONS = 4
RATIO_MIN = 5.0
AGENT_SECONDS_MAX = 20.0
"""The agent is stopped after so long: its rate is known by then."""
WARM_UP_RECORDS = 2_000
EMBEDDED_RECORDS_MAX = 16_000
"""The embedded broker keeps 5 MB a partition."""
MEASUREMENT_SECONDS_MAX = 120.0


class Tally:
    """Counts records and remembers when the first and the last of them came, warm-up left out.

    `enough` is set when all are counted, or when the measurement has lasted `seconds_max`.
    """

    def __init__(self, records: int, seconds_max: float = MEASUREMENT_SECONDS_MAX) -> None:
        self.records = 0
        self.enough = asyncio.Event()
        self._wanted = records
        self._seconds_max = seconds_max
        self._began: tuple[float, int] | None = None
        self._ended = (0.0, 0)

    def add(self, records: int) -> None:
        """So many records are done, and what they gave is on its way."""
        self.records += records
        self._ended = (time.perf_counter(), self.records)
        if self._began is None and self.records >= WARM_UP_RECORDS:
            self._began = self._ended
        if self.records >= self._wanted or self.seconds >= self._seconds_max:
            self.enough.set()

    @property
    def seconds(self) -> float:
        return self._ended[0] - self._began[0] if self._began else 0.0

    @property
    def rate(self) -> float:
        """Records per second after the warm-up."""
        return (self._ended[1] - self._began[1]) / self.seconds if self._began and self.seconds else 0.0


class TallyingTelemetry(Telemetry):
    """The worker's own telemetry, with an ear on what intake reports when a flush is in Kafka."""

    def __init__(self, tally: Tally) -> None:
        super().__init__()
        self._tally = tally

    def flushed(self, counts: Counts, *rest: Any) -> None:
        super().flushed(counts, *rest)
        self._tally.add(counts.received)


async def measure_intake(settings: Settings, records: int) -> Tally:
    """Run the worker's intake over the topic."""
    tally, outbox = Tally(records), Outbox(settings)
    await outbox.start()
    service = IntakeService(settings, outbox, TallyingTelemetry(tally), Health(("intake",), 60))
    await service.start()
    try:
        await tally.enough.wait()
    finally:
        await service.stop()
        await outbox.stop()
    return tally


async def measure_agent(settings: Settings, records: int) -> Tally:
    """Run a plain Faust agent over the topic: one event at a time."""
    options = {**faust_options(settings), "value_serializer": "raw", "key_serializer": "raw"}
    app = faust.App(f"{settings.app_id}-agent", **options, consumer_auto_offset_reset="earliest")
    frames = app.topic(settings.topics.signals, key_serializer="raw", value_serializer="raw")
    intake, tally = Intake(settings.intake_config()), Tally(records, AGENT_SECONDS_MAX)

    @app.agent(app.topic(settings.topics.logs, value_serializer="raw"))
    async def plain(stream: Any) -> None:
        async for event in stream.events():
            message = event.message
            intake.receive(
                RawRecord(
                    message.topic,
                    message.partition,
                    message.offset,
                    round(message.timestamp * 1000),
                    message.key,
                    message.value,
                )
            )
            for frame in intake.flush().frames:
                await frames.send(key=frame.domain.encode(), value=encode(frame))
            tally.add(1)

    app.finalize()
    await app.start()
    try:
        await tally.enough.wait()
    finally:
        await app.stop()
    return tally


MEASUREMENTS = {"agent": measure_agent, "intake": measure_intake}


def lines() -> Iterator[bytes]:
    """Log lines of a fleet: each line of the recording, once per registry, in order of time."""
    while True:
        for entry in read_recording(SAMPLE).entries:
            if isinstance(entry, LogLine) and entry.group is Group.LOGS:
                for number in range(FLEET):
                    line = replace(entry, instance=f"registry-{number}")
                    yield from wrap_line(line, fluent_bit, split=False)


def fill(settings: Settings, records: int) -> None:
    """Write that many records to the raw topic of logs, evenly over its partitions."""
    producer = Producer({"bootstrap.servers": settings.brokers, "linger.ms": 50, "log_level": 0})
    for number, value in enumerate(islice(lines(), records)):
        if number % 1_000 == 0:
            producer.poll(0)
            producer.flush(30) if len(producer) > 50_000 else None
        producer.produce(settings.topics.logs, value, partition=number % PARTITIONS)
    if producer.flush(60):
        raise RuntimeError("the broker did not take all records within a minute")


@contextlib.contextmanager
def broker(settings: Settings) -> Iterator[tuple[str, str, int]]:
    """What it is, its address, and how many records it can take at most; the topics are there."""
    lacking = kafka.missing()
    if lacking is None:
        with kafka.KafkaBroker() as server:
            names = [*settings.topics.raw, settings.topics.signals, settings.topics.dead_letters]
            server.create_topics(dict.fromkeys(names, PARTITIONS))
            yield f"Kafka {server.version}", server.bootstrap, sys.maxsize
    else:
        with embedded_broker() as bootstrap:
            yield f"the embedded broker, because {lacking}", bootstrap, EMBEDDED_RECORDS_MAX


def measured(name: str, brokers: str, records: int) -> dict[str, float]:
    """Run one measurement in a process of its own."""
    command = [sys.executable, "-m", "bench.intake_vs_agent", "--records", str(records)]
    done = subprocess.run(
        [*command, "--measure", name, "--brokers", brokers],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=MEASUREMENT_SECONDS_MAX,
        check=True,
    )
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> int:
    """Measure both, print both rates and their ratio."""
    parser = argparse.ArgumentParser(description="intake against a plain Faust agent")
    parser.add_argument("--records", type=int, default=150_000)
    parser.add_argument("--measure", choices=MEASUREMENTS, help=argparse.SUPPRESS)
    parser.add_argument("--brokers", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        settings = Settings(brokers=arguments.brokers, app_id="bench")
        tally = asyncio.run(MEASUREMENTS[arguments.measure](settings, arguments.records))
        print(json.dumps({"records": tally.records, "seconds": tally.seconds, "rate": tally.rate}))
        return 0

    with broker(Settings()) as (what, bootstrap, records_max):
        records = min(arguments.records, records_max)
        print(f"{records:,} records of a log topic with {PARTITIONS} partitions, {what}", flush=True)
        fill(Settings(brokers=bootstrap), records)
        results = {name: measured(name, bootstrap, records) for name in MEASUREMENTS}
    for name, result in results.items():
        print(
            f"{name:7} {result['rate']:9,.0f} records/s  ({result['records']:,} in {result['seconds']:.1f} s)"
        )
    ratio = results["intake"]["rate"] / results["agent"]["rate"]
    print(f"intake is {ratio:.1f} times as fast; at least {RATIO_MIN:.0f} times is required")
    return 0 if ratio >= RATIO_MIN else 1


if __name__ == "__main__":
    sys.exit(main())
