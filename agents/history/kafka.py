"""A span of time of Kafka's topics, in order of arrival. Nothing of Kafka's is changed by reading it.

Offsets are looked up by timestamp once, when the history is opened, and the end is fixed then. No group
is joined, nothing is committed, no topic is created. Each partition is read in order of its offsets;
partitions are merged by the time their records bear. Only so much of a partition is held in memory as
the next one to be read needs.
"""

import asyncio
import heapq
import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka import errors as aio
from aiokafka.conn import create_conn
from kafka import errors as python
from kafka.admin import KafkaAdminClient

from agents import oauth
from agents.connection import admin_options, aiokafka_options, brokers, security_options
from agents.history.clock import ArrivalClock
from agents.history.failures import (
    EmptyError,
    ForbiddenError,
    HistoryError,
    RetentionError,
    UnknownTopicError,
)
from agents.history.span import Span
from agents.settings import Settings
from pipeline.intake import RawRecord, Run
from pipeline.replay import Arrival

T = TypeVar("T")

FETCH_BYTES = 1_048_576
"""What one answer of a broker holds of a partition, packed; a partition is held in memory by so much."""

LOGIN_SECONDS = 5.0

POLL_MS = 200
QUIET_SECONDS_MAX = 30.0
"""A broker that gives nothing for so long, with records left to read, is taken for gone."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is read of one partition: from `start` up to and without `end`. `first`: oldest offset left."""

    place: TopicPartition
    first: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Stretches:
    """What is read of all partitions. `notes`: what is missing, in words."""

    span: Span
    parts: tuple[Stretch, ...]
    notes: tuple[str, ...]

    @property
    def records(self) -> int:
        """How many offsets lie in it, so at most so many records."""
        return sum(part.end - part.start for part in self.parts)


class KafkaReader:
    """One connection, used from one thread, that answers before it returns."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._loop = asyncio.new_event_loop()
        self._consumer: Any = None

    def connect(self) -> None:
        """Reach Kafka.

        Raises:
            HistoryError: it does not answer, or refuses this user.
        """

        async def start() -> None:
            self._consumer = AIOKafkaConsumer(
                **aiokafka_options(self.settings),
                client_id=f"{self.settings.app_id}-history",
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="none",
                isolation_level="read_committed",
                max_partition_fetch_bytes=FETCH_BYTES,
            )
            await self._consumer.start()

        self.ask(start)

    def close(self) -> None:
        """Leave. Nothing is left behind that must be saved."""
        with suppress(Exception):
            if self._consumer is not None:
                self._loop.run_until_complete(asyncio.wait_for(self._consumer.stop(), 5))
        self._loop.close()

    def ask(self, question: Callable[[], Awaitable[T]]) -> T:
        """Put one question to Kafka.

        Raises:
            HistoryError: in the words of this program.
        """
        with in_words(self.settings):
            return self._loop.run_until_complete(_answer(question))

    def stretches(self, span: Span, partitions: dict[str, int]) -> Stretches:
        """Look up what lies in `span` of these topics (topic → partition count).

        Raises:
            EmptyError: nothing does.
            RetentionError: nothing does any more.
        """
        places = [
            TopicPartition(topic, number) for topic in partitions for number in range(partitions[topic])
        ]
        parts = self.ask(lambda: self._bounds(span, places))
        cut = [part for part in parts if part.start == part.first > 0 and self._began_later(part, span)]
        read = tuple(part for part in parts if part.end > part.start)
        if not read:
            gone = [part for part in parts if part.first > 0 and part.start == part.first]
            if gone:
                raise RetentionError(
                    f"Kafka has deleted what {_named(gone)} held from {span}: what is left is younger. Ask "
                    "for a later time, or keep raw topics longer (retention.ms)"
                )
            raise EmptyError(
                f"nothing was written to {', '.join(sorted(partitions))} from {span}. Times are those that "
                "Kafka's records bear, in UTC"
            )
        notes = [f"Kafka has deleted the beginning of this span in {_named(cut)}"] if cut else []
        return Stretches(span, read, tuple(notes))

    async def _bounds(self, span: Span, places: list[TopicPartition]) -> list[Stretch]:
        consumer = self._consumer
        first = await consumer.beginning_offsets(places)
        last = await consumer.end_offsets(places)
        starts = await consumer.offsets_for_times(dict.fromkeys(places, round(span.start * 1000)))
        ends = await consumer.offsets_for_times(dict.fromkeys(places, round(span.end * 1000)))
        parts = []
        for place in places:
            start = starts[place].offset if starts[place] else last[place]
            end = ends[place].offset if ends[place] else last[place]
            parts.append(Stretch(place, first[place], min(start, end), end))
        return parts

    def _began_later(self, part: Stretch, span: Span) -> bool:
        """Whether the first record left lies inside the span: others may have lain before it."""
        if part.end <= part.start:
            return False
        self.seek([part])
        for batch in self.batches(part):
            return bool(batch[0].timestamp > span.start * 1000)
        return False

    def seek(self, parts: Sequence[Stretch]) -> None:
        """Stand at the beginning of each stretch."""

        async def assign() -> None:
            self._consumer.assign([part.place for part in parts])
            for part in parts:
                self._consumer.seek(part.place, part.start)

        self.ask(assign)

    def batches(self, part: Stretch) -> Iterator[list[Any]]:
        """The records of one stretch as aiokafka gives them, none of them empty; `seek` first.

        Raises:
            HistoryError: Kafka refuses, or gives nothing any more.
        """
        position = part.start
        quiet_ms = 0
        while position < part.end:
            position, records = self.ask(lambda: self._next(part.place))
            if records and records[-1].offset >= part.end:
                records = [record for record in records if record.offset < part.end]
            if records:
                yield records
            quiet_ms = 0 if records else quiet_ms + POLL_MS
            if quiet_ms > QUIET_SECONDS_MAX * 1000:
                raise HistoryError(
                    f"Kafka gives nothing of {_named([part])} behind offset {position}, although it ends at "
                    f"{part.end}: is the broker that leads it up?"
                )

    async def _next(self, place: TopicPartition) -> tuple[int, list[Any]]:
        found = await self._consumer.getmany(place, timeout_ms=POLL_MS)
        return await self._consumer.position(place), found.get(place, [])


class KafkaHistory:
    """Arrivals of a span of topics. Each call of `arrivals` reads them anew."""

    def __init__(self, reader: KafkaReader, stretches: Stretches, groups: dict[str, str]) -> None:
        self._reader = reader
        self._groups = groups
        self.settings = reader.settings
        self.stretches = stretches
        self.notes = stretches.notes
        self.records_max: int | None = stretches.records

    def arrivals(self) -> Iterator[Arrival]:
        """In order of arrival; equal times in order of topic and partition."""
        self._reader.seek(self.stretches.parts)
        parts = sorted(self.stretches.parts, key=lambda part: part.place)
        yield from heapq.merge(*(self._of(part) for part in parts), key=attrgetter("at"))

    def runs(self) -> Iterator[tuple[int, Run]]:
        """The same records as runs of one partition and one second of the arrival clock, with that second.

        Within a second partitions come one after the other: nothing depends on their order there.
        """
        self._reader.seek(self.stretches.parts)
        parts = sorted(self.stretches.parts, key=lambda part: part.place)
        yield from heapq.merge(*(self._runs_of(part) for part in parts), key=itemgetter(0))

    def _runs_of(self, part: Stretch) -> Iterator[tuple[int, Run]]:
        span = self.stretches.span
        clock = ArrivalClock(span.start, span.end)
        second = math.floor(span.start)
        for batch in self._reader.batches(part):
            begin, next_ms = 0, (second + 1) * 1000
            for number, one in enumerate(batch):
                if one.timestamp >= next_ms:
                    came = math.floor(clock.at(one.timestamp / 1000))
                    if came > second:
                        if number > begin:
                            yield second, _run(part.place, batch[begin:number])
                        begin, second, next_ms = number, came, (came + 1) * 1000
            yield second, _run(part.place, batch[begin:])

    def _of(self, part: Stretch) -> Iterator[Arrival]:
        clock = ArrivalClock(self.stretches.span.start, self.stretches.span.end)
        group = self._groups.get(part.place.topic, "")
        for batch in self._reader.batches(part):
            for one in batch:
                record = RawRecord(one.topic, one.partition, one.offset, one.timestamp, one.key, one.value)
                yield Arrival(clock.at(one.timestamp / 1000), record, group)


@contextmanager
def kafka_history(settings: Settings, span: Span, topics: Sequence[str]) -> Iterator[KafkaHistory]:
    """Open a span of topics.

    Raises:
        HistoryError: it cannot be read; its subclasses say why.
    """
    reader = KafkaReader(settings)
    try:
        partitions = partition_counts(settings, topics)
        reader.connect()
        yield KafkaHistory(reader, reader.stretches(span, partitions), groups(settings))
    finally:
        reader.close()


def _run(place: TopicPartition, batch: Sequence[Any]) -> Run:
    return Run(
        place.topic,
        place.partition,
        [one.offset for one in batch],
        [one.timestamp for one in batch],
        [one.key for one in batch],
        [one.value for one in batch],
    )


def groups(settings: Settings) -> dict[str, str]:
    """Raw topic → the group its records are of (`Arrival.group`)."""
    names = settings.topics
    return {names.logs: "logs", names.dns: "dns", names.metrics: "metrics"}


def partition_counts(settings: Settings, topics: Sequence[str]) -> dict[str, int]:
    """Topic → how many partitions it has.

    Raises:
        UnknownTopicError: one of them is not there.
        ForbiddenError: this user may not see one of them.
        HistoryError: Kafka does not answer.
    """
    with in_words(settings):
        admin = KafkaAdminClient(**admin_options(settings))
        try:
            described = admin.describe_topics(list(topics))
        finally:
            admin.close()
    counts = {}
    for topic in described:
        code = topic["error_code"]
        if code == python.UnknownTopicOrPartitionError.errno:
            raise UnknownTopicError(
                f"there is no topic {topic['name']} on {settings.brokers} "
                "(`undercurrent topics` says which there are)"
            )
        if code == python.TopicAuthorizationFailedError.errno:
            raise ForbiddenError(may_not(settings, topic["name"]))
        if code:
            raise HistoryError(f"Kafka says of {topic['name']}: {python.for_code(code).__name__}")
        counts[topic["name"]] = len(topic["partitions"])
    return counts


def may_not(settings: Settings, topics: str) -> str:
    """What to say where a topic may not be read."""
    who = settings.kafka.username or "this client"
    return f"{who} may not read {topics}: Kafka wants an ACL that allows it Read and Describe there"


@contextmanager
def in_words(settings: Settings) -> Iterator[None]:
    """Turn what the clients raise into errors of this program."""
    try:
        yield
    except (aio.TopicAuthorizationFailedError, python.TopicAuthorizationFailedError) as error:
        named = error.args[0] if error.args else ()
        topics = ", ".join(sorted(named)) if isinstance(named, set | frozenset | list | tuple) else str(named)
        raise ForbiddenError(may_not(settings, topics or "these topics")) from error
    except (
        aio.AuthenticationFailedError,
        aio.SaslAuthenticationFailed,
        python.SaslAuthenticationFailedError,
    ) as error:
        raise ForbiddenError(_not_let_in(settings)) from error
    except aio.OffsetOutOfRangeError as error:
        raise RetentionError(
            "Kafka has deleted records while they were being read: its retention is shorter than this span"
        ) from error
    except (aio.KafkaError, python.KafkaError) as error:
        if settings.kafka.logs_in and asyncio.run(_refuses_login(settings)):
            raise ForbiddenError(_not_let_in(settings)) from error
        raise HistoryError(f"Kafka at {settings.brokers} does not answer: {error}") from error


def _not_let_in(settings: Settings) -> str:
    return f"Kafka at {settings.brokers} does not let {settings.kafka.username} in: is the password right?"


async def _refuses_login(settings: Settings) -> bool:
    """Whether it is the log-in that brokers refuse: what clients raise at their start does not tell."""
    for server in brokers(settings):
        host, _, port = server.rpartition(":")
        try:
            connection = await create_conn(
                host,
                int(port),
                **security_options(settings, oauth.ForAiokafka),
                request_timeout_ms=round(min(settings.kafka.request_timeout_seconds, LOGIN_SECONDS) * 1000),
            )
        except (aio.AuthenticationFailedError, aio.SaslAuthenticationFailed):
            return True
        except (aio.KafkaError, OSError, TimeoutError, ValueError):
            continue
        connection.close()
    return False


async def _answer(question: Callable[[], Awaitable[T]]) -> T:
    return await question()


def _named(parts: Sequence[Stretch]) -> str:
    return ", ".join(f"{part.place.topic}:{part.place.partition}" for part in parts)
