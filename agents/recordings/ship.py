"""Ships a recording to the raw topics, as a log shipper would: at least once, in partition order.

`acks=all`; a record is retried until Kafka has acknowledged it or the delivery timeout has passed.
Then shipping stops: the markers behind a lost record would say that everything before them is there.
"""

import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from agents.recordings.arrivals import MARKERS, Layout, lay_out, markers
from agents.recordings.envelopes import Envelope
from agents.recordings.recording import Recording
from agents.settings import Topics
from pipeline.replay import Arrival, closing_time, duplicate
from schemas import Rules

OUTSTANDING_MAX = 5_000
"""Records on their way at once: memory stays bounded whatever the recording's size."""

MAX_SPEED = float("inf")


class ShipError(Exception):
    """Something was not delivered; the message says what and why."""


@dataclass
class Delivery:
    """What became of the records. `failures`: (topic, error) → records."""

    sent: Counter[str] = field(default_factory=Counter)
    acknowledged: Counter[str] = field(default_factory=Counter)
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def outstanding(self) -> int:
        """Records sent that Kafka has neither acknowledged nor refused."""
        return self.sent.total() - self.acknowledged.total() - self.failures.total()

    def undelivered(self, records: int) -> str:
        """Say in words what of `records` did not get there, topic by topic."""
        missing = records - self.acknowledged.total()
        reasons = sorted(
            {f"{topic}: {error} ({count} records)" for (topic, error), count in self.failures.items()}
        )
        if self.outstanding:
            reasons.append(f"no answer from Kafka for {self.outstanding} records")
        return f"{missing} of {records} records were not delivered; " + "; ".join(reasons)


class Pacer:
    """Lets time pass as fast as it did in the recording, times `speed`."""

    def __init__(
        self,
        speed: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._speed = speed
        self._clock = clock
        self._sleep = sleep
        self._start: tuple[float, float] | None = None

    def wait_for(self, event_time: float) -> None:
        """Return when it is time for `event_time`; the first call starts the clock."""
        if self._speed == MAX_SPEED:
            return
        if self._start is None:
            self._start = event_time, self._clock()
        first, started = self._start
        ahead_seconds = started + (event_time - first) / self._speed - self._clock()
        if ahead_seconds > 0:
            self._sleep(ahead_seconds)


class Shipper:
    """Writes arrivals to Kafka and keeps count of what Kafka has said."""

    def __init__(self, producer: Any, timeout_seconds: float) -> None:
        self._producer = producer
        self._timeout_seconds = timeout_seconds
        self.delivery = Delivery()

    def partitions(self, topics: Topics) -> dict[str, int]:
        """Ask Kafka for the partition counts of the raw topics.

        Raises:
            ShipError: Kafka has no such topic and makes none, or does not answer.
        """
        counts: dict[str, int] = {}
        for topic in topics.raw:
            try:
                found = self._producer.partitions_for(topic)
            except KafkaError as error:
                raise ShipError(
                    f"Kafka says nothing of topic {topic} ({error}); "
                    "if it is not there, `undercurrent topics` creates it"
                ) from error
            counts[topic] = len(found)
        return counts

    def send(self, arrival: Arrival) -> None:
        """Hand one record to the producer; its answer is counted when it comes."""
        record = arrival.record
        self.delivery.sent[record.topic] += 1
        try:
            future = self._producer.send(
                record.topic,
                value=record.value,
                key=record.key,
                partition=record.partition,
                timestamp_ms=record.timestamp_ms,
            )
        except KafkaError as error:
            self._failed(record.topic, error)
            return
        future.add_callback(partial(self._acknowledged, record.topic))
        future.add_errback(partial(self._failed, record.topic))
        if self.delivery.outstanding >= OUTSTANDING_MAX:
            self.settle()

    def settle(self) -> None:
        """Wait until Kafka has answered for every record sent so far, or the timeout has passed."""
        try:
            self._producer.flush(timeout=self._timeout_seconds)
        except KafkaError:
            # What is still outstanding is counted and reported by whoever asked.
            logging.getLogger(__name__).debug("flush timed out, %s outstanding", self.delivery.outstanding)

    def ship(self, arrivals: Sequence[Arrival], pacer: Pacer, on_progress: Callable[[Arrival], None]) -> None:
        """Send `arrivals` at the pacer's speed and wait for Kafka to have them all.

        Raises:
            ShipError: something was not delivered.
        """
        for arrival in arrivals:
            pacer.wait_for(arrival.at)
            self.send(arrival)
            if self.delivery.failures:
                break
            on_progress(arrival)
        self.settle()
        if self.delivery.acknowledged.total() < len(arrivals):
            raise ShipError(self.delivery.undelivered(len(arrivals)))

    def _acknowledged(self, topic: str, _metadata: object) -> None:
        self.delivery.acknowledged[topic] += 1

    def _failed(self, topic: str, error: BaseException) -> None:
        self.delivery.failures[topic, str(error) or type(error).__name__] += 1


@dataclass(frozen=True, slots=True)
class Shipment:
    """What to ship, and how. `duplicate_share` of the records are sent twice, chosen by `seed`."""

    recording: Recording
    envelope: Envelope
    split: bool
    with_markers: bool = True
    duplicate_share: float = 0.0
    seed: int = 0

    def arrivals(self, topics: Topics, partitions: dict[str, int], rules: Rules) -> list[Arrival]:
        """Lay the records out, in order; the last markers end the recording under `rules`."""
        layout = Layout(topics, partitions, self.envelope, self.split)
        planned = lay_out(self.recording, layout)
        if self.duplicate_share:
            draw = random.Random(self.seed).random  # noqa: S311 - chance for a test, not a secret
            planned = duplicate(planned, self.duplicate_share, draw)
        if not self.with_markers:
            return [arrival for arrival in planned if arrival.group != MARKERS]
        # Nobody waits for the ending: it is written right behind the last record.
        return [*planned, *markers(self.end(rules), planned[-1].at, layout, Counter())]

    def end(self, rules: Rules) -> int:
        """Return the event time that the last markers declare."""
        return closing_time(self.recording.entries[-1].at, rules)


@contextmanager
def shipper(
    brokers: str,
    timeout_seconds: float,
    api_version: tuple[int, ...] | None = None,
    security: Mapping[str, Any] | None = None,
) -> Iterator[Shipper]:
    """Connect to Kafka; on the way out the producer is closed, waiting no longer than the timeout.

    `security`: how to encrypt and log in, from `agents.connection.security_options`; None for neither.

    `api_version` None asks the broker; brokers older than 0.11 know no idempotent producer, so there
    order is kept by having one request on its way at a time.

    Raises:
        ShipError: no broker answers.
    """
    timeout_ms = round(timeout_seconds * 1000)
    by_age: dict[str, Any] = {}
    if api_version is not None and api_version < (0, 11):
        by_age = {"enable_idempotence": False, "max_in_flight_requests_per_connection": 1}
    try:
        producer = KafkaProducer(
            bootstrap_servers=[broker.strip() for broker in brokers.split(",")],
            client_id="undercurrent-ship",
            acks="all",
            linger_ms=5,
            delivery_timeout_ms=timeout_ms,
            request_timeout_ms=min(timeout_ms - 10, 10_000),
            max_block_ms=timeout_ms,
            bootstrap_timeout_ms=timeout_ms,
            api_version=api_version,
            **(security or {}),
            **by_age,
        )
    except KafkaError as error:
        raise ShipError(f"no Kafka broker answers at {brokers}: {error}") from error
    open_shipper = Shipper(producer, timeout_seconds)
    try:
        yield open_shipper
    finally:
        _close(producer, 0 if open_shipper.delivery.outstanding else timeout_seconds)


def _close(producer: Any, timeout_seconds: float) -> None:
    try:
        producer.close(timeout=timeout_seconds)
    except KafkaError:
        # Undelivered records have been reported; closing must not hide that report.
        logging.getLogger(__name__).debug("the producer did not close in time")
