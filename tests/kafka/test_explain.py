"""`undercurrent explain` on a real Kafka: the answer of the recording, and no trace of the question."""

from pathlib import Path
from typing import Any

import orjson
from click.testing import CliRunner, Result
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from agents.cli import main
from agents.settings import load_settings
from agents.topics import check
from pipeline.explain import where
from tests.explain.topics import fill
from tests.kafka.test_topics import environ

CASCADE = Path(__file__).resolve().parents[2] / "samples" / "cpu_cascade"


def explain(variables: dict[str, str], identity: str, *options: str) -> Result:
    return CliRunner().invoke(main, ["explain", identity, *options], env=variables)


def told(variables: dict[str, str], identity: str) -> dict[str, Any]:
    result = explain(variables, identity, "--json")
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = orjson.loads(result.stdout)
    return answer


def test_incident_decision_and_record_are_explained_and_nothing_moves(kafka: str) -> None:
    """Everything that was said is found again, and no consumer group appears."""
    variables = environ(kafka, "explain")
    settings = load_settings(None, variables)
    check(settings, create=True)
    admin = AdminClient({"bootstrap.servers": kafka})
    groups = {one.group_id for one in admin.list_consumer_groups().result(30).valid}
    _, outcome = fill(settings, CASCADE)
    (incident,) = outcome.incidents
    answer = told(variables, incident.id)
    assert answer["incident"] == incident.model_dump(mode="json")
    assert len(answer["changes"]) == len(outcome.changes)
    decision = outcome.decisions[0]
    assert told(variables, decision.id)["decision"] == decision.model_dump(mode="json")
    record = told(variables, where(incident.exemplars[0].origin))
    assert record["home"]["incidents"] == [incident.id]
    assert record["told"][0]["kind"] == "request_cancelled"
    after = {one.group_id for one in admin.list_consumer_groups().result(30).valid}
    assert after == groups


def test_an_offset_that_is_no_record_is_told_from_one(kafka: str) -> None:
    """A transaction's end takes an offset too; and what it took back is not shown as if it were there."""
    variables = environ(kafka, "explain-transactions")
    settings = load_settings(None, variables)
    check(settings, create=True)
    producer = Producer({"bootstrap.servers": kafka, "transactional.id": "explain-test"})
    producer.init_transactions(30)
    for commit in (True, False):
        producer.begin_transaction()
        producer.produce(settings.topics.logs, b"a line of no interest", partition=0)
        producer.flush(30)
        if commit:
            producer.commit_transaction(30)
        else:
            producer.abort_transaction(30)
    assert told(variables, f"{settings.topics.logs}:0:0")["read"]["reason"] == "irrelevant"
    for offset in (1, 2, 3):
        result = explain(variables, f"{settings.topics.logs}:0:{offset}")
        assert result.exit_code == 1
        assert "is no record" in result.output
