"""A Slack for tests: enforces what docs.slack.dev promises, over real HTTP, and fails on demand.

Covered: auth.test, conversations.list, chat.postMessage, chat.update, chat.delete,
conversations.history, conversations.replies, files.getUploadURLExternal with its upload address and
files.completeUploadExternal; rate limits are in `rates.py`. Behaviour that is not in the
documentation, and where it was seen: a reply to a deleted parent is posted at top level without `thread_ts`
(slack-go issue 1571); `client_msg_id` may or may not deduplicate (an error `duplicate_message_not_found` is
documented, the behaviour is not), so both can be chosen and neither may be relied on.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from aiohttp import web

from tests.slack.arguments import arguments_of, known_arguments, page, shown
from tests.slack.blockkit import UPDATE_TEXT_MAX, refusal
from tests.slack.rates import Rates
from tests.slack.refused import RefusedError
from tests.slack.socket import APP_TOKEN, Socket
from tests.slack.uploads import Uploads

BOT = {"user": "undercurrent", "user_id": "U0BOT", "bot_id": "B0BOT", "team": "Night Watch", "team_id": "T0"}
EVERY_SCOPE = frozenset(
    {
        "chat:write",
        "files:write",
        "channels:history",
        "groups:history",
        "im:history",
        "im:write",
        "channels:read",
        "groups:read",
    }
)
HISTORY_SCOPE = {"C": "channels:history", "G": "groups:history", "D": "im:history"}


class Fault(StrEnum):
    """What befalls one request."""

    LOST = "done, and the answer lost"
    DROPPED = "not done, and the connection lost"
    HANGS = "done, and no answer"
    INTERNAL = "done, and an internal error answered"
    UNAVAILABLE = "not done, and HTTP 503 answered"
    LIMITED = "not done, and HTTP 429 answered"


@dataclass
class Channel:
    """A channel and its messages, oldest first."""

    id: str
    name: str
    archived: bool = False
    member: bool = True
    messages: list[dict[str, Any]] = field(default_factory=list)

    def top(self) -> list[dict[str, Any]]:
        return [one for one in self.messages if one.get("thread_ts", one["ts"]) == one["ts"]]

    def thread(self, ts: str) -> list[dict[str, Any]]:
        return [one for one in self.messages if one.get("thread_ts") == ts and one["ts"] != ts]

    def find(self, ts: str) -> dict[str, Any] | None:
        return next((one for one in self.messages if one["ts"] == ts), None)


@dataclass
class Request:
    """One request as it arrived."""

    method: str
    arguments: dict[str, Any]
    at: float


class FakeSlack:
    """Start it with `async with`; `url` is what a client takes as its base."""

    def __init__(self, now: Callable[[], float], token: str) -> None:
        self.now = now
        self.token = token
        self.revoked = False
        self.scopes = set(EVERY_SCOPE)
        self.channels = {"C0REGISTRY": Channel("C0REGISTRY", "registry-alerts")}
        self.people = {"U0ALICE", "U0BOB"}
        self.gap_seconds = 1.0
        self.retry_after_seconds = 1
        self.rates = Rates()
        self.deduplicates = False
        self.edit_window_open = True
        self.before: dict[str, Callable[[], Any]] = {}
        self.requests: list[Request] = []
        self._faults: dict[str, deque[Fault | str | None]] = {}
        self._posted_at: dict[str, float] = {}
        self._by_client_id: dict[str, str] = {}
        self._serial = 0
        self.uploads = Uploads()
        self.socket = Socket(APP_TOKEN)
        self._hanging: set[asyncio.Event] = set()
        self.hung = asyncio.Event()

    async def __aenter__(self) -> "FakeSlack":
        app = web.Application()
        app.router.add_route("*", "/api/{method}", self._handle)
        app.router.add_post("/upload/{file}", self._take_upload)
        app.router.add_get("/socket/{ticket}", self.socket.serve)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}/api/"
        return self

    async def __aexit__(self, *_: object) -> None:
        for event in self._hanging:
            event.set()
        await self.socket.close()
        await self._runner.cleanup()

    def fail(self, method: str, *faults: Fault | str | None) -> None:
        """Let the next requests of `method` end so: a plain string is answered as the error it names,
        and None lets one pass."""
        self._faults.setdefault(method, deque()).extend(faults)

    @property
    def channel(self) -> Channel:
        return self.channels["C0REGISTRY"]

    def calls(self, method: str) -> list[Request]:
        return [one for one in self.requests if one.method == method]

    def delete(self, ts: str) -> None:
        """Somebody deletes a message by hand. A parent with replies leaves a tombstone, as in life."""
        channel = self.channel
        message = channel.find(ts)
        assert message is not None
        if channel.thread(ts):
            message.clear()
            message.update(
                type="message", subtype="tombstone", ts=ts, thread_ts=ts, text="This message was deleted."
            )
        else:
            channel.messages.remove(message)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        arguments = await arguments_of(request)
        self.requests.append(Request(method, arguments, self.now()))
        self.before.get(method, lambda: None)()
        fault = self._faults[method].popleft() if self._faults.get(method) else None
        if fault is Fault.LIMITED:
            self.rates.limit(method, self.now(), self.retry_after_seconds)
            return self._limited(self.retry_after_seconds)
        if (seconds := self.rates.wait(method, self.now())) is not None:
            return self._limited(seconds)
        if fault is Fault.UNAVAILABLE:
            return web.Response(status=503, text="upstream connect error")
        if fault is Fault.DROPPED:
            return _hang_up(request)
        if isinstance(fault, str) and not isinstance(fault, Fault):
            return self._answer({"ok": False, "error": fault})
        try:
            body = self._method(method)(self._authorised(request, arguments), arguments)
        except RefusedError as error:
            if error.body["error"] == "ratelimited":
                return self._limited(self.retry_after_seconds)
            return self._answer(error.body)
        if fault is Fault.LOST:
            return _hang_up(request)
        if fault is Fault.HANGS:
            event = asyncio.Event()
            self._hanging.add(event)
            self.hung.set()
            await event.wait()
        if fault is Fault.INTERNAL:
            return self._answer({"ok": False, "error": "internal_error"}, 500)
        return self._answer({"ok": True, **body})

    def _answer(self, body: dict[str, Any], status: int = 200) -> web.Response:
        headers = {"X-OAuth-Scopes": ",".join(sorted(self.scopes))}
        return web.json_response(body, status=status, headers=headers)

    def _limited(self, seconds: int) -> web.Response:
        body = {"ok": False, "error": "ratelimited"}
        return web.json_response(body, status=429, headers={"Retry-After": str(seconds)})

    def _method(self, name: str) -> Callable[[None, dict[str, Any]], dict[str, Any]]:
        methods: dict[str, Callable[[None, dict[str, Any]], dict[str, Any]]] = {
            "auth.test": self._auth_test,
            "conversations.list": self._list,
            "conversations.open": self._open,
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "chat.delete": self._delete,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
            "apps.connections.open": lambda _, arguments: self.socket.open(self.port),
            "files.getUploadURLExternal": self._upload_url,
            "files.completeUploadExternal": self._complete_upload,
        }
        if name not in methods:
            raise RefusedError("unknown_method", req_method=name)
        return methods[name]

    def _authorised(self, request: web.Request, arguments: dict[str, Any]) -> None:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ") or arguments.get("token", "")
        if not given:
            raise RefusedError("not_authed")
        if request.match_info["method"] == "apps.connections.open":
            self.socket.authorise(given)
            return
        if self.revoked:
            raise RefusedError("token_revoked")
        if given != self.token:
            raise RefusedError("invalid_auth")

    def _needs(self, scope: str) -> None:
        if scope not in self.scopes:
            raise RefusedError("missing_scope", needed=scope, provided=",".join(sorted(self.scopes)))

    def _channel_of(self, arguments: dict[str, Any], by_name: bool = False) -> Channel:
        given = arguments.get("channel", "")
        named = {f"#{one.name}": one for one in self.channels.values()} if by_name else {}
        channel = self.channels.get(given) or named.get(given)
        if channel is None:
            raise RefusedError("channel_not_found")
        return channel

    def _auth_test(self, _: None, arguments: dict[str, Any]) -> dict[str, Any]:
        return dict(BOT)

    def _list(self, _: None, arguments: dict[str, Any]) -> dict[str, Any]:
        self._needs("channels:read")
        rows = [
            {"id": one.id, "name": one.name, "is_archived": one.archived} for one in self.channels.values()
        ]
        return page("channels", rows, arguments)

    def _open(self, _: None, arguments: dict[str, Any]) -> dict[str, Any]:
        self._needs("im:write")
        person = arguments.get("users", "")
        if person not in self.people:
            raise RefusedError("user_not_found")
        identity = f"D{person[1:]}"
        self.channels.setdefault(identity, Channel(identity, ""))
        return {"channel": {"id": identity}}

    def _post(self, _: None, arguments: dict[str, Any]) -> dict[str, Any]:
        self._needs("chat:write")
        channel = self._channel_of(arguments, by_name=True)
        if not channel.member and "chat:write.public" not in self.scopes:
            raise RefusedError("not_in_channel")
        if channel.archived:
            raise RefusedError("is_archived")
        known_arguments(arguments, "client_msg_id", "thread_ts", "unfurl_links", "unfurl_media")
        self._refuse_content(arguments)
        if self.now() < self._posted_at.get(channel.id, float("-inf")) + self.gap_seconds - 1e-6:
            raise RefusedError("ratelimited")
        self._posted_at[channel.id] = self.now()
        earlier = self._by_client_id.get(arguments.get("client_msg_id", ""))
        if self.deduplicates and earlier is not None:
            message = channel.find(earlier)
            if message is None:
                raise RefusedError("duplicate_message_not_found")
            return {"channel": channel.id, "ts": message["ts"], "message": message}
        message = self._message(arguments)
        self._thread(channel, message, arguments.get("thread_ts"))
        channel.messages.append(message)
        self._by_client_id[arguments.get("client_msg_id", "")] = message["ts"]
        return {"channel": channel.id, "ts": message["ts"], "message": message}

    def _message(self, arguments: dict[str, Any]) -> dict[str, Any]:
        self._serial += 1
        message = {"type": "message", "bot_id": BOT["bot_id"], "user": BOT["user_id"]}
        message |= {key: arguments[key] for key in ("text", "blocks", "metadata") if key in arguments}
        return {**message, "ts": f"{1_800_000_000 + self._serial // 1000}.{self._serial:06d}"}

    def _thread(self, channel: Channel, message: dict[str, Any], thread_ts: str | None) -> None:
        parent = channel.find(thread_ts) if thread_ts else None
        if parent is None or parent.get("subtype") == "tombstone":
            return
        if parent.get("thread_ts", thread_ts) != thread_ts:
            raise RefusedError("cannot_reply_to_message")  # "never use a reply's ts value"
        message["thread_ts"] = parent["thread_ts"] = thread_ts

    def _update(self, _: None, arguments: dict[str, Any]) -> dict[str, Any]:
        self._needs("chat:write")
        channel = self._channel_of(arguments)
        if channel.archived:
            raise RefusedError("is_inactive")
        known_arguments(arguments, "ts")
        message = channel.find(arguments.get("ts", ""))
        if message is None or message.get("subtype") == "tombstone":
            raise RefusedError("message_not_found")
        if message["bot_id"] != BOT["bot_id"]:
            raise RefusedError("cant_update_message")
        if not self.edit_window_open:
            raise RefusedError("edit_window_closed")
        if len(arguments.get("text") or "") > UPDATE_TEXT_MAX:
            raise RefusedError("msg_too_long")
        self._refuse_content(arguments)
        if "text" in arguments and "blocks" not in arguments:
            message.pop("blocks", None)
        message.update({key: arguments[key] for key in ("text", "blocks", "metadata") if key in arguments})
        return {"channel": channel.id, "ts": message["ts"], "text": message.get("text"), "message": message}

    def _delete(self, _: None, arguments: dict[str, Any]) -> dict[str, Any]:
        self._needs("chat:write")
        channel = self._channel_of(arguments)
        if channel.find(arguments.get("ts", "")) is None:
            raise RefusedError("message_not_found")
        self.delete(arguments["ts"])
        return {"channel": channel.id, "ts": arguments["ts"]}

    def _readable(self, arguments: dict[str, Any]) -> Channel:
        channel = self._channel_of(arguments)
        self._needs(HISTORY_SCOPE[channel.id[0]])
        if not channel.member:
            raise RefusedError("not_in_channel")
        return channel

    def _history(self, _: None, arguments: dict[str, Any]) -> dict[str, Any]:
        channel = self._readable(arguments)
        return page("messages", [shown(one, arguments) for one in reversed(channel.top())], arguments)

    def _replies(self, _: None, arguments: dict[str, Any]) -> dict[str, Any]:
        channel = self._readable(arguments)
        parent = channel.find(arguments.get("ts", ""))
        if parent is None:
            raise RefusedError("thread_not_found")
        rows = [parent, *channel.thread(parent["ts"])]
        return page("messages", [shown(one, arguments) for one in rows], arguments)

    def _upload_url(self, _: None, arguments: dict[str, Any]) -> dict[str, Any]:
        self._needs("files:write")
        file = self.uploads.begin(arguments)
        return {"upload_url": f"http://127.0.0.1:{self.port}/upload/{file}", "file_id": file}

    async def _take_upload(self, request: web.Request) -> web.StreamResponse:
        """The upload address takes the bytes without a token, once, and only as many as were announced."""
        self.requests.append(Request("upload", {}, self.now()))
        fault = self._faults["upload"].popleft() if self._faults.get("upload") else None
        if fault is Fault.UNAVAILABLE:
            return web.Response(status=503)
        taken = self.uploads.take(request.match_info["file"], await request.read())
        return web.Response(status=200 if taken else 400, text="OK" if taken else "wrong length")

    def _complete_upload(self, _: None, arguments: dict[str, Any]) -> dict[str, Any]:
        self._needs("files:write")
        files = self.uploads.complete(arguments)
        channel = self._channel_of({"channel": arguments.get("channel_id", "")})
        if not channel.member:
            raise RefusedError("not_in_channel")
        if channel.archived:
            raise RefusedError("is_archived")
        message = self._message({"text": arguments.get("initial_comment", "")})
        self._thread(channel, message, arguments.get("thread_ts"))
        channel.messages.append({**message, "subtype": "file_share", "files": files})
        return {"files": files}

    def _refuse_content(self, arguments: dict[str, Any]) -> None:
        problem = refusal(arguments)
        if problem is not None:
            raise RefusedError(problem[0], response_metadata={"messages": [problem[1]]})


def _hang_up(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.close()
    return web.Response()
