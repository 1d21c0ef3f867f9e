"""What each role may have to do in Kafka, and what of that Kafka would refuse the user who asks.

Kafka tells a client, beside a topic or a group, which operations it would be allowed (KIP-430). So the
rights are asked for, not tried: nothing is written, and no right beyond those listed is needed. Where
Kafka does not tell, an operation counts as allowed: what is refused shows when it is tried.
"""

import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.errors import (
    CoordinatorNotAvailableError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
)

from agents.connection import BOOTSTRAP_SECONDS_MAX, admin_options
from agents.roles import Role
from agents.settings import Settings
from agents.topics import DOMAINS_TABLE, TOLD_TABLE, changelog

TOPIC, GROUP = "topic", "group"
IMPLIED = {"Describe": ("Read", "Write")}
"""What Kafka grants along with others."""


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One operation of one role on one topic or group, in Kafka's own words."""

    role: str
    kind: str
    name: str
    operation: str


@dataclass(frozen=True, slots=True)
class Missing:
    """Operations that are refused on one topic or group. `fix`: the command that grants them."""

    role: str
    kind: str
    name: str
    operations: tuple[str, ...]
    fix: str


def needed(settings: Settings, roles: Collection[Role]) -> list[Right]:
    """The rights that workers of these roles need with these settings, as docs/security.md lists them."""
    names = settings.topics
    domains, told = changelog(settings, DOMAINS_TABLE), changelog(settings, TOLD_TABLE)
    agents = settings.app_id
    page = (names.changes, names.decisions, names.sources, names.dead_letters)
    table: dict[Role, list[tuple[str, tuple[str, ...], tuple[str, ...]]]] = {
        Role.INTAKE: [
            (TOPIC, names.raw, ("Read",)),
            (GROUP, (f"{agents}-intake",), ("Read",)),
            (TOPIC, (names.signals, names.dead_letters), ("Write",)),
        ],
        Role.CORRELATE: [
            (TOPIC, (names.signals,), ("Read",)),
            (GROUP, (agents,), ("Read",)),
            (TOPIC, (names.changes, names.decisions, names.sources, names.dead_letters), ("Write",)),
            (TOPIC, (domains,), ("Read", "Write")),
            (TOPIC, (names.feedback, told), ("Describe",)),
        ],
        Role.NOTIFY: [
            (TOPIC, (names.changes, names.feedback), ("Read",)),
            (GROUP, (agents,), ("Read",)),
            (TOPIC, (names.dead_letters,), ("Write",)),
            (TOPIC, (names.signals, domains), ("Describe",)),
            (TOPIC, (told,), ("Read", "Write")),
        ],
    }
    if settings.slack.app_token is not None:  # buttons
        table[Role.NOTIFY] += [(TOPIC, (names.feedback,), ("Write",)), (TOPIC, (names.decisions,), ("Read",))]
    rights = [
        Right(role, kind, name, operation)
        for role in Role
        if role in roles
        for kind, of_kind, operations in table[role]
        for name in of_kind
        for operation in operations
    ]
    if settings.page.enabled:
        rights += [Right("page", TOPIC, name, "Read") for name in page]
    return rights


def missing(settings: Settings, roles: Collection[Role]) -> list[Missing]:
    """What the user that the settings name lacks for these roles, everything at once.

    Raises:
        KafkaError: Kafka cannot be reached, or refuses to answer.
    """
    rights = needed(settings, roles)
    patient = {"request_timeout_ms": round(BOOTSTRAP_SECONDS_MAX * 1000)}
    admin = KafkaAdminClient(**admin_options(settings) | patient)
    try:
        allowed = {
            **_of_topics(admin, sorted({one.name for one in rights if one.kind == TOPIC})),
            **_of_groups(admin, sorted({one.name for one in rights if one.kind == GROUP})),
        }
    finally:
        admin.close()
    return list(_missing(settings, rights, allowed))


Allowed = Mapping[tuple[str, str], frozenset[str] | None]
"""By kind and name, in capitals; None where Kafka does not tell."""


def _missing(settings: Settings, rights: list[Right], allowed: Allowed) -> Iterator[Missing]:
    refused: dict[tuple[str, str, str], list[str]] = {}
    for right in rights:
        granted = allowed[right.kind, right.name]
        if granted is None or any(
            one.upper() in granted for one in (right.operation, *IMPLIED.get(right.operation, ()))
        ):
            continue
        refused.setdefault((right.role, right.kind, right.name), []).append(right.operation)
    for (role, kind, name), operations in refused.items():
        yield Missing(role, kind, name, tuple(operations), grant(settings, kind, name, operations))


def grant(settings: Settings, kind: str, name: str, operations: Collection[str]) -> str:
    """The command that grants these operations to the user that the settings name."""
    words = " ".join(f"--operation {one}" for one in operations)
    return (
        f"kafka-acls.sh --bootstrap-server {settings.brokers} --add "
        f"--allow-principal {shlex.quote(f'User:{user(settings)}')} {words} --{kind} {name}"
    )


def user(settings: Settings) -> str:
    """Whom Kafka takes the client for; `PRINCIPAL` where only the broker knows what it makes of a
    certificate or a token."""
    kafka = settings.kafka
    if kafka.bears_token or (kafka.cert_file and not kafka.logs_in):
        return "PRINCIPAL"
    return kafka.username if kafka.logs_in and kafka.username else "ANONYMOUS"


def _of_topics(admin: Any, names: list[str]) -> dict[tuple[str, str], frozenset[str] | None]:
    refusal = TopicAuthorizationFailedError.errno
    return {
        (TOPIC, answer["name"]): frozenset() if answer["error_code"] == refusal else _told(answer)
        for answer in admin.describe_topics(names)
    }


def _of_groups(admin: Any, names: list[str]) -> dict[tuple[str, str], frozenset[str] | None]:
    allowed: dict[tuple[str, str], frozenset[str] | None] = {}
    for name in names:  # one refusal would hide the other groups
        try:
            answer = admin.describe_groups([name])[name]
        except GroupAuthorizationFailedError:  # its coordinator is not told either
            answer = {"error": GroupAuthorizationFailedError.__name__}
        except CoordinatorNotAvailableError:  # a new Kafka that never had a group
            answer = {"error": None}
        refused = GroupAuthorizationFailedError.__name__ in (answer["error"] or "")
        allowed[GROUP, name] = frozenset() if refused else _told(answer)
    return allowed


def _told(answer: Mapping[str, Any]) -> frozenset[str] | None:
    """The operations in an answer; None where it has none, about what does not exist or from an old Kafka."""
    operations = answer.get("authorized_operations")
    return frozenset(operations) if operations else None
