"""How fast a span of Kafka is replayed, against a bare consumer of the same client in the same run.

    make bench-replay                            a million records
    make bench-replay RECORDS=10000000 JOBS=1    ten million, replayed by one process alone

A real Kafka, three raw topics of four partitions, zstd, an hour of event time. Seven incidents with a known
truth lie among what a quiet fleet writes (bench/planted.py); some of it arrives out of order within the
allowed lateness, and some beyond it. The bare consumer is aiokafka's with the options of the replay: one
process that looks at nothing. The span is replayed as `undercurrent replay` does it, by default with reader
processes.

CPU seconds count all processes of the bench but the broker: they tell more than rates where the machine has
other things to do. The exit code is 0 when the replay found just what was planted, read every record, needed
no more memory in its second half than in its first, and ran at 0.4 of the bare consumer's rate or more.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition
from confluent_kafka import Producer

from agents.connection import aiokafka_options
from agents.history import Span, kafka_history
from agents.history.kafka import FETCH_BYTES
from agents.history.play import Player
from agents.recordings.replay import Outcome
from agents.scoring.judge import judge
from agents.settings import Settings
from bench.planted import CAUSES, LATE_SECONDS, READING_SECONDS, ROOM_SECONDS, Fleet, plant
from tests.kafka.broker import KafkaBroker

PARTITIONS = 4
BEGIN = 1_795_400_000.0
SPAN_SECONDS = len(CAUSES) * ROOM_SECONDS
RATIO_MIN = 0.4
GROWTH_MAX = 1.1


@dataclass(frozen=True, slots=True)
class Replayed:
    """One replay: what it found, and what it needed. `memory_mib`: of all its processes, once a second."""

    outcome: Outcome
    records: int
    seconds: float
    cpu_seconds: float
    memory_mib: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Records per second."""
        return self.records / self.seconds

    @property
    def halves_mib(self) -> tuple[float, float]:
        """The most it needed in each half of its time."""
        middle = len(self.memory_mib) // 2
        return max(self.memory_mib[:middle], default=0.0), max(self.memory_mib[middle:], default=0.0)


def in_order(settings: Settings, records: int) -> Iterator[tuple[str, int, int, bytes]]:
    """(topic, partition, timestamp in ms, value) of everything, in order of arrival."""
    planted = iter(plant(BEGIN, SPAN_SECONDS, settings.topics, PARTITIONS).arrivals)
    fleet, following, read = Fleet(settings.topics), next(planted, None), BEGIN
    for number in range(records):
        now = BEGIN + SPAN_SECONDS * number / records
        while following is not None and following.at <= now:
            one = following.record
            yield one.topic, one.partition, one.timestamp_ms or 0, one.value or b""
            following = next(planted, None)
        if now >= read:
            for topic, value in fleet.readings(int(read)):
                yield topic, number % PARTITIONS, round(read * 1000), value
            read += READING_SECONDS
        at = now - (LATE_SECONDS if number % 997 == 0 else 3.0 if number % 20 == 0 else 0.0)
        topic, value = fleet.record(number, at)
        yield topic, number // 8 % PARTITIONS, round(at * 1000), value


def fill(settings: Settings, records: int) -> int:
    """Write it all; returns how many records that are."""
    options = {
        "bootstrap.servers": settings.brokers,
        "compression.type": "zstd",
        "linger.ms": 200,
        "batch.size": 1_000_000,
        "queue.buffering.max.messages": 300_000,
    }
    producer, written = Producer(options), 0
    for topic, partition, stamp_ms, value in in_order(settings, records):
        producer.produce(topic, value, partition=partition, timestamp=stamp_ms)
        written += 1
        if written % 2_000 == 0:
            producer.poll(0)
            if len(producer) > 200_000:
                producer.flush()
    if producer.flush(120):
        raise RuntimeError("the broker did not take all records")
    return written


def bare(settings: Settings, records: int) -> tuple[float, float]:
    """Seconds, and CPU seconds, of a consumer that looks at nothing."""
    before = cpu_seconds()
    return asyncio.run(_bare(settings, records)), cpu_seconds() - before


async def _bare(settings: Settings, records: int) -> float:
    consumer = AIOKafkaConsumer(
        **aiokafka_options(settings),
        group_id=None,
        isolation_level="read_committed",
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    await consumer.start()
    try:
        places = [TopicPartition(topic, n) for topic in settings.topics.raw for n in range(PARTITIONS)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        read, began = 0, time.perf_counter()
        while read < records:
            read += sum(map(len, (await consumer.getmany(timeout_ms=500)).values()))
        return time.perf_counter() - began
    finally:
        await consumer.stop()


def replayed(settings: Settings, jobs: int) -> Replayed:
    """Replay the span with `jobs` readers, 0: as many as the command takes."""
    span = Span(BEGIN - 120, BEGIN + SPAN_SECONDS + 600)
    memory_mib: list[float] = []
    with kafka_history(settings, span, settings.topics.raw) as history:
        player = Player(history, settings.intake_config(), settings.rules, jobs)
        began = looked = time.perf_counter()
        cpu_before = cpu_seconds()
        for _ in player.steps():
            if time.perf_counter() - looked >= 1.0:
                memory_mib.append(resident_mib())
                looked = time.perf_counter()
        seconds, cpu = time.perf_counter() - began, cpu_seconds() - cpu_before
        return Replayed(player.outcome(), player.records, seconds, cpu, tuple(memory_mib))


def cpu_seconds() -> float:
    """Of this process and of its children that have ended."""
    return sum(os.times()[:4])


def resident_mib() -> float:
    """Memory of this process and of those it has started, as the kernel sees it."""
    own = Path("/proc/self/task").iterdir()
    children = {child for task in own for child in (task / "children").read_text().split()}
    pages = 0
    for process in ("self", *children):
        with suppress(OSError):  # it has just ended
            pages += int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=0, help="processes that read, 0: as the command takes")
    asked = parser.parse_args()
    # Each in a process of its own: what one has needed is not in the memory of the next.
    with (
        KafkaBroker() as server,
        ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as alone,
    ):
        settings = Settings(brokers=server.bootstrap)
        server.create_topics(dict.fromkeys(settings.topics.raw, PARTITIONS))
        began = time.perf_counter()
        records = alone.submit(fill, settings, asked.records).result()
        print(f"{records:,} records written in {time.perf_counter() - began:.0f} s", flush=True)
        seconds, cpu = alone.submit(bare, settings, records).result()
        bare_rate = records / seconds
        print(f"bare consumer  {bare_rate:>9,.0f} records/s, {cpu:.0f} s of CPU", flush=True)
        one = alone.submit(replayed, settings, asked.jobs).result()
    ratio = one.rate / bare_rate
    low, high = one.halves_mib
    late = sum(incident.late for incident in one.outcome.incidents)
    print(f"replay         {one.rate:>9,.0f} records/s, {one.cpu_seconds:.0f} s of CPU")
    print(f"ratio          {ratio:>9.2f}; {RATIO_MIN} is wanted")
    print(f"memory         {low:.0f} MiB in its first half, {high:.0f} MiB in its second")
    print(f"late           {late} events of incidents, told after their second was settled")
    for incident in one.outcome.incidents:
        at = time.strftime("%H:%M:%S", time.gmtime(incident.first_symptom_at))
        print(f"{at}       {incident.cause} on {', '.join(incident.instances)}")
    problems = list(wrong(one, records, settings))
    if ratio < RATIO_MIN:
        problems.append("too slow")
    print("\n".join(problems) or "all that was planted was found, and nothing else")
    return 1 if problems else 0


def wrong(one: Replayed, records: int, settings: Settings) -> Iterator[str]:
    """What a replay got wrong, in words."""
    truth = plant(BEGIN, SPAN_SECONDS, settings.topics, PARTITIONS).truth
    reports, findings, _ = judge(truth, one.outcome)
    for finding in findings:
        if finding.verdict != "right":
            yield f"{finding.cause} {finding.verdict} ({finding.said})"
    for report in reports:
        if report.verdict not in ("right", "tolerated"):
            yield f"{report.verdict}: {report.cause} on {', '.join(report.instances)}"
    if not any(incident.late for incident in one.outcome.incidents):
        yield "nothing was late, although it was planted so"
    if one.records != records or one.outcome.counts.received != records:
        yield f"{one.records:,} of {records:,} records were read"
    if one.outcome.dead_letters:
        yield f"{len(one.outcome.dead_letters)} dead letters, such as {one.outcome.dead_letters[0].detail}"
    low, high = one.halves_mib
    if high > GROWTH_MAX * low:
        yield f"memory grew from {low:.0f} to {high:.0f} MiB"


if __name__ == "__main__":
    sys.exit(main())
