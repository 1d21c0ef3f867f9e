"""Feeds intake and gathers what it said: the small language the tests of intake are written in."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson

from pipeline.intake import Batch, Counts, Intake, IntakeConfig, RawRecord
from schemas import DeadLetter, Observation, Sample, Signal, Symptom, SymptomKind

FIXTURES = Path(__file__).parent / "fixtures"

AT = 1_795_425_030.5
"""2026-11-23T09:10:30.5Z"""

Slot = tuple[str, SymptomKind, str | None, str | None, int, str | None, str | None]


def samples_of_shippers() -> dict[str, bytes]:
    """Name → value of each record of kafka-records.jsonl."""
    rows = map(orjson.loads, (FIXTURES / "kafka-records.jsonl").read_bytes().splitlines())
    return {row["name"]: row["value"].encode() for row in rows}


def captured(name: str) -> list[str]:
    """Lines of a captured log."""
    return (FIXTURES / f"captured-registry-{name}.log").read_text().splitlines()


def record(
    value: bytes | str | None,
    offset: int = 0,
    partition: int = 0,
    at: float | None = None,
    topic: str = "registry.logs",
) -> RawRecord:
    """A raw record; `at` is its Kafka timestamp in unix seconds."""
    raw = value.encode() if isinstance(value, str) else value
    return RawRecord(topic, partition, offset, None if at is None else round(at * 1000), None, raw)


def fluent_bit(log: str, pod: str = "registry-a", at: float = AT, **more: Any) -> bytes:
    """A line as Fluent Bit writes it from Kubernetes."""
    place = {
        "pod_name": pod,
        "namespace_name": "registry",
        "container_name": "registry",
        "host": f"node-{pod}",
    }
    return orjson.dumps(
        {"@timestamp": at, "stream": "stderr", "_p": "F", "log": log, "kubernetes": place, **more}
    )


def feed(values: Iterable[bytes | str | None], config: IntakeConfig | None = None) -> Batch:
    """All values as records of one partition, then one flush that releases what waits."""
    intake = Intake(config or IntakeConfig())
    for offset, value in enumerate(values):
        intake.receive(record(value, offset))
    return intake.flush(release_heads=True)


def signals(batch: Batch) -> list[Signal]:
    return [signal for frame in batch.frames for signal in frame.signals]


def symptoms(batch: Batch) -> list[Symptom]:
    return [signal for signal in signals(batch) if isinstance(signal, Symptom)]


def samples(batch: Batch) -> list[Sample]:
    return [signal for signal in signals(batch) if isinstance(signal, Sample)]


def only(batch: Batch) -> tuple[Symptom, Observation]:
    """The one symptom of a batch and its one observation."""
    (symptom,) = symptoms(batch)
    (observation,) = symptom.observations
    return symptom, observation


def kinds(batch: Batch) -> dict[str, int]:
    return batch.counts.symptoms


def accounted(counts: Counts) -> int:
    """Records that have ended one way or the other, without those that still wait."""
    return (
        sum(counts.records.values())
        + sum(counts.dropped.values())
        + sum(counts.dead_letters.values())
        + counts.markers
    )


def union(batches: Sequence[Batch], bound: int) -> dict[Slot, dict[str, Observation]]:
    """The deliberately dumb twin of merging: all observations by slot in a dict, the smallest ids kept."""
    found: dict[Slot, dict[str, Observation]] = {}
    for batch in batches:
        for frame in batch.frames:
            for one in frame.signals:
                if isinstance(one, Symptom):
                    slot = (
                        frame.domain,
                        one.kind,
                        one.instance,
                        one.host,
                        one.second,
                        one.upstream,
                        one.question,
                    )
                    found.setdefault(slot, {}).update({o.id: o for o in one.observations})
    cut = {True: 64, False: bound}
    return {
        slot: dict(sorted(them.items())[: cut[slot[1] is SymptomKind.REQUEST_OK]])
        for slot, them in found.items()
    }


def dead(batch: Batch) -> list[DeadLetter]:
    return list(batch.dead_letters)
