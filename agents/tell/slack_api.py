"""One call of Slack's Web API: paced, retried where that is safe, and every failure told apart.

Facts, from docs.slack.dev: about one message a second and channel (apis/web-api/rate-limits); a 429
carries `Retry-After` in seconds and the call was not done; after `internal_error` and `fatal_error`
"some aspect of the operation" may have succeeded. So a call ends in one of four ways: done, refused,
surely not done (`Unsent`), or nobody knows (`Unknown`). Only a call that may be repeated without harm
is repeated after the last one; the caller must look up what became of the others.

slack_sdk's own retry handlers stay off: its default one repeats a lost chat.postMessage blindly.
The token stands in the client alone; what is raised and logged here carries Slack's error code only.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

Call = Callable[[], Awaitable[AsyncSlackResponse]]

MESSAGE_GAP_SECONDS = 1.0
BACKOFF_SECONDS = (1.0, 2.0, 4.0)
"""Waits between attempts: four attempts in all, seven seconds of waiting."""
PATIENCE_SECONDS = 30.0
"""The longest `Retry-After` that is waited for on the spot; beyond it the message stays pending."""

RATE_LIMITED = frozenset({"ratelimited", "rate_limited"})
TRANSIENT = frozenset(
    {
        "external_channel_migrating",
        "fatal_error",
        "internal_error",
        "request_timeout",
        "service_unavailable",
        "team_added_to_org",
        "update_failed",
    }
)

FIXES = {
    "access_denied": "let the app use this channel",
    "account_inactive": "reinstall the app: its bot user or workspace is gone, then set SLACK_BOT_TOKEN anew",
    "channel_is_a_name": "set the channel's id (C…, in Slack at the end of its “About”), not its name",
    "channel_not_found": "check the channel id, and invite the app to the channel if it is private",
    "edit_window_closed": "let apps edit their messages at any time in the workspace's message settings",
    "invalid_auth": "set SLACK_BOT_TOKEN to the app's bot token (xoxb-…)",
    "is_archived": "unarchive the channel or set another one",
    "is_inactive": "unarchive the channel or set another one",
    "message_limit_exceeded": "raise the workspace's message limit",
    "missing_scope": "add the missing scope to the app and reinstall it",
    "no_permission": "invite the app to the channel: /invite @<app>",
    "not_allowed_token_type": "set SLACK_BOT_TOKEN to the app's bot token (xoxb-…)",
    "not_authed": "set SLACK_BOT_TOKEN to the app's bot token (xoxb-…)",
    "not_in_channel": "invite the app to the channel: /invite @<app>",
    "org_login_required": "wait for the end of the workspace's migration",
    "restricted_action": "let apps post in this channel in the workspace's settings",
    "restricted_action_read_only_channel": "let apps post in this channel, or set another one",
    "restricted_action_thread_only_channel": "let apps post outside threads here, or set another channel",
    "team_access_not_granted": "grant the app access to the workspace",
    "token_expired": "set SLACK_BOT_TOKEN to a token that does not expire",
    "token_revoked": "reinstall the app and set SLACK_BOT_TOKEN to its new token",
}
"""Refusals that only a person can end, and what that person has to do."""


class Clock(Protocol):
    """Time of the shell, so that tests need not wait."""

    def now(self) -> float:
        """Monotonic seconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        ...


class SystemClock:
    """The machine's monotonic clock."""

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        await asyncio.sleep(seconds)


class SlackError(Exception):
    """A call that was not done, as far as one can know."""


@dataclass
class Refused(SlackError):
    """Slack said no. `needed`: the scope it misses, if that is the reason."""

    code: str
    needed: str | None = None

    @property
    def fix(self) -> str | None:
        """What a person has to do about it; None where it is not for a person to mend."""
        fix = FIXES.get(self.code)
        return f"{fix} ({self.needed})" if fix and self.needed else fix


@dataclass
class Unsent(SlackError):
    """Surely not done: no connection, or told to come back in `again_seconds`. `code` says which."""

    code: str
    again_seconds: float = 0.0


@dataclass
class Unknown(SlackError):
    """It may have been done: the answer was lost, late, or an error from inside Slack."""

    code: str


class Pace:
    """One message at a time and at most one a second, in the order in which they were asked for."""

    def __init__(self, clock: Clock, gap_seconds: float = MESSAGE_GAP_SECONDS):
        self._clock = clock
        self._gap_seconds = gap_seconds
        self._free_at = float("-inf")
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """A message's turn, which lasts until its call has ended."""
        async with self._turn:
            wait_seconds = self._free_at - self._clock.now()
            if wait_seconds > 0:
                await self._clock.sleep(wait_seconds)
            self._free_at = self._clock.now() + self._gap_seconds
            yield

    def hold(self, seconds: float) -> None:
        """Nobody's turn comes before `seconds` have passed."""
        self._free_at = max(self._free_at, self._clock.now() + seconds)


class SlackApi:
    """Calls Slack and tells how each call ended. `heard` is told of waits and retries."""

    def __init__(self, client: AsyncWebClient, clock: Clock, heard: Callable[[str], None]):
        self.client = client
        self._clock = clock
        self._heard = heard
        self._pace = Pace(clock)

    async def read(self, call: Call) -> dict[str, Any]:
        """A call that changes nothing: repeated with back-off whatever went wrong.

        Raises Refused, or Unsent when Slack could not be reached at last.
        """
        return await self._repeated(call, paced=False, repeatable=True)

    async def change(self, call: Call) -> dict[str, Any]:
        """A call that may be done twice without harm: an update, a deletion. Raises as `read`."""
        return await self._repeated(call, paced=True, repeatable=True)

    async def post(self, call: Call) -> dict[str, Any]:
        """A call that must not be done twice: repeated only when it surely was not done.

        Raises Refused, Unsent or Unknown.
        """
        return await self._repeated(call, paced=True, repeatable=False)

    async def rest(self, attempt: int) -> bool:
        """Wait before attempt number `attempt + 1`; False if there is to be none."""
        if attempt >= len(BACKOFF_SECONDS):
            return False
        self._heard("retried")
        await self._clock.sleep(BACKOFF_SECONDS[attempt])
        return True

    async def _repeated(self, call: Call, *, paced: bool, repeatable: bool) -> dict[str, Any]:
        attempt = 0
        while True:
            try:
                if not paced:
                    return await _once(call)
                async with self._pace.turn():
                    return await _once(call)
            except _RateLimitedError as limit:
                self._heard("rate_limited")
                if limit.seconds > PATIENCE_SECONDS or attempt >= len(BACKOFF_SECONDS):
                    raise Unsent("ratelimited", limit.seconds) from None
                if paced:
                    self._pace.hold(limit.seconds)
                else:
                    await self._clock.sleep(limit.seconds)
            except Unsent:
                if not await self.rest(attempt):
                    raise
            except Unknown as lost:
                if not repeatable:
                    raise
                if not await self.rest(attempt):
                    raise Unsent(lost.code) from None
            attempt += 1


@dataclass
class _RateLimitedError(Exception):
    seconds: float


async def _once(call: Call) -> dict[str, Any]:
    """One request, and which of the ways it ended in. Causes are cut off: they may quote requests."""
    try:
        answer = await call()
    except SlackApiError as error:
        raise _told_apart(error) from None
    except (aiohttp.ClientConnectorError, aiohttp.ClientProxyConnectionError):
        raise Unsent("no_connection") from None
    except TimeoutError:
        raise Unknown("timeout") from None
    except (aiohttp.ClientError, OSError):
        raise Unknown("connection_lost") from None
    except ValueError:
        raise Unknown("unreadable_answer") from None
    return (
        {**answer.data, "scopes": answer.headers.get("X-OAuth-Scopes")}
        if isinstance(answer.data, dict)
        else {}
    )


def _told_apart(error: SlackApiError) -> Exception:
    answer = error.response
    status = int(getattr(answer, "status_code", None) or getattr(answer, "status", None) or 0)
    data = getattr(answer, "data", None)
    code = str(data.get("error", "")) if isinstance(data, dict) else ""
    if status == 429 or code in RATE_LIMITED:
        return _RateLimitedError(_retry_after(getattr(answer, "headers", {})))
    if status >= 500 or code in TRANSIENT or not code:
        return Unknown(code or f"http_{status}")
    return Refused(code, str(data["needed"]) if isinstance(data, dict) and "needed" in data else None)


def _retry_after(headers: Any) -> float:
    """Seconds to wait; a missing or unreadable header counts as one second."""
    try:
        return max(0.0, float(headers.get("Retry-After", 1)))
    except ValueError:
        return MESSAGE_GAP_SECONDS
