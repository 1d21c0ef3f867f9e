"""Writes what a replay said to topics beside the live ones, so that page and dashboards can show the past.

The laws:

1. No live topic is written to: not one that the settings name, and not one that holds a record without
   the mark of a replay.
2. Every record bears that mark as a header, and the time of its event as Kafka's timestamp. Notify tells
   nobody of a record with it, wherever it lies.
3. A record's key is the derived id of what it holds, and what lies there already is not written again: the
   same replay twice is one. Another replay's word on the same id stands behind the older one; the topics
   are compacted, so in the end only the last is left.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.errors import ClusterAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError

from agents.connection import admin_options, kafka_python_options
from agents.history.failures import ForbiddenError, HistoryError
from agents.past import PastError, past
from agents.recordings.replay import Outcome
from agents.settings import Settings, Topics
from agents.topics import Wanted, create_missing, partition_of
from schemas import DeadLetter, encode
from schemas.outputs import REPLAY_HEADER

TIMEOUT_SECONDS = 60.0


class LiveTopicError(ValueError):
    """What was named belongs to a live system; the message says which topic and why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One record. `at`: event time in unix seconds, None where nothing is known of it."""

    topic: str
    key: str
    partition: int
    at: float | None
    value: bytes


@dataclass(frozen=True, slots=True)
class Filled:
    """How many records were written, of those how many beside another word on the same; and were there."""

    written: int
    changed: int
    known: int


def shadow_topics(names: Topics, prefix: str) -> Topics:
    """The same names, but with what is said, and what could not be read, under `prefix`.

    Raises:
        LiveTopicError: one of them is a topic of the live system.
    """
    shadows = {
        kind: f"{prefix}.{kind.replace('_', '-')}" for kind in ("changes", "decisions", "dead_letters")
    }
    live = {*names.raw, names.signals, names.changes, names.decisions, names.feedback, names.sources}
    live.add(names.dead_letters)
    taken = sorted(live & set(shadows.values()))
    if taken:
        raise LiveTopicError(f"{taken[0]} is a live topic: choose another prefix")
    return names.model_copy(update=shadows)


def fill(settings: Settings, prefix: str, outcome: Outcome, source: str) -> Filled:
    """Write all changes, decisions and dead letters of a replay. `source`: what was replayed, in words.

    Raises:
        LiveTopicError: a topic of that name is a live one.
        HistoryError: Kafka does not take it.
    """
    names = shadow_topics(settings.topics, prefix)
    try:
        _create(settings, names)
        known = _known(settings, names)
        entries = [one for one in _entries(names, outcome) if known.get((one.topic, one.key)) != one.value]
        _write(settings, entries, source)
    except (TopicAuthorizationFailedError, ClusterAuthorizationFailedError) as error:
        who = settings.kafka.username or "this client"
        raise ForbiddenError(
            f"{who} may not fill {prefix}.*: Kafka wants an ACL that allows Create, Describe, Read and Write"
        ) from error
    except (KafkaError, PastError) as error:
        raise HistoryError(f"{prefix}.* cannot be filled: {error}") from error
    total = len(outcome.changes) + len(outcome.decisions) + len(outcome.dead_letters)
    changed = sum((one.topic, one.key) in known for one in entries)
    return Filled(len(entries), changed, total - len(entries))


def _create(settings: Settings, names: Topics) -> None:
    with closing(KafkaAdminClient(**admin_options(settings))) as admin:
        compact = {"cleanup.policy": "compact"}
        wanted = [
            Wanted(name, names.partitions, False, compact)
            for name in (names.changes, names.decisions, names.dead_letters)
        ]
        create_missing(admin, wanted, settings.kafka.replication_factor)


def _known(settings: Settings, names: Topics) -> dict[tuple[str, str], bytes]:
    """(topic, key) → the last word on it that lies there."""
    found: dict[tuple[str, str], bytes] = {}
    for topic in (names.changes, names.decisions, names.dead_letters):
        with past(settings, TIMEOUT_SECONDS) as reader:
            for record in reader.everything(topic):
                if REPLAY_HEADER not in dict(record.headers):
                    raise LiveTopicError(
                        f"{topic} holds what no replay has written: it is a live topic, choose another prefix"
                    )
                found[topic, (record.key or b"").decode()] = record.value or b""
    return found


def _entries(names: Topics, outcome: Outcome) -> Iterator[Entry]:
    for change in outcome.changes:
        partition = partition_of(change.incident.domain, names.partitions)
        yield Entry(names.changes, change.id, partition, change.at, encode(change))
    for decision in outcome.decisions:
        partition = partition_of(decision.domain, names.partitions)
        yield Entry(names.decisions, decision.id, partition, decision.decided_at, encode(decision))
    for letter in outcome.dead_letters:
        key = _place(letter)
        at = None if letter.timestamp_ms is None else letter.timestamp_ms / 1000
        yield Entry(names.dead_letters, key, partition_of(key, names.partitions), at, encode(letter))


def _place(letter: DeadLetter) -> str:
    return f"{letter.origin.topic}:{letter.origin.partition}:{letter.origin.offset}"


def _write(settings: Settings, entries: list[Entry], source: str) -> None:
    if not entries:
        return
    timeout_ms = round(TIMEOUT_SECONDS * 1000)
    producer = KafkaProducer(
        **kafka_python_options(settings),
        client_id=f"{settings.app_id}-backfill",
        acks="all",
        delivery_timeout_ms=timeout_ms,
        max_block_ms=timeout_ms,
        bootstrap_timeout_ms=timeout_ms,
        max_request_size=settings.intake.record_bytes_max + 100_000,
    )
    try:
        sent = [
            producer.send(
                one.topic,
                value=one.value,
                key=one.key.encode(),
                partition=one.partition,
                timestamp_ms=None if one.at is None else round(one.at * 1000),
                headers=[(REPLAY_HEADER, source.encode())],
            )
            for one in entries
        ]
        for one in sent:
            one.get(TIMEOUT_SECONDS)
    finally:
        producer.close(timeout=TIMEOUT_SECONDS)
