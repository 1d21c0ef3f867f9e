"""What stands in a log mentions nobody, the token is told to nobody, and what is missing is said."""

import json

import pytest

from agents.tell.slack_api import FIXES
from schemas import Change
from tests.render.incidents import CASCADE, DNS_OUTAGE, HOSTILE, huge
from tests.slack.blockkit import mentions
from tests.slack.conftest import TOKEN, Clock, Speakers
from tests.slack.server import Channel, FakeSlack, Fault
from tests.slack.stories import INCIDENT, STEPS, payload, tell_all, thread

MEANT_ILL = {"hostile": HOSTILE, "calm": DNS_OUTAGE, "markup": huge("&<>*_`:a:"), "escapes": huge("\x1b[31m")}


@pytest.mark.parametrize("change", MEANT_ILL.values(), ids=MEANT_ILL)
async def test_nothing_in_a_log_mentions_anybody(slack: FakeSlack, speaker: Speakers, change: Change) -> None:
    """Whatever stands in a log, Slack accepts the message and no one is mentioned, paged or linked."""
    reply = change.model_copy(update={"seq": change.seq + 1})
    await tell_all(speaker(), (change, reply))

    assert len(slack.channel.messages) == 3
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

    slack.scopes -= {"files:write", "im:write"}
    for more in ({"pictures": "dark"}, {"channel": "U0ALICE"}):
        problems = (await speaker(**more).check()).problems
        assert any("files:write" in one or "im:write" in one for one in problems)
        assert len(problems) == len({one.split("scope ")[-1] for one in problems})

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
