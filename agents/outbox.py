"""The one producer of intake, correlate and notify: what it is given is in Kafka when it returns.

Not idempotent on purpose: everything written here is idempotent for its readers (roll-ups merge,
changes and decisions have derived ids), and a producer without a sequence can never be fenced out
of one. aiokafka keeps one request per partition in flight, so order within a partition holds.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from agents import log
from agents.connection import aiokafka_options
from agents.settings import Settings

BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Pauses between attempts; the last one repeats until Kafka answers."""

RECORD_BYTES_MAX = 1_000_000
"""Largest record written: Kafka's default limit of 1,048,588 bytes, less headers."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to write. `partition` None: any."""

    topic: str
    value: bytes
    key: bytes | None = None
    partition: int | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


class TooLargeError(ValueError):
    """A record is larger than `RECORD_BYTES_MAX`: a bug of whoever made it, and not to be tried again."""


class Outbox:
    """Writes records and waits until all in-sync replicas have them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._journal = log.get("outbox")

    async def start(self) -> None:
        """Connect, as soon as a broker answers."""
        attempt = 0
        while self._producer is None:
            producer = AIOKafkaProducer(
                **aiokafka_options(self._settings),
                client_id=f"{self._settings.app_id}-outbox",
                acks="all",
                max_request_size=RECORD_BYTES_MAX + 100_000,
            )
            try:
                await producer.start()
                self._producer = producer
            except KafkaError as error:
                await producer.stop()
                await self._pause(attempt, "connect_failed", error)
                attempt += 1

    async def stop(self) -> None:
        """Send what is buffered and disconnect."""
        if self._producer is not None:
            await self._producer.stop()

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Write `records`; returns when Kafka has them all. What fails is tried again until it works.

        Raises:
            TooLargeError: a record is larger than Kafka takes.
        """
        left, attempt = list(records), 0
        while left:
            left, error = await self._attempt(left)
            if error is not None:
                await self._pause(attempt, "write_failed", error)
                attempt += 1
            elif attempt:
                self._journal.info("write_recovered", attempts=attempt + 1)

    async def _pause(self, attempt: int, event: str, error: KafkaError) -> None:
        seconds = BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS) - 1)]
        self._journal.warning(event, error=repr(error), retry_seconds=seconds)
        await asyncio.sleep(seconds)

    async def _attempt(self, records: Sequence[Outgoing]) -> tuple[list[Outgoing], KafkaError | None]:
        """Try each record once; returns those that Kafka has not confirmed, and one reason."""
        producer, pending = self._connected(), []
        failed: list[Outgoing] = []
        error: KafkaError | None = None
        for record in records:
            try:
                sent = await producer.send(
                    record.topic,
                    record.value,
                    key=record.key,
                    partition=record.partition,
                    headers=list(record.headers),
                )
                pending.append((record, sent))
            except MessageSizeTooLargeError as refused:
                raise TooLargeError(f"{len(record.value)} bytes for {record.topic}") from refused
            except KafkaError as refused:
                failed.append(record)
                error = refused
        answers = await asyncio.gather(*(sent for _, sent in pending), return_exceptions=True)
        for (record, _), answer in zip(pending, answers, strict=True):
            if isinstance(answer, MessageSizeTooLargeError):
                raise TooLargeError(f"{len(record.value)} bytes for {record.topic}") from answer
            if isinstance(answer, KafkaError):
                failed.append(record)
                error = answer
            elif isinstance(answer, BaseException):
                raise answer
        return failed, error

    def _connected(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise RuntimeError("the outbox has not been started")
        return self._producer
