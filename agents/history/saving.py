"""Writes records to a file that may be handed on: packing taken off, secrets taken out, binaries left out.

A secret in a text is known by the words around it, and those a binary record (protobuf, msgpack, raw
snappy, encrypted) keeps apart or hides. So what is no text is left out and counted, unless it is asked for.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import zstandard

from agents.history.saved import Head, head_line, record_line
from pipeline.intake import RawRecord
from pipeline.intake.packing import unpacked
from pipeline.intake.record import RefusedError
from pipeline.redact import HIDDEN, Redactor, redact, redact_bytes

ROOM_BYTES = 4096
"""A line may grow by what stands in place of its secrets."""

_NO_TEXT = bytes(set(range(0x20)) - set(b"\t\n\r\x1b")) + b"\x7f"
"""Bytes no log line holds: protobuf of short texts is UTF-8 by chance, but for these."""


@dataclass(frozen=True, slots=True)
class Saved:
    """How many records were written. `binaries`: those that are no text, left out or written as they are."""

    written: int
    binaries: int


def write_records(
    path: Path,
    head: Head,
    records: Iterable[RawRecord],
    hide: Redactor = redact,
    *,
    with_binary: bool = False,
) -> Saved:
    """Write records as `undercurrent replay` reads them, without what looks like a secret.

    `with_binary`: what is no text is written as it is, secrets and all.
    """
    written = binaries = 0
    with path.open("wb") as file, zstandard.ZstdCompressor().stream_writer(file) as out:
        out.write(head_line(head) + b"\n")
        for record in records:
            bare = _bare(record, hide)
            binaries += bare is None
            if bare is None and not with_binary:
                continue
            out.write(record_line(bare or record) + b"\n")
            written += 1
    return Saved(written, binaries)


def _bare(record: RawRecord, hide: Redactor) -> RawRecord | None:
    """The record without secrets and headers; None for one that cannot be looked through."""
    value = None if record.value is None else _text(record.value)
    if record.value is not None and value is None:
        return None
    key = None if record.key is None or not _is_text(record.key) else _without_secrets(record.key, hide)
    return replace(
        record, key=key, value=None if value is None else _without_secrets(value, hide), headers=()
    )


def _text(value: bytes) -> bytes | None:
    """The text a value is, or holds packed; None for any other."""
    try:
        inside = unpacked(value)[1]
    except RefusedError:
        return None
    return inside if _is_text(inside) else None


def _is_text(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return len(value.translate(None, _NO_TEXT)) == len(value)


def _without_secrets(value: bytes, hide: Redactor) -> bytes:
    """The same text, still readable: of JSON only the texts inside are changed."""
    hidden, found = redact_bytes(value, len(value) + ROOM_BYTES, hide)
    if not found:
        return value
    try:
        bare = orjson.dumps(_hidden(orjson.loads(value), hide))
    except (orjson.JSONDecodeError, TypeError):
        return hidden
    again, is_left = redact_bytes(bare, len(bare) + ROOM_BYTES, hide)
    return again if is_left else bare  # a number as a password: better no JSON than that


def _hidden(part: Any, hide: Redactor) -> Any:
    """A part of a JSON document without secrets; a text may be one only together with its key."""
    if isinstance(part, dict):
        return {key: _hidden_beside(key, value, hide) for key, value in part.items()}
    if isinstance(part, list):
        return [_hidden(one, hide) for one in part]
    return hide(part) if isinstance(part, str) else part


def _hidden_beside(key: str, value: Any, hide: Redactor) -> Any:
    if isinstance(value, str) and hide(f"{key}={value}") != f"{key}={value}" and hide(value) == value:
        return HIDDEN
    return _hidden(value, hide)
