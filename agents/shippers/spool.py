"""A bounded queue of records on disk, between what cannot wait and a Kafka that may be away.

Segments of lines in the state folder, `<number>.spool`, written at the end and shipped from the front. What
is put is in the operating system's hands before the writer goes on, so a killed shipper loses none; a power
cut may take the last seconds. Where it is full, a pipe's writer waits (`waits`), or readings push out the
oldest.
"""

import errno
import os
import threading
from pathlib import Path

import orjson

from agents import log
from agents.shippers.page import Figures
from agents.shippers.places import State
from agents.shippers.source import ROUND_BYTES_MAX, Outgoing

SEGMENT_BYTES = 4 * 1024 * 1024
WAIT_SECONDS = 0.2


class Spool:
    """A source whose records come through `put`, from a thread of their own."""

    def __init__(self, state: State, figures: Figures, bytes_max: int, *, waits: bool) -> None:
        self._state = state
        self._figures = figures
        self._bytes_max = max(bytes_max, 2 * SEGMENT_BYTES)
        self._waits = waits
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._position = state.folder / "position.json"
        numbers = sorted(int(path.stem) for path in state.folder.glob("*.spool"))
        self._segments = numbers
        self._number, self._offset = self._read_position(numbers[0] if numbers else 0)
        self._out: tuple[int, int] | None = None
        # A segment of its own per start: a line that a killed writer left unfinished stays alone.
        self._newest = max([*numbers, self._number]) + 1
        self._segments.append(self._newest)
        self._writer = self._path(self._newest).open("ab", buffering=0)
        self._bytes = sum(self._path(number).stat().st_size for number in self._segments)

    def put(self, record: Outgoing) -> bool:
        """Add one record; False where the spool was closed while it waited for room."""
        line = orjson.dumps([record.value.decode(), record.key.decode(), record.timestamp_ms]) + b"\n"
        while not self._closed.is_set():
            with self._lock:
                if self._has_put(line):
                    return True
            self._closed.wait(WAIT_SECONDS)
        return False

    def _has_put(self, line: bytes) -> bool:
        """Add one line; False where there is no room for it, and it waits."""
        if self._closed.is_set() or (self._waits and self._bytes + len(line) > self._bytes_max):
            return False
        while (error := self._append(line)) is not None:
            if self._waits:
                self._figures.held_up("buffer", error)
                return False
            if len(self._segments) == 1:
                self._figures.held_up("buffer", error)
                self._figures.lost(len(line))
                return True
            self._drop_oldest()
        self._figures.held_up("buffer", None)
        self._bytes += len(line)
        while self._bytes > self._bytes_max and len(self._segments) > 1:
            self._drop_oldest()
        return True

    def _append(self, line: bytes) -> OSError | None:
        """Write one line, whole or not at all; what is wrong where the disk does not take it."""
        try:
            if self._written_bytes() + len(line) > SEGMENT_BYTES:
                self._turn()
            written = self._writer.write(line)
            if written != len(line):
                self._writer.truncate(self._written_bytes() - (written or 0))
                return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            return error
        return None

    def take(self) -> list[Outgoing]:
        """The oldest records that Kafka does not have."""
        with self._lock:
            while self._number != self._newest and self._offset >= self._size(self._number):
                self._next_segment()
            if self._number not in self._segments:
                self._number, self._offset = self._segments[0], 0
            data = self._read(self._path(self._number))
            self._out = self._number, self._offset + len(data)
        found = [_outgoing(line) for line in data.split(b"\n") if line]
        records = [record for record in found if record is not None]
        if data and not records:  # what a killed writer left of a line: something may follow it
            self.done()
            return self.take()
        return records

    def done(self) -> None:
        """Move on, and delete what is shipped."""
        with self._lock:
            if self._out is not None and self._out[0] == self._number:
                self._offset = self._out[1]
            self._out = None
            self._write_position()

    def waiting(self) -> None:
        """Nothing to do: it is on disk."""

    def backlog_bytes(self) -> int:
        """Bytes of records that Kafka does not have."""
        with self._lock:
            backlog = max(0, self._bytes - self._offset)
        self._figures.stands(buffer_bytes=self._bytes)
        return backlog

    def close(self) -> None:
        """Whoever waits for room is let go."""
        self._closed.set()
        with self._lock:
            self._write_position()
            self._writer.close()
        self._state.close()

    def _read(self, path: Path) -> bytes:
        with path.open("rb") as file:
            file.seek(self._offset)
            data = file.read(ROUND_BYTES_MAX)
        if self._number != self._newest and len(data) < ROUND_BYTES_MAX:
            return data  # complete, even where its last line was cut off by the writer's death
        return data[: data.rfind(b"\n") + 1]

    def _written_bytes(self) -> int:
        return os.fstat(self._writer.fileno()).st_size

    def _turn(self) -> None:
        writer = self._path(self._newest + 1).open("ab", buffering=0)
        self._writer.close()
        self._writer = writer
        self._newest += 1
        self._segments.append(self._newest)

    def _next_segment(self) -> None:
        """The front one is shipped."""
        self._remove(self._number)
        self._number, self._offset = self._segments[0], 0
        self._write_position()

    def _drop_oldest(self) -> None:
        oldest = self._segments[0]
        lost = self._size(oldest) - (self._offset if oldest == self._number else 0)
        self._remove(oldest)
        self._figures.lost(lost)
        log.get("ship").warning("the buffer is full: its oldest records are gone", bytes=lost)

    def _remove(self, number: int) -> None:
        if number in self._segments:
            self._bytes -= self._size(number)
            self._segments.remove(number)
            self._path(number).unlink(missing_ok=True)

    def _size(self, number: int) -> int:
        path = self._path(number)
        return path.stat().st_size if path.exists() else 0

    def _path(self, number: int) -> Path:
        return self._state.folder / f"{number:012d}.spool"

    def _read_position(self, first: int) -> tuple[int, int]:
        try:
            number, offset = orjson.loads(self._position.read_bytes())
        except (OSError, ValueError):
            return first, 0
        return (int(number), int(offset)) if number >= first else (first, 0)

    def _write_position(self) -> None:
        partial = self._position.with_suffix(".partial")
        partial.write_bytes(orjson.dumps([self._number, self._offset]))
        partial.replace(self._position)


def _outgoing(line: bytes) -> Outgoing | None:
    """A record as it was put, None for what a killed writer left of one."""
    try:
        value, key, timestamp_ms = orjson.loads(line)
    except ValueError:
        return None
    return Outgoing(value.encode(), key.encode(), timestamp_ms)
