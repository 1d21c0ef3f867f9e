"""Intake: raw records in batches → frames on undercurrent.signals, in the Faust worker but off its streams.

One flush is: frames and dead letters, then `Progress`, then the raw offsets, each only when Kafka has
what comes before it. A crash in between repeats records, which merge downstream; it loses none. What a
frozen reader still writes after others have taken over is known by its term (agents/fence.py).
"""

import asyncio
import os
import socket
import time
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import ConsumerStoppedError, IllegalStateError, KafkaError
from mode import Service

from agents import log
from agents.connection import aiokafka_options, heartbeat_seconds, rebalance_timeout_seconds
from agents.fence import Reader, next_term
from agents.frames import outgoing
from agents.health import Health
from agents.outbox import Outbox, Outgoing
from agents.positions import Positions, Reached
from agents.settings import Settings
from agents.sources import Note, Place, Sources
from agents.telemetry import Telemetry
from pipeline.intake import Intake, RawRecord
from pipeline.letters import dead_letter
from pipeline.redact import redactor
from schemas import DeadLetter, DeadLetterReason, Progress, SourceProgress, encode

POLL_SECONDS = 0.1
REST_SECONDS = 0.002
"""The first wait for more after nothing was there; each further one is twice as long, up to a poll's."""
BATCH_RECORDS = 2_000
"""Records per poll: small enough that heartbeats and the agents get their turn."""
TURN_RECORDS = 250
"""Records read before the event loop gets a turn."""
BACKOFF_SECONDS_MAX = 30.0
REPEAT_SECONDS = 5.0
"""A progress that says nothing new is repeated so often, for readers that have just started."""


class IntakeService(Service):
    """Reads the raw topics of this worker's share; see the module's first lines for the order of things."""

    def __init__(
        self, settings: Settings, outbox: Outbox, telemetry: Telemetry, health: Health, **kwargs: Any
    ) -> None:
        self._settings = settings
        self._outbox = outbox
        self._health = health
        self._telemetry = telemetry
        self._journal = log.get("intake")
        self._worker = f"{socket.gethostname()}-{os.getpid()}"
        self._group = f"{settings.app_id}-intake"
        self._consumer: Any = None
        self._positions: Positions
        self._intake = Intake(settings.intake_config())
        self._sources = Sources(settings.intake, time.monotonic())
        # Whoever moves the intake or the consumer's position holds the lock: the loop below, or a
        # rebalance. So what a rebalance commits is exactly what the intake has taken in.
        self._lock = asyncio.Lock()
        self._assigned = False
        self._losing = False  # a rebalance waits for the lock
        self._rest_seconds = REST_SECONDS
        self._reader: Reader | None = None  # none until Kafka knows of its term
        self._remembered: dict[Place, Note] = {}
        self._unflushed = 0
        self._strays: list[DeadLetter] = []
        self._flushed_at = time.monotonic()
        self._reported: tuple[SourceProgress, ...] = ()
        self._reported_at = 0.0
        super().__init__(**kwargs)

    async def on_start(self) -> None:
        """Join the group of all intakes."""
        self._consumer = AIOKafkaConsumer(
            **aiokafka_options(self._settings),
            client_id=self._group,
            group_id=self._group,
            group_instance_id=self._settings.kafka.group_instance_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",  # a shipper that takes a record back has not said it
            session_timeout_ms=round(self._settings.kafka.session_timeout_seconds * 1000),
            heartbeat_interval_ms=round(heartbeat_seconds(self._settings) * 1000),
            rebalance_timeout_ms=round(rebalance_timeout_seconds(self._settings) * 1000),
            max_poll_records=BATCH_RECORDS,
        )
        await self._consumer.start()
        self._positions = Positions(self._settings, self._consumer, self._group)
        self._consumer.subscribe(list(self._settings.topics.raw), listener=_Rebalance(self))

    async def on_stop(self) -> None:
        """Write what was read, say how far, and leave the group."""
        if self._consumer is None:
            return
        async with self._lock:
            if self._reader is not None:
                await self._flush(leaving=True)
            self._assigned, self._reader = False, None
        await self._consumer.stop()

    @Service.task
    async def _read(self) -> None:
        pause_seconds = 0.1
        while not self.should_stop:
            try:
                await self._turn()
                pause_seconds = 0.1
            except (ConsumerStoppedError, IllegalStateError):
                if self.should_stop:
                    return
                await self.sleep(pause_seconds)
            except KafkaError as error:
                # Positions stay where they are: what was not committed is read again.
                self._journal.warning("read_failed", error=repr(error), retry_seconds=pause_seconds)
                await self.sleep(pause_seconds)
                pause_seconds = min(pause_seconds * 2, BACKOFF_SECONDS_MAX)

    async def _turn(self) -> None:
        if not self._assigned:  # between two assignments the consumer would still hand out old records
            await self.sleep(POLL_SECONDS)
            return
        async with self._lock:
            if self.should_stop or not self._assigned or not await self._claims() or self._losing:
                return
            # No waiting in here: once a rebalance has begun, getmany returns only when it is over, and a
            # rebalance is over only when `lose` has had the lock.
            batch = await self._consumer.getmany(timeout_ms=0)
            await self._receive(batch)
            due = time.monotonic() - self._flushed_at >= self._settings.intake.flush_seconds
            if due or self._unflushed >= self._settings.intake.flush_records:
                await self._flush()
                self._align()
        self._rest_seconds = min(POLL_SECONDS, 2 * self._rest_seconds) if not batch else REST_SECONDS
        if not batch:
            await self.sleep(self._rest_seconds)

    async def _claims(self) -> bool:
        """Whether the partitions are ours by a term of our own; takes one after each assignment."""
        if self._reader is None:
            clock_ms = round(time.time() * 1000)  # noqa: TID251  orders readers, like an epoch, and no event
            term = next_term((note.term for note in self._remembered.values()), clock_ms)
            if not await self._positions.claim(self._remembered, term):
                await self.sleep(POLL_SECONDS)
                return False
            sources = (f"{topic}/{partition}" for topic, partition in sorted(self._remembered))
            self._reader = Reader(term, tuple(sources))
        return True

    async def _receive(self, batch: dict[TopicPartition, list[Any]]) -> None:
        for partition, records in batch.items():
            for number, record in enumerate(records):
                raw = RawRecord(
                    partition.topic,
                    partition.partition,
                    record.offset,
                    record.timestamp,
                    record.key,
                    record.value,
                    tuple(record.headers),
                )
                self._take(raw)
                if number % TURN_RECORDS == TURN_RECORDS - 1:
                    await asyncio.sleep(0)
            self._unflushed += len(records)
            self._telemetry.read(partition.topic, len(records))
        if batch:
            self._sources.records_came(time.monotonic())

    def _take(self, raw: RawRecord) -> None:
        try:
            self._intake.receive(raw)
        except Exception as error:
            # The intake raises for no input. If it does, that is a bug, and one record's: bad input is
            # an output (law 8) and never stops a worker, so the record is kept and the bug is told.
            self._journal.exception("intake_bug", topic=raw.topic, partition=raw.partition, offset=raw.offset)
            detail = f"intake failed: {type(error).__name__}"
            intake = self._settings.intake
            hide = redactor(intake.redact_emails)
            reason = DeadLetterReason.MALFORMED
            self._strays.append(dead_letter(raw, reason, detail, intake.dead_letter_bytes_max, hide))

    async def _flush(self, *, leaving: bool = False) -> None:
        """Write everything that has been read, then say and commit how far that is.

        `leaving`: others take over, and event time waits for them.

        Halves of lines that wait for their other half are not written: positions stay before them, so
        that whoever reads the partition next reads both.
        """
        batch = self._intake.flush()
        letters = [*batch.dead_letters, *self._strays]
        names = self._settings.topics
        await self._outbox.send(
            [
                *outgoing(batch.frames, names, self._headers()),
                *(Outgoing(names.dead_letters, encode(letter)) for letter in letters),
            ]
        )
        self._strays, self._unflushed, self._flushed_at = [], 0, time.monotonic()
        await self._look()
        await self._say_progress(leaving)
        await self._commit()
        self._telemetry.flushed(batch.counts, len(batch.frames), letters)

    async def _look(self) -> None:
        """Take over how far the intake has read and where the consumer stands."""
        now = time.monotonic()
        read = self._intake.sources()
        for place in self._sources.places():
            partition = TopicPartition(*place)
            end = self._consumer.last_stable_offset(partition)
            if end is not None:  # before its first answer the consumer knows neither
                self._sources.moved(place, await self._consumer.position(partition), end)
            if place in read:
                self._sources.read(place, read[place].high, read[place].declared, now)
        self._telemetry.reading(self._sources)
        lags = [self._sources.lag(place) for place in self._sources.places()]
        if None not in lags:
            position = sum(self._sources.position(place) or 0 for place in self._sources.places())
            if self._health.beat("intake", position, sum(lag or 0 for lag in lags), now):
                self._telemetry.alive("intake")

    async def _say_progress(self, leaving: bool) -> None:
        now = time.monotonic()
        sources = self._sources.leave(now) if leaving else self._sources.report(now)
        fresh = time.monotonic() - self._reported_at < REPEAT_SECONDS
        if not sources or (sources == self._reported and fresh):
            return
        names = self._settings.topics
        progress = Progress(worker=self._worker, expected=self._expected(), sources=sources)
        value = encode(progress)
        await self._outbox.send(
            [
                Outgoing(names.signals, value, None, number, self._headers())
                for number in range(names.partitions)
            ]
        )
        self._reported, self._reported_at = sources, time.monotonic()

    def _headers(self) -> tuple[tuple[str, bytes], ...]:
        return (self._reader.header(),) if self._reader else ()

    def _expected(self) -> dict[str, int]:
        counts = {topic: self._consumer.partitions_for_topic(topic) for topic in self._settings.topics.raw}
        return {topic: len(partitions) for topic, partitions in counts.items() if partitions}

    async def _commit(self) -> None:
        """Commit how far Kafka has what became of the records, with the event time reached there."""
        held = self._intake.held_offsets()
        times = {source.source: source.time for source in self._reported}
        reached = {}
        for place in self._sources.places():
            position = self._sources.position(place)
            if position is not None:
                offset = min(position, held.get(place, position))
                declared = self._sources.declares(place, time.monotonic())
                reached[place] = Reached(offset, times.get(f"{place[0]}/{place[1]}"), declared)
        await self._positions.commit(reached)

    def _align(self) -> None:
        assigned = {TopicPartition(*place) for place in self._sources.places()}
        ahead = {TopicPartition(*place) for place in self._sources.too_far_ahead()}
        paused = self._consumer.paused() & assigned
        self._consumer.pause(*(ahead - paused))
        self._consumer.resume(*(paused - ahead))

    async def lose(self, revoked: Iterable[TopicPartition]) -> None:
        """Write and commit everything before the partitions go to others; then forget them."""
        self._losing = True
        async with self._lock:
            try:
                if self._reader is not None:
                    await self._flush(leaving=True)
            finally:
                self._assigned, self._reader, self._losing = False, None, False
                self._intake = Intake(self._settings.intake_config())
                self._sources.assign({}, time.monotonic())
                self._positions.forget()
                self._reported = ()
        self._reset()
        self._journal.info("partitions_revoked", partitions=_names(revoked))

    async def gain(self, assigned: Iterable[TopicPartition]) -> None:
        """Begin to read, each partition at the event time its last reader had reached."""
        remembered = await self._positions.remembered(assigned)
        async with self._lock:
            self._sources.assign(remembered, time.monotonic())
            self._remembered, self._assigned = remembered, True
        self._reset()
        self._journal.info("partitions_assigned", partitions=_names(assigned))

    def _reset(self) -> None:
        self._telemetry.reassigned("intake")
        self._health.reset("intake")


class _Rebalance(ConsumerRebalanceListener):  # type: ignore[misc]  # untyped base
    def __init__(self, service: IntakeService) -> None:
        self._service = service

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._service.lose(revoked)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        await self._service.gain(assigned)


def _names(partitions: Iterable[TopicPartition]) -> list[str]:
    return sorted(f"{one.topic}/{one.partition}" for one in partitions)
