"""Puts refused records back into the raw topics they came from, each at most once.

The laws:

1. What is put back is the original record: value, key, headers and Kafka's timestamp, into the same
   partition. It is read from where it lies; only where retention has deleted it, from its dead letter,
   and only if that is whole.
2. The record bears a header that names where it was first refused. Refused again, its letter says so,
   and nobody puts that one back unless told to by `again`: no record goes round by itself.
3. A note in the dead-letter topic says that it was put back, and from then on it is skipped. The note
   comes after the record: a crash in between may put a record back twice, and the second copy counts
   nothing, because what it tells has the same id (docs/decisions/0001).
"""

import base64
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from agents.connection import kafka_python_options
from agents.letters.reading import Kept
from agents.past import Past, PastError
from agents.settings import Settings
from pipeline.explain import where
from pipeline.intake import RawRecord
from pipeline.letters import RETRY_HEADER, whole
from schemas import DeadLetterRetry, Origin, encode

PUT_BACK, SKIPPED, IMPOSSIBLE = "put back", "skipped", "impossible"


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one letter: `outcome`, why, and where its record is now if it was put back."""

    kept: Kept
    outcome: str
    why: str = ""
    to: Origin | None = None


class Retry:
    """Puts records back. Without a `producer` nothing is written: it only says what would be done."""

    def __init__(
        self, settings: Settings, past: Past, producer: Any, timeout_seconds: float, again: bool
    ) -> None:
        self._settings = settings
        self._past = past
        self._producer = producer
        self._timeout_seconds = timeout_seconds
        self._again = again

    def each(self, letters: Iterable[Kept]) -> Iterator[Done]:
        """Work off the letters, one at a time.

        Raises:
            KafkaError: Kafka does not take a record; what was reported before has been put back.
        """
        for kept in letters:
            why = self._reason_to_skip(kept)
            if why is not None:
                yield Done(kept, SKIPPED, why)
                continue
            try:
                record = self._original(kept)
            except PastError as error:
                yield Done(kept, IMPOSSIBLE, str(error))
                continue
            yield Done(kept, PUT_BACK, to=self._put_back(kept, record))

    def _reason_to_skip(self, kept: Kept) -> str | None:
        letter = kept.letter
        if letter.origin.topic not in self._settings.topics.raw:
            return (
                f"{letter.origin.topic} is written by Undercurrent itself, and only raw records can be put "
                "back: what it said is worked out anew when their records are"
            )
        if kept.put_back is not None:
            return f"it was put back before, as {where(kept.put_back)}"
        if letter.retry_of is not None and not self._again:
            return (
                f"it was put back from {where(letter.retry_of)} and refused again; when its cause is mended, "
                "say --again"
            )
        return None

    def _original(self, kept: Kept) -> RawRecord:
        letter, origin = kept.letter, kept.letter.origin
        try:
            lying = self._past.around(origin.topic, origin.partition, origin.offset, 0)
        except PastError as error:
            return self._from_letter(kept, error)
        record = next(iter(lying), None)
        if record is None or len(record.value or b"") != letter.size_bytes:
            raise PastError(f"another record lies at {where(origin)} now: was the topic made anew?")
        return record

    def _from_letter(self, kept: Kept, error: PastError) -> RawRecord:
        letter, origin = kept.letter, kept.letter.origin
        value = whole(letter)
        if value is None:
            lost = "secrets were taken out of it" if letter.redacted else "it was cut"
            raise PastError(f"{error}; and the dead letter does not hold the original bytes: {lost}")
        key = None if letter.key_base64 is None else base64.b64decode(letter.key_base64)
        return RawRecord(origin.topic, origin.partition, origin.offset, letter.timestamp_ms, key, value)

    def _put_back(self, kept: Kept, record: RawRecord) -> Origin | None:
        if self._producer is None:
            return None
        origin = kept.letter.origin
        first = kept.letter.retry_of or origin
        headers = [one for one in record.headers if one[0] != RETRY_HEADER]
        answer = self._producer.send(
            record.topic,
            value=record.value,
            key=record.key,
            partition=record.partition,
            timestamp_ms=record.timestamp_ms,
            headers=[*headers, (RETRY_HEADER, where(first).encode())],
        ).get(self._timeout_seconds)
        to = Origin(topic=record.topic, partition=record.partition, offset=answer.offset)
        note = encode(DeadLetterRetry(of=origin, to=to))
        self._producer.send(self._settings.topics.dead_letters, value=note).get(self._timeout_seconds)
        return to


@contextmanager
def writer(settings: Settings, timeout_seconds: float) -> Iterator[Any]:
    """A producer for `Retry`.

    Raises:
        PastError: no broker answers.
    """
    timeout_ms = round(timeout_seconds * 1000)
    try:
        producer = KafkaProducer(
            **kafka_python_options(settings),
            client_id="undercurrent-dead-letters",
            acks="all",
            delivery_timeout_ms=timeout_ms,
            request_timeout_ms=min(timeout_ms - 10, 10_000),
            max_block_ms=timeout_ms,
            bootstrap_timeout_ms=timeout_ms,
            max_request_size=settings.intake.record_bytes_max + 100_000,
        )
    except KafkaError as error:
        raise PastError(f"Kafka at {settings.brokers} does not answer: {error}") from error
    try:
        yield producer
    finally:
        producer.close(timeout=timeout_seconds)
