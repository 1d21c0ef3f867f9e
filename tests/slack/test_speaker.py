"""One incident, one message: what stands in the channel after anything may have gone wrong."""

import asyncio
import json
import random

import pytest

from pipeline.telling import Memory
from tests.render.incidents import CASCADE
from tests.slack.conftest import Clock, Speakers
from tests.slack.server import FakeSlack, Fault
from tests.slack.stories import INCIDENT, STEPS, payload, roots, stored, tell_all, thread

WRITES = 2 * len(STEPS)
"""For each change the root, posted or updated, and a reply."""


def fail(slack: FakeSlack, number: int, fault: Fault) -> None:
    """Let the write of that number fail, once its change is told."""
    if number == 1:
        slack.fail("chat.postMessage", None, fault)  # after the root
    else:
        slack.fail("chat.postMessage" if number == 0 or number % 2 else "chat.update", fault)


async def test_an_incident_is_one_message_and_its_steps(slack: FakeSlack, speaker: Speakers) -> None:
    """The root is posted once and updated in place; each change is one reply, in order."""
    await tell_all(speaker(), CASCADE)

    (root,) = roots(slack, INCIDENT)
    assert root["text"].startswith("✅ Resolved: CPU saturation (container limit), 96 % confidence")
    assert payload(root) == {"incident": INCIDENT, "seq": 3, "kind": "resolved", "message": "root"}
    assert thread(slack, INCIDENT) == STEPS
    said = [one["text"].splitlines()[0] for one in slack.channel.thread(root["ts"])]
    assert said == [
        "Opened: cause not known yet · 09:11:00 UTC",
        "Cause named: CPU saturation (container limit), 96 % confidence · 09:11:10 UTC",
        "Recovering · 09:13:06 UTC",
        "Resolved · 09:13:46 UTC",
    ]


async def test_a_change_told_twice_is_told_once(slack: FakeSlack, speaker: Speakers) -> None:
    """A redelivered change does not even reach Slack."""
    memory = await tell_all(speaker(), CASCADE)
    before = len(slack.requests)

    assert await tell_all(speaker(), CASCADE, memory) == memory
    assert len(slack.requests) == before


async def test_the_memory_given_is_left_alone(speaker: Speakers) -> None:
    """A speaker returns a new memory: the old one is what a crash falls back on."""
    one, memory = speaker(url="http://127.0.0.1:1/api/"), None
    for change in CASCADE:
        before = json.dumps(memory)
        after = await one.say(change, memory)
        assert json.dumps(memory) == before
        memory = after


async def test_memory_is_json(speaker: Speakers) -> None:
    """The memory survives a table that keeps JSON."""
    memory = None
    for change in CASCADE:
        memory = json.loads(json.dumps(await speaker().say(change, memory)))
    assert memory["seq"] == 3


@pytest.mark.parametrize("deduplicates", [False, True], ids=["", "slack-deduplicates"])
@pytest.mark.parametrize("fault", [one for one in Fault if one is not Fault.HANGS])
@pytest.mark.parametrize("number", range(WRITES))
async def test_one_failure_anywhere_changes_nothing(
    slack: FakeSlack, speaker: Speakers, fault: Fault, number: int, deduplicates: bool
) -> None:
    """Whichever request fails in whichever way: one root, every step once and in order, all said."""
    slack.deduplicates = deduplicates
    one = speaker()
    memory: Memory | None = None
    for index, change in enumerate(CASCADE):
        if index == number // 2:
            fail(slack, number, fault)
        memory = await one.say(change, memory)

    assert len(roots(slack, INCIDENT)) == 1
    assert thread(slack, INCIDENT) == STEPS
    assert payload(roots(slack, INCIDENT)[0])["seq"] == 3
    assert not one.owes(memory or {})


@pytest.mark.parametrize("seed", range(30))
async def test_a_bad_night(slack: FakeSlack, speaker: Speakers, clock: Clock, seed: int) -> None:
    """Failures of every kind on every method, and restarts between: at last all is said, once, in order."""
    draw = random.Random(seed)
    slack.deduplicates = draw.random() < 0.5
    faults = [one for one in Fault if one is not Fault.HANGS]
    one, memory = speaker(), None
    for change in CASCADE:
        for method in ("chat.postMessage", "chat.update", "conversations.history", "conversations.replies"):
            slack.fail(method, *draw.choices(faults, k=draw.randint(0, 3)))
        before, memory = memory, await one.say(change, memory)
        if draw.random() < 0.4:
            one = speaker()
            memory = await one.say(change, stored(before, change))
    for _ in range(20):
        clock.seconds += 60
        memory = await one.flush(memory or {})

    assert len(roots(slack, INCIDENT)) == 1
    assert payload(roots(slack, INCIDENT)[0])["seq"] == 3
    assert thread(slack, INCIDENT) == STEPS


async def test_answers_lost_in_a_row(slack: FakeSlack, speaker: Speakers) -> None:
    """Every answer to a post is lost: each message is looked up and stands there once."""
    slack.fail("chat.postMessage", *[Fault.LOST] * (1 + len(STEPS)))
    await tell_all(speaker(), CASCADE)

    assert len(roots(slack, INCIDENT)) == 1
    assert thread(slack, INCIDENT) == STEPS
    assert len(slack.calls("chat.postMessage")) == 1 + len(STEPS)


async def test_an_answer_that_never_comes(slack: FakeSlack, speaker: Speakers) -> None:
    """A time-out is an unknown outcome too, for the root as for a reply."""
    slack.fail("chat.postMessage", Fault.HANGS, Fault.HANGS)
    await tell_all(speaker(), CASCADE[:2])

    assert len(roots(slack, INCIDENT)) == 1
    assert thread(slack, INCIDENT) == STEPS[:2]


@pytest.mark.parametrize("number", range(WRITES))
async def test_a_crash_while_speaking(slack: FakeSlack, speaker: Speakers, number: int) -> None:
    """Killed after any request was done and before its answer came: what follows says nothing twice."""
    memory: Memory | None = None
    for index, change in enumerate(CASCADE):
        if index == number // 2:
            intent = stored(memory, change)
            fail(slack, number, Fault.HANGS)
            dying = asyncio.create_task(speaker().say(change, memory))
            await asyncio.wait_for(slack.hung.wait(), 5)
            dying.cancel()
            with pytest.raises(asyncio.CancelledError):
                await dying
            memory = intent
        memory = await speaker().say(change, memory)

    assert len(roots(slack, INCIDENT)) == 1
    assert thread(slack, INCIDENT) == STEPS
    assert payload(roots(slack, INCIDENT)[0])["seq"] == 3


async def test_a_lost_memory_makes_no_second_root(slack: FakeSlack, speaker: Speakers) -> None:
    """Even with nothing remembered at all the root is found in the channel and brought up to date."""
    await tell_all(speaker(), CASCADE[:2])
    await tell_all(speaker(), CASCADE[2:], None)

    (root,) = roots(slack, INCIDENT)
    assert payload(root)["seq"] == 3


async def test_a_message_is_looked_for_far_back(slack: FakeSlack, speaker: Speakers) -> None:
    """A busy channel does not hide a message whose outcome is unknown."""
    await speaker().say(CASCADE[0], None)
    chatter = [
        {"type": "message", "ts": f"1900000000.{n:06d}", "text": "hi", "bot_id": "B9"} for n in range(700)
    ]
    slack.channel.messages += chatter

    await speaker().say(CASCADE[0], stored(None, CASCADE[0]))
    assert len(roots(slack, INCIDENT)) == 1


async def test_another_app_cannot_pass_for_us(slack: FakeSlack, speaker: Speakers) -> None:
    """A message of a stranger that bears our metadata is not taken for our root."""
    one = speaker()
    await one.say(CASCADE[0], None)
    slack.channel.messages[0]["bot_id"] = "B0STRANGER"
    again = speaker()
    await again.check()
    await again.say(CASCADE[0], None)
    assert [message["bot_id"] for message in roots(slack, INCIDENT)] == ["B0STRANGER", "B0BOT"]
