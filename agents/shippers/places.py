"""How far each file is shipped, on disk: written before a round is sent and after Kafka has it.

A *place* is one generation of a log: the content of one file from its first line until it was rotated
away, wherever that content lies now. It is recognised by the bytes in front of its offset, not by the
file's name or number alone: both are reused.
"""

import fcntl
import hashlib
import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import BinaryIO

import orjson

VERSION = 1
MARK_BYTES = 1024


class StateError(Exception):
    """The state cannot be used; the message says which file, and what to do."""


@dataclass(slots=True)
class Place:
    """One generation of a log.

    `path`: as it is followed. `real`: where that led to, so where rotated files are looked for.
    `offset`: Kafka has everything before. `until`, `read_ns`: what may have been sent, and the time its
    first line bears; equal to `offset` when nothing is on its way. `head` and `before`: digests of its
    first `head_bytes` and of up to 1 KiB in front of `offset`. `modified_ns`: the file's time when it was
    last seen at its path, so that nothing that came after it is older. `buffer`: the file that holds its
    rest from `base` on, where it had to be saved.
    """

    id: str
    path: str
    real: str
    device: int
    inode: int
    offset: int = 0
    until: int = 0
    read_ns: int = 0
    head: str = ""
    head_bytes: int = 0
    before: str = ""
    modified_ns: int = 0
    rotated: bool = False
    finished: bool = False
    buffer: str | None = None
    base: int = 0
    _front: bytes = field(default=b"", repr=False)

    def is_in(self, file: BinaryIO) -> bool:
        """Whether the content of `file` is this generation's, as far as it is known."""
        if os.fstat(file.fileno()).st_size < self.offset:
            return False
        return (
            digest(file, 0, self.head_bytes) == self.head
            and digest(file, max(0, self.offset - MARK_BYTES), self.offset) == self.before
        )

    def recognise(self, file: BinaryIO) -> None:
        """Note by what to know it again: its first bytes, where there are any yet."""
        head = os.pread(file.fileno(), MARK_BYTES, 0)
        self.head, self.head_bytes = _digest(head), len(head)

    @property
    def is_known_by_content(self) -> bool:
        """Whether there is anything to recognise it by."""
        return self.head_bytes > 0 or self.offset > 0

    def read(self, file: BinaryIO, count: int) -> bytes | None:
        """Up to `count` bytes behind `offset`; None where the file is no longer this generation's.

        They are read together with those in front, so that no truncation comes between look and read.
        """
        front = min(MARK_BYTES, self.offset - self.base)
        found = os.pread(file.fileno(), front + count, self.offset - self.base - front)
        if self.buffer is None:  # a buffer is nobody else's
            if _digest(found[:front]) != self.before:
                return None
            if front == 0 and _digest(found[: self.head_bytes]) != self.head:
                return None
        self._front = found[:front]
        return found[front:]

    def before_after(self, data: bytes) -> str:
        """What `before` will be once `data`, which was just read, is in Kafka."""
        return _digest((self._front + data)[-MARK_BYTES:])


def digest(file: BinaryIO, start: int, end: int) -> str:
    """Of the bytes of a file from `start` to `end`; of none, the empty text."""
    return _digest(os.pread(file.fileno(), end - start, start)) if end > start else ""


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=12).hexdigest() if data else ""


STORED = tuple(field.name for field in fields(Place) if not field.name.startswith("_"))


class State:
    """The folder of one shipper: its places in `places.json`, its buffer beside it, and a lock."""

    def __init__(self, folder: Path) -> None:
        """Take the folder.

        Raises:
            StateError: it cannot be made or written, another shipper has it, or its file is none of ours.
        """
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = (folder / "lock").open("w")
        except OSError as error:
            raise StateError(f"{folder}: cannot keep state there: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise StateError(f"{folder}: another shipper keeps its state there; give each its own") from error
        self._file = folder / "places.json"

    def read(self) -> list[Place]:
        """The places as last written, none the first time."""
        try:
            body = orjson.loads(self._file.read_bytes())
            if body["v"] != VERSION or any(set(one) != set(STORED) for one in body["places"]):
                raise ValueError(f"version {body['v']}, known is {VERSION}")
            return [Place(**one) for one in body["places"]]
        except FileNotFoundError:
            return []
        except (ValueError, KeyError, TypeError) as error:
            raise StateError(
                f"{self._file}: not a shipper's state ({error}); move it away to start anew"
            ) from error

    def write(self, places: list[Place]) -> None:
        """Replace what is written, at once or not at all."""
        partial = self._file.with_suffix(".partial")
        with partial.open("wb") as file:
            stored = [{name: getattr(place, name) for name in STORED} for place in places]
            file.write(orjson.dumps({"v": VERSION, "places": stored}))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._file)

    def close(self) -> None:
        """Let another shipper have the folder."""
        self._lock.close()
