"""What a worker would have left in Kafka: raw records, changes, decisions and dead letters of a recording."""

from pathlib import Path

from confluent_kafka import Producer

from agents.recordings.arrivals import lay_out, layout_of
from agents.recordings.envelopes import ENVELOPES
from agents.recordings.recording import read_recording
from agents.recordings.replay import Outcome, run
from agents.settings import Settings
from pipeline.intake import RawRecord
from pipeline.replay import Arrival
from schemas import DeadLetter, DeadLetterReason, Origin, encode


def fill(settings: Settings, recording: Path) -> tuple[list[Arrival], Outcome]:
    """Write everything, at the offsets it has in a replay; then a record nobody can read, and its letter."""
    layout = layout_of(ENVELOPES["fluent-bit"], True, settings.topics)
    arrivals = lay_out(read_recording(recording), layout)
    outcome = run(
        [one for one in arrivals if one.group != "markers"], settings.intake_config(), settings.rules
    )
    producer = Producer({"bootstrap.servers": settings.brokers, "queue.buffering.max.messages": 1_000_000})
    for arrival in arrivals:
        write(producer, arrival.record)
    names = settings.topics
    for change in [*outcome.changes, *outcome.changes[:1]]:  # a crash repeats what was said
        producer.produce(names.changes, encode(change), partition=1)
    for decision in outcome.decisions:
        producer.produce(names.decisions, encode(decision), partition=1)
    producer.produce(names.changes, b"not ours", partition=0)
    broken = broken_record(arrivals, settings)
    write(producer, broken)
    letter = DeadLetter(
        origin=Origin(topic=broken.topic, partition=broken.partition, offset=broken.offset),
        reason=DeadLetterReason.UNDECODABLE,
        detail="neither JSON nor text: no UTF-8 at byte 0",
        value_base64="/w==",
        size_bytes=1,
    )
    producer.produce(names.dead_letters, encode(letter), partition=0)
    assert producer.flush(30) == 0
    return arrivals, outcome


def broken_record(arrivals: list[Arrival], settings: Settings) -> RawRecord:
    """The first free offset of partition 0 of the logs holds one byte that is no text."""
    topic = settings.topics.logs
    ends = [one.record.offset for one in arrivals if (one.record.topic, one.record.partition) == (topic, 0)]
    return RawRecord(topic, 0, max(ends) + 1, round(arrivals[-1].at * 1000), None, b"\xff")


def write(producer: Producer, record: RawRecord) -> None:
    """Write one record where its origin says it lies."""
    producer.poll(0)
    producer.produce(
        record.topic, record.value, partition=record.partition, timestamp=record.timestamp_ms or 0
    )
