"""Which shipper wrote these bytes, and what do they hold."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import orjson

from pipeline.intake.entry import Entry, LogLine
from pipeline.intake.envelopes import JSON_DECODERS, Fields, decode_influx, looks_like_influx
from pipeline.intake.envelopes.cgroup_files import decode_cgroup_files, looks_like_cgroup_files
from pipeline.intake.envelopes.messagepack import fields_of, looks_like_map
from pipeline.intake.envelopes.otlp_protobuf import logs_of, metrics_of
from pipeline.intake.envelopes.remote_write import series_of
from pipeline.intake.exposition import decode_exposition, looks_like_exposition
from pipeline.intake.packing import unpacked
from pipeline.intake.record import undecodable
from pipeline.intake.relevance import has_controls


class TextDecoder(NamedTuple):
    """Like `Decoder`, for a record that is text."""

    matches: Callable[[str], bool]
    decode: Callable[[str], Sequence[Entry]]


TEXT_DECODERS: dict[str, TextDecoder] = {
    "prometheus-text": TextDecoder(looks_like_exposition, lambda text: decode_exposition(text, None)),
    "telegraf-influx": TextDecoder(looks_like_influx, decode_influx),
    "cgroup-files": TextDecoder(looks_like_cgroup_files, decode_cgroup_files),
    "plain": TextDecoder(lambda _text: True, lambda text: (LogLine(text, None),)),
}
"""Decoders of what is no JSON, by name; the last takes any line of text, with or without wrappers."""


BINARY_DECODERS: dict[str, Callable[[bytes], Sequence[Entry] | None]] = {
    "otlp-logs-protobuf": logs_of,
    "otlp-metrics-protobuf": metrics_of,
    "prometheus-remote-write": series_of,
}
"""Decoders of what is neither JSON nor text, by name; each gives None for what is not its own."""


def decode(value: bytes) -> tuple[str, Sequence[Entry]]:
    """The decoder's name and the entries of one record, packed or not.

    Raises:
        RefusedError: no decoder recognises the bytes, or one does and finds them broken or too many.
    """
    if value[:1] == b"{":
        return _decode_objects(value)
    packing, inside = unpacked(value)
    if packing is not None and inside[:1] == b"{":
        return _decode_objects(inside)
    return _decode_other(inside)


def _decode_other(value: bytes) -> tuple[str, Sequence[Entry]]:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as error:
        return _decode_binary(value, f"no UTF-8 at byte {error.start}")
    if has_controls(value):
        return _decode_binary(value, "control characters")
    if text.startswith("[") and _is_json(value):
        raise undecodable("a JSON array, where one object is expected")
    name = next(name for name, decoder in TEXT_DECODERS.items() if decoder.matches(text))
    return name, TEXT_DECODERS[name].decode(text)


def _decode_binary(value: bytes, no_text: str) -> tuple[str, Sequence[Entry]]:
    if looks_like_map(value):
        name, entries = _decode_object(fields_of(value))
        return f"{name}-msgpack", entries
    for name, read in BINARY_DECODERS.items():
        entries_of_it = read(value)
        if entries_of_it is not None:
            return name, entries_of_it
    raise undecodable(f"neither JSON nor text nor a known binary form: {no_text}")


def _decode_objects(value: bytes) -> tuple[str, Sequence[Entry]]:
    """One JSON object, or several, a line each."""
    try:
        return _decode_object(orjson.loads(value))
    except orjson.JSONDecodeError as error:
        if b"}\n{" not in value:
            raise undecodable(f"begins like a JSON object and is none: {error}") from error
    name = ""
    entries: list[Entry] = []
    for line in value.split(b"\n"):
        if line.strip():
            name, found = _decode_line(line)
            entries += found
    return name, entries


def _decode_line(line: bytes) -> tuple[str, Sequence[Entry]]:
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise undecodable(f"one of several JSON objects is none: {error}") from error
    if not isinstance(fields, dict):
        raise undecodable("one of several JSON values is no object")
    return _decode_object(fields)


def _decode_object(fields: Fields) -> tuple[str, Sequence[Entry]]:
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
