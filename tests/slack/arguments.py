"""How the test's Slack reads arguments and cuts answers into pages."""

import json
import re
from typing import Any

from aiohttp import web

from tests.slack.refused import RefusedError

PAGE_MAX = 999


def shown(message: dict[str, Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """Metadata is shown only to who asks for it."""
    if arguments.get("include_all_metadata") in (True, "1", "true"):
        return message
    return {key: value for key, value in message.items() if key != "metadata"}


def page(name: str, rows: list[Any], arguments: dict[str, Any]) -> dict[str, Any]:
    limit = int(arguments.get("limit", 100))
    if not 1 <= limit <= PAGE_MAX:
        raise RefusedError("invalid_limit")
    start = int(arguments.get("cursor") or 0)
    after = start + limit
    cursor = str(after) if after < len(rows) else ""
    return {name: rows[start:after], "has_more": bool(cursor), "response_metadata": {"next_cursor": cursor}}


def known_arguments(arguments: dict[str, Any], *more: str) -> None:
    unknown = set(arguments) - {"channel", "text", "blocks", "metadata", "token", *more}
    if unknown or any(not re.fullmatch(r"\w+", name) for name in arguments):
        raise RefusedError("invalid_arguments", detail=sorted(unknown))


async def arguments_of(request: web.Request) -> dict[str, Any]:
    """JSON body, form body or query, as the Web API takes them."""
    if request.content_type == "application/json" and request.can_read_body:
        return dict(await request.json())
    arguments: dict[str, Any] = {**request.query, **{k: str(v) for k, v in (await request.post()).items()}}
    for name in ("blocks", "metadata"):
        if isinstance(arguments.get(name), str):
            arguments[name] = json.loads(arguments[name])
    return arguments
