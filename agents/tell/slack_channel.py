"""One Slack channel as a place for messages: post, update, delete, and find again what was posted.

Messages are known by their metadata (`pipeline/render/slack.py`). conversations.history and
conversations.replies return it only with `include_all_metadata` and take a channel by id only
(docs.slack.dev/reference/methods/conversations.history), so a channel configured by name is looked
up in conversations.list first.
"""

import hashlib
import re
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from agents import log
from agents.tell.slack_api import Refused, SlackApi, Unknown
from agents.tell.speaker import Outcome
from pipeline.render.mark import NOW, Mark
from pipeline.render.slack import Message

PAGE_MESSAGES = 200
LOOK_BACK_PAGES = 5
"""A message whose outcome is unknown is looked for among the channel's newest 1,000."""
HISTORY_SCOPES = "channels:history (groups:history for a private channel)"

CONTENT_REFUSED = frozenset(
    {"invalid_arguments", "invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long"}
)
"""Slack dislikes the blocks: the plain text, which says the same, is sent instead."""
GONE = frozenset({"message_not_found", "cant_update_message", "thread_not_found"})
"""The message is not there any more."""

NONE_SAID = (-1, 0)

_PERSON_ID = re.compile(r"[UW][A-Z0-9]{5,}")
_CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{5,}")
_log = log.get("slack")


class SlackChannel:
    """A channel, by id or name. `heard` is told of what a person may want to count; all posts bear `mark`."""

    def __init__(
        self, client: AsyncWebClient, api: SlackApi, channel: str, heard: Outcome, mark: Mark = NOW
    ) -> None:
        self._mark = mark
        self._client = client
        self._api = api
        self._heard = heard
        self._name = channel.removeprefix("#")
        self._person = channel if _PERSON_ID.fullmatch(channel) else None
        self._id = channel if _CHANNEL_ID.fullmatch(channel) else None
        self.bot_id: str | None = None
        self._blind = False

    @property
    def is_person(self) -> bool:
        """Whether these are somebody's direct messages."""
        return self._person is not None

    async def id(self) -> str:
        """The channel's id. Raises Refused(`channel_is_a_name`) if its name cannot be looked up."""
        if self._id is None:
            try:
                self._id = await (self._id_with(self._person) if self._person else self._id_of(self._name))
            except Refused as refusal:
                if refusal.code != "missing_scope" or self._person:
                    raise
                raise Refused("channel_is_a_name") from None
        return self._id

    async def post(self, message: Message, identity: str, thread_ts: str | None = None) -> dict[str, Any]:
        """Post a message, into a thread if `thread_ts` is given. Raises as SlackApi.post does."""
        channel = await self.id()
        place: dict[str, Any] = {"thread_ts": thread_ts} if thread_ts else {}

        async def send(content: Message) -> dict[str, Any]:
            return await self._api.post(
                lambda: self._client.chat_postMessage(
                    channel=channel,
                    client_msg_id=identity,
                    unfurl_links=False,
                    unfurl_media=False,
                    **place,
                    **content,
                )
            )

        answer = await self._in_blocks_or_plain(message, send)
        if "ts" not in answer:
            raise Unknown("no_ts_in_answer")
        return answer

    async def update(self, ts: str, message: Message) -> None:
        """Replace a message. Raises as SlackApi.change does."""
        channel = await self.id()

        async def send(content: Message) -> dict[str, Any]:
            return await self._api.change(lambda: self._client.chat_update(channel=channel, ts=ts, **content))

        await self._in_blocks_or_plain(message, send)

    async def delete(self, ts: str) -> None:
        """Delete a message of ours; one that is gone already is as good."""
        channel = await self.id()
        try:
            await self._api.change(lambda: self._client.chat_delete(channel=channel, ts=ts))
        except Refused as refusal:
            if refusal.code not in GONE:
                raise

    async def find_root(self, incident: str, *, far_back: bool) -> str | None:
        """The `ts` of the incident's root if it stands in the channel, else None.

        Looks through the newest page of messages; `far_back`: through the newest 1,000.
        """
        if self._blind:
            return None
        try:
            messages = await self.history(LOOK_BACK_PAGES if far_back else 1, PAGE_MESSAGES)
        except Refused as refusal:
            if refusal.code != "missing_scope":
                raise
            self._cannot_see()
            return None
        roots = (one["ts"] for one in messages if self._about(one, incident, "root") is not None)
        return next(map(str, roots), None)

    async def last_reply(self, incident: str, thread_ts: str) -> tuple[int, int]:
        """The last of the incident's replies that stand in the thread (`order_of`), or `NONE_SAID`."""
        if self._blind:
            return NONE_SAID
        channel = await self.id()
        try:
            messages = await self._pages(
                LOOK_BACK_PAGES,
                lambda cursor: self._client.conversations_replies(
                    channel=channel,
                    ts=thread_ts,
                    limit=PAGE_MESSAGES,
                    cursor=cursor,
                    include_all_metadata=True,
                ),
            )
        except Refused as refusal:
            if refusal.code in GONE:
                return NONE_SAID
            if refusal.code != "missing_scope":
                raise
            self._cannot_see()
            return NONE_SAID
        ours = (one for one in messages if self._about(one, incident, "reply") is not None)
        return max(map(order_of, ours), default=NONE_SAID)

    def _about(self, message: dict[str, Any], incident: str, kind: str) -> int | None:
        """The `seq` of a message of ours of that kind about the incident; None for any other."""
        metadata = message.get("metadata") or {}
        payload = metadata.get("event_payload") or {}
        ours = self.bot_id is None or message.get("bot_id") == self.bot_id
        about = (metadata.get("event_type"), payload.get("incident"), payload.get("message"))
        wanted = (self._mark.event_type, incident, kind)
        seq = payload.get("seq")
        return seq if ours and about == wanted and isinstance(seq, int) else None

    async def history(self, pages: int, limit: int) -> list[dict[str, Any]]:
        """The channel's newest messages, newest first. Raises as SlackApi.read does."""
        channel = await self.id()
        return await self._pages(
            pages,
            lambda cursor: self._client.conversations_history(
                channel=channel, limit=limit, cursor=cursor, include_all_metadata=True
            ),
        )

    async def _in_blocks_or_plain(
        self, message: Message, send: Callable[[Message], Awaitable[dict[str, Any]]]
    ) -> dict[str, Any]:
        message = self._mark.on(message)
        try:
            return await send(message)
        except Refused as refusal:
            if refusal.code not in CONTENT_REFUSED:
                raise
            _log.error("slack refuses the blocks, the text is sent alone", error=refusal.code)
            self._heard("slack", "plain")
            return await send({key: value for key, value in message.items() if key != "blocks"})

    async def _pages(
        self, pages: int, call: Callable[[str | None], Awaitable[AsyncSlackResponse]]
    ) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        for _ in range(pages):
            at = cursor
            answer = await self._api.read(lambda at=at: call(at))  # type: ignore[misc]  # a default binds it
            found += answer.get("messages", answer.get("channels", []))
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                break
        return found

    async def _id_with(self, person: str) -> str:
        """The direct messages with a person, opened if they are not; needs the scope im:write."""
        answer = await self._api.read(lambda: self._client.conversations_open(users=person))
        return str(answer["channel"]["id"])

    async def _id_of(self, name: str) -> str:
        channels = await self._pages(
            LOOK_BACK_PAGES * 2,
            lambda cursor: self._client.conversations_list(
                types="public_channel,private_channel", limit=PAGE_MESSAGES, cursor=cursor
            ),
        )
        for channel in channels:
            if channel.get("name") == name:
                return str(channel["id"])
        raise Refused("channel_not_found")

    def _cannot_see(self) -> None:
        """The token may not read: said once, and from now on nothing is looked up."""
        self._blind = True
        self._heard("slack", "blind")
        _log.warning("slack messages cannot be looked up", fix=f"add the scope {HISTORY_SCOPES}")


def order_of(reply: Message) -> tuple[int, int]:
    """Where a reply stands in its thread: the change it tells or follows, and its number behind that."""
    payload = reply["metadata"]["event_payload"]
    return int(payload["seq"]), int(payload.get("part", 0))


def client_msg_id(*parts: object) -> str:
    """A UUID derived from what the message is (law 5 of the design): equal parts, equal id."""
    digest = hashlib.sha256("\0".join(["undercurrent", *map(str, parts)]).encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=5))
