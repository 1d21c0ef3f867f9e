"""Reads topics as they lie in Kafka, within a bounded time and without joining a group: no position moves."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from threading import Thread
from typing import Any, TypeVar

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError

from agents.connection import kafka_python_options
from agents.settings import Settings
from pipeline.intake import RawRecord

T = TypeVar("T")

POLL_SECONDS = 1.0
CLOSE_MS = 1_000


class PastError(RuntimeError):
    """What was asked for cannot be read; the message says why and what helps."""


class Past:
    """One reader with one deadline for everything it is asked."""

    def __init__(self, consumer: Any, timeout_seconds: float) -> None:
        self._consumer = consumer
        self._timeout_seconds = timeout_seconds
        self._deadline = time.monotonic() + timeout_seconds

    def everything(self, topic: str, partition: int | None = None) -> Iterator[RawRecord]:
        """All records of a topic, or of one partition of it, from the first to the last that is there now.

        Raises:
            PastError: there is no such topic, or the time is up before the end is reached.
        """
        wanted = self._partitions(topic) if partition is None else {partition}
        places = [TopicPartition(topic, number) for number in wanted]
        first, ends = self._bounds(places)
        self._consumer.assign(places)
        for place in places:
            self._consumer.seek(place, first[place])
        yield from self._until(ends, first)

    def around(self, topic: str, partition: int, offset: int, radius: int) -> list[RawRecord]:
        """The records at most `radius` offsets away from one, that one included if it is there.

        Raises:
            PastError: no such topic or partition, or nothing is or will be at that offset any more or yet.
        """
        if partition not in (known := self._partitions(topic)):
            raise PastError(f"{topic} has no partition {partition}: it has {len(known)}")
        place = TopicPartition(topic, partition)
        first, end = (bounds[place] for bounds in self._bounds([place]))
        if not first <= offset < end:
            what = "has been deleted by retention" if offset < first else "is not written yet"
            there = f"{first} to {end - 1} are there" if end > first else "the partition is empty"
            raise PastError(f"{topic}:{partition}:{offset} {what}: {there}")
        start, stop = max(first, offset - radius), min(end, offset + radius + 1)
        self._consumer.assign([place])
        self._consumer.seek(place, start)
        found = self._until({place: stop}, {place: start})
        return [one for one in found if start <= one.offset < stop]

    def _partitions(self, topic: str) -> set[int]:
        known: set[int] = _in_time(lambda: self._consumer.partitions_for_topic(topic), self._left_seconds())
        if not known:
            raise PastError(f"there is no topic {topic} (`undercurrent topics` says which there are)")
        return known

    def _bounds(self, places: list[Any]) -> tuple[dict[Any, int], dict[Any, int]]:
        """First offsets and ends."""
        left_ms = round(self._left_seconds() * 1000)
        first: dict[Any, int] = self._consumer.beginning_offsets(places, timeout_ms=left_ms)
        ends: dict[Any, int] = self._consumer.end_offsets(places, timeout_ms=left_ms)
        return first, ends

    def _left_seconds(self) -> float:
        return max(0.1, self._deadline - time.monotonic())

    def _until(self, ends: dict[Any, int], first: dict[Any, int]) -> Iterator[RawRecord]:
        """Records up to these ends; positions tell, for a batch may hold records nobody gets to see."""
        while any(self._consumer.position(place) < end for place, end in ends.items()):
            if time.monotonic() > self._deadline:
                left = sum(max(0, end - self._consumer.position(place)) for place, end in ends.items())
                total = sum(end - first[place] for place, end in ends.items())
                topic = next(iter(ends)).topic
                raise PastError(
                    f"after {self._timeout_seconds:.0f} s {left} of {total} records of {topic} were still to "
                    "be read: give it more time (--timeout)"
                )
            for records in self._consumer.poll(timeout_ms=round(POLL_SECONDS * 1000)).values():
                for one in records:
                    place = (one.topic, one.partition, one.offset)
                    headers = tuple((name, value or b"") for name, value in one.headers)
                    yield RawRecord(*place, one.timestamp, one.key, one.value, headers)


def _in_time(ask: Callable[[], T], seconds: float) -> T:
    """Ask Kafka in a thread, because kafka-python may wait for ever for a broker that does not answer.

    Raises:
        KafkaTimeoutError: the time is up.
    """
    answers: list[T | Exception] = []

    def asking() -> None:
        try:
            answers.append(ask())
        except Exception as error:
            answers.append(error)

    thread = Thread(target=asking, daemon=True)
    thread.start()
    thread.join(seconds)
    if not answers:
        raise KafkaTimeoutError(f"no answer within {seconds:.0f} s")
    if isinstance(answers[0], Exception):
        raise answers[0]
    return answers[0]


@contextmanager
def past(
    settings: Settings, timeout_seconds: float, api_version: tuple[int, ...] | None = None
) -> Iterator[Past]:
    """Connect, and close on the way out.

    Raises:
        PastError: no broker answers, or Kafka refuses in the middle of it.
    """
    # Brokers before 0.11 know no transactions, so there is nothing in them that is not committed.
    isolation = "read_uncommitted" if api_version is not None and api_version < (0, 11) else "read_committed"
    try:
        consumer = KafkaConsumer(
            **kafka_python_options(settings),
            client_id="undercurrent-explain",
            group_id=None,
            enable_auto_commit=False,
            isolation_level=isolation,
            api_version=api_version,
            bootstrap_timeout_ms=round(timeout_seconds * 1000),
            allow_auto_create_topics=False,
        )
    except KafkaError as error:
        raise PastError(f"Kafka at {settings.brokers} does not answer: {error}") from error
    try:
        _in_time(consumer.bootstrap, timeout_seconds)
        yield Past(consumer, timeout_seconds)
    except KafkaError as error:
        raise PastError(f"Kafka at {settings.brokers} does not answer: {error}") from error
    finally:
        with suppress(KafkaTimeoutError):  # a reader leaves nothing behind that must be saved
            _in_time(partial(consumer.close, timeout_ms=CLOSE_MS), 2 * CLOSE_MS / 1000)
