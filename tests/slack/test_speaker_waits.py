"""Slack asks for patience, is away, or refuses until a person has helped: nothing is lost or said twice."""

import asyncio
from itertools import pairwise

import pytest

from agents.tell.slack_api import FIXES
from schemas import ChangeKind
from tests.render.incidents import CASCADE, CASCADE_NAMED
from tests.render.incidents import change as make_change
from tests.slack.conftest import TOKEN, Clock, Speakers
from tests.slack.server import FakeSlack, Fault
from tests.slack.stories import INCIDENT, NAMES, STEPS, payload, roots, steps_said, tell_all, thread


async def test_one_message_a_second(slack: FakeSlack, speaker: Speakers) -> None:
    """Twenty incidents at once keep Slack's pace: it never has to say 429, and each keeps its order."""
    one = speaker()
    storm = [
        tuple(
            change.model_copy(update={"incident": change.incident.model_copy(update={"id": f"storm{n:02d}"})})
            for change in CASCADE
        )
        for n in range(20)
    ]
    await asyncio.gather(*(tell_all(one, changes) for changes in storm))

    writes = [call.at for call in slack.requests if call.method.startswith("chat.")]
    assert min(later - earlier for earlier, later in pairwise(writes)) >= 1.0
    for n in range(20):
        assert len(roots(slack, f"storm{n:02d}")) == 1
        assert thread(slack, f"storm{n:02d}") == STEPS


async def test_retry_after_is_honoured(
    slack: FakeSlack, speaker: Speakers, clock: Clock, heard: list[tuple[str, str]]
) -> None:
    """After a 429 nothing is sent before the time Slack names."""
    slack.retry_after_seconds = 7
    slack.fail("chat.postMessage", Fault.LIMITED)
    await speaker().say(CASCADE[0], None)

    first, second, *_ = slack.calls("chat.postMessage")
    assert second.at - first.at >= 7
    assert ("slack", "rate_limited") in heard
    assert len(roots(slack, INCIDENT)) == 1


async def test_a_long_retry_after_blocks_nobody(slack: FakeSlack, speaker: Speakers, clock: Clock) -> None:
    """Told to come back in an hour, the message is kept, and Slack is left alone until then."""
    slack.retry_after_seconds = 3600
    slack.fail("chat.postMessage", Fault.LIMITED)
    one = speaker()
    memory = await one.say(CASCADE[0], None)
    assert one.owes(memory)
    assert clock.now() < 1060

    memory = await one.flush(memory)
    assert len(slack.calls("chat.postMessage")) == 1

    clock.seconds += 3600
    memory = await one.flush(memory)
    assert not one.owes(memory)
    assert len(roots(slack, INCIDENT)) == 1


async def test_an_outage_loses_nothing(
    slack: FakeSlack, speaker: Speakers, clock: Clock, heard: list[tuple[str, str]]
) -> None:
    """While Slack is down changes are kept in order, and said once it is back."""
    one = speaker(url="http://127.0.0.1:1/api/")
    memory = await tell_all(one, CASCADE[:3])
    assert one.owes(memory)
    assert ("slack", "pending") in heard
    assert sum(clock.slept) < 60

    clock.seconds += 60
    back = speaker()
    memory = await back.say(CASCADE[3], memory)
    assert not back.owes(memory)
    assert payload(roots(slack, INCIDENT)[0])["seq"] == 3
    assert thread(slack, INCIDENT) == STEPS[-1:], "what is told late is told as one"
    assert steps_said(slack, INCIDENT) == NAMES


async def test_flush_says_what_is_owed_without_a_new_change(
    slack: FakeSlack, speaker: Speakers, clock: Clock
) -> None:
    """The last change of an incident does not wait for a next one that never comes."""
    one = speaker()
    memory = await tell_all(one, CASCADE[:3])
    slack.fail("chat.update", *[Fault.UNAVAILABLE] * 4)
    memory = await one.say(CASCADE[3], memory)
    assert one.owes(memory)

    clock.seconds += 15
    memory = await one.flush(memory)
    assert not one.owes(memory)
    assert payload(roots(slack, INCIDENT)[0])["seq"] == 3
    assert thread(slack, INCIDENT) == STEPS


async def test_many_steps_owed_become_one_reply(slack: FakeSlack, speaker: Speakers, clock: Clock) -> None:
    """After a long outage the thread gets one reply with all its steps, not a flood."""
    kinds = [ChangeKind.OPENED, *[ChangeKind.RECOVERING, ChangeKind.ESCALATED] * 5]
    changes = tuple(
        make_change(n, kind, 1795425060.0 + n, f"Reason {n}.", CASCADE_NAMED) for n, kind in enumerate(kinds)
    )
    memory = await tell_all(speaker(url="http://127.0.0.1:1/api/"), changes)
    clock.seconds += 60
    await speaker().flush(memory)

    (root,) = roots(slack, INCIDENT)
    (reply,) = slack.channel.thread(root["ts"])
    assert [f"Reason {n}." in reply["text"] for n in range(1, 11)] == [True] * 10


REFUSALS = [
    "channel_not_found",
    "is_archived",
    "invalid_auth",
    "token_revoked",
    "not_in_channel",
    "missing_scope",
]


def refuse(slack: FakeSlack, why: str) -> None:
    """Make Slack refuse for the reason, by its own rules."""
    if why == "channel_not_found":
        slack.channels["C9"] = slack.channels.pop("C0REGISTRY")
    elif why == "is_archived":
        slack.channels["C0REGISTRY"].archived = True
    elif why == "invalid_auth":
        slack.token = "xoxb-another"
    elif why == "token_revoked":
        slack.revoked = True
    elif why == "not_in_channel":
        slack.channels["C0REGISTRY"].member = False
    else:
        slack.scopes.discard("chat:write")


def relent(slack: FakeSlack) -> None:
    """A person has done what the fix says."""
    slack.channels["C0REGISTRY"] = slack.channels.pop("C9", None) or slack.channels["C0REGISTRY"]
    slack.channel.archived, slack.channel.member, slack.revoked, slack.token = False, True, False, TOKEN
    slack.scopes.add("chat:write")


@pytest.mark.parametrize("why", REFUSALS)
@pytest.mark.parametrize("after", [0, 2], ids=["at-first", "later"])
async def test_a_refusal_is_a_state_with_a_fix_and_loses_nothing(
    slack: FakeSlack,
    speaker: Speakers,
    clock: Clock,
    heard: list[tuple[str, str]],
    logged: list[str],
    why: str,
    after: int,
) -> None:
    """What needs a person stands in memory, log and metric; Slack is left alone; then all is said."""
    one = speaker()
    memory = await tell_all(one, CASCADE[:after]) if after else None
    refuse(slack, why)
    memory = await one.say(CASCADE[after], memory)

    code = memory["slack"]["trouble"]["error"]
    assert code == why or (why, code) == ("is_archived", "is_inactive")
    assert memory["slack"]["trouble"]["fix"].startswith(FIXES[code])
    assert ("slack", code) in heard
    assert sum(FIXES[code] in line for line in logged) == 1

    asked = len(slack.requests)
    memory = await tell_all(one, CASCADE[after + 1 :], memory)
    assert len(slack.requests) == asked
    assert sum(FIXES[code] in line for line in logged) == 1

    clock.seconds += 60
    memory = await one.flush(memory)
    assert len(slack.requests) > asked
    assert sum(FIXES[code] in line for line in logged) == 1

    relent(slack)
    clock.seconds += 60
    memory = await one.flush(memory)
    assert not one.owes(memory)
    assert "trouble" not in memory["slack"]
    assert len(roots(slack, INCIDENT)) == 1
    assert steps_said(slack, INCIDENT) == NAMES
