"""Records from files: saved ones (agents/history/saved.py), JSON Lines of any shipper, or plain log lines.

Files may be packed with gzip or zstd, whatever they are called. A file is read from its first line to
its last, a line when it was written; files are merged by time. Every file is a partition of its own,
and a line's number is its offset: `registry.logs:2:41` is line 42 of the third file. The bare output of a
registry names no container: it gets the file's name for one, as docker's own log would bear it.
"""

import gzip
import heapq
import io
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from operator import attrgetter
from pathlib import Path
from typing import Any, cast

import zstandard

from agents.history.clock import ArrivalClock
from agents.history.failures import EmptyError, HistoryError
from agents.history.saved import Head, read_line
from agents.recordings.envelopes import docker
from agents.recordings.linetime import is_access, written_at
from agents.recordings.recording import Group, LogLine
from pipeline.intake import RawRecord
from pipeline.intake.instants import NS, from_written
from pipeline.intake.relevance import glance_at_time
from pipeline.replay import Arrival

STDIN = Path("-")
AHEAD_SECONDS = 86_400.0
"""A line may claim to be so much younger than now; one from 2099 moves no clock."""

LINE_BYTES_MAX = 16 * 1024 * 1024
"""What is longer is no line of text, and would fill the memory."""

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


class FileHistory:
    """Arrivals of files. Each call of `arrivals` reads them anew, except for standard input.

    `topic`: where records lie that do not say so. `now`: unix seconds.
    """

    def __init__(self, paths: Sequence[Path], topic: str, groups: dict[str, str], now: float) -> None:
        self.notes: tuple[str, ...] = ()
        self.records_max: int | None = None
        self._topic = topic
        self._groups = groups
        self._high = now + AHEAD_SECONDS
        self._files = [file for path in paths for file in _files(path)]
        if not self._files:
            raise EmptyError(f"no files in {', '.join(map(str, paths))}")

    def arrivals(self) -> Iterator[Arrival]:
        """In order of arrival; equal times in order of the files.

        Raises:
            HistoryError: a file cannot be read; the message names file and line.
        """
        with ExitStack() as stack:
            sources = [self._of(number, file, stack) for number, file in enumerate(self._files)]
            yield from heapq.merge(*sources, key=attrgetter("at"))

    def _of(self, number: int, path: Path, stack: ExitStack) -> Iterator[Arrival]:
        """The records of one file."""
        own = ArrivalClock(high=self._high)
        clocks: dict[tuple[str, int], ArrivalClock] = {}
        span: tuple[float, float] = (float("-inf"), self._high)
        at = 0.0
        line_number = -1
        try:
            for line_number, line in enumerate(_lines(path, stack)):
                saved = read_line(line)
                if isinstance(saved, Head):
                    span = saved.span.start, saved.span.end
                    clocks.clear()
                    continue
                if saved is None:
                    came = own.at(_time_of(line))
                    stamp = round(came * 1000) if came else None
                    value = _contained(line, path, came) if _is_bare(line) else line
                    saved = RawRecord(self._topic, number, line_number, stamp, None, value)
                else:
                    place = saved.topic, saved.partition
                    clock = clocks.get(place) or clocks.setdefault(place, ArrivalClock(*span))
                    came = clock.at(None if saved.timestamp_ms is None else saved.timestamp_ms / 1000)
                at = max(at, came)
                yield Arrival(at, saved, self._groups.get(saved.topic, ""))
        except HistoryError as error:
            error.args = (f"{path}, line {line_number + 1}: {error}",)
            raise
        except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
            raise HistoryError(f"{path}, after line {line_number + 1}: {error}") from error


def _files(path: Path) -> list[Path]:
    """The file itself, or all files below a folder in order of their names, hidden ones left out."""
    if not path.is_dir():
        return [path]
    found = (file for file in sorted(path.rglob("*")) if file.is_file())
    return [file for file in found if not any(part.startswith(".") for part in file.relative_to(path).parts)]


def _lines(path: Path, stack: ExitStack) -> Iterator[bytes]:
    packed = sys.stdin.buffer if path == STDIN else stack.enter_context(path.open("rb"))
    buffered = packed if isinstance(packed, io.BufferedReader) else io.BufferedReader(cast(Any, packed))
    head = buffered.peek(4)[:4]
    unpacked: io.BufferedIOBase = buffered
    if head.startswith(_GZIP):
        unpacked = gzip.GzipFile(fileobj=buffered)
    elif head == _ZSTD:
        reader = zstandard.ZstdDecompressor().stream_reader(buffered, read_across_frames=True)
        unpacked = io.BufferedReader(cast(Any, reader))
    while line := unpacked.readline(LINE_BYTES_MAX):
        if len(line) == LINE_BYTES_MAX:
            raise HistoryError(f"a line is longer than {LINE_BYTES_MAX} bytes: is this a log?")
        yield line.rstrip(b"\r\n")


def _time_of(line: bytes) -> float | None:
    """When a line says it was written: an envelope's time, or the line's own."""
    if line.startswith(b"{"):
        with suppress(ValueError):
            ns = from_written(glance_at_time(line))
            if ns is not None:
                return ns / NS
    return written_at(line)


def _is_bare(line: bytes) -> bool:
    """Whether a line is what a registry or a resolver writes itself, without any shipper's envelope."""
    return line.startswith((b'time="', b"caused by: ")) or is_access(line)


def _contained(line: bytes, path: Path, at: float) -> bytes:
    """The line as docker logs it for a container that is named like the file."""
    name = "stdin" if path == STDIN else path.name.split(".")[0]
    stream = "stdout" if is_access(line) else "stderr"
    entry = LogLine(at, Group.LOGS, name, name, stream, line)
    return docker(entry, line.decode("utf-8", "replace"), at)
