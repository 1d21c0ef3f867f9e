"""What Slack refuses in a message, as docs.slack.dev says it (reference/block-kit, read in 2026).

Covers the blocks Undercurrent sends and refuses every other, so that a new block brings its rules
along. The bound on all blocks together is undocumented: bolt-js issues 2509 and 2867 measured
refusals from about 11,300 characters of text on; we refuse from 11,000 characters of JSON.
"""

import json
import re
from typing import Any

BLOCKS_MAX = 50
BLOCKS_JSON_MAX = 11_000
TEXT_MAX = 40_000
UPDATE_TEXT_MAX = 4_000
"""chat.update takes less than chat.postMessage: "the `text` field cannot exceed 4,000 characters"."""
METADATA_JSON_MAX = 16_000

_EVENT_TYPE = re.compile(r"[A-Za-z0-9_-]{1,255}")
_TOKEN = re.compile(r"<([^<>]*)>")
_DATE = re.compile(r"!date\^\d+\^[^^|]*(\^[^|]*)?\|.+")


def refusal(arguments: dict[str, Any]) -> tuple[str, str] | None:
    """Why chat.postMessage and chat.update refuse these arguments: error code and detail; or None."""
    text, blocks, metadata = arguments.get("text"), arguments.get("blocks"), arguments.get("metadata")
    if not text and not blocks:
        return "no_text", "neither text nor blocks"
    if text is not None and len(text) > TEXT_MAX:
        return "msg_too_long", f"text has {len(text)} characters"
    if blocks is not None:
        if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
            return "invalid_blocks_format", "blocks are no array of objects"
        problem = _blocks(blocks)
        if problem:
            return "invalid_blocks", problem
        if len(json.dumps(blocks, ensure_ascii=False)) > BLOCKS_JSON_MAX:
            return "msg_blocks_too_long", "all blocks together"
    return _metadata(metadata)


def mentions(arguments: dict[str, Any], links: tuple[str, ...] = ()) -> list[str]:
    """Everything in angle brackets that is no date: what would mention, link or page somebody.

    `links`: beginnings of addresses that are to be linked.
    """
    texts = [arguments.get("text") or ""]
    for block in arguments.get("blocks") or []:
        parts = [block.get("text") or {}, *block.get("elements", [])]
        texts += [one["text"] for one in parts if isinstance(one.get("text"), str)]
    found = [token for text in texts for token in _TOKEN.findall(text)]
    stray = [text for text in texts if _TOKEN.sub("", text).count("<") or _TOKEN.sub("", text).count(">")]
    found = [token for token in found if not (links and token.startswith(links))]
    return [token for token in found if not _DATE.fullmatch(token)] + stray


def _blocks(blocks: list[dict[str, Any]]) -> str | None:
    if not 0 < len(blocks) <= BLOCKS_MAX:
        return f"{len(blocks)} blocks"
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    if any(not 1 <= len(one) <= 255 for one in ids):
        return "block_id too long"
    if len(ids) != len(set(ids)):
        return "block_id twice"
    for number, block in enumerate(blocks):
        check = _CHECKS.get(block.get("type", ""))
        problem = check(block) if check else f"unknown type {block.get('type')!r}"
        if problem:
            return f"/{number}: {problem}"
    return None


def _keys(block: dict[str, Any], *allowed: str) -> str | None:
    unknown = set(block) - {"type", "block_id", *allowed}
    return f"unknown keys {sorted(unknown)}" if unknown else None


def _text(value: Any, *kinds: str, most: int = 3000) -> str | None:
    if not isinstance(value, dict) or value.get("type") not in kinds:
        return f"expected a text object of {kinds}"
    extra = set(value) - {"type", "text", "emoji" if value["type"] == "plain_text" else "verbatim"}
    if extra:
        return f"unknown keys {sorted(extra)} in a {value['type']} object"
    if not isinstance(value.get("text"), str) or not 1 <= len(value["text"]) <= most:
        return f"text has to have 1 to {most} characters"
    return None


def _header(block: dict[str, Any]) -> str | None:
    return _keys(block, "text") or _text(block.get("text"), "plain_text", most=150)


def _section(block: dict[str, Any]) -> str | None:
    fields = block.get("fields", [])
    if "text" not in block and not fields:
        return "a section needs text or fields"
    if len(fields) > 10:
        return f"{len(fields)} fields"
    problems = [_text(one, "mrkdwn", "plain_text", most=2000) for one in fields]
    if "text" in block:
        problems.append(_text(block["text"], "mrkdwn", "plain_text"))
    return _keys(block, "text", "fields", "expand") or next(filter(None, problems), None)


def _context(block: dict[str, Any]) -> str | None:
    elements = block.get("elements", [])
    if not 1 <= len(elements) <= 10:
        return f"{len(elements)} elements"
    problems = (_text(one, "mrkdwn", "plain_text") for one in elements)
    return _keys(block, "elements") or next(filter(None, problems), None)


def _divider(block: dict[str, Any]) -> str | None:
    return _keys(block)


def _actions(block: dict[str, Any]) -> str | None:
    elements = block.get("elements", [])
    if not 1 <= len(elements) <= 25:
        return f"{len(elements)} elements"
    ids = [one.get("action_id") for one in elements]
    if len(ids) != len(set(ids)) or not all(one and len(one) <= 255 for one in ids):
        return "action_id"
    problems = (_ELEMENTS.get(one.get("type"), _unknown)(one) for one in elements)
    return _keys(block, "elements") or next(filter(None, problems), None)


def _unknown(element: dict[str, Any]) -> str | None:
    return f"unknown element {element.get('type')!r}"


def _button(element: dict[str, Any]) -> str | None:
    if element.get("style", "primary") not in ("primary", "danger") or len(element.get("value", "")) > 2000:
        return "style or value"
    return _keys(element, "action_id", "text", "style", "value") or _text(
        element.get("text"), "plain_text", most=75
    )


def _select(element: dict[str, Any]) -> str | None:
    options = element.get("options", [])
    if not 1 <= len(options) <= 100 or len({one["value"] for one in options}) < len(options):
        return "options"
    if any(not 1 <= len(one["value"]) <= 150 for one in options):
        return "value of an option"
    problems = [_text(one["text"], "plain_text", most=75) for one in options]
    problems.append(_text(element.get("placeholder"), "plain_text", most=150))
    return _keys(element, "action_id", "placeholder", "options") or next(filter(None, problems), None)


_ELEMENTS = {"button": _button, "static_select": _select}

_CHECKS = {
    "header": _header,
    "section": _section,
    "context": _context,
    "divider": _divider,
    "actions": _actions,
}


def _metadata(metadata: Any) -> tuple[str, str] | None:
    if metadata is None:
        return None
    if not isinstance(metadata, dict) or set(metadata) != {"event_type", "event_payload"}:
        return "invalid_metadata_format", "event_type and event_payload"
    if not _EVENT_TYPE.fullmatch(str(metadata["event_type"])):
        return "invalid_metadata_schema", "event_type"
    payload = metadata["event_payload"]
    if not isinstance(payload, dict) or not all(
        isinstance(v, str | int | float | bool) for v in payload.values()
    ):
        return "invalid_metadata_schema", "event_payload"
    if len(json.dumps(payload)) > METADATA_JSON_MAX:
        return "metadata_too_large", "event_payload"
    return None
