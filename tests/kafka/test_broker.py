"""The broker the other tests stand on: it starts, keeps what it acknowledged, and leaves nothing behind."""

import os
import time
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from tests.kafka.broker import BrokerError, KafkaBroker


def _send(bootstrap: str, topic: str, value: bytes, bootstrap_seconds_max: float = 20) -> None:
    producer = KafkaProducer(
        bootstrap_servers=bootstrap, acks="all", bootstrap_timeout_ms=int(bootstrap_seconds_max * 1000)
    )
    try:
        producer.send(topic, value).get(timeout=20)
    finally:
        producer.close(timeout=5)


def _values(bootstrap: str, topic: str, count: int) -> list[bytes]:
    """The first `count` values of partition 0, waiting 20 s for them at most."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    try:
        consumer.assign([TopicPartition(topic, 0)])
        values: list[bytes] = []
        deadline = time.monotonic() + 20
        while len(values) < count and time.monotonic() < deadline:
            for records in consumer.poll(timeout_ms=500).values():
                values += [record.value for record in records]
        return values
    finally:
        consumer.close()


@pytest.mark.parametrize("kafka_broker", ["4.1.0", "3.9.1"], indirect=True)
def test_what_was_acknowledged_survives_kill_restart_and_freeze(kafka_broker: KafkaBroker) -> None:
    """A broker that is killed, restarted and frozen still holds every record it acknowledged."""
    kafka_broker.create_topics({"t": 1})
    _send(kafka_broker.bootstrap, "t", b"before the kill")
    first = kafka_broker.pid
    kafka_broker.kill()
    kafka_broker.start()
    assert kafka_broker.pid != first
    _send(kafka_broker.bootstrap, "t", b"after the kill")
    kafka_broker.restart()
    kafka_broker.pause()
    with pytest.raises(KafkaError):
        _send(kafka_broker.bootstrap, "t", b"during the freeze", bootstrap_seconds_max=1)
    kafka_broker.resume()
    _send(kafka_broker.bootstrap, "t", b"after the freeze")
    assert _values(kafka_broker.bootstrap, "t", 3) == [
        b"before the kill",
        b"after the kill",
        b"after the freeze",
    ]


@pytest.mark.kafka
def test_a_closed_broker_leaves_neither_process_nor_data() -> None:
    """Closing ends the process and removes folder and log."""
    with KafkaBroker() as broker:
        pid, home, log = broker.pid, broker._home, broker.log
        assert log.is_file()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not home.exists()
    assert not log.exists()


@pytest.mark.kafka
def test_a_broker_that_cannot_start_says_why() -> None:
    """A start that fails raises with the broker's own last words."""
    broker = KafkaBroker()
    try:
        meta = Path(broker._home, "data", "meta.properties")
        meta.write_text(meta.read_text().replace("node.id=1", "node.id=7"))
        with pytest.raises(BrokerError, match=r"(?s)ended with 1:.*node"):
            broker.start()
    finally:
        broker.close()
