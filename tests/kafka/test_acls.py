"""Least privilege: every role works with exactly the rights that docs/security.md lists, and misses them."""

import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from agents.cli import main
from agents.recordings.recording import read_recording
from agents.rights import needed
from agents.roles import ALL_ROLES, Role
from agents.sections import Topics
from agents.settings import load_settings
from agents.topics import check
from tests.kafka.broker import KafkaBroker
from tests.kafka.workers import Cluster, Worker
from tools.ports import free_ports

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "samples" / "dns_outage_direct"
ROLES = ("intake", "correlate", "notify")
pytestmark = pytest.mark.xdist_group("rights")  # one broker with an authorizer is enough
LISTENER = """
listeners=PLAINTEXT://127.0.0.1:{{port}},CONTROLLER://127.0.0.1:{{controller_port}},SAFE://127.0.0.1:{safe}
advertised.listeners=PLAINTEXT://127.0.0.1:{{port}},SAFE://127.0.0.1:{safe}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SAFE:SASL_PLAINTEXT
listener.name.safe.sasl.enabled.mechanisms=PLAIN
listener.name.safe.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule \\
  required user_intake="hush" user_correlate="hush" user_notify="hush" user_page="hush";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""
"""Whoever comes over the plain listener may do all; who logs in, what he is granted."""

Right = tuple[str, str, str, str]
"""Role, `topic` or `group`, its name, operation."""


def documented() -> list[Right]:
    """The rights in the table of docs/security.md."""
    page = (ROOT / "docs" / "security.md").read_text()
    rows = re.findall(r"^\| (\w+) \| (topic|group) \| (.+) \| ([\w, ]+) \|$", page, re.MULTILINE)
    return [
        (role, kind, name, operation)
        for role, kind, names, operations in rows
        for name in re.findall(r"`([^`]+)`", names)
        for operation in operations.split(", ")
    ]


def binding(right: Right) -> AclBinding:
    role, kind, name, operation = right
    return AclBinding(
        ResourceType.TOPIC if kind == "topic" else ResourceType.GROUP,
        name,
        ResourcePatternType.LITERAL,
        f"User:{role}",
        "*",
        AclOperation[operation.upper()],
        AclPermissionType.ALLOW,
    )


def filter_of(right: Right) -> AclBindingFilter:
    """What finds the binding of a right."""
    one = binding(right)
    return AclBindingFilter(
        one.restype,
        one.name,
        one.resource_pattern_type,
        one.principal,
        one.host,
        one.operation,
        one.permission_type,
    )


class Guarded:
    """A broker with an authorizer, and the rights it has been told of."""

    def __init__(self, server: KafkaBroker, safe: int) -> None:
        self.plain = server.bootstrap
        self.safe = f"127.0.0.1:{safe}"
        self.admin = AdminClient({"bootstrap.servers": server.bootstrap})

    def grant(self, rights: list[Right]) -> None:
        for answer in self.admin.create_acls([binding(right) for right in rights]).values():
            answer.result(20)
        for right in rights:
            self._wait_until_in_force(right, 1)

    def revoke(self, right: Right) -> None:
        for answer in self.admin.delete_acls([filter_of(right)]).values():
            assert len(answer.result(20)) == 1
        self._wait_until_in_force(right, 0)

    def _wait_until_in_force(self, right: Right, count: int) -> None:
        """The controller has it when it answers; the broker that is asked for rights hears of it later."""
        deadline = time.monotonic() + 20
        while len(self.admin.describe_acls(filter_of(right)).result(20)) != count:
            assert time.monotonic() < deadline, right
            time.sleep(0.05)

    def settings(self, role: str) -> dict[str, str]:
        return {
            "UNDERCURRENT_BROKERS": self.safe,
            "UNDERCURRENT_APP_ID": "undercurrent",
            "UNDERCURRENT_KAFKA_SECURITY": "sasl_plaintext",
            "UNDERCURRENT_KAFKA_USERNAME": role,
            "UNDERCURRENT_KAFKA_PASSWORD": "hush",
            "UNDERCURRENT_KAFKA_DECLARE_TOPICS": "false",
            "UNDERCURRENT_PAGE_ENABLED": "false",
        }


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    """A broker whose topics have their default names, as the table has them."""
    (safe,) = free_ports(1)
    server = KafkaBroker(more=LISTENER.format(safe=safe))
    server.start()
    try:
        check(load_settings(None, {"UNDERCURRENT_BROKERS": server.bootstrap}), create=True)
        one = Guarded(server, safe)
        one.grant(documented())
        yield one
    finally:
        server.close()


@pytest.mark.kafka
@pytest.mark.slow
def test_roles_do_their_work_with_the_documented_rights(guarded: Guarded) -> None:
    """Three users, one role each, and what comes out is what a replay says."""
    with Cluster(guarded.plain, "undercurrent", **_names()) as cluster:
        workers = []
        for role in ROLES:
            workers.append(Worker({**cluster.environ, **guarded.settings(role)}, [role]))
            cluster._workers.append(workers[-1])
        for worker in workers:
            worker.wait_until_ready()
        arrivals = cluster.ship(read_recording(SAMPLE))
        cluster.wait_until_read(arrivals[-1].at)
        assert {one.id for one in cluster.said()} == {one.id for one in cluster.replayed(arrivals)}
        for worker in workers:
            assert "uthorization" not in worker.written()


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.parametrize(
    ("right", "said"),
    [
        (("intake", "topic", "registry.logs", "Read"), "Topic registry.logs is not authorized"),
        (
            ("intake", "topic", "undercurrent.signals", "Write"),
            "TopicAuthorizationFailedError('undercurrent.signals')",
        ),
        (("notify", "group", "undercurrent", "Read"), "notify: waits for its partitions"),
    ],
)
def test_a_right_that_is_missing_shows(guarded: Guarded, right: Right, said: str) -> None:
    """In the log or at /readyz, as docs/security.md says; and none of the documented rights is idle."""
    assert right in documented()
    guarded.revoke(right)
    try:
        with Cluster(guarded.plain, "undercurrent", checked=False) as cluster:
            worker = Worker({**cluster.environ, **guarded.settings(right[0]), **_names()}, [right[0]])
            cluster._workers.append(worker)
            worker.address()
            cluster.wait_for(lambda: said in worker.written() + worker.get("/readyz")[1])
            cluster.wait_for(lambda: '"right_missing"' in worker.written())
            assert f"--operation {right[3]} --{right[1]} {right[2]}" in worker.written()
            assert worker.written().count('"right_missing"') == 1
    finally:
        guarded.grant([right])


def test_the_table_is_what_the_program_asks_for() -> None:
    """docs/security.md and the check of rights do not drift apart."""
    settings = load_settings(None, {"UNDERCURRENT_PAGE_ENABLED": "false"})
    asked = {(one.role, one.kind, one.name, one.operation) for one in needed(settings, ALL_ROLES)}
    assert asked == set(documented())


def test_the_page_and_buttons_ask_for_theirs() -> None:
    """What is switched on needs more, and only that."""
    settings = load_settings(
        None,
        {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1", "UNDERCURRENT_SLACK_CHANNEL": "C1"},
    )
    asked = {(one.role, one.kind, one.name, one.operation) for one in needed(settings, [Role.NOTIFY])}
    assert asked - set(documented()) == {
        ("page", "topic", "undercurrent.changes", "Read"),
        ("page", "topic", "undercurrent.decisions", "Read"),
        ("page", "topic", "undercurrent.sources", "Read"),
        ("page", "topic", "undercurrent.dead-letters", "Read"),
        ("notify", "topic", "undercurrent.feedback", "Write"),
        ("notify", "topic", "undercurrent.decisions", "Read"),
    }


@pytest.mark.kafka
def test_all_missing_rights_are_told_at_once_with_what_grants_them(guarded: Guarded) -> None:
    """`undercurrent topics --rights` lists exactly what is refused; after its fixes nothing is."""
    gone: list[Right] = [
        ("correlate", "topic", "undercurrent.signals", "Read"),
        ("correlate", "group", "undercurrent", "Read"),
        ("correlate", "topic", "undercurrent-domains-changelog", "Write"),
        ("correlate", "topic", "undercurrent.feedback", "Describe"),
        ("correlate", "topic", "undercurrent.decisions", "Write"),
    ]
    before = rights_of(guarded, "correlate")
    assert before.exit_code == 0, before.output
    for right in gone:
        guarded.revoke(right)
    try:
        told = rights_of(guarded, "correlate")
        assert told.exit_code == 1
        fixes = [granted(line) for line in told.output.splitlines() if "fix: " in line]
        assert sorted(fixes) == sorted(gone), told.output
        assert told.output.count("correlate: may not ") == len(gone)
        assert rights_of(guarded, "intake").exit_code == 0, "another role is not concerned"
        guarded.grant(fixes)
        assert "correlate: nothing is refused" in rights_of(guarded, "correlate").output
    finally:
        guarded.grant(gone)


@pytest.mark.kafka
def test_rights_where_nobody_asks_for_any(kafka: str) -> None:
    """A Kafka without an authorizer refuses nothing."""
    with Cluster(kafka, "lawless") as cluster:
        told = CliRunner().invoke(main, ["topics", "--rights"], env=cluster.environ)
    assert told.exit_code == 0, told.output
    assert told.output == "✓ correlate, intake, notify: nothing is refused\n"


def rights_of(guarded: Guarded, role: str) -> Result:
    """What the command says to a role's user."""
    return CliRunner().invoke(main, ["topics", "--rights", "--only", role], env=guarded.settings(role))


def granted(fix: str) -> Right:
    """The right that a printed command grants, read as kafka-acls.sh reads it."""
    words = shlex.split(fix)
    assert words[:2] == ["fix:", "kafka-acls.sh"]
    assert words[4] == "--add"
    options = dict(zip(words[5::2], words[6::2], strict=True))
    kind = "topic" if "--topic" in options else "group"
    role = options["--allow-principal"].removeprefix("User:")
    return role, kind, options[f"--{kind}"], options["--operation"]


def _names() -> dict[str, str]:
    return {f"UNDERCURRENT_TOPICS_{one.upper()}": value for one, value in _default_names().items()}


def _default_names() -> dict[str, str]:
    topics = load_settings(None, {}).topics
    return {one: getattr(topics, one) for one in Topics.model_fields if not one.endswith("partitions")}
