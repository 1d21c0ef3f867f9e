"""Which shipper wrote these bytes, and what do they hold."""

from collections.abc import Sequence

import orjson

from pipeline.intake.entry import Entry, LogLine
from pipeline.intake.envelopes import JSON_DECODERS
from pipeline.intake.exposition import decode_exposition, looks_like_exposition
from pipeline.intake.record import undecodable
from pipeline.intake.relevance import has_controls

PLAIN, PROMETHEUS_TEXT = "plain", "prometheus-text"
"""Decoders of what is no JSON: a line of text with or without wrappers, and a scrape."""


def decode(value: bytes) -> tuple[str, Sequence[Entry]]:
    """The decoder's name and the entries of one record.

    Raises:
        RefusedError: no decoder recognises the bytes, or one does and finds them broken.
    """
    if value[:1] == b"{":
        return _decode_object(value)
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise undecodable(f"neither JSON nor text: no UTF-8 at byte {error.start}") from error
    if has_controls(value):
        raise undecodable("neither JSON nor text: control characters")
    if text.startswith("[") and _is_json(value):
        raise undecodable("a JSON array, where one object is expected")
    if looks_like_exposition(text):
        return PROMETHEUS_TEXT, decode_exposition(text, None)
    return PLAIN, (LogLine(text, None),)


def _decode_object(value: bytes) -> tuple[str, Sequence[Entry]]:
    try:
        fields = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise undecodable(f"begins like a JSON object and is none: {error}") from error
    for name, decoder in JSON_DECODERS.items():
        if decoder.matches(fields):
            return name, decoder.decode(fields)
    keys = ", ".join(sorted(fields)[:8])
    raise undecodable(f"a JSON object of no known shipper; its keys: {keys[:200]}")


def _is_json(value: bytes) -> bool:
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return True
