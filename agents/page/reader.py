"""Fills the page from Kafka: all partitions of what was said, in no group, so any worker answers for all.

Nothing is committed and nothing is written. After a start the newest records are read again, as many
as are kept; the book does not mind repeats.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from agents import log
from agents.connection import aiokafka_options
from agents.letters.reading import read as read_letter
from agents.settings import Settings
from pipeline.page import Record
from schemas import Change, DeadLetterRetry, Decision, EventTime, Heard, decode

POLL_SECONDS = 0.5
BATCH_RECORDS = 500
TURN_RECORDS = 50
"""Records taken in before the rest of the worker gets its turn: some milliseconds."""
BACKOFF_SECONDS_MAX = 30.0
CHANGES_PER_INCIDENT = 10
"""So many changes are read back for each incident that is kept; most have fewer."""


class PageReader:
    """Reads for as long as the worker lives; what it cannot read it skips, and says so once per topic."""

    def __init__(
        self, settings: Settings, receive: Callable[[Record], None], *, with_sources: bool = True
    ) -> None:
        names, page = settings.topics, settings.page
        self._settings = settings
        self._receive = receive
        self._read: dict[str, Callable[[bytes], Record | DeadLetterRetry]] = {
            names.changes: partial(decode, Change),
            names.decisions: partial(decode, Decision),
            names.dead_letters: read_letter,
        }
        if with_sources:  # the past has none: who was silent then is not known
            self._read[names.sources] = read_source
        self._newest = {
            names.changes: page.incidents_max * CHANGES_PER_INCIDENT,
            names.decisions: page.decisions_max,
            names.dead_letters: page.dead_letters_max,
        }
        self._journal = log.get("page")
        self._complained: set[str] = set()
        self._life: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to read, as soon as Kafka answers."""
        self._life = asyncio.create_task(self._live())

    async def stop(self) -> None:
        """End, wherever it is."""
        if self._life is not None:
            self._life.cancel()
            with suppress(asyncio.CancelledError):
                await self._life

    async def _live(self) -> None:
        pause_seconds = 0.5
        while True:
            consumer = AIOKafkaConsumer(
                *self._read,
                **aiokafka_options(self._settings),
                client_id=f"{self._settings.app_id}-page",
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                max_poll_records=BATCH_RECORDS,
            )
            try:
                await consumer.start()
                await self._rewind(consumer)
                pause_seconds = 0.5
                while True:
                    await self._take(await consumer.getmany(timeout_ms=round(POLL_SECONDS * 1000)))
            except KafkaError as error:
                self._journal.warning("read_failed", error=repr(error), retry_seconds=pause_seconds)
                await asyncio.sleep(pause_seconds)
                pause_seconds = min(2 * pause_seconds, BACKOFF_SECONDS_MAX)
            finally:
                await consumer.stop()

    async def _rewind(self, consumer: Any) -> None:
        """Start so far back in each partition that the book gets full, and no further."""
        places = list(consumer.assignment())
        first = await consumer.beginning_offsets(places)
        ends = await consumer.end_offsets(places)
        for place in places:
            # Of sources everything is read: the topic is compacted, and its oldest record may be the last
            # word on one that has been silent for days.
            newest = self._newest.get(place.topic, ends[place])
            consumer.seek(place, max(first[place], ends[place] - newest))

    async def _take(self, batch: dict[TopicPartition, list[Any]]) -> None:
        for place, records in batch.items():
            for number, record in enumerate(records):
                self._one(place, record)
                if number % TURN_RECORDS == TURN_RECORDS - 1:
                    await asyncio.sleep(0)

    def _one(self, place: TopicPartition, record: Any) -> None:
        try:
            noun = self._read[place.topic](record.value or b"")
            if not isinstance(noun, DeadLetterRetry):
                self._receive(noun)
        except ValueError as error:
            # The agents have dead-lettered it already, or will: here it is only not shown.
            if place.topic not in self._complained:
                self._complained.add(place.topic)
                self._journal.warning(
                    "record_skipped",
                    topic=place.topic,
                    partition=place.partition,
                    offset=record.offset,
                    error=str(error)[:200],
                )


def read_source(value: bytes) -> Heard | EventTime:
    """One record of undercurrent.sources. Raises ValueError when it is neither."""
    if b'"type":"event_time"' in value[:64]:
        return decode(EventTime, value)
    return decode(Heard, value)
