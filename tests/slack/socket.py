"""Socket Mode of the test's Slack: a real websocket, envelopes with ids, and acknowledgements in time.

docs.slack.dev/apis/events-api/using-socket-mode: apps.connections.open gives a single-use address; the
server says `hello`; each envelope is to be acknowledged with its `envelope_id`; with several
connections each envelope goes to one of them; `disconnect` asks for a new connection.
"""

import asyncio
import itertools
from typing import Any

from aiohttp import WSMsgType, web

from tests.slack.refused import RefusedError

APP_TOKEN = "xapp-1-A0-secretsecretsecret"
ACKNOWLEDGE_SECONDS = 3.0


class Socket:
    """All connections of the app."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.connections: list[web.WebSocketResponse] = []
        self.connected = asyncio.Event()
        self.opened = 0
        self._tickets: set[str] = set()
        self._numbers = itertools.count(1)
        self._acknowledged: dict[str, asyncio.Event] = {}

    def authorise(self, token: str) -> None:
        """Only an app-level token may open connections."""
        if not token.startswith("xapp-"):
            raise RefusedError("not_allowed_token_type")
        if token != self.token:
            raise RefusedError("invalid_auth")

    def open(self, port: int) -> dict[str, Any]:
        """apps.connections.open"""
        self.opened += 1
        ticket = f"ticket-{self.opened}"
        self._tickets.add(ticket)
        return {"url": f"ws://127.0.0.1:{port}/socket/{ticket}"}

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One connection, until either side ends it."""
        ticket = request.match_info["ticket"]
        if ticket not in self._tickets:
            return web.Response(status=403)
        self._tickets.discard(ticket)
        connection = web.WebSocketResponse()
        await connection.prepare(request)
        self.connections.append(connection)
        await connection.send_json({"type": "hello", "num_connections": len(self.connections)})
        self.connected.set()
        async for message in connection:
            if message.type is WSMsgType.TEXT:
                answer = message.json()
                self._acknowledged.setdefault(answer["envelope_id"], asyncio.Event()).set()
        self.connections.remove(connection)
        return connection

    async def send(self, payload: dict[str, Any], kind: str = "interactive") -> bool:
        """Hand an envelope to the newest connection; True if it was acknowledged in time."""
        envelope = f"envelope-{next(self._numbers)}"
        event = self._acknowledged.setdefault(envelope, asyncio.Event())
        body = {"type": kind, "envelope_id": envelope, "payload": payload, "accepts_response_payload": True}
        await self.connections[-1].send_json(body)
        try:
            await asyncio.wait_for(event.wait(), ACKNOWLEDGE_SECONDS)
        except TimeoutError:
            return False
        return True

    async def ask_to_reconnect(self) -> None:
        """Slack does so every few hours."""
        self.connected.clear()
        await self.connections[-1].send_json({"type": "disconnect", "reason": "warning"})

    async def close(self) -> None:
        """End all connections."""
        for connection in list(self.connections):
            await connection.close()


def press(
    message: dict[str, Any], action: str, value: str | None = None, user: str = "U0ALICE"
) -> dict[str, Any]:
    """The payload that Slack sends when somebody presses a button of `message`."""
    for block in message["blocks"]:
        for element in block.get("elements", []):
            if element.get("action_id") == f"undercurrent_{action}":
                chosen = {}
                if value is not None:
                    (option,) = [one for one in element["options"] if one["value"] == value]
                    chosen = {"selected_option": option}
                pressed = {
                    "type": element["type"],
                    "action_id": element["action_id"],
                    "block_id": block["block_id"],
                    "action_ts": f"1795425{len(user):03d}.000{hash((action, value)) % 1000:03d}",
                    **chosen,
                }
                return {
                    "type": "block_actions",
                    "user": {"id": user, "username": user.lower(), "team_id": "T0"},
                    "container": {"type": "message", "message_ts": message["ts"]},
                    "actions": [pressed],
                }
    raise AssertionError(f"no {action} in {message['blocks']}")
