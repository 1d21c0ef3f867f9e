"""explain on Kafka's topics: nothing moves, no group is joined, and what is gone is said to be gone."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from agents.broker import API_VERSION, embedded_broker
from agents.cli import main
from agents.recordings.replay import Outcome
from agents.settings import load_settings
from pipeline.explain import where
from pipeline.replay import Arrival
from tests.explain.topics import broken_record, fill

CASCADE = Path(__file__).resolve().parents[2] / "samples" / "cpu_cascade"


@dataclass(frozen=True)
class Left:
    """A Kafka with what a worker left there."""

    brokers: str
    arrivals: list[Arrival]
    outcome: Outcome

    def explain(self, identity: str, *options: str) -> Result:
        version = ".".join(map(str, API_VERSION))
        environ = {"UNDERCURRENT_BROKERS": self.brokers}
        return CliRunner().invoke(
            main, ["explain", identity, "--api-version", version, *options], env=environ
        )

    def told(self, identity: str) -> dict[str, Any]:
        result = self.explain(identity, "--json")
        assert result.exit_code == 0, result.output
        answer: dict[str, Any] = orjson.loads(result.stdout)
        return answer


@pytest.fixture(scope="module")
def left() -> Iterator[Left]:
    """A broker in this process."""
    with embedded_broker() as brokers:
        settings = load_settings(None, {"UNDERCURRENT_BROKERS": brokers})
        yield Left(brokers, *fill(settings, CASCADE))


def of_recording(identity: str) -> dict[str, Any]:
    result = CliRunner().invoke(main, ["explain", identity, "--json", "--recording", str(CASCADE)])
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = orjson.loads(result.stdout)
    return answer


def test_kafka_and_recording_say_the_same_of_incident_and_decision(left: Left) -> None:
    """The same changes and decisions give the same answer, wherever they are read."""
    (incident,) = left.outcome.incidents
    assert left.told(incident.id) == of_recording(incident.id)
    assert left.told(f"{incident.id}:2") == of_recording(f"{incident.id}:2")
    decision = next(one for one in left.outcome.decisions if one.incident_id == incident.id)
    assert left.told(decision.id) == of_recording(decision.id)


def test_kafka_and_recording_say_the_same_of_a_record(left: Left) -> None:
    """Only how sure one can be differs: in Kafka nobody watched the core."""
    (incident,) = left.outcome.incidents
    for origin in (incident.exemplars[0].origin, incident.evidence[0].origins[0]):
        mine, theirs = left.told(where(origin)), of_recording(where(origin))
        for key in ("record", "read", "told", "decisions"):
            assert mine[key] == theirs[key]
        assert mine["home"]["incidents"] == theirs["home"]["incidents"]
        assert (mine["home"]["seen"], mine["home"]["late"]) == (False, None)
        assert {(one["incident_id"], one["role"]) for one in mine["cited"]} == {
            (one["incident_id"], one["role"]) for one in theirs["cited"]
        }


def test_a_record_that_could_not_be_read_leads_to_its_letter(left: Left) -> None:
    """The dead letter is found by its origin, and leads back there."""
    settings = load_settings(None, {})
    broken = broken_record(left.arrivals, settings)
    answer = left.told(f"{broken.topic}:{broken.partition}:{broken.offset}")
    assert (answer["read"]["fate"], answer["read"]["reason"]) == ("dead_letter", "undecodable")
    lines = [line["text"] for section in answer["sections"] for line in section["lines"]]
    assert "Its 1 bytes are kept in the dead letters." in lines
    assert left.told(f"{settings.topics.dead_letters}:0:0") == answer


def test_records_of_our_own_topics_lead_to_what_they_are_about(left: Left) -> None:
    """A change or a decision can be asked for by where it lies."""
    (incident,) = left.outcome.incidents
    assert left.told("undercurrent.changes:1:0")["id"] == incident.id
    assert [one["seq"] for one in left.told("undercurrent.changes:1:0")["changes"]] == [1]
    assert left.told("undercurrent.decisions:1:0")["id"] == left.outcome.decisions[0].id


def test_a_marker_is_told_from_a_line(left: Left) -> None:
    """Markers have offsets too."""
    marker = next(one.record for one in left.arrivals if one.group == "markers")
    answer = left.told(f"{marker.topic}:{marker.partition}:{marker.offset}")
    assert answer["read"]["fate"] == "marker"


def test_what_cannot_be_read_is_noted_and_does_not_hide_the_rest(left: Left) -> None:
    """A record of our topics that is none of ours is left out, and that is said."""
    result = left.explain(left.outcome.incidents[0].id)
    assert result.exit_code == 0
    assert "note: 1 records of our own topics could not be read" in result.stderr


@pytest.mark.parametrize(
    ("identity", "words"),
    [
        ("0123456789abcdef", "undercurrent.changes and undercurrent.decisions still hold has no incident"),
        ("registry.logs:7:1", "registry.logs has no partition 7: it has 4"),
        ("registry.logs:0:9999999", "is not written yet: 0 to"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(left: Left, identity: str, words: str) -> None:
    """Exit code 1, no traceback, and where was looked."""
    result = left.explain(identity)
    assert result.exit_code == 1
    assert words in result.output
    assert "Traceback" not in result.output


def test_a_kafka_that_is_not_there_is_said_in_time() -> None:
    """No broker is exit code 1 within the time given."""
    result = Left("127.0.0.1:9", [], None).explain("0123456789abcdef", "--timeout", "1")  # type: ignore[arg-type]
    assert result.exit_code == 1
    assert "Kafka at 127.0.0.1:9 does not answer" in result.output
