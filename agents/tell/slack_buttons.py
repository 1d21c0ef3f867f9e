"""Takes the presses of buttons through Socket Mode: a connection from here to Slack, no public address.

Slack hands each press to one of the app's connections, so to any worker. It is written to the feedback
topic, keyed by its incident's domain, and only then acknowledged to Slack; the worker that tells of
that domain shows it. A press that is not acknowledged within three seconds shows Slack's own warning
to who pressed; what could not be written in time is written all the same, once Kafka takes it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from agents import log
from agents.tell.slack_api import Clock, Refused, SlackApi, SlackError, SystemClock
from agents.tell.speaker import Outcome, unheard
from pipeline.render.buttons import pressed
from schemas import Feedback

RETRY_SECONDS = 60.0
"""A refused token is tried again: a person may have mended it."""
PING_SECONDS = 10.0

_FIXES = {
    "invalid_auth": "set SLACK_APP_TOKEN to an app-level token (xapp-…) with the scope connections:write",
    "not_allowed_token_type": "set SLACK_APP_TOKEN to an app-level token (xapp-…), not to the bot token",
    "missing_scope": "give the app-level token the scope connections:write",
    "access_denied": "turn on Socket Mode in the app's settings",
}

_log = log.get("slack")
_silent = logging.getLogger("undercurrent.slack.socket")
_silent.setLevel(logging.CRITICAL)  # slack_sdk logs the address of the connection, which is a secret


class SlackButtons:
    """One connection. `deliver` puts a press into Kafka and returns when it is there."""

    def __init__(
        self,
        app_token: str,
        deliver: Callable[[Feedback], Awaitable[None]],
        *,
        base_url: str,
        heard: Outcome = unheard,
        clock: Clock | None = None,
    ) -> None:
        self._token = app_token
        self._deliver = deliver
        self._heard = heard
        self._clock = clock or SystemClock()
        self._web = AsyncWebClient(base_url=base_url, timeout=10, retry_handlers=[], logger=_silent)
        self._api = SlackApi(self._web, self._clock, lambda outcome: heard("slack", outcome))

    async def run(self) -> None:
        """Connect, take presses, and reconnect whenever Slack asks for it, until cancelled."""
        address = await self._address()
        client = SocketModeClient(
            self._token, logger=_silent, web_client=self._web, ping_interval=PING_SECONDS
        )
        client.wss_uri = address
        client.socket_mode_request_listeners.append(self._take)
        try:
            await client.connect()  # type: ignore[no-untyped-call]  # slack_sdk
            _log.info("slack buttons are connected")
            await asyncio.Event().wait()
        finally:
            await client.close()  # type: ignore[no-untyped-call]  # slack_sdk

    async def _address(self) -> str:
        """Where to connect; asked for until Slack says it. A refusal is logged once, with its fix."""
        told = ""
        while True:
            try:
                answer = await self._api.read(lambda: self._web.apps_connections_open(app_token=self._token))
                return str(answer["url"])
            except SlackError as error:
                code = getattr(error, "code", "unknown")
                self._heard("button", "unconnected")
                if code != told:
                    fix = _FIXES.get(code) if isinstance(error, Refused) else None
                    _log.error("slack buttons do not work", error=code, fix=fix)
                    told = code
                await self._clock.sleep(RETRY_SECONDS)

    async def _take(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        if request.type == "interactive":
            press = pressed(request.payload, time.time())  # noqa: TID251  a press has no event time
            if press is None:
                self._heard("button", "unknown")
            else:
                await self._deliver(press)
                self._heard("button", "pressed")
        await client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))
