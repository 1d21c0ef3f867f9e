"""Notify's laws: persist before speaking, tell each change once, forget nothing that is owed."""

from typing import Any

import orjson
import pytest

from agents.deadletters import DeadLetters
from agents.notify import KEEP_SECONDS, Notify
from agents.settings import load_settings
from agents.telemetry import PREFIX, Telemetry
from pipeline.telling import Memory, tell, unsure
from schemas import Change, ChangeKind, DeadLetter, DeadLetterReason, Incident, IncidentState, decode, encode
from tests.agents.memory import Kafka, event, hand

SETTINGS = load_settings(None, {})


class Person:
    """A speaker that notes what it is asked to say. `out`: it cannot be reached and owes everything."""

    def __init__(self, kafka: Kafka, out: bool = False) -> None:
        self.kafka = kafka
        self.out = out
        self.heard: list[tuple[str, bool]] = []

    async def start(self) -> None:
        """There is nothing to look at."""

    async def say(self, change: Change, memory: Memory | None) -> Memory:
        """Note the change, and whether an earlier attempt has an unknown outcome."""
        self.kafka.write("said")
        self.heard.append((change.id, unsure(memory)))
        return {**tell(memory, change)[1], "owed": self.out}

    async def flush(self, memory: Memory) -> Memory:
        """Say what is owed, now that there is somebody."""
        return {**memory, "owed": self.out}

    def owes(self, memory: Memory) -> bool:
        """Whether something is owed."""
        return bool(memory.get("owed"))


def notify(kafka: Kafka, person: Person, telemetry: Telemetry | None = None) -> Notify:
    """A freshly started agent over this Kafka."""
    metrics = telemetry or Telemetry()
    letters = DeadLetters(SETTINGS, kafka, metrics)  # type: ignore[arg-type]
    return Notify(SETTINGS, kafka, letters, person, metrics)  # type: ignore[arg-type]


def change(
    seq: int, incident: str = "i1", state: IncidentState = IncidentState.OPEN, at: float = 100.0
) -> Change:
    """One change of an incident."""
    body = Incident(
        id=incident,
        domain="default",
        instances=("a",),
        cause="cpu_saturation",
        confidence=0.9,
        state=state,
        first_symptom_at=1.0,
        opened_at=2.0,
    )
    kind = ChangeKind.RESOLVED if state is IncidentState.RESOLVED else ChangeKind.OPENED
    return Change(id=f"{incident}:{seq}", seq=seq, kind=kind, at=at, reason="because", incident=body)


def as_event(one: Change, offset: int = 0, partition: int = 0) -> Any:
    """A change as a record."""
    return event(encode(one), b"default", offset, partition)


def memory_of(kafka: Kafka, incident: str = "i1") -> Memory:
    """What Kafka knows of what was said."""
    memory: Memory = orjson.loads(kafka.states[incident])["memory"]
    return memory


async def test_the_intent_is_stored_before_and_the_outcome_after_speaking() -> None:
    """Law 7: persist before speaking."""
    kafka = Kafka()
    person = Person(kafka)
    assert await hand(notify(kafka, person), as_event(change(1)))
    assert kafka.log == ["state", "said", "state"]
    assert memory_of(kafka)["seq"] == 1
    assert not unsure(memory_of(kafka))


async def test_a_change_is_told_once_however_often_it_comes() -> None:
    """Redelivery after a rebalance or a crash does not reach people."""
    kafka = Kafka()
    person = Person(kafka)
    agent = notify(kafka, person)
    for one in (change(1), change(2), change(1), change(2)):
        assert await hand(agent, as_event(one))
    again = notify(kafka, person)
    assert await hand(again, as_event(change(2)))
    assert person.heard == [("i1:1", False), ("i1:2", False)]


@pytest.mark.parametrize("write", range(3))
async def test_after_a_crash_the_speaker_knows_what_it_does_not_know(write: int) -> None:
    """Died before the intent: told afresh. Died later: told again as one whose outcome is unknown."""
    kafka = Kafka(fail_at=write)
    person = Person(kafka)
    with pytest.raises(ConnectionError):
        await hand(notify(kafka, person), as_event(change(1)))
    kafka.fail_at = None
    assert await hand(notify(kafka, person), as_event(change(1)))
    assert person.heard[-1] == ("i1:1", write > 0)
    assert memory_of(kafka)["seq"] == 1


async def test_what_is_owed_is_paid_without_a_new_change() -> None:
    """An outage that ends is noticed by the clock, and the outcome is stored."""
    kafka = Kafka()
    person = Person(kafka, out=True)
    telemetry = Telemetry()
    agent = notify(kafka, person, telemetry)
    await hand(agent, as_event(change(1)))
    assert telemetry.registry.get_sample_value(f"{PREFIX}notifications_owed") == 1
    written = len(kafka.log)
    await agent.pay()
    assert len(kafka.log) == written, "still out: nothing new to store"
    person.out = False
    await agent.pay()
    assert memory_of(kafka)["owed"] is False
    assert telemetry.registry.get_sample_value(f"{PREFIX}notifications_owed") == 0


async def test_a_partition_that_was_lost_meanwhile_is_not_written_to() -> None:
    """Its memory belongs to another worker now."""
    kafka = Kafka()
    person = Person(kafka, out=True)
    agent = notify(kafka, person)
    await hand(agent, as_event(change(1)))
    written = len(kafka.log)

    async def lose(memory: Memory) -> Memory:
        agent.forget()
        return {**memory, "owed": False}

    person.flush = lose  # type: ignore[method-assign]
    await agent.pay()
    assert len(kafka.log) == written


async def test_memories_of_long_resolved_incidents_are_dropped() -> None:
    """State stays bounded; what is open, recent or owed is kept."""
    kafka = Kafka()
    person = Person(kafka)
    agent = notify(kafka, person)
    late = 100.0 + KEEP_SECONDS + 1
    await hand(agent, as_event(change(1, "old", IncidentState.RESOLVED)))
    await hand(agent, as_event(change(1, "open")))
    person.out = True
    await hand(agent, as_event(change(1, "owed", IncidentState.RESOLVED)))
    person.out = False
    await hand(agent, as_event(change(1, "recent", IncidentState.RESOLVED, late - 10)))
    await hand(agent, as_event(change(1, "new", at=late)))
    assert set(kafka.states) == {"open", "owed", "recent", "new"}


async def test_partitions_do_not_share_their_memories() -> None:
    """After a rebalance the store may still hold what another worker tells about."""
    kafka = Kafka()
    person = Person(kafka)
    await hand(notify(kafka, person), as_event(change(1), partition=0))
    telemetry = Telemetry()
    other = notify(kafka, person, telemetry)
    await hand(other, as_event(change(1, "i2"), partition=1))
    assert telemetry.registry.get_sample_value(f"{PREFIX}incidents_open", {"cause": "cpu_saturation"}) == 1


async def test_a_change_that_cannot_be_read_is_kept() -> None:
    """A newer worker's change is not misread, and does not stop this one."""
    kafka = Kafka()
    person = Person(kafka)
    assert await hand(notify(kafka, person), event(b'{"v":2,"type":"change"}', b"default", 5, 0))
    (letter,) = [decode(DeadLetter, record.value) for record in kafka.outputs]
    assert letter.reason is DeadLetterReason.UNKNOWN_VERSION
    assert person.heard == []
