"""The way to Kafka: a round of records is handed over until every one of them is acknowledged.

`acks=all`, one request on its way at a time, so order is kept without the right to write idempotently.
A record that no broker will ever take (too large, malformed) is counted as refused and left out, for
otherwise nothing behind it would get through.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from kafka import KafkaProducer
from kafka.errors import InvalidRecordError, KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from agents import log
from agents.connection import kafka_python_options
from agents.settings import Settings
from agents.shippers.page import Figures
from agents.shippers.source import Outgoing

DELIVERY_SECONDS = 15.0
"""How long one attempt lasts before the connection is made anew."""

BLOCK_SECONDS = 3.0
"""How long to wait for a broker, or for the partitions of the topic, before the attempt has failed."""

BETWEEN_SECONDS = 1.0
GRACE_SECONDS = 5.0
"""How long a shipper that is told to stop waits for Kafka's answer to what it has sent."""

REFUSED = (MessageSizeTooLargeError, InvalidRecordError)


class Link:
    """One producer, made anew after each failure. `topic`: where everything goes."""

    def __init__(self, settings: Settings, topic: str, figures: Figures) -> None:
        self._settings = settings
        self._topic = topic
        self._figures = figures
        self._producer: Any = None
        self._said: str | None = None

    def deliver(
        self, records: Sequence[Outgoing], stopping: Callable[[], bool], meanwhile: Callable[[], None]
    ) -> bool:
        """Hand `records` over, again and again until Kafka has them all; `meanwhile` is called between.

        False: `stopping` came first, and Kafka may have some of them or none.
        """
        left = list(records)
        while left := self._attempt(left, stopping, meanwhile):
            self._figures.retried()
            if stopping():
                return False
            meanwhile()
            time.sleep(BETWEEN_SECONDS)
        if self._said is not None:
            log.get("ship").info("Kafka answers again", topic=self._topic)
            self._said = None
        self._figures.delivered(len(records))
        return True

    def close(self) -> None:
        """Close the connection; nothing is waiting in it."""
        if self._producer is not None:
            self._producer.close(timeout=0)
            self._producer = None

    def _attempt(
        self, records: list[Outgoing], stopping: Callable[[], bool], meanwhile: Callable[[], None]
    ) -> list[Outgoing]:
        """Send `records` once; returns those that Kafka has not acknowledged, in order."""
        try:
            if self._producer is None:
                self._producer = self._connect()
            sent = [(record, self._send(record)) for record in records]
            self._wait(stopping, meanwhile)
        except KafkaError as error:
            self._failed(error)
            return records
        left = [record for record, future in sent if future is not None and not future.succeeded()]
        errors = [future.exception for _, future in sent if future is not None and future.failed()]
        lasting = [error for error in errors if not isinstance(error, REFUSED)]
        if errors and len(lasting) < len(errors):
            self._refused(len(errors) - len(lasting), next(e for e in errors if isinstance(e, REFUSED)))
            refused = {id(r) for r, f in sent if f is not None and isinstance(f.exception, REFUSED)}
            left = [record for record in left if id(record) not in refused]
        if left:
            self._failed(lasting[0] if lasting else KafkaTimeoutError("no answer in time"))
        return left

    def _send(self, record: Outgoing) -> Any:
        """The answer to come, None where the record is refused before it is sent."""
        try:
            return self._producer.send(
                self._topic, value=record.value, key=record.key, timestamp_ms=record.timestamp_ms
            )
        except MessageSizeTooLargeError as error:
            self._refused(1, error)
            return None

    def _wait(self, stopping: Callable[[], bool], meanwhile: Callable[[], None]) -> None:
        """Wait until every record is answered for, or the attempt's time is up."""
        deadline = time.monotonic() + DELIVERY_SECONDS
        while True:
            try:
                self._producer.flush(timeout=BETWEEN_SECONDS)
            except KafkaTimeoutError:
                now = time.monotonic()
                if stopping():
                    deadline = min(deadline, now + GRACE_SECONDS)
                if now >= deadline:
                    return
                meanwhile()
            else:
                return

    def _connect(self) -> Any:
        return KafkaProducer(
            **kafka_python_options(self._settings),
            client_id="undercurrent-ship",
            acks="all",
            enable_idempotence=False,
            max_in_flight_requests_per_connection=1,
            linger_ms=5,
            batch_size=256 * 1024,
            delivery_timeout_ms=round(DELIVERY_SECONDS * 1000),
            request_timeout_ms=round(DELIVERY_SECONDS * 1000) - 1000,
            max_block_ms=round(BLOCK_SECONDS * 1000),
            bootstrap_timeout_ms=round(BLOCK_SECONDS * 1000),
            reconnect_backoff_max_ms=1000,
        )

    def _failed(self, error: BaseException) -> None:
        """Make the connection anew next time; say it once until it works again."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            producer.close(timeout=0)
        said = f"{type(error).__name__}: {error}"
        if self._said is None:
            log.get("ship").warning(
                "Kafka does not take records; trying on", topic=self._topic, brokers=self._settings.brokers,
                error=said[:300], look="`undercurrent topics` says whether the topic is there",
            )  # fmt: skip
        self._said = said

    def _refused(self, records: int, error: BaseException) -> None:
        self._figures.refused(records)
        log.get("ship").error(
            "Kafka refuses records for good; they are left out", records=records, error=str(error)[:300]
        )
