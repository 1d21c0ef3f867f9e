"""Live equals replay: the signals that lie in Kafka say again what the live system said of them.

Signals are replayed from the oldest one left, for the memory they leave, through the same code as the
worker's, partition by partition. What a crash made the live system say twice counts once.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import orjson
from kafka import KafkaConsumer, TopicPartition

from agents.connection import kafka_python_options
from agents.correlate import Partition
from agents.history.failures import EmptyError
from agents.history.kafka import KafkaReader, in_words, partition_counts
from agents.history.signals import said_of
from agents.history.span import Span
from agents.settings import Settings
from schemas import Change, encode


@dataclass(frozen=True, slots=True)
class Said:
    """One output. `offset` and `at_ms`: of the record itself (live), or of the signal that caused it."""

    id: str
    topic: str
    partition: int
    offset: int
    at_ms: int
    value: bytes


@dataclass(slots=True)
class Comparison:
    """`judged`: how many outputs were compared; `before`: left out, for their beginning is not there any
    more, or they were not over; `unread`: records nobody can read, which live has set aside as well.
    `notes`: what is missing of the history, in words."""

    judged: int = 0
    before: int = 0
    unread: int = 0
    differences: list[str] = field(default_factory=list)
    notes: tuple[str, ...] = ()


def verify(settings: Settings, span: Span) -> Comparison:
    """Compare what was said in `span` (unix seconds of Kafka's timestamps) with a replay of its signals.

    Raises:
        HistoryError: the topics cannot be read, or a newer Undercurrent wrote them.
    """
    names = settings.topics
    counts = partition_counts(settings, [names.signals, names.changes, names.decisions])
    reader = KafkaReader(settings)
    try:
        reader.connect()
        done = _committed(settings, counts[names.signals])
        live = _live(reader, settings, counts)
        comparison = Comparison()
        replayed, whole = _replayed(reader, settings, counts[names.signals], comparison)
    finally:
        reader.close()
    _compare(live, replayed, done, span, whole, comparison)
    return comparison


def _committed(settings: Settings, partitions: int) -> dict[int, int]:
    """How far the live system has worked the signals off; looked up, not touched."""
    with (
        in_words(settings),
        closing(
            KafkaConsumer(
                **kafka_python_options(settings), group_id=settings.app_id, enable_auto_commit=False
            )
        ) as consumer,
    ):
        places = [TopicPartition(settings.topics.signals, number) for number in range(partitions)]
        return {place.partition: consumer.committed(place) or 0 for place in places}


def everything(reader: KafkaReader, topic: str, partitions: int) -> Iterator[tuple[Any, bool]]:
    """All records of a topic, partition by partition, each with whether its partition is complete."""
    try:
        stretches = reader.stretches(Span(0.0, _FAR_SECONDS), {topic: partitions})
    except EmptyError:
        return
    reader.seek(stretches.parts)
    for part in stretches.parts:
        for batch in reader.batches(part):
            for record in batch:
                yield record, part.first == 0


_FAR_SECONDS = 4_102_444_800.0
"""2100: after every timestamp."""


def _live(reader: KafkaReader, settings: Settings, counts: dict[str, int]) -> dict[str, Said]:
    """What was said, each thing once, as it was said first."""
    found: dict[str, Said] = {}
    for topic in (settings.topics.changes, settings.topics.decisions):
        for record, _ in everything(reader, topic, counts[topic]):
            try:
                identity = str(orjson.loads(record.value or b"")["id"])
            except (ValueError, KeyError, TypeError):
                continue  # not ours: notify has set it aside
            said = Said(identity, topic, record.partition, record.offset, record.timestamp, record.value)
            known = found.setdefault(identity, said)
            if known.value != said.value:
                found[f"{identity} once more"] = said
    return found


def _replayed(
    reader: KafkaReader, settings: Settings, partitions: int, comparison: Comparison
) -> tuple[dict[str, Said], bool]:
    """What the signals say now, and whether all signals there ever were are left."""
    found: dict[str, Said] = {}
    states: dict[int, Partition] = {}
    whole = True
    for record, complete in everything(reader, settings.topics.signals, partitions):
        whole = whole and complete
        state = states.setdefault(record.partition, Partition(settings.rules))
        try:
            outputs = said_of(state, record, settings.topics.partitions)
        except ValueError:
            comparison.unread += 1
            continue
        for output in outputs:
            topic = settings.topics.changes if isinstance(output, Change) else settings.topics.decisions
            said = Said(output.id, topic, record.partition, record.offset, record.timestamp, encode(output))
            found.setdefault(output.id, said)
    return found, whole


def _compare(
    live: dict[str, Said],
    replayed: dict[str, Said],
    done: dict[int, int],
    span: Span,
    whole: bool,
    comparison: Comparison,
) -> None:
    def inside(said: Said) -> bool:
        return span.start * 1000 <= said.at_ms < span.end * 1000

    last: dict[tuple[str, int], int] = {}
    for said in live.values():
        if not inside(said):
            continue
        again = replayed.get(said.id)
        place = f"{said.topic}:{said.partition}:{said.offset}"
        if again is None and not whole:
            comparison.before += 1
            continue
        comparison.judged += 1
        if again is None:
            comparison.differences.append(f"{place}: live said {said.id}, a replay does not")
        elif again.value != said.value:
            comparison.differences.append(f"{place}: {said.id}: {first_difference(said.value, again.value)}")
        elif again.offset < last.get((said.topic, said.partition), -1):
            comparison.differences.append(f"{place}: live said {said.id} later than a replay does")
        else:
            last[said.topic, said.partition] = again.offset
    for said in replayed.values():
        if inside(said) and said.offset < done.get(said.partition, 0) and said.id not in live:
            comparison.judged += 1
            comparison.differences.append(f"{said.topic}: a replay says {said.id}, live did not")


def first_difference(live: bytes, replayed: bytes) -> str:
    """Where two outputs differ first, in words."""
    try:
        path, ours, theirs = _first(orjson.loads(live), orjson.loads(replayed), "")
    except ValueError:
        return "the bytes differ"
    return f"{path.removeprefix('.') or 'the order of keys'}: live {_short(ours)}, replay {_short(theirs)}"


def _first(live: Any, replayed: Any, path: str) -> tuple[str, Any, Any]:
    if isinstance(live, dict) and isinstance(replayed, dict):
        for key in [*live, *(key for key in replayed if key not in live)]:
            if live.get(key) != replayed.get(key):
                return _first(live.get(key), replayed.get(key), f"{path}.{key}")
    if isinstance(live, list) and isinstance(replayed, list):
        for number, (ours, theirs) in enumerate(zip(live, replayed, strict=False)):
            if ours != theirs:
                return _first(ours, theirs, f"{path}[{number}]")
    return path, live, replayed


def _short(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 200 else f"{text[:200]}…"
