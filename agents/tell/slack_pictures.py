"""Uploads the timeline picture into an incident's thread, once when its cause is named and once at the end.

A picture is worth less than the words: what stands in its way is counted, logged once with its fix,
and never keeps a message back. An upload whose outcome is unknown is looked for in the thread by its
file name before it is done again.
"""

import asyncio

from slack_sdk.errors import SlackRequestError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from agents import log
from agents.tell.slack_api import Refused, SlackApi, Unknown
from agents.tell.slack_channel import PAGE_MESSAGES, SlackChannel
from agents.tell.speaker import Outcome
from pipeline.render.chart import Chart, Theme
from pipeline.render.words import Words
from schemas import Cause, Change, ChangeKind

SCOPE = "files:write"

_log = log.get("slack")


def worth_a_picture(change: Change, shown: bool) -> bool:
    """Whether `change` is a moment for a picture; `shown`: one was shown since the cause was named."""
    if change.kind is ChangeKind.RESOLVED:
        return True
    return not shown and change.incident.cause is not Cause.UNPROVEN


class SlackPictures:
    """Draws and uploads pictures to one channel."""

    def __init__(
        self,
        client: AsyncWebClient,
        api: SlackApi,
        channel: SlackChannel,
        words: Words,
        theme: Theme,
        heard: Outcome,
    ) -> None:
        self._client = client
        self._api = api
        self._channel = channel
        self._words = words
        self._theme = theme
        self._heard = heard
        self._refused = False

    async def show(self, change: Change, thread_ts: str, *, unsure: bool) -> None:
        """Upload the picture of `change` into the thread, unless it stands there.

        Raises Unsent or Unknown if Slack is out of reach: try again later.
        """
        from agents.tell.picture import drawable, png  # matplotlib takes a second to import

        drawn = await asyncio.to_thread(drawable, change, self._words)
        if drawn is None or self._refused:
            return
        name = f"undercurrent-{change.incident.id}-{change.seq}.png"
        try:
            if unsure and await self._stands(name, thread_ts):
                self._heard("picture", "found")
                return
            await self._upload(await asyncio.to_thread(png, drawn, self._theme), name, drawn, thread_ts)
            self._heard("picture", "posted")
        except Refused as refusal:
            self._give_up(refusal)

    async def _upload(self, content: bytes, name: str, drawn: Chart, thread_ts: str) -> None:
        channel = await self._channel.id()

        async def send() -> AsyncSlackResponse:
            try:
                return await self._client.files_upload_v2(
                    channel=channel,
                    thread_ts=thread_ts,
                    filename=name,
                    title=drawn.title,
                    alt_txt=drawn.alt,
                    content=content,
                )
            except SlackRequestError:
                raise Unknown("upload_failed") from None

        await self._api.post(send)

    async def _stands(self, name: str, thread_ts: str) -> bool:
        channel = await self._channel.id()
        answer = await self._api.read(
            lambda: self._client.conversations_replies(channel=channel, ts=thread_ts, limit=PAGE_MESSAGES)
        )
        files = [one for message in answer.get("messages", []) for one in message.get("files", [])]
        return any(one.get("name") == name for one in files)

    def _give_up(self, refusal: Refused) -> None:
        self._heard("picture", "refused")
        fix = f"add the scope {refusal.needed or SCOPE} to the app and reinstall it"
        if refusal.code == "missing_scope":
            self._refused = True
        _log.warning(
            "slack refuses the timeline picture, the messages go on without it",
            error=refusal.code,
            fix=fix if refusal.code == "missing_scope" else refusal.fix,
        )
