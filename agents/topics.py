"""The topics: what they must look like, and `undercurrent topics` that creates or checks them.

A domain lives in one partition number of signals, changes, decisions and of the state topics behind
Faust's tables, so all of them need the same count, and every writer the same `partition_of`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code
from kafka.partitioner.default import murmur2

from agents.connection import STATE_BYTES_MAX, admin_options
from agents.settings import Settings

DOMAINS_TABLE = "domains"
"""Faust table of correlate: domain → state and position."""

TOLD_TABLE = "told"
"""Faust table of notify: incident → what has been said."""

STATE_CONFIG = {
    "cleanup.policy": "compact",
    "max.message.bytes": str(STATE_BYTES_MAX),
    # State is rewritten with every frame: small, young segments keep recovery short.
    "segment.bytes": str(64 * 1024 * 1024),
    "segment.ms": "600000",
    "min.cleanable.dirty.ratio": "0.1",
}


SOURCES_CONFIG = {
    # The last word on each source; one that nobody has heard for a week is gone.
    "cleanup.policy": "compact,delete",
    "retention.ms": str(7 * 24 * 3600 * 1000),
    "segment.bytes": str(64 * 1024 * 1024),
    "segment.ms": "600000",
    "min.cleanable.dirty.ratio": "0.1",
}


def partition_of(domain: str, partitions: int) -> int:
    """Partition of a domain: Kafka's default partitioner (murmur2) over the UTF-8 name."""
    hashed: int = murmur2(domain.encode())
    return (hashed & 0x7FFFFFFF) % partitions


def changelog(settings: Settings, table: str) -> str:
    """The state topic behind a Faust table; Faust derives the same name."""
    return f"{settings.app_id}-{table}-changelog"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one topic must look like. `fixed`: exactly so many partitions, not any number."""

    name: str
    partitions: int
    fixed: bool
    config: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one topic; `fix` is None when nothing is wrong."""

    topic: str
    state: str
    fix: str | None = None


def wanted(settings: Settings) -> tuple[Wanted, ...]:
    """All topics the worker reads or writes, raw ones first."""
    names = settings.topics
    raw = [Wanted(name, names.raw_partitions, False, {"cleanup.policy": "delete"}) for name in names.raw]
    ours = [
        Wanted(name, names.partitions, True, {"cleanup.policy": "delete"})
        for name in (names.signals, names.changes, names.decisions)
    ]
    ours.append(Wanted(names.feedback, names.partitions, True, {"cleanup.policy": "compact"}))
    ours.append(Wanted(names.sources, names.partitions, True, SOURCES_CONFIG))
    states = [
        Wanted(changelog(settings, table), names.partitions, True, STATE_CONFIG)
        for table in (DOMAINS_TABLE, TOLD_TABLE)
    ]
    return (*raw, *ours, Wanted(names.dead_letters, 1, False, {"cleanup.policy": "delete"}), *states)


def check(settings: Settings, *, create: bool) -> list[Finding]:
    """Compare Kafka's topics with what is wanted; with `create`, create the missing ones first.

    Raises:
        KafkaError: Kafka cannot be reached, or refuses to answer.
    """
    admin = KafkaAdminClient(**admin_options(settings))
    try:
        topics = wanted(settings)
        missing = [topic for topic in topics if topic.name not in _described(admin, topics)]
        if create and missing:
            _create(admin, missing, settings.kafka.replication_factor)
        described = _described(admin, topics)
        policies = _policies(admin, sorted(described))
        created = {topic.name for topic in missing} if create else set()
        return [_finding(topic, described, policies, topic.name in created) for topic in topics]
    finally:
        admin.close()


def create_missing(admin: Any, topics: list[Wanted], replicas: int) -> None:
    """Create those of `topics` that are not there. Raises KafkaError."""
    there = _described(admin, tuple(topics))
    missing = [topic for topic in topics if topic.name not in there]
    if missing:
        _create(admin, missing, replicas)


def _create(admin: Any, topics: list[Wanted], replicas: int) -> None:
    plans = {
        topic.name: {
            "num_partitions": topic.partitions,
            "replication_factor": replicas,
            "configs": topic.config,
        }
        for topic in topics
    }
    result = admin.create_topics(plans, raise_errors=False)
    for answer in result["topics"]:
        # Two workers that start together may both find a topic missing: one of them creates it.
        if answer["error_code"] not in (0, TopicAlreadyExistsError.errno):
            raise for_code(answer["error_code"])(f"{answer['name']}: {answer['error_message']}")
    admin.wait_for_topics([topic.name for topic in topics])


def _described(admin: Any, topics: tuple[Wanted, ...]) -> dict[str, int]:
    """Partition count of each topic that exists."""
    found = {}
    for topic in admin.describe_topics([topic.name for topic in topics]):
        if topic["error_code"] == 0:
            found[topic["name"]] = len(topic["partitions"])
        elif topic["error_code"] != UnknownTopicOrPartitionError.errno:
            raise for_code(topic["error_code"])(topic["name"])
    return found


def _policies(admin: Any, names: list[str]) -> dict[str, str]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, ["cleanup.policy"]) for name in names]
    return dict(_policies_in(admin.describe_configs(resources, config_filter="all"))) if resources else {}


def _policies_in(answer: Any) -> Iterator[tuple[str, str]]:
    for name, configs in answer.get("topic", {}).items():
        yield name, configs["cleanup.policy"]["value"]


def _finding(topic: Wanted, described: dict[str, int], policies: dict[str, str], created: bool) -> Finding:
    name = topic.name
    if name not in described:
        fix = f"run `undercurrent topics --create`, or create it with {topic.partitions} partitions"
        return Finding(name, "missing", fix)
    count = described[name]
    if topic.fixed and count < topic.partitions:
        return Finding(
            name,
            f"has {count} partitions instead of {topic.partitions}",
            f"set topics.partitions to {count}, or stop all workers, delete the topic and run "
            "`undercurrent topics --create`: keys move when partitions are added, so adding is no way out",
        )
    if topic.fixed and count > topic.partitions:
        return Finding(
            name,
            f"has {count} partitions instead of {topic.partitions}",
            f"set topics.partitions to {count}; the other topics with a fixed count must follow",
        )
    policy, right = policies.get(name, ""), topic.config["cleanup.policy"]
    if policy and policy != right:
        return Finding(
            name,
            f"has cleanup.policy={policy} instead of {right}",
            f"kafka-configs.sh --alter --topic {name} --add-config cleanup.policy={right}",
        )
    verb = "created" if created else "ok"
    return Finding(name, f"{verb}, {count} partition{'s' if count != 1 else ''}")


__all__ = [
    "Finding",
    "KafkaError",
    "Wanted",
    "changelog",
    "check",
    "create_missing",
    "partition_of",
    "wanted",
]
