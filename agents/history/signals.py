"""Replays a span of the signals topic through the code that correlate runs: what it says is what live said.

Byte for byte, where the span begins with the first signal (undercurrent.signals of a new system, or a span
that begins in a quiet time): the memory is empty at its beginning. Nothing is closed at its end, because
time is what the signals say of it. Partitions are replayed one after the other: no domain is in two.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

from agents.correlate import Partition
from agents.fence import Reader
from agents.history.failures import NewerVersionError
from agents.history.kafka import KafkaReader, Stretches, partition_counts
from agents.history.span import Span
from agents.recordings.replay import Outcome
from agents.settings import Settings
from agents.topics import partition_of
from pipeline.core import Output
from pipeline.intake import Counts
from schemas import Change, Decision, Frame, Progress
from schemas.wire import UnknownVersionError, decode


def said_of(state: Partition, record: Any, partitions: int) -> list[Output]:
    """What one signal makes the core say.

    Raises:
        NewerVersionError: a newer Undercurrent wrote it.
        ValueError: correlate sets it aside.
    """
    value = record.value or b""
    try:
        noun = decode(Frame, value) if record.key else decode(Progress, value)
    except UnknownVersionError as error:
        raise NewerVersionError(f"{record.topic}:{record.partition}:{record.offset}: {error}") from error
    if isinstance(noun, Frame) and partition_of(noun.domain, partitions) != record.partition:
        raise ValueError("a foreign domain")
    if not state.fence.admits(Reader.of(record.headers)):
        return []
    if isinstance(noun, Progress):
        return [output for outputs in state.advance(noun).values() for output in outputs]
    return [] if state.seen(noun.domain, record.offset) else state.receive(noun, record.offset)


class SignalsPlayer:
    """One replay of a span of signals; as `Player`, it may be left at any step.

    `unread`: signals nobody can read, which live has set aside as well.
    """

    def __init__(self, reader: KafkaReader, stretches: Stretches, settings: Settings) -> None:
        self._reader = reader
        self._parts = stretches.parts
        self._settings = settings
        self._outputs: list[Output] = []
        self.notes = stretches.notes
        self.records_max = stretches.records
        self.records = 0
        self.unread = 0
        self.event_time: float | None = None

    def steps(self) -> Generator[None, None, None]:
        """Play to the end, a batch at each step.

        Raises:
            HistoryError: the signals cannot be read any further.
        """
        self._reader.seek(self._parts)
        for part in self._parts:
            state = Partition(self._settings.rules)
            for batch in self._reader.batches(part):
                for record in batch:
                    self._outputs += self._said(state, record)
                self.records += len(batch)
                self.event_time = state.watermark.event_time()
                yield

    def _said(self, state: Partition, record: Any) -> list[Output]:
        try:
            return said_of(state, record, self._settings.topics.partitions)
        except ValueError:
            self.unread += 1
            return []

    def outcome(self) -> Outcome:
        """What has been found so far, each thing once."""
        changes = {one.id: one for one in self._outputs if isinstance(one, Change)}
        decisions = {one.id: one for one in self._outputs if isinstance(one, Decision)}
        return Outcome(
            changes=tuple(sorted(changes.values(), key=lambda change: change.at)),
            decisions=tuple(sorted(decisions.values(), key=lambda one: (one.symptom_at, one.id))),
            counts=Counts(received=self.records),
            dead_letters=(),
        )


@contextmanager
def signals_player(settings: Settings, span: Span) -> Iterator[SignalsPlayer]:
    """Open a span of the signals topic.

    Raises:
        HistoryError: it cannot be read; its subclasses say why.
    """
    reader = KafkaReader(settings)
    try:
        counts = partition_counts(settings, [settings.topics.signals])
        reader.connect()
        yield SignalsPlayer(reader, reader.stretches(span, counts), settings)
    finally:
        reader.close()
