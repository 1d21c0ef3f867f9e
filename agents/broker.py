"""A Kafka broker inside this process, for a first try without Kafka.

It is librdkafka's mock cluster, which runs in native threads. It speaks the protocol but is no Kafka:
it keeps at most 5 MB a partition, in memory, for as long as the process lives. A topic appears when
it is first used, with four partitions.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import Producer

PARTITIONS = 4
API_VERSION = (0, 10, 2)
"""What kafka-python has to be told: it cannot find out the mock cluster's version by itself."""

_ANSWER_SECONDS = 10.0


@contextmanager
def embedded_broker() -> Iterator[str]:
    """Run the broker as long as the context is open; gives its address as `host:port`."""
    # The address is needed by librdkafka's checks only; the mock cluster takes its place.
    owner = Producer({"bootstrap.servers": "127.0.0.1:1", "test.mock.num.brokers": 1, "log_level": 0})
    try:
        brokers = owner.list_topics(timeout=_ANSWER_SECONDS).brokers.values()
        yield ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
    finally:
        del owner  # librdkafka ends the cluster with its last handle
