"""Shipping to a real Kafka: through its death and return, and into topics that are not there."""

from collections import Counter, defaultdict
from pathlib import Path

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from agents.recordings.envelopes import fluent_bit
from agents.recordings.recording import read_recording
from agents.recordings.ship import MAX_SPEED, Pacer, ShipError, Shipment, shipper
from agents.settings import Topics
from pipeline.replay import Arrival
from schemas import Rules
from tests.kafka.broker import KafkaBroker

SHORT = Path(__file__).parents[2] / "corpus/recordings/debug_level_sample.tar.xz"
PARTITIONS = 3


def stored(bootstrap: str, topics: Topics) -> dict[tuple[str, int], list[bytes]]:
    """Read the raw topics to their end."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "test",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    unread = {(topic, partition) for topic in topics.raw for partition in range(PARTITIONS)}
    consumer.assign([TopicPartition(*place, OFFSET_BEGINNING) for place in unread])
    found = defaultdict(list)
    while unread:
        message = consumer.poll(20)
        assert message is not None, "the broker does not answer"
        place = str(message.topic()), message.partition() or 0
        error = message.error()
        if error is None:
            found[place].append(message.value() or b"")
        else:
            assert error.code() == KafkaError._PARTITION_EOF
            unread.discard(place)
    consumer.close()
    return found


def test_a_broker_that_dies_and_returns_loses_nothing(kafka_broker: KafkaBroker) -> None:
    """Killed in the middle of shipping and started again, it holds every record, and in order."""
    topics = Topics()
    kafka_broker.create_topics(dict.fromkeys(topics.raw, PARTITIONS))
    shipment = Shipment(read_recording(SHORT), fluent_bit, split=True)
    seen = Counter[str]()

    def kill_on_the_way(_arrival: Arrival) -> None:
        seen["records"] += 1
        if seen["records"] == 700:
            kafka_broker.kill()
        if seen["records"] == 900:
            kafka_broker.start()

    with shipper(kafka_broker.bootstrap, 60) as connected:
        plan = shipment.arrivals(topics, connected.partitions(topics), Rules())
        connected.ship(plan, Pacer(MAX_SPEED), kill_on_the_way)
    expected = defaultdict(list)
    for arrival in plan:
        expected[arrival.record.topic, arrival.record.partition].append(arrival.record.value or b"")
    found = stored(kafka_broker.bootstrap, topics)
    for place, values in expected.items():
        # At least once: a copy may follow, but the first copies are all there and in order.
        assert list(dict.fromkeys(found[place])) == list(dict.fromkeys(values))
        assert not Counter(values) - Counter(found[place])


def test_topics_that_are_not_there_are_named_with_the_fix(kafka: str) -> None:
    """Where Kafka makes no topics by itself, the message says which is missing and what creates it."""
    topics = Topics(logs="ship.logs", metrics="ship.metrics", dns="ship.dns")
    with (
        shipper(kafka, 2) as connected,
        pytest.raises(ShipError, match=r"topic ship\.logs .*`undercurrent topics` creates it"),
    ):
        connected.partitions(topics)


def test_a_broker_that_stays_away_is_reported(kafka_broker: KafkaBroker) -> None:
    """What was acknowledged before is told apart from what was not."""
    topics = Topics()
    kafka_broker.create_topics(dict.fromkeys(topics.raw, PARTITIONS))
    shipment = Shipment(read_recording(SHORT), fluent_bit, split=True)
    with shipper(kafka_broker.bootstrap, 5) as connected:
        plan = shipment.arrivals(topics, connected.partitions(topics), Rules())

        def kill_on_the_way(_arrival: Arrival) -> None:
            if connected.delivery.sent.total() == 700:
                connected.settle()
                kafka_broker.kill()

        with pytest.raises(ShipError, match=rf"of {len(plan)} records were not delivered"):
            connected.ship(plan, Pacer(MAX_SPEED), kill_on_the_way)
    assert connected.delivery.acknowledged.total() == 700
