"""JSON in which nothing acts, wherever it is shown: a terminal, a page, a sniffing browser.

The value is untouched: what could colour a terminal, turn the direction of text or open a tag is
written as `\\uXXXX`, which any parser reads back as it was.
"""

import json
import re

import orjson

from schemas.base import Noun

_SUSPECT = re.compile(r"[<>&]|[^\x20-\x7e]")


def as_json(noun: Noun) -> str:
    """An answer of the API as JSON: every key there, unknown values null."""
    return inert(orjson.dumps(noun.model_dump(mode="json")).decode())


def inert(text: str) -> str:
    """JSON text with every character that could act written as an escape."""
    return _SUSPECT.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    if character in "<>&":
        return f"\\u{ord(character):04x}"
    return character if character.isprintable() else json.dumps(character)[1:-1]
