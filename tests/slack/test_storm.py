"""Notify and the real Slack client through a storm and through a bad ten minutes, on a clock of their own."""

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest

from agents.deadletters import DeadLetters
from agents.notify import Notify
from agents.settings import load_settings
from agents.telemetry import Telemetry
from schemas import Change, ChangeKind, Impact, Incident, IncidentState
from tests.agents.memory import Kafka, hand
from tests.agents.test_notify import as_event, nothing
from tests.slack.conftest import Clock, Speakers
from tests.slack.server import FakeSlack, Fault
from tests.slack.stories import payload, roots

SETTINGS = load_settings(None, {})
STEPS = (
    (ChangeKind.OPENED, IncidentState.OPEN),
    (ChangeKind.DIAGNOSED, IncidentState.OPEN),
    (ChangeKind.RESOLVED, IncidentState.RESOLVED),
)
MINUTES = 10


def incident(number: int) -> tuple[Change, ...]:
    """The life of one incident in one domain; the higher its number, the more requests it costs."""
    changes = []
    for seq, (kind, state) in enumerate(STEPS, 1):
        body = Incident(
            id=f"i{number:03}",
            domain=f"shop-{number}",
            instances=(f"registry-{number}",),
            cause="cpu_saturation",
            confidence=0.9,
            state=state,
            first_symptom_at=1_800_000_000.0 + number,
            opened_at=1_800_000_001.0 + number,
            impact=Impact(requests_failed=number),
        )
        at = 1_800_000_000.0 + number + 60 * seq
        changes.append(
            Change(id=f"i{number:03}:{seq}", seq=seq, kind=kind, at=at, reason="because", incident=body)
        )
    return tuple(changes)


def worker(kafka: Kafka, speaker: Any, behind: Callable[[], int] = lambda: 0) -> Notify:
    """Notify over this Kafka."""
    telemetry = Telemetry()
    letters = DeadLetters(SETTINGS, kafka, telemetry)  # type: ignore[arg-type]
    return Notify(
        SETTINGS,
        kafka,  # type: ignore[arg-type]
        letters,
        speaker,
        telemetry,
        lambda: [0],
        nothing,
        behind,
    )


async def until_told(agent: Notify, clock: Clock, done: Callable[[], bool]) -> None:
    """Let the timer of what is owed run until it is done."""
    for _ in range(400):
        await agent.pay()
        if done():
            return
        await clock.sleep(10.0)
    raise AssertionError("it is never told")


def check(slack: FakeSlack, incidents: list[tuple[Change, ...]]) -> None:
    """One root for each incident, with its last state; its steps in order, none twice."""
    for changes in incidents:
        (root,) = roots(slack, changes[0].incident.id)
        assert payload(root)["seq"] == changes[-1].seq
        replies = [payload(one) for one in slack.channel.thread(root["ts"])]
        steps = [one["seq"] for one in replies if one.get("message") == "reply"]
        assert steps == sorted(set(steps))
        assert steps[-1:] in ([], [changes[-1].seq])


async def test_a_storm_is_told_worst_first_behind_one_digest(
    slack: FakeSlack, speaker: Speakers, clock: Clock
) -> None:
    """120 incidents at once: a handful at once, then one digest, then the worst; each gets its message."""
    incidents = [incident(number) for number in range(120)]
    records = [change for step in zip(*incidents, strict=True) for change in step]
    left = len(records)
    kafka = Kafka()
    agent = worker(kafka, speaker(), lambda: left)
    started = clock.now()
    for offset, change in enumerate(records):
        left = max(0, len(records) - offset - 1) if offset >= 5 else 0  # noticed a little late, as in life
        assert await hand(agent, as_event(change, offset))
    assert clock.now() - started < 30, "reading does not wait for Slack"
    await until_told(agent, clock, lambda: all(roots(slack, one[0].incident.id) for one in incidents))
    check(slack, incidents)
    told = [payload(one).get("incident") for one in slack.channel.top()]
    assert told[:5] == [f"i{number:03}" for number in range(5)], "the first come first"
    assert told[5].startswith("storm-")
    assert told[6:] == [f"i{number:03}" for number in reversed(range(5, 120))], "then the worst"
    digest = slack.channel.find(slack.channel.top()[5]["ts"])
    assert digest is not None
    assert "All incidents are told" in digest["text"]
    posts = [one.at for one in slack.calls("chat.postMessage")]
    assert min(after - before for before, after in itertools.pairwise(posts)) >= 1.0


@pytest.mark.parametrize("seed", [1, 2])
async def test_ten_bad_minutes(slack: FakeSlack, speaker: Speakers, clock: Clock, seed: int) -> None:
    """Slack limits, fails, hangs up and loses answers for ten minutes: all arrives, in order, once."""
    dice = random.Random(seed)
    bad = [Fault.LIMITED, Fault.INTERNAL, Fault.UNAVAILABLE, Fault.DROPPED, Fault.LOST]
    until = clock.now() + 60 * MINUTES

    def befall(method: str) -> Callable[[], None]:
        def befallen() -> None:
            if clock.now() < until and dice.random() < 0.6:
                slack.retry_after_seconds = dice.choice([1, 2, 5, 20, 45])
                slack.fail(method, dice.choice(bad))

        return befallen

    for method in ("chat.postMessage", "chat.update", "conversations.history", "conversations.replies"):
        slack.before[method] = befall(method)
    incidents = [incident(number) for number in range(8)]
    records = sorted((change for changes in incidents for change in changes), key=lambda one: one.at)
    kafka = Kafka()
    agent = worker(kafka, speaker())
    offset = 0
    while clock.now() < until:
        if offset < len(records):
            assert await hand(agent, as_event(records[offset], offset))
            offset += 1
        if dice.random() < 0.1:
            agent = worker(kafka, speaker())  # and now and then a worker is replaced
        await agent.pay()
        await clock.sleep(dice.uniform(5.0, 30.0))
    slack.before.clear()
    for offset, change in enumerate(records):  # Kafka may deliver everything once more
        assert await hand(agent, as_event(change, offset))
    await until_told(
        agent,
        clock,
        lambda: all(
            any(payload(root)["seq"] == changes[-1].seq for root in roots(slack, changes[0].incident.id))
            for changes in incidents
        ),
    )
    await agent.pay()
    check(slack, incidents)
    kept = [one.at for one in slack.calls("chat.postMessage")]
    assert min(after - before for before, after in itertools.pairwise(kept)) >= 1.0, "within the rate limit"
