"""The look at start: who we are in Slack, which scopes are missing, whether the channel can be read."""

import re
from dataclasses import dataclass
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from agents.tell.slack_api import Refused, SlackApi, SlackError
from agents.tell.slack_channel import HISTORY_SCOPES, SlackChannel

WHAT_FAILS = {
    "chat:write": "no message can be posted",
    "files:write": "no timeline picture can be uploaded",
    "im:write": "nobody can be told directly",
    "im:history": "direct messages cannot be looked up after a crash",
}
"""Scope → what does not work without it."""


@dataclass(frozen=True, slots=True)
class Check:
    """What the check at start found. `problems`: one sentence each, with the fix; none if all is well."""

    team: str | None
    bot: str | None
    scopes: tuple[str, ...]
    problems: tuple[str, ...]


async def check(
    client: AsyncWebClient, api: SlackApi, channel: SlackChannel, *, with_pictures: bool
) -> Check:
    """Ask Slack. The scopes a token has stand in the header `X-OAuth-Scopes` of every answer."""
    who: dict[str, Any] = {}
    problems: list[str] = []
    try:
        who = await api.read(client.auth_test)
        channel.bot_id = who.get("bot_id")
    except SlackError as error:
        problems.append(sentence(error))
    scopes = tuple(sorted(filter(None, re.split(r"[,\s]+", who.get("scopes") or ""))))
    wanted = ["chat:write", *(["files:write"] if with_pictures else [])]
    wanted += ["im:write", "im:history"] if channel.is_person else []
    # Where Slack does not say which scopes there are, the first message tells.
    missing = [scope for scope in wanted if scopes and scope not in scopes]
    problems += [f"{WHAT_FAILS[scope]}: {_add(scope)}" for scope in missing]
    if who:
        problems += await _unreadable(channel, missing)
    return Check(who.get("team"), who.get("user"), scopes, tuple(problems))


async def _unreadable(channel: SlackChannel, missing: list[str]) -> list[str]:
    """Why the channel cannot be read, unless a scope known to be `missing` is the reason."""
    try:
        await channel.history(pages=1, limit=1)
    except Refused as refusal:
        if refusal.code != "missing_scope":
            return [sentence(refusal)]
        needed = refusal.needed or HISTORY_SCOPES
        return [] if needed in missing else [f"messages cannot be looked up after a crash: {_add(needed)}"]
    except SlackError as error:
        return [sentence(error)]
    return []


def sentence(error: SlackError) -> str:
    """An error as one sentence with its fix, free of anything secret."""
    if isinstance(error, Refused):
        return f"Slack answers {error.code}" + (f": {error.fix}" if error.fix else "")
    return f"Slack cannot be reached: {getattr(error, 'code', 'unknown')}"


def _add(scope: str) -> str:
    return f"add the scope {scope} to the app and reinstall it"
