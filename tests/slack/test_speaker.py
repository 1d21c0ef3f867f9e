"""One incident, one message: what stands in the channel after anything may have gone wrong."""

import asyncio
import json
import random
from itertools import pairwise

import pytest

from agents.slack_api import FIXES
from pipeline.telling import Memory
from schemas import Change, ChangeKind
from tests.render.incidents import CASCADE, CASCADE_NAMED, DNS_OUTAGE, HOSTILE, huge
from tests.render.incidents import change as make_change
from tests.slack.blockkit import mentions
from tests.slack.conftest import TOKEN, Clock, Speakers
from tests.slack.server import Channel, FakeSlack, Fault
from tests.slack.stories import payload, roots, stored, tell_all, thread

INCIDENT = CASCADE[0].incident.id
STEPS = [one.seq for one in CASCADE[1:]]
WRITES = 1 + 2 * len(STEPS)
"""The root, and for each later change an update and a reply."""


async def test_an_incident_is_one_message_and_its_steps(slack: FakeSlack, speaker: Speakers) -> None:
    """The root is posted once and updated in place; each later change is one reply, in order."""
    await tell_all(speaker(), CASCADE)

    (root,) = roots(slack, INCIDENT)
    assert root["text"].startswith("✅ Resolved: CPU saturation (container limit), 96 % confidence")
    assert payload(root) == {"incident": INCIDENT, "seq": 3, "kind": "resolved", "message": "root"}
    assert thread(slack, INCIDENT) == STEPS
    said = [one["text"].splitlines()[0] for one in slack.channel.thread(root["ts"])]
    assert said == [
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
    method, before = ("chat.update", number // 2) if number % 2 else ("chat.postMessage", (number + 1) // 2)
    one = speaker()
    memory: Memory | None = None
    for index, change in enumerate(CASCADE):
        if index == before:
            slack.fail(method, fault)
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
    assert thread(slack, INCIDENT) == [1]


@pytest.mark.parametrize("number", range(WRITES))
async def test_a_crash_while_speaking(slack: FakeSlack, speaker: Speakers, number: int) -> None:
    """Killed after any request was done and before its answer came: what follows says nothing twice."""
    memory: Memory | None = None
    for index, change in enumerate(CASCADE):
        if index == (number + 1) // 2:
            intent = stored(memory, change)
            slack.fail("chat.update" if number % 2 else "chat.postMessage", Fault.HANGS)
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

    first, second = slack.calls("chat.postMessage")
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
    assert thread(slack, INCIDENT) == STEPS


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
    assert thread(slack, INCIDENT) == STEPS


async def test_without_history_messages_are_still_said(
    slack: FakeSlack, speaker: Speakers, logged: list[str]
) -> None:
    """A token that may not read posts all the same, and one line says which scope is missing."""
    slack.scopes.discard("channels:history")
    await tell_all(speaker(), CASCADE)

    assert thread(slack, INCIDENT) == STEPS
    assert sum("channels:history" in line for line in logged if "looked up" in line) == 1


async def test_a_deleted_root_is_replaced(
    slack: FakeSlack, speaker: Speakers, heard: list[tuple[str, str]]
) -> None:
    """Somebody deletes the message: the next change posts it anew, with its step in the new thread."""
    memory = await tell_all(speaker(), CASCADE[:1])
    slack.delete(roots(slack, INCIDENT)[0]["ts"])
    await tell_all(speaker(), CASCADE[1:], memory)

    assert len(roots(slack, INCIDENT)) == 1
    assert thread(slack, INCIDENT) == STEPS
    assert ("root", "replaced") in heard


@pytest.mark.parametrize("deduplicates", [False, True], ids=["", "slack-deduplicates"])
async def test_a_root_deleted_under_its_thread_is_replaced(
    slack: FakeSlack, speaker: Speakers, deduplicates: bool
) -> None:
    """A parent deleted with replies under it leaves a tombstone; the story goes on under a new root."""
    slack.deduplicates = deduplicates
    memory = await tell_all(speaker(), CASCADE[:2])
    slack.delete(roots(slack, INCIDENT)[0]["ts"])
    await tell_all(speaker(), CASCADE[2:], memory)

    (root,) = roots(slack, INCIDENT)
    assert payload(root)["seq"] == 3
    assert thread(slack, INCIDENT) == STEPS[1:]


async def test_a_stray_reply_is_taken_back(
    slack: FakeSlack, speaker: Speakers, heard: list[tuple[str, str]]
) -> None:
    """The root vanishes between update and reply: no reply is left standing at top level."""
    one = speaker()
    memory = await tell_all(one, CASCADE[:1])
    first = roots(slack, INCIDENT)[0]["ts"]
    slack.before["chat.postMessage"] = lambda: slack.channel.find(first) and slack.delete(first)
    await one.say(CASCADE[1], memory)

    (root,) = roots(slack, INCIDENT)
    assert payload(root)["message"] == "root"
    assert root["ts"] != first
    assert thread(slack, INCIDENT) == [1]
    assert ("reply", "stray_deleted") in heard


async def test_a_root_that_keeps_vanishing_ends(slack: FakeSlack, speaker: Speakers) -> None:
    """Somebody deletes every root at once: there is an end to posting new ones."""
    one = speaker()
    memory = await one.say(CASCADE[0], None)

    def sweep() -> None:
        for message in list(slack.channel.top()):
            slack.delete(message["ts"])

    slack.before["chat.postMessage"] = sweep
    memory = await one.say(CASCADE[1], memory)
    assert one.owes(memory)
    assert len(slack.calls("chat.postMessage")) < 12


async def test_an_edit_window_does_not_silence_the_thread(
    slack: FakeSlack, speaker: Speakers, heard: list[tuple[str, str]]
) -> None:
    """Where the workspace forbids late edits the root stays as it is, and the steps still come."""
    one = speaker()
    memory = await tell_all(one, CASCADE[:1])
    slack.edit_window_open = False
    await tell_all(one, CASCADE[1:], memory)

    assert thread(slack, INCIDENT) == STEPS
    assert ("root", "edit_window_closed") in heard


@pytest.mark.parametrize("code", ["invalid_blocks", "msg_blocks_too_long"])
async def test_refused_blocks_fall_back_to_text(
    slack: FakeSlack, speaker: Speakers, heard: list[tuple[str, str]], code: str
) -> None:
    """Should Slack ever dislike the blocks, the text that says the same goes out alone."""
    slack.fail("chat.postMessage", code)
    await speaker().say(CASCADE[0], None)

    (root,) = roots(slack, INCIDENT)
    assert "blocks" not in root
    assert root["text"].startswith("🔴 Open: cause not known yet")
    assert ("slack", "plain") in heard


MEANT_ILL = {"hostile": HOSTILE, "calm": DNS_OUTAGE, "markup": huge("&<>*_`:a:"), "escapes": huge("\x1b[31m")}


@pytest.mark.parametrize("change", MEANT_ILL.values(), ids=MEANT_ILL)
async def test_nothing_in_a_log_mentions_anybody(slack: FakeSlack, speaker: Speakers, change: Change) -> None:
    """Whatever stands in a log, Slack accepts the message and no one is mentioned, paged or linked."""
    reply = change.model_copy(update={"seq": change.seq + 1})
    await tell_all(speaker(), (change, reply))

    assert len(slack.channel.messages) == 2
    for message in slack.channel.messages:
        assert mentions(message) == []


async def test_the_token_is_never_written(
    slack: FakeSlack, speaker: Speakers, clock: Clock, logged: list[str]
) -> None:
    """No log line at any level, no memory and no exception holds the token, whatever goes wrong."""
    one = speaker()
    slack.fail("chat.postMessage", Fault.LOST, Fault.UNAVAILABLE, Fault.DROPPED)
    memory = await tell_all(one, CASCADE[:1])
    slack.revoked = True
    memory = await one.say(CASCADE[1], memory)
    failed = await tell_all(speaker(url="http://127.0.0.1:1/api/"), CASCADE)
    check = await one.check()
    with pytest.raises(Exception) as raised:  # noqa: PT011  whatever it is, it must not tell
        await one.test()

    chain, error = [], raised.value
    while error is not None:
        chain.append(repr(error) + str(error))
        error = error.__cause__ or error.__context__
    everything = [*logged, json.dumps(memory), json.dumps(failed), repr(check), *chain]
    assert len(logged) > 10
    assert not [text for text in everything if TOKEN in text or "secretsecret" in text]


async def test_the_check_says_which_scopes_are_missing(
    slack: FakeSlack, speaker: Speakers, logged: list[str]
) -> None:
    """At start one sees who we are, what is missing, and what to do."""
    well = await speaker().check()
    assert (well.team, well.bot, well.problems) == ("Night Watch", "undercurrent", ())
    assert "chat:write" in well.scopes

    slack.scopes -= {"chat:write", "channels:history"}
    lacking = await speaker().check()
    assert [scope for scope in ("chat:write", "channels:history") if scope in " ".join(lacking.problems)] == [
        "chat:write",
        "channels:history",
    ]

    slack.revoked = True
    assert [FIXES["token_revoked"] in problem for problem in (await speaker().check()).problems] == [True]
    await speaker().start()
    assert sum(FIXES["token_revoked"] in line for line in logged) == 1


async def test_a_channel_may_be_named(slack: FakeSlack, speaker: Speakers) -> None:
    """A channel's name is looked up once; where that is not allowed, the fix says to set its id."""
    for n in range(450):
        slack.channels[f"C1{n:05d}"] = Channel(f"C1{n:05d}", f"other-{n}")
    slack.channels["C0REGISTRY"] = slack.channels.pop("C0REGISTRY")
    await tell_all(speaker(channel="#registry-alerts"), CASCADE)
    assert thread(slack, INCIDENT) == STEPS

    slack.scopes.discard("channels:read")
    memory = await speaker(channel="#registry-alerts").say(DNS_OUTAGE, None)
    assert memory["slack"]["trouble"] == {"error": "channel_is_a_name", "fix": FIXES["channel_is_a_name"]}


async def test_a_test_message_says_that_it_is_one(slack: FakeSlack, speaker: Speakers) -> None:
    """`slack test` posts one message, marked as a test, that no look-up takes for an incident."""
    channel, ts = await speaker().test()
    assert channel == "C0REGISTRY"
    message = slack.channel.find(ts)
    assert message is not None
    assert message["text"].startswith("🧪 Test")
    assert payload(message) == {"message": "test"}
