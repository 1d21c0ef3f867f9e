"""Notify's laws: persist before speaking, tell each change once, forget nothing that is owed."""

from collections.abc import Callable, Sequence
from typing import Any

import orjson
import pytest

from agents.deadletters import DeadLetters
from agents.notify import KEEP_SECONDS, Notify
from agents.settings import load_settings
from agents.telemetry import PREFIX, Telemetry
from pipeline.storm import Digest
from pipeline.telling import Memory, tell, unsure
from schemas import (
    Change,
    ChangeKind,
    DeadLetter,
    DeadLetterReason,
    Decision,
    Feedback,
    FeedbackKind,
    Impact,
    Incident,
    IncidentState,
    decode,
    encode,
)
from schemas.outputs import REPLAY_HEADER
from tests.agents.memory import Kafka, event, hand

SETTINGS = load_settings(None, {})


class Person:
    """A speaker that notes what it is asked to say. `out`: it cannot be reached and owes everything."""

    def __init__(self, kafka: Kafka, out: bool = False) -> None:
        self.kafka = kafka
        self.out = out
        self.heard: list[tuple[str, bool]] = []
        self.digests: list[Digest] = []
        self.reasons: list[str] = []
        self.paid: list[str] = []

    async def start(self) -> None:
        """There is nothing to look at."""

    async def say(self, change: Change, memory: Memory | None) -> Memory:
        """Note the change, and whether an earlier attempt has an unknown outcome."""
        self.kafka.write("said")
        self.heard.append((change.id, unsure(memory)))
        self.reasons.append(change.reason)
        return {**tell(memory, change)[1], "owed": self.out}

    def keep(self, change: Change, memory: Memory | None) -> Memory:
        """Owe it."""
        return {**tell(memory, change)[1], "owed": True}

    async def announce(self, digest: Digest, memory: Memory | None) -> Memory:
        """Note what the digest says."""
        self.kafka.write("digest")
        self.digests.append(digest)
        return {**(memory or {}), "owed": self.out}

    def hear(self, feedback: Feedback, memory: Memory, decisions: Sequence[Decision] | None) -> Memory:
        """Note the press, once."""
        pressed = memory.get("pressed", [])
        return memory if feedback.id in pressed else {**memory, "pressed": [*pressed, feedback.id]}

    def remind(self, memory: Memory) -> Memory:
        """Nothing is due."""
        return memory

    async def flush(self, memory: Memory) -> Memory:
        """Say what is owed, now that there is somebody."""
        self.paid.append(memory["incident"])
        return {**memory, "owed": self.out}

    def owes(self, memory: Memory) -> bool:
        """Whether something is owed."""
        return bool(memory.get("owed"))


async def nothing(feedback: Feedback) -> list[Decision]:
    """Nothing was suppressed."""
    return []


def notify(
    kafka: Kafka,
    person: Person,
    telemetry: Telemetry | None = None,
    now: Callable[[], float] = lambda: 100.0,
) -> Notify:
    """A freshly started agent over this Kafka."""
    metrics = telemetry or Telemetry()
    letters = DeadLetters(SETTINGS, kafka, metrics)  # type: ignore[arg-type]
    return Notify(
        SETTINGS,
        kafka,  # type: ignore[arg-type]
        letters,
        person,
        metrics,
        lambda: [0],
        nothing,
        now=now,
    )


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


async def test_nobody_is_told_of_what_a_replay_has_written() -> None:
    """A record with the mark of a replay is acknowledged, and leaves no trace."""
    kafka = Kafka()
    past = event(encode(change(1)), b"i1:1", 0, 0, ((REPLAY_HEADER, b"2026-11-20"),))
    assert await hand(notify(kafka, Person(kafka)), past)
    assert kafka.log == []


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


async def test_what_is_owed_outlives_the_worker() -> None:
    """A successor pays what its predecessor owed, although nothing new happens."""
    kafka = Kafka()
    person = Person(kafka, out=True)
    await hand(notify(kafka, person), as_event(change(1)))
    person.out = False
    telemetry = Telemetry()
    successor = notify(kafka, person, telemetry)
    await successor.pay()
    assert memory_of(kafka)["owed"] is False
    assert telemetry.registry.get_sample_value(f"{PREFIX}incidents_open", {"cause": "cpu_saturation"}) == 1


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


def hurt(incident: str, seq: int, failed: int, state: IncidentState = IncidentState.OPEN) -> Change:
    """A change of an incident that has cost so many requests."""
    one = change(seq, incident, state)
    impact = Impact(requests_failed=failed)
    return one.model_copy(update={"incident": one.incident.model_copy(update={"impact": impact})})


async def test_in_a_storm_the_worst_is_told_first_behind_a_digest() -> None:
    """Past the bound changes are noted and acknowledged at once; nobody is left out; one digest says so."""
    kafka = Kafka()
    person = Person(kafka, out=True)
    agent = notify(kafka, person)
    for number in range(40):
        assert await hand(agent, as_event(hurt(f"i{number:02}", 1, failed=number), number))
    assert [one for one, _ in person.heard] == [f"i{number:02}:1" for number in range(10)], "first come first"
    person.out = False
    await agent.pay()
    assert person.paid == [f"i{number:02}" for number in reversed(range(40))], "then the worst"
    first, *_, last = person.digests
    assert (first.waiting, first.domains, [one.failed for one in first.worst[:2]]) == (40, 1, [39, 38])
    assert len({one.storm for one in person.digests}) == 1
    assert (last.waiting, last.told) == (0, 40)
    assert not [key for key in kafka.states if key.startswith("storm-")], "a storm that is over is forgotten"


async def test_a_change_of_an_incident_that_waits_is_told_with_it() -> None:
    """Several steps of one incident wait together; it is told once, as it stands."""
    kafka = Kafka()
    person = Person(kafka, out=True)
    agent = notify(kafka, person)
    for number in range(20):
        await hand(agent, as_event(hurt(f"i{number:02}", 1, failed=number), number))
        await hand(agent, as_event(hurt(f"i{number:02}", 2, 99, IncidentState.RESOLVED), 100 + number))
    person.out = False
    await agent.pay()
    assert sorted(person.paid) == [f"i{number:02}" for number in range(20)]
    assert memory_of(kafka, "i19")["seq"] == 2


async def test_the_next_worker_goes_on_with_the_same_digest() -> None:
    """A digest stands in the table from before it is first said, so it is never begun a second time."""
    kafka = Kafka()
    person = Person(kafka, out=True)
    agent = notify(kafka, person)
    for number in range(20):
        await hand(agent, as_event(hurt(f"i{number:02}", 1, failed=number), number))
    await agent.pay()
    heir = Person(kafka)
    await notify(kafka, heir).pay()
    assert {one.storm for one in heir.digests} == {one.storm for one in person.digests}
    assert heir.digests[-1].waiting == 0
    assert len(heir.paid) == 20


async def test_changes_that_pile_up_unread_are_a_storm_as_well() -> None:
    """A thousand incidents wait in the topic while the first is told: reading must not wait for that."""
    kafka = Kafka()
    person = Person(kafka)
    agent = Notify(
        SETTINGS,
        kafka,  # type: ignore[arg-type]
        DeadLetters(SETTINGS, kafka, Telemetry()),  # type: ignore[arg-type]
        person,
        Telemetry(),
        lambda: [0],
        nothing,
        lambda: 1000,
    )
    assert await hand(agent, as_event(change(1)))
    assert person.heard == []
    await agent.pay()
    assert person.paid == ["i1"]
    assert person.digests == [], "one incident needs no digest"


async def test_a_press_is_noted_before_it_is_shown_and_once() -> None:
    """Law 7 for buttons: what a person said is in Kafka before it is shown, however often it is delivered."""
    kafka = Kafka()
    agent = notify(kafka, Person(kafka))
    assert await hand(agent, as_event(change(1)))
    acknowledged = FeedbackKind.ACKNOWLEDGED
    press = Feedback(id="p1", incident="i1", domain="default", kind=acknowledged, by="U1", at=5.0)
    writes = len(kafka.log)
    for offset in range(2):
        assert await hand(agent, event(encode(press), b"", offset, 0), agent.hear)
    assert memory_of(kafka)["pressed"] == ["p1"]
    assert kafka.log[writes:] == ["state"]  # once
    assert await hand(
        agent, event(encode(press.model_copy(update={"incident": "i9"})), b"", 2, 0), agent.hear
    )
    assert await hand(agent, event(b"{}", b"", 3, 0), agent.hear)
    assert decode(DeadLetter, kafka.outputs[-1].value).reason is DeadLetterReason.MALFORMED


@pytest.mark.parametrize(("now", "says"), [(150.0, False), (219.0, False), (100.0 + 14 * 60, True)])
async def test_a_message_says_how_old_its_evidence_is(now: float, says: bool) -> None:
    """A worker that is behind must not let people believe that the past is the present."""
    kafka = Kafka()
    person = Person(kafka)
    agent = notify(kafka, person, now=lambda: now)
    await hand(agent, as_event(change(1, at=100.0)))
    (reason,) = person.reasons
    late = "because; told 14 min after it happened, because Undercurrent is behind"
    assert reason == (late if says else "because")
