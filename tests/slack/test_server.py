"""The test's Slack itself: what docs.slack.dev says is refused, it refuses, in Slack's own words."""

import json
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.slack.conftest import TOKEN, Clock
from tests.slack.rates import TIERS
from tests.slack.server import FakeSlack

CHANNEL = "C0REGISTRY"


@pytest.fixture
def client(slack: FakeSlack) -> AsyncWebClient:
    return AsyncWebClient(TOKEN, slack.url, timeout=5, retry_handlers=[])


async def refused(call: Any) -> str:
    """The error that Slack answers with."""
    with pytest.raises(SlackApiError) as raised:
        await call
    return str(raised.value.response["error"])


def section(text: str = "x") -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def button(text: str = "x", action: str = "a", **more: Any) -> dict[str, Any]:
    return {"type": "button", "action_id": action, "text": plain(text), **more}


def select(options: list[dict[str, Any]], placeholder: str = "x") -> dict[str, Any]:
    return {
        "type": "static_select",
        "action_id": "a",
        "placeholder": plain(placeholder),
        "options": options,
    }


def options(count: int) -> list[dict[str, Any]]:
    return [{"text": plain("x"), "value": str(n)} for n in range(count)]


def actions(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "actions", "elements": list(elements)}


TOO_MUCH: dict[str, tuple[list[dict[str, Any]], str]] = {
    "51 blocks": ([section()] * 51, "invalid_blocks"),
    "a section of 3,001": ([section("x" * 3001)], "invalid_blocks"),
    "an empty section": ([section("")], "invalid_blocks"),
    "a header of 151": ([{"type": "header", "text": plain("x" * 151)}], "invalid_blocks"),
    "mrkdwn in a header": ([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}], "invalid_blocks"),
    "11 elements of context": (
        [{"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * 11}],
        "invalid_blocks",
    ),
    "a button of 76": ([actions(button("x" * 76))], "invalid_blocks"),
    "a value of 2,001": ([actions(button(value="x" * 2001))], "invalid_blocks"),
    "an unknown style": ([actions(button(style="warning"))], "invalid_blocks"),
    "26 buttons": ([actions(*(button(action=str(n)) for n in range(26)))], "invalid_blocks"),
    "one action twice": ([actions(button(), button())], "invalid_blocks"),
    "101 options": ([actions(select(options(101)))], "invalid_blocks"),
    "no option": ([actions(select([]))], "invalid_blocks"),
    "an option of 76": ([actions(select([{"text": plain("x" * 76), "value": "1"}]))], "invalid_blocks"),
    "an option's value of 151": (
        [actions(select([{"text": plain("x"), "value": "1" * 151}]))],
        "invalid_blocks",
    ),
    "a placeholder of 151": ([actions(select(options(1), "x" * 151))], "invalid_blocks"),
    "a block_id of 256": ([{**section(), "block_id": "x" * 256}], "invalid_blocks"),
    "a block_id twice": ([{**section(), "block_id": "x"}] * 2, "invalid_blocks"),
    "an unknown key": ([{**section(), "colour": "red"}], "invalid_blocks"),
    "all blocks together": ([section("x" * 2900)] * 4, "msg_blocks_too_long"),
}


@pytest.mark.parametrize(("blocks", "error"), TOO_MUCH.values(), ids=TOO_MUCH)
async def test_blocks_beyond_the_limits(
    client: AsyncWebClient, blocks: list[dict[str, Any]], error: str
) -> None:
    """Each limit of Block Kit, one step beyond it."""
    assert await refused(client.chat_postMessage(channel=CHANNEL, text="x", blocks=blocks)) == error


async def test_texts_and_metadata_beyond_the_limits(client: AsyncWebClient, clock: Clock) -> None:
    """A message is cut at 40,000 characters, an update refused from 4,001; metadata ends at 16 KB."""
    assert await refused(client.api_call("chat.postMessage", json={"channel": CHANNEL})) == "no_text"
    assert await refused(client.chat_postMessage(channel=CHANNEL, text="x" * 40_001)) == "msg_too_long"
    large = {"event_type": "a", "event_payload": {"x": "x" * 16_000}}
    assert (
        await refused(client.chat_postMessage(channel=CHANNEL, text="x", metadata=large))
        == "metadata_too_large"
    )
    wrong = {"event_type": "a b", "event_payload": {}}
    assert (
        await refused(client.chat_postMessage(channel=CHANNEL, text="x", metadata=wrong))
        == "invalid_metadata_schema"
    )
    clock.seconds += 10
    ts = (await client.chat_postMessage(channel=CHANNEL, text="x" * 5000))["ts"]
    assert await refused(client.chat_update(channel=CHANNEL, ts=ts, text="x" * 4001)) == "msg_too_long"


async def test_a_thread_hangs_on_its_parent(slack: FakeSlack, client: AsyncWebClient, clock: Clock) -> None:
    """A reply takes its parent's `ts`, never a reply's; metadata is shown only to who asks for it."""
    metadata = {"event_type": "undercurrent_incident", "event_payload": {"incident": "i"}}
    root = (await client.chat_postMessage(channel=CHANNEL, text="root", metadata=metadata))["ts"]
    clock.seconds += 1
    reply = (await client.chat_postMessage(channel=CHANNEL, text="reply", thread_ts=root))["ts"]
    clock.seconds += 1
    late = client.chat_postMessage(channel=CHANNEL, text="late", thread_ts=reply)
    assert await refused(late) == "cannot_reply_to_message"
    bare = (await client.conversations_history(channel=CHANNEL))["messages"]
    assert [("metadata" in one, one["text"]) for one in bare] == [(False, "root")]
    full = (await client.conversations_replies(channel=CHANNEL, ts=root, include_all_metadata=True))[
        "messages"
    ]
    assert [("metadata" in one, one["text"]) for one in full] == [(True, "root"), (False, "reply")]
    assert await refused(client.conversations_replies(channel=CHANNEL, ts="1.1")) == "thread_not_found"


NEEDED = {
    "chat:write": lambda client: client.chat_postMessage(channel=CHANNEL, text="x"),
    "channels:history": lambda client: client.conversations_history(channel=CHANNEL),
    "channels:read": lambda client: client.conversations_list(),
    "im:write": lambda client: client.conversations_open(users="U0ALICE"),
    "files:write": lambda client: client.files_getUploadURLExternal(filename="x.png", length=1),
}


@pytest.mark.parametrize("scope", NEEDED)
async def test_each_call_needs_its_scope(slack: FakeSlack, client: AsyncWebClient, scope: str) -> None:
    """The refusal names the scope; with it the call is answered."""
    slack.scopes.discard(scope)
    with pytest.raises(SlackApiError) as raised:
        await NEEDED[scope](client)
    assert raised.value.response["error"] == "missing_scope"
    assert raised.value.response["needed"] == scope
    slack.scopes.add(scope)
    assert (await NEEDED[scope](client))["ok"]


async def test_one_message_a_second_and_channel(
    slack: FakeSlack, client: AsyncWebClient, clock: Clock
) -> None:
    """The second one within a second is answered with 429 and `Retry-After`."""
    await client.chat_postMessage(channel=CHANNEL, text="x")
    with pytest.raises(SlackApiError) as raised:
        await client.chat_postMessage(channel=CHANNEL, text="x")
    assert (raised.value.response.status_code, raised.value.response.headers["Retry-After"]) == (429, "1")
    clock.seconds += 1
    await client.chat_postMessage(channel=CHANNEL, text="x")


async def test_tiers(slack: FakeSlack, client: AsyncWebClient, clock: Clock) -> None:
    """So many calls a minute and method; who comes back before the time is refused, and counted."""
    for _ in range(TIERS["conversations.history"]):
        await client.conversations_history(channel=CHANNEL)
        clock.seconds += 0.5
    with pytest.raises(SlackApiError) as raised:
        await client.conversations_history(channel=CHANNEL)
    wait = int(raised.value.response.headers["Retry-After"])
    assert (raised.value.response.status_code, wait) == (429, 35)
    assert (await client.conversations_list())["ok"]  # another method has a budget of its own
    assert await refused(client.conversations_history(channel=CHANNEL)) == "ratelimited"
    assert slack.rates.ignored == 1
    clock.seconds += wait
    assert (await client.conversations_history(channel=CHANNEL))["ok"]


async def test_an_upload_has_three_steps(slack: FakeSlack, client: AsyncWebClient) -> None:
    """An address for so many bytes, the bytes once, and then the file is shared; nothing else."""
    too_long = client.files_getUploadURLExternal(filename="x", length=1, alt_txt="x" * 1001)
    assert await refused(too_long) == "invalid_arguments"
    begun = await client.files_getUploadURLExternal(filename="x.png", length=3, alt_txt="what it shows")
    file, channel = json.dumps([{"id": begun["file_id"]}]), {"channel_id": CHANNEL}
    early = client.api_call("files.completeUploadExternal", params={"files": file, **channel})
    assert await refused(early) == "file_not_found"
    assert not slack.uploads.take(begun["file_id"], b"four")
    assert slack.uploads.take(begun["file_id"], b"abc")
    assert not slack.uploads.take(begun["file_id"], b"abc")
    await client.api_call("files.completeUploadExternal", params={"files": file, **channel})
    again = client.api_call("files.completeUploadExternal", params={"files": file, **channel})
    assert await refused(again) == "file_not_found"


async def test_whoever_has_no_token_or_another_is_refused(slack: FakeSlack) -> None:
    """Each in Slack's own word."""
    for token, error in (("", "not_authed"), ("xoxb-another", "invalid_auth")):
        other = AsyncWebClient(token, slack.url, timeout=5, retry_handlers=[])
        assert await refused(other.auth_test()) == error
    socket = AsyncWebClient(TOKEN, slack.url, timeout=5, retry_handlers=[])
    assert await refused(socket.apps_connections_open(app_token=TOKEN)) == "not_allowed_token_type"
