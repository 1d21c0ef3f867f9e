"""`undercurrent topics` on a real Kafka: what is missing or unfit is told with its fix."""

import pytest
from click.testing import CliRunner, Result
from kafka.admin import KafkaAdminClient

from agents.cli import main
from agents.connection import STATE_BYTES_MAX
from agents.sections import Topics
from agents.settings import Settings, load_settings
from agents.topics import DOMAINS_TABLE, changelog, check, partition_of, wanted


def environ(bootstrap: str, name: str) -> dict[str, str]:
    """Settings with topics of a test's own."""
    topics = [one for one in Topics.model_fields if not one.endswith("partitions")]
    return {
        "UNDERCURRENT_BROKERS": bootstrap,
        "UNDERCURRENT_APP_ID": name,
        **{f"UNDERCURRENT_TOPICS_{topic.upper()}": f"{name}.{topic}" for topic in topics},
    }


def topics(variables: dict[str, str], *options: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(main, ["topics", *options], env=variables)


def create(settings: Settings, name: str, partitions: int, **config: str) -> None:
    """Create one topic the wrong way, as somebody else might have."""
    admin = KafkaAdminClient(bootstrap_servers=settings.brokers)
    configs = {key.replace("_", "."): value for key, value in config.items()}
    plan = {"num_partitions": partitions, "replication_factor": 1, "configs": configs}
    admin.create_topics({name: plan}, wait_for_metadata=True)
    admin.close()


def test_missing_topics_are_told_and_then_created(kafka: str) -> None:
    """Without --create nothing is touched; with it everything is there, and a second time changes nothing."""
    variables = environ(kafka, "topics-missing")
    first = topics(variables)
    assert first.exit_code == 1
    assert first.output.count(": missing") == 11
    assert "undercurrent topics --create" in first.output
    created = topics(variables, "--create")
    assert created.exit_code == 0
    assert created.output.count("created, 4 partitions") == 10
    again = topics(variables, "--create")
    assert again.exit_code == 0
    assert again.output.count("ok, 4 partitions") == 10


def test_state_topics_keep_the_newest_of_each_key_and_take_large_states(kafka: str) -> None:
    """Faust's tables are compacted, or recovery would read all history; state may exceed a megabyte."""
    settings = load_settings(None, environ(kafka, "topics-state"))
    check(settings, create=True)
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    from kafka.admin import ConfigResource, ConfigResourceType

    name = changelog(settings, DOMAINS_TABLE)
    answer = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    admin.close()
    values = {key: one["value"] for key, one in answer["topic"][name].items()}
    assert values["cleanup.policy"] == "compact"
    assert int(values["max.message.bytes"]) == STATE_BYTES_MAX


@pytest.mark.parametrize("partitions", [2, 8])
def test_another_partition_count_is_an_error_with_its_fix(kafka: str, partitions: int) -> None:
    """A domain's partition is computed: with another count workers would look in the wrong place."""
    settings = load_settings(None, variables := environ(kafka, f"topics-count-{partitions}"))
    create(settings, settings.topics.changes, partitions)
    result = topics(variables, "--create")
    assert result.exit_code == 1
    assert f"{settings.topics.changes}: has {partitions} partitions instead of 4" in result.output
    assert f"set topics.partitions to {partitions}" in result.output


def test_raw_topics_may_have_any_number_of_partitions(kafka: str) -> None:
    """Shippers' topics are theirs."""
    settings = load_settings(None, variables := environ(kafka, "topics-raw"))
    create(settings, settings.topics.logs, 7)
    result = topics(variables, "--create")
    assert result.exit_code == 0
    assert f"{settings.topics.logs}: ok, 7 partitions" in result.output


def test_a_compacted_signals_topic_is_an_error_with_its_fix(kafka: str) -> None:
    """Compaction would throw all frames of a domain away but the last."""
    settings = load_settings(None, variables := environ(kafka, "topics-policy"))
    create(settings, settings.topics.signals, 4, cleanup_policy="compact")
    result = topics(variables, "--create")
    assert result.exit_code == 1
    assert "has cleanup.policy=compact instead of delete" in result.output
    assert "--add-config cleanup.policy=delete" in result.output


def test_a_kafka_that_is_not_there_is_told_in_one_sentence() -> None:
    """No traceback for what is no bug."""
    variables = environ("127.0.0.1:1", "topics-nowhere") | {"UNDERCURRENT_KAFKA_REQUEST_TIMEOUT_SECONDS": "1"}
    result = topics(variables)
    assert result.exit_code == 1
    assert "Kafka at 127.0.0.1:1 does not answer" in result.output


def test_every_topic_that_carries_domains_has_the_same_count() -> None:
    """Signals, changes, decisions and state lie side by side, so that a domain stays on one worker."""
    settings = load_settings(None, {"UNDERCURRENT_TOPICS_PARTITIONS": "6"})
    assert {topic.partitions for topic in wanted(settings) if topic.fixed} == {6}


def test_a_domain_is_where_kafkas_own_partitioner_would_put_it(kafka: str) -> None:
    """Anybody who writes with a key and the default partitioner reaches the same partition."""
    from kafka import KafkaProducer

    settings = load_settings(None, environ(kafka, "topics-partitioner"))
    check(settings, create=True)
    producer = KafkaProducer(bootstrap_servers=kafka)
    for domain in ("default", "shop", "läden", "a" * 100, "eu-west/registry"):
        sent = producer.send(settings.topics.changes, b"{}", key=domain.encode()).get(10)
        assert sent.partition == partition_of(domain, settings.topics.partitions)
    producer.close()
