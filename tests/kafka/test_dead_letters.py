"""`undercurrent dead-letters` on a real Kafka: what was refused can be seen, and put back once."""

import signal
from base64 import b64decode
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.structs import TopicPartition

from agents.cli import main
from agents.letters.reading import instant
from agents.settings import Settings, load_settings
from agents.topics import check
from pipeline.intake import RawRecord
from pipeline.letters import RETRY_HEADER, dead_letter
from schemas import DeadLetterReason, encode
from tests.kafka.test_topics import environ
from tests.kafka.workers import Cluster, read_all

SECRET = "hunter2hunter2"
AT_MS = 1795425031000
LINE = (
    b'{"stream":"stderr","time":"2026-11-23T09:10:30Z","log":"time=\\"2026-11-23T09:10:30Z\\" level=error '
    b'msg=\\"response completed with error\\" http.response.status=503 http.request.id=r-1 %s\\n"}'
)


def command(variables: dict[str, str], *words: str) -> Result:
    return CliRunner().invoke(main, ["dead-letters", *words], env=variables)


def listed(variables: dict[str, str], *words: str) -> list[dict[str, Any]]:
    result = command(variables, "list", "--json", *words)
    assert result.exit_code == 0, result.output
    return [orjson.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def refused(kafka: str, request: pytest.FixtureRequest) -> tuple[dict[str, str], Settings]:
    """Four refused records with their letters: whole, with a secret, cut, and one of our own topics."""
    variables = environ(kafka, f"letters-{abs(hash(request.node.name)) % 10**6}")
    settings = load_settings(None, variables)
    check(settings, create=True)
    names = settings.topics
    producer = KafkaProducer(bootstrap_servers=kafka)
    values = {
        "whole": (names.logs, b"\xff\x1b[31m whole", DeadLetterReason.UNDECODABLE),
        "secret": (names.logs, f"password={SECRET} {{".encode(), DeadLetterReason.MALFORMED),
        "cut": (names.metrics, b"x" * 9_000, DeadLetterReason.OVERSIZE),
        "own": (names.signals, b"[]", DeadLetterReason.MALFORMED),
    }
    for name, (topic, value, reason) in values.items():
        headers = [("traceparent", b"00-1")]
        sent = producer.send(topic, value, f"key-{name}".encode(), headers, 0, AT_MS).get(10)
        record = RawRecord(topic, 0, sent.offset, AT_MS, f"key-{name}".encode(), value)
        letter = dead_letter(record, reason, f"it is {name}", 1_000)
        producer.send(names.dead_letters, encode(letter)).get(10)
        producer.send(names.dead_letters, encode(letter)).get(10)  # a crash writes it again
    producer.send(names.dead_letters, b"not ours").get(10)
    producer.close()
    return variables, settings


def ends(settings: Settings) -> dict[str, int]:
    """How many records each topic holds."""
    topics = (*settings.topics.raw, settings.topics.dead_letters)
    return {topic: sum(1 for _ in read_all(settings, topic)) for topic in topics}


def test_letters_are_listed_once_and_found_by_what_is_asked(refused: tuple[dict[str, str], Settings]) -> None:
    """Reason, topic and age choose; copies count once; what is no letter is told of."""
    variables, settings = refused
    assert [one["detail"] for one in listed(variables)] == [
        "it is whole",
        "it is secret",
        "it is cut",
        "it is own",
    ]
    assert [one["detail"] for one in listed(variables, "--reason", "malformed")] == [
        "it is secret",
        "it is own",
    ]
    assert [one["detail"] for one in listed(variables, "--topic", settings.topics.metrics)] == ["it is cut"]
    assert len(listed(variables, "--since", "1h")) == 4
    assert listed(variables, "--since", "2126-11-24T09:00:00Z") == []
    result = command(variables, "list", "--limit", "1")
    assert "4 dead letters, the newest 1 shown" in result.stdout
    assert "1 records of the topic are no dead letters" in result.stderr
    assert command(variables, "list", "--since", "yesterday").exit_code == 2


def test_a_letter_is_shown_without_its_secrets_and_without_effect(
    refused: tuple[dict[str, str], Settings],
) -> None:
    """Bytes that would act on a terminal are written out; what is secret is not there at all."""
    variables, settings = refused
    shown = command(variables, "show", f"{settings.topics.logs}:0:0")
    assert shown.exit_code == 0
    assert "\\xff" in shown.stdout
    assert "\\x1b[31m whole" in shown.stdout
    assert "\x1b" not in shown.stdout
    letter = listed(variables)[1]
    for name in (letter["record"], letter["letter"]):  # by either of its names
        one = command(variables, "show", name, "--json")
        assert orjson.loads(one.stdout)["value"] == "password=[redacted] {"
        assert SECRET not in one.output
    unknown = command(variables, "show", f"{settings.topics.logs}:3:77")
    assert unknown.exit_code == 1
    assert "there is no dead letter" in unknown.output


def test_records_are_put_back_as_they_were_and_once(refused: tuple[dict[str, str], Settings]) -> None:
    """Value, key, time, headers and partition are the original's; a second call changes nothing."""
    variables, settings = refused
    names, before = settings.topics, ends(settings)
    dry = command(variables, "retry", "--all", "--dry-run")
    assert dry.exit_code == 0
    assert "3 of 4 records would be put back, 1 skipped, 0 cannot be" in dry.stdout
    assert ends(settings) == before
    done = command(variables, "retry", "--all")
    assert done.exit_code == 0, done.output
    assert f"{names.logs}:0:1: put back as {names.logs}:0:3" in done.stdout
    assert "only raw records can be put back" in done.stdout
    first, *_, again = [one for one in read_all(settings, names.logs) if SECRET.encode() in one.value]
    assert (again.value, again.key, again.timestamp) == (first.value, first.key, AT_MS)
    assert list(again.headers) == [("traceparent", b"00-1"), (RETRY_HEADER, f"{names.logs}:0:1".encode())]
    after = ends(settings)
    assert after == {**before, names.logs: 4, names.metrics: 2, names.dead_letters: 12}
    once_more = command(variables, "retry", "--all")
    assert "0 of 4 records put back, 4 skipped, 0 cannot be" in once_more.stdout
    assert "it was put back before" in once_more.stdout
    assert ends(settings) == after
    assert {one["state"] for one in listed(variables, "--topic", names.logs)} == {"put back"}
    explained = CliRunner().invoke(main, ["explain", f"{names.dead_letters}:0:11"], env=variables)
    assert explained.exit_code == 0, explained.output


def test_what_retention_has_deleted_comes_from_its_letter_if_that_is_whole(
    refused: tuple[dict[str, str], Settings],
) -> None:
    """Half a record or a redacted one is never put back as if it were the original."""
    variables, settings = refused
    names = settings.topics
    admin = KafkaAdminClient(bootstrap_servers=settings.brokers)
    admin.delete_records({TopicPartition(names.logs, 0): 2, TopicPartition(names.metrics, 0): 1})
    assert admin.list_partition_offsets({TopicPartition(names.logs, 0): OffsetSpec.EARLIEST})
    admin.close()
    result = command(variables, "retry", "--topic", names.logs, "--topic", names.metrics)
    assert result.exit_code == 1
    assert "1 of 3 records put back, 0 skipped, 2 cannot be" in result.stdout
    assert "secrets were taken out of it" in result.stdout
    assert "it was cut" in result.stdout
    (back,) = read_all(settings, names.logs)
    assert (back.value, back.key, back.timestamp) == (b"\xff\x1b[31m whole", b"key-whole", AT_MS)


def test_which_records_are_meant_has_to_be_said(kafka: str) -> None:
    """Nothing is put back by accident, and nothing by two ways of choosing at once."""
    variables = environ(kafka, "letters-usage")
    for words in ((), ("--all", "--reason", "oversize"), ("a:0:1", "--all"), ("nonsense",)):
        assert command(variables, "retry", *words).exit_code == 2
    missing = command(variables, "list", "--timeout", "5")
    assert missing.exit_code == 1
    assert "there is no topic" in missing.output


@pytest.mark.slow
def test_a_record_refused_again_waits_until_its_cause_is_mended(kafka: str) -> None:
    """Put back too early it is refused once more and then left alone; after the mending it is read."""
    record = LINE % (b"http.request.useragent=" + b"x" * 2_000)
    with Cluster(kafka, "letters", UNDERCURRENT_INTAKE_RECORD_BYTES_MAX="1024") as cluster:
        variables, logs = cluster.environ, cluster.settings.topics.logs
        early = cluster.worker().wait_until_ready()
        producer = KafkaProducer(bootstrap_servers=kafka)
        producer.send(logs, record, b"k", partition=1, timestamp_ms=AT_MS).get(10)
        producer.close()
        cluster.wait_for(lambda: len(listed(variables)) == 1)
        assert command(variables, "retry", "--all").exit_code == 0
        cluster.wait_for(lambda: len(listed(variables)) == 2)
        first, second = listed(variables)
        assert (first["state"], second["state"]) == ("put back", "refused again")
        assert second["retry_of"] == first["record"] == f"{logs}:1:0"
        alone = command(variables, "retry", "--all")
        assert "0 of 2 records put back, 2 skipped" in alone.stdout
        assert "say --again" in alone.stdout
        early.signal(signal.SIGTERM)
        early.wait(20)
        cluster.environ["UNDERCURRENT_INTAKE_RECORD_BYTES_MAX"] = "1048576"
        mended = cluster.worker().wait_until_ready()
        told = command(variables, "retry", second["record"], "--again")
        assert f"put back as {logs}:1:2" in told.stdout
        cluster.wait_for(lambda: mended.metric("symptoms_total") == 1)
        assert len(listed(variables)) == 2


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 910),
        ("2m", 880),
        ("1970-01-01T00:01:00Z", 60),
        ("1970-01-01T01:01:00+01:00", 60),
        ("1970-01-02", 86_400),
    ],
)
def test_ages_and_times_are_read(text: str, seconds: float) -> None:
    """An age is counted back from now; a time without a zone is UTC."""
    assert instant(text, 1_000) == seconds


def test_bytes_for_the_letter_never_hold_half_a_secret() -> None:
    """Wherever the bound falls, a secret that crosses it does not begin in the letter either."""
    for before in range(60):
        value = b"." * before + b" AKIAIOSFODNN7EXAMPLE and on it goes" * 300
        letter = dead_letter(RawRecord("t", 0, 0, None, None, value), DeadLetterReason.MALFORMED, "", 64)
        assert orjson.loads(encode(letter))["redacted"]
        assert b"AKIA" not in b64decode(letter.value_base64)
