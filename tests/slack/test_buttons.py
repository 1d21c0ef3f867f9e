"""Buttons: what is shown, what a press means, and its way from a real websocket into the thread."""

import asyncio
import copy
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from agents.tell.slack_buttons import SlackButtons
from pipeline.render.buttons import buttons, pressed
from pipeline.render.slack import BLOCKS_JSON_MAX
from pipeline.render.words import catalogue
from pipeline.telling import Memory
from schemas import Cause, Feedback, FeedbackKind, decode, encode
from tests.render.incidents import ALL, CASCADE, HOSTILE, huge
from tests.slack.blockkit import mentions, refusal
from tests.slack.conftest import Clock, Speakers
from tests.slack.recordings import replayed
from tests.slack.server import FakeSlack, Fault
from tests.slack.socket import APP_TOKEN, press
from tests.slack.stories import roots, stored, tell_all, thread

INCIDENT = CASCADE[0].incident.id
NOW = 1795425300.0
CPU = "not CPU saturation, but"


async def shown(speaker: Speakers, slack: FakeSlack) -> tuple[Memory, dict[str, Any]]:
    """The cascade told up to its cause, with buttons: what is remembered, and the root."""
    memory = await tell_all(speaker(with_buttons=True), CASCADE[:2])
    return memory, roots(slack, INCIDENT)[0]


def said(message: dict[str, Any], action: str, value: str | None = None, user: str = "U0ALICE") -> Feedback:
    """What the press means."""
    feedback = pressed(press(message, action, value, user), NOW)
    assert feedback is not None
    return feedback


async def heard_by(speaker: Speakers, memory: Memory, *presses: Feedback, **more: Any) -> Memory:
    """Presses reach the speaker, as notify hands them on: noted first, then shown."""
    for one in presses:
        made = speaker(with_buttons=True)
        memory = await made.flush(made.hear(one, memory, more.get("decisions")))
    return memory


def texts(slack: FakeSlack) -> list[str]:
    (root,) = roots(slack, INCIDENT)
    return [one["text"].splitlines()[0] for one in slack.channel.thread(root["ts"])]


@pytest.mark.parametrize("name", [name for name in ALL if name != "huge"])
async def test_slack_takes_the_message_with_buttons(slack: FakeSlack, speaker: Speakers, name: str) -> None:
    """However long the incident, message, buttons and what people said fit together."""
    one = speaker(with_buttons=True)
    memory = await one.say(ALL[name], None)
    (root,) = slack.channel.top()
    feedback = [said(root, "wrong_cause", "none", f"U{n:010d}") for n in range(6)]
    await heard_by(speaker, memory, *feedback)
    (root,) = slack.channel.top()
    assert [block["type"] for block in root["blocks"]].count("actions") == 1
    assert refusal(root) is None
    assert len(str(root["blocks"])) < BLOCKS_JSON_MAX + 2000
    assert {token[:2] for token in mentions(root)} <= {"@U"}


async def test_without_an_app_token_there_are_no_buttons(slack: FakeSlack, speaker: Speakers) -> None:
    """Everything else is as it was, and nothing more is remembered."""
    memory = await tell_all(speaker(), CASCADE)
    (root,) = roots(slack, INCIDENT)
    assert "actions" not in [block["type"] for block in root["blocks"]]
    assert "last" not in memory["slack"]


@pytest.mark.parametrize(
    ("action", "value", "sentence"),
    [
        ("acknowledge", None, "👀 <@U0ALICE> looks after it since 09:15:00 UTC"),
        ("snooze", "3600", "💤 <@U0ALICE> wants no calls until 10:15:00 UTC"),
        (
            "wrong_cause",
            "dns_outage",
            f"✍️ <@U0ALICE> says at 09:15:00 UTC: {CPU} DNS outage",
        ),
        (
            "wrong_cause",
            "none",
            f"✍️ <@U0ALICE> says at 09:15:00 UTC: {CPU} no trouble at all",
        ),
    ],
)
async def test_a_press_is_a_step_of_the_thread_and_a_line_of_the_root(
    slack: FakeSlack, speaker: Speakers, action: str, value: str | None, sentence: str
) -> None:
    """Who said what and when stands in both, once."""
    memory, root = await shown(speaker, slack)
    memory = await heard_by(speaker, memory, said(root, action, value))
    assert texts(slack)[-1] == sentence
    assert roots(slack, INCIDENT)[0]["blocks"][1]["text"]["text"] == sentence
    assert not speaker().owes(memory)

    memory = await heard_by(speaker, memory, said(root, action, value))
    assert texts(slack).count(sentence) == 1


async def test_the_story_goes_on_around_presses(slack: FakeSlack, speaker: Speakers) -> None:
    """Later changes keep what people said, and come after it in the thread."""
    memory, root = await shown(speaker, slack)
    memory = await heard_by(
        speaker, memory, said(root, "acknowledge"), said(root, "acknowledge", user="U0BOB")
    )
    await tell_all(speaker(with_buttons=True), CASCADE, memory)

    (root,) = roots(slack, INCIDENT)
    assert [line.split()[1] for line in root["blocks"][1]["text"]["text"].splitlines()] == [
        "<@U0ALICE>",
        "<@U0BOB>",
    ]
    assert root["text"].startswith("✅ Resolved")
    assert thread(slack, INCIDENT) == [0, 1, 1, 1, 2, 3]


async def test_the_last_word_of_a_person_counts(slack: FakeSlack, speaker: Speakers) -> None:
    """Who changes their mind replaces their line; the thread keeps both."""
    memory, root = await shown(speaker, slack)
    memory = await heard_by(
        speaker, memory, said(root, "wrong_cause", "dns_outage"), said(root, "wrong_cause", "storage_latency")
    )
    status = roots(slack, INCIDENT)[0]["blocks"][1]["text"]["text"]
    assert status.endswith("but slow storage")
    assert "DNS" not in status
    assert len(texts(slack)) == 4


async def test_what_was_suppressed_is_shown(slack: FakeSlack, speaker: Speakers) -> None:
    """Each suppressed lookup with its time, its question and the reason; many are cut, with how many more."""
    decisions = [
        one for one in replayed("cpu_cascade").decisions if one.incident_id and one.outcome == "suppressed"
    ]
    memory, _ = await shown(speaker, slack)
    memory = await tell_all(speaker(with_buttons=True), CASCADE, memory)
    (root,) = roots(slack, INCIDENT)
    memory = await heard_by(speaker, memory, said(root, "show_suppressed"), decisions=decisions)
    reply = slack.channel.thread(root["ts"])[-1]
    lines = reply["text"].splitlines()
    assert lines[0] == "🔇 <@U0ALICE> asks what was suppressed"
    assert lines[1].startswith("`09:10:48` 1x `")
    assert "was starved of CPU at 09:10:48" in lines[1]
    assert lines[-1] == f"… and {len(decisions) - 10} more"
    assert roots(slack, INCIDENT)[0]["blocks"][1]["type"] != "context"

    unread = said(root, "show_suppressed", user="U0BOB")
    await heard_by(speaker, memory, unread)
    assert "undercurrent explain" in slack.channel.thread(root["ts"])[-1]["text"]


@pytest.mark.parametrize("fault", [one for one in Fault if one is not Fault.HANGS])
@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
async def test_a_failure_while_a_press_is_shown_changes_nothing(
    slack: FakeSlack, speaker: Speakers, clock: Clock, fault: Fault, method: str
) -> None:
    """Whatever goes wrong, a press stands in the thread once."""
    memory, root = await shown(speaker, slack)
    slack.fail(method, fault)
    one = speaker(with_buttons=True)
    memory = await one.flush(one.hear(said(root, "acknowledge"), memory, None))
    for _ in range(3):
        clock.seconds += 60
        memory = await speaker(with_buttons=True).flush(memory)
    assert [text for text in texts(slack) if "looks after" in text] == [
        "👀 <@U0ALICE> looks after it since 09:15:00 UTC"
    ]


async def test_a_crash_after_a_press_was_shown_repeats_nothing(slack: FakeSlack, speaker: Speakers) -> None:
    """The memory noted before speaking is all that is left, and it is enough."""
    memory, root = await shown(speaker, slack)
    noted = speaker(with_buttons=True).hear(said(root, "acknowledge"), memory, None)
    await speaker(with_buttons=True).flush(noted)
    memory = await speaker(with_buttons=True).flush(noted)
    assert len(texts(slack)) == 3

    memory = await speaker(with_buttons=True).say(CASCADE[2], stored(memory, CASCADE[2]))
    assert thread(slack, INCIDENT) == [0, 1, 1, 2]


async def test_a_press_that_is_none_of_ours_means_nothing(slack: FakeSlack, speaker: Speakers) -> None:
    """A payload of another shape, of another app's button, or with a value nobody offered is refused."""
    _, root = await shown(speaker, slack)
    good = press(root, "wrong_cause", "dns_outage")
    broken: list[Any] = [{}, {"type": "view_submission"}, {**good, "actions": []}, {**good, "user": None}]
    for key, value in [
        ("action_id", "other"),
        ("block_id", "undercurrent_{}"),
        ("block_id", "undercurrent_[1]"),
        ("selected_option", {"value": "<!channel>"}),
        ("selected_option", {"value": ""}),
    ]:
        one = copy.deepcopy(good)
        one["actions"][0][key] = value
        broken.append(one)
    assert [pressed(one, NOW) for one in broken] == [None] * len(broken)


async def test_hostile_names_stay_text(slack: FakeSlack, speaker: Speakers) -> None:
    """A user id that is none, and an incident full of markup, mention and link nobody."""
    one = speaker(with_buttons=True)
    memory = await one.say(HOSTILE, None)
    (root,) = slack.channel.top()
    feedback = said(root, "wrong_cause", "none", "U1><!channel> *x*")
    await heard_by(speaker, memory, feedback)
    for message in slack.channel.messages:
        assert refusal(message) is None
        assert set(mentions(message)) <= {"@U1channelx"}


def test_a_domain_too_long_for_a_button_has_none() -> None:
    """Rather no button than one that says the wrong domain."""
    incident = huge("x").incident.model_copy(update={"domain": "d" * 300})
    assert buttons(incident, catalogue("en")) == []


def test_feedback_survives_the_wire() -> None:
    """What is written to the topic is read back the same, and its key is who said what of which incident."""
    feedback = Feedback(
        id="i:wrong_cause:U1:1.2", incident="i", domain="d", kind=FeedbackKind.WRONG_CAUSE, by="U1",
        at=NOW, said=Cause.CPU_SATURATION, right_cause=Cause.DNS_OUTAGE,
    )  # fmt: skip
    assert decode(Feedback, encode(feedback)) == feedback
    assert feedback.key == "d/i/wrong_cause/U1"


# --- over a real websocket ---


@pytest.fixture
async def connect(
    slack: FakeSlack, clock: Clock, heard: list[tuple[str, str]]
) -> AsyncIterator[Callable[..., list[Feedback]]]:
    """Start a listener; gives the list of what it delivers."""
    tasks: list[asyncio.Task[None]] = []

    def start(token: str = APP_TOKEN, slow_seconds: float = 0.0) -> list[Feedback]:
        delivered: list[Feedback] = []

        async def deliver(feedback: Feedback) -> None:
            await asyncio.sleep(slow_seconds)
            delivered.append(feedback)

        one = SlackButtons(
            token,
            deliver,
            base_url=slack.url,
            clock=clock,
            heard=lambda act, outcome: heard.append((act, outcome)),
        )
        tasks.append(asyncio.create_task(one.run()))
        return delivered

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def connected(slack: FakeSlack) -> None:
    await asyncio.wait_for(slack.socket.connected.wait(), 10)


async def test_a_press_is_delivered_and_acknowledged(
    slack: FakeSlack, speaker: Speakers, connect: Callable[..., list[Feedback]], heard: list[tuple[str, str]]
) -> None:
    """From Slack through the socket into the thread, with who and when."""
    memory, root = await shown(speaker, slack)
    delivered = connect()
    await connected(slack)
    assert await slack.socket.send(press(root, "wrong_cause", "storage_latency"))
    (feedback,) = delivered
    assert (feedback.incident, feedback.domain, feedback.by) == (INCIDENT, "registry-prod", "U0ALICE")
    assert (feedback.said, feedback.right_cause) == (Cause.CPU_SATURATION, Cause.STORAGE_LATENCY)
    await heard_by(speaker, memory, feedback)
    assert texts(slack)[-1].endswith("not CPU saturation, but slow storage")
    assert ("button", "pressed") in heard


async def test_what_is_no_press_is_acknowledged_and_ignored(
    slack: FakeSlack, connect: Callable[..., list[Feedback]], heard: list[tuple[str, str]]
) -> None:
    """Slack is not left waiting for anything it sends."""
    delivered = connect()
    await connected(slack)
    assert await slack.socket.send({"type": "view_submission"})
    assert await slack.socket.send({"command": "/weather"}, "slash_commands")
    assert delivered == []
    assert ("button", "unknown") in heard


async def test_a_press_is_acknowledged_only_once_it_is_kept(
    slack: FakeSlack, speaker: Speakers, connect: Callable[..., list[Feedback]]
) -> None:
    """While Kafka is away Slack warns who pressed; the press is kept all the same once Kafka is back."""
    _, root = await shown(speaker, slack)
    delivered = connect(slow_seconds=3.3)
    await connected(slack)
    assert not await slack.socket.send(press(root, "acknowledge"))
    await asyncio.sleep(0.6)
    assert len(delivered) == 1


async def test_the_connection_is_renewed(
    slack: FakeSlack, speaker: Speakers, connect: Callable[..., list[Feedback]]
) -> None:
    """When Slack asks for a new connection, presses reach the new one."""
    _, root = await shown(speaker, slack)
    delivered = connect()
    await connected(slack)
    await slack.socket.ask_to_reconnect()
    await connected(slack)
    assert await slack.socket.send(press(root, "acknowledge"))
    assert len(delivered) == 1


async def test_a_wrong_app_token_is_said_once_and_tried_again(
    slack: FakeSlack,
    clock: Clock,
    connect: Callable[..., list[Feedback]],
    logged: list[str],
    heard: list[tuple[str, str]],
) -> None:
    """The bot token in its place is a common slip: the fix names it, messages go on, no token is logged."""
    slack.socket.token = "xapp-another"
    connect()
    for _ in range(200):
        await asyncio.sleep(0.01)
        if clock.seconds > 1300:
            break
    assert sum("SLACK_APP_TOKEN" in line for line in logged) == 1
    assert ("button", "unconnected") in heard
    slack.socket.token = APP_TOKEN
    await connected(slack)
    assert not [line for line in logged if APP_TOKEN in line or "ticket-" in line]
