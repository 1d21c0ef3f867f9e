"""Bytes of a log → one record per line, each with the file it is from and its offset there.

A line that bears no time of its own comes a microsecond after the one before it, or where none bears one, at
the time it was read. That time is written down before a round is sent, so a line that is sent again is the
same to its last byte.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import NamedTuple

import orjson

from agents.recordings.linetime import written_at
from agents.shippers.containers import Container
from agents.shippers.source import Outgoing
from pipeline.intake.instants import NS, from_rfc3339

LINE_BYTES_MAX = 128 * 1024
"""A longer line goes in pieces, which intake puts together: one stays below Kafka's megabyte in JSON."""

STEP_NS = 1_000
OLDEST_NS = 946_684_800 * NS
AHEAD_NS = 60 * NS

_FIRST = re.compile(rb'(?:time=")?(\d{4}-\d\d-\d\dT[0-9:.]{8,18}(?:Z|[+-]\d\d:\d\d))')
"""A time in front: logrus' own, CRI's, or that of a syslog daemon."""


_TEXT = re.compile(rb"[^\0]")


class Piece(NamedTuple):
    """A line or a part of one; `ended` is False where the rest of the line follows."""

    offset: int
    text: bytes
    ended: bool


class Origin(NamedTuple):
    """What all lines of a file share. `file`: 16 hex digits of one generation of it."""

    file: str
    key: bytes
    host: str
    container: Container


def whole(data: bytes, is_final: bool) -> int:
    """How many bytes of `data` can go: whole lines; a line that is too long; all where nothing follows.

    A hole goes by itself: a program that does not append leaves one where its log was truncated.
    """
    if hole := _hole(data, 0):
        return hole
    end = data.rfind(b"\n") + 1
    if end:
        return end
    if len(data) >= LINE_BYTES_MAX:
        return LINE_BYTES_MAX
    return len(data) if is_final else 0


def pieces(data: bytes, offset: int) -> Iterator[Piece]:
    """Cut `data`, which begins at `offset` of its file, into lines. Equal bytes give equal pieces."""
    start = 0
    while start < len(data):
        start += _hole(data, start)
        found = data.find(b"\n", start)
        end = len(data) if found < 0 else found
        while end - start > LINE_BYTES_MAX:
            yield Piece(offset + start, data[start : start + LINE_BYTES_MAX], False)
            start += LINE_BYTES_MAX
        if end > start:
            yield Piece(offset + start, data[start:end], found >= 0 or end - start < LINE_BYTES_MAX)
        start = end + 1


def _hole(data: bytes, start: int) -> int:
    """How many NULs there are from `start` on."""
    if data[start : start + 1] != b"\0":
        return 0
    text = _TEXT.search(data, start)
    return (text.start() if text else len(data)) - start


def record(piece: Piece, origin: Origin, time_ns: int, read_ns: int) -> Outgoing:
    """One piece as Undercurrent's own log record (docs/signals.md)."""
    body: dict[str, object] = {
        "shipper": "undercurrent",
        "time": time_ns,
        "host": origin.host,
        **origin.container.fields(),
        "file": origin.file,
        "offset": piece.offset,
        "line": piece.text.decode("utf-8", "replace"),
    }
    if not piece.ended:
        body["ended"] = False
    return Outgoing(orjson.dumps(body), origin.key, read_ns // 1_000_000)


def records(data: bytes, offset: int, read_ns: int, origin: Origin) -> list[Outgoing]:
    """All records of one file in one round.

    A line without a time comes right after the line before it, or where none bears one, when it was read:
    what has waited for Kafka must not be told as if it had happened now.
    """
    found = list(pieces(data, offset))
    own = [told_ns(piece.text, read_ns) for piece in found]
    at = next((ns for ns in own if ns is not None), read_ns)
    made = []
    for piece, ns in zip(found, own, strict=True):
        at = max(at, ns) if ns is not None else at + STEP_NS
        made.append(record(piece, origin, at if ns is None else ns, read_ns))
    return made


def told_ns(text: bytes, read_ns: int) -> int | None:
    """The time a line bears, nanoseconds; None where it bears none, or one that no clock can have shown."""
    if found := _FIRST.match(text):
        ns = from_rfc3339(found[1].decode())
    else:
        seconds = written_at(text)
        ns = None if seconds is None else round(seconds * NS)
    return ns if ns is not None and OLDEST_NS <= ns <= read_ns + AHEAD_NS else None


def hashed(*parts: object) -> str:
    """16 hex digits over what a thing is."""
    text = "\0".join(str(part) for part in parts)
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()
