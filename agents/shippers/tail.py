"""Follows log files through rotation and restarts.

Laws: a line is given again until Kafka has it. What is given again is the same to the last byte. The file
itself is the buffer: nothing is read ahead of Kafka by more than a round. Only what was rotated away and may
be deleted next is copied into the state folder while Kafka is away, up to a bound.
"""

import glob
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from agents import log
from agents.shippers import rotation
from agents.shippers.containers import Container, of_log_file
from agents.shippers.lines import Origin, hashed, records, whole
from agents.shippers.page import Figures
from agents.shippers.places import MARK_BYTES, Place, State, digest
from agents.shippers.source import ROUND_BYTES_MAX, Outgoing

CHUNK_BYTES = 512 * 1024
QUIET_SECONDS = 60.0
DELETED_QUIET_SECONDS = 5.0
"""A file that was rotated away, or deleted as well, and not written to for so long is complete: until then
whoever had it open may write to it yet."""

FINISHED_MAX = 16
"""Finished generations that are remembered per path, so that their files are not taken for new ones."""

FORGOTTEN_SECONDS = 3600.0
"""A log that is not at its path for so long does not come back: what comes there then is a new one."""

CLOCK_TICK_NS = 10_000_000
"""The clock that files are dated by is coarser than the one we read."""

now_ns = time.time_ns  # the moment a line was read, which dates lines that bear no time of their own


class Tail:
    """A source that follows the files matching `patterns`.

    `from_end`: files that are there at the very first start are read from their end. `name`: path → the
    container; `buffer_bytes_max`: bound of what is copied because it was rotated away.
    """

    def __init__(
        self,
        patterns: tuple[str, ...],
        state: State,
        host: str,
        figures: Figures,
        *,
        from_end: bool = False,
        buffer_bytes_max: int = 1 << 30,
        name: Callable[[str], Container] = of_log_file,
    ) -> None:
        self._patterns = patterns
        self._state = state
        self._host = host
        self._figures = figures
        self._buffer_bytes_max = buffer_bytes_max
        self._name = name
        self._places = state.read()
        self._open: dict[str, BinaryIO] = {}
        self._from_end = from_end and not self._places
        self._out: list[tuple[Place, int, str]] = []
        self._complained: set[str] = set()
        self._gone: dict[str, int] = {}
        self._rotated_ns: dict[str, int] = {}
        for place in self._places:
            if not place.finished:
                self._reopen(place)

    def take(self) -> list[Outgoing]:
        """Read what is new, oldest generations first, up to the bound of a round."""
        self._scan()
        while not (found := self._round()) and self._out:
            self.done()  # blank lines alone: there is nothing to send, and something may follow
        return found

    def _round(self) -> list[Outgoing]:
        found: list[Outgoing] = []
        room = ROUND_BYTES_MAX
        self._out = []
        for place in self._followed():
            if room <= 0:
                break
            data = self._read(place)
            if data:
                room -= len(data)
                self._out.append((place, place.offset + len(data), place.before_after(data)))
                found += records(data, place.offset, place.read_ns, self._origin(place))
        if self._out:
            self._state.write(self._places)
        return found

    def done(self) -> None:
        """Kafka has the round: what was rotated away and is complete is let go."""
        for place, offset, before in self._out:
            place.offset, place.before = offset, before
            place.until = max(place.until, offset)
        self._out = []
        self._state.write(self._places)

    def waiting(self) -> None:
        """Save what was rotated away, for the rotation may delete it before Kafka is back."""
        self._scan()
        changed = False
        for place in self._followed():
            if place.rotated and place.buffer is None and self._is_over(place):
                changed |= self._save(place)
        if changed:
            self._state.write(self._places)

    def backlog_bytes(self) -> int:
        """Bytes of open files that are not in Kafka."""
        self._figures.stands(files=len(self._open), buffer_bytes=self._buffered_bytes())
        return sum(max(0, self._size(place) - place.offset) for place in self._followed())

    def close(self) -> None:
        """Write down the places and close the files."""
        self._state.write(self._places)
        for file in self._open.values():
            file.close()
        self._open = {}
        self._state.close()

    def _followed(self) -> list[Place]:
        """Generations with something to come, the oldest first."""
        return [place for place in self._places if place.id in self._open]

    def _origin(self, place: Place) -> Origin:
        return Origin(place.id, hashed(self._host, place.path).encode(), self._host, self._name(place.path))

    def _read(self, place: Place) -> bytes:
        """The bytes of the next round, noted in `place`; those of a round that was out, once more."""
        file = self._open[place.id]
        if not place.is_known_by_content:
            if not place.rotated:
                return b""  # the look at its path recognises it, after what may have come and gone before
            place.recognise(file)
        once_more = place.until > place.offset
        data = place.read(file, place.until - place.offset if once_more else CHUNK_BYTES)
        if data is None:
            return b""  # truncated this very moment: the next look at its path will find out
        if once_more:
            place.until = place.offset + len(data)
            return data
        if not data and place.rotated and self._is_over(place):
            self._finish(place)
            return b""
        length = whole(data, place.rotated and self._is_quiet(place))
        if length:
            place.until = place.offset + length
            place.read_ns = now_ns()
        return data[:length]

    def _scan(self) -> None:
        """Look what is at each path now."""
        first, self._from_end = self._from_end, False
        matched = sorted({path for pattern in self._patterns for path in glob.glob(pattern, recursive=True)})
        paths = [path for path in matched if path in self._patterns or not rotation.looks_rotated(path)]
        if not paths and not self._places and not self._complained:
            self._complained.add("")
            log.get("ship").warning("no file is there yet; waiting for one", files=self._patterns)
        known = list(self._places)
        for path in paths:
            self._look_at(path, first)
        for place in self._followed():
            if not place.rotated and place.path not in paths:
                place.rotated = True  # its path is empty: renamed, or deleted while it is open here
        self._forget(paths)
        if self._places != known:
            self._state.write(self._places)

    def _forget(self, paths: list[str]) -> None:
        """Let go of logs that are gone for long and shipped: containers come and go."""
        now = now_ns()
        here = {*paths, *(place.path for place in self._places if not place.finished)}
        self._gone = {
            place.path: self._gone.get(place.path, now) for place in self._places if place.path not in here
        }
        old = {path for path, since in self._gone.items() if now - since > FORGOTTEN_SECONDS * 1e9}
        if old:
            self._places = [place for place in self._places if place.path not in old]

    def _complain(self, path: str, error: OSError) -> None:
        """Say once that a file cannot be read."""
        if path not in self._complained:
            self._complained.add(path)
            self._figures.failed_reading()
            log.get("ship").error("a file cannot be read", path=path, error=error.strerror)

    def _look_at(self, path: str, from_end: bool) -> None:
        """See whether the file at `path` is the one that is followed; begin with it where it is not.

        Rotation goes on meanwhile. So every time is taken before what it dates, and what lies at the path is
        recognised before what came and went unseen is looked for: nothing falls between the two.
        """
        looked_ns = now_ns() - CLOCK_TICK_NS
        try:
            file = open(path, "rb", buffering=0)  # noqa: SIM115 - stays open as long as it is followed
        except FileNotFoundError:
            return
        except OSError as error:
            self._complain(path, error)
            return
        last = next((place for place in reversed(self._places) if place.path == path), None)
        status = os.fstat(file.fileno())
        if last is None:  # rotated files from before are nobody's business
            self._begin(path, file, looked_ns, offset=status.st_size if from_end else 0)
            return
        is_same = (status.st_dev, status.st_ino) == (last.device, last.inode) and last.is_in(file)
        if is_same and last.buffer is None:
            last.rotated = False
            if last.id in self._open:
                file.close()
            else:
                last.finished = False
                self._open[last.id] = file
            if last.is_known_by_content:
                last.modified_ns = max(last.modified_ns, status.st_mtime_ns)
            else:  # it was empty, and may have been filled and emptied since
                last.recognise(self._open[last.id])
                self._catch_up(last, last)
            return
        self._rotated_away(last)
        self._catch_up(last, self._begin(path, file, status.st_mtime_ns))

    def _catch_up(self, last: Place, current: Place) -> None:
        """Begin with the files that came and went after `last` was read and before `current` came."""
        at = self._places.index(current)
        held = {rotation.number(file) for file in self._open.values()}
        for older in rotation.unseen(last, current, self._open[current.id], self._places, held):
            self._begin(last.path, older, os.fstat(older.fileno()).st_mtime_ns, rotated=True, at=at)
            at += 1

    def _rotated_away(self, place: Place) -> None:
        """`place` no longer lies at its path: go on with it where it lies now."""
        was_open = self._open.get(place.id)
        place.rotated = True
        if place.finished or place.buffer is not None or (was_open is not None and place.is_in(was_open)):
            return
        size = place.until if was_open is None else max(place.until, place.offset)
        if was_open is not None:
            was_open.close()
            del self._open[place.id]
        self._reopen(place, size)

    def _reopen(self, place: Place, size: int | None = None) -> None:
        """Open the file that holds a place that is known from before."""
        if place.buffer is not None:
            try:
                self._open[place.id] = (self._state.folder / place.buffer).open("rb", buffering=0)
            except OSError:
                if place.until > place.offset:
                    self._lose(place, place.until)
                place.finished = True  # it is deleted when it is shipped, a moment before that is written
            return
        found = rotation.find(place, self._places)
        if found is None and not place.is_known_by_content:
            place.rotated = place.finished = True  # what was written to it since came unseen, as others do
            return
        if found is None:
            self._lose(place, size or place.until)
            return
        status = os.fstat(found.fileno())
        place.device, place.inode = status.st_dev, status.st_ino
        self._open[place.id] = found

    def _lose(self, place: Place, size: int) -> None:
        """The file is gone with whatever was not read of it."""
        place.rotated = place.finished = True
        self._rotated_ns.pop(place.id, None)
        lost = max(0, size - place.offset)
        place.until = place.offset
        if lost:
            self._figures.lost(lost)
        said = "before its end was read" if lost else "before its end was seen; all that was read is in Kafka"
        log.get("ship").warning(
            f"a file was deleted or truncated {said}", path=place.path, bytes_at_least=lost
        )

    def _begin(
        self,
        path: str,
        file: BinaryIO,
        modified_ns: int,
        *,
        offset: int = 0,
        rotated: bool = False,
        at: int | None = None,
    ) -> Place:
        """Follow a generation; `at`: its place among the others, which are in order of age."""
        status = os.fstat(file.fileno())
        place = Place(
            id=hashed(self._host, path, status.st_dev, status.st_ino, now_ns()),
            path=path,
            real=os.path.realpath(path),
            device=status.st_dev,
            inode=status.st_ino,
            offset=offset,
            until=offset,
            modified_ns=modified_ns,
            rotated=rotated,
        )
        place.recognise(file)
        place.before = digest(file, max(0, offset - MARK_BYTES), offset)
        self._places.insert(len(self._places) if at is None else at, place)
        self._open[place.id] = file
        return place

    def _finish(self, place: Place) -> None:
        self._open.pop(place.id).close()
        place.finished = True
        self._rotated_ns.pop(place.id, None)
        if place.buffer is not None:
            (self._state.folder / place.buffer).unlink(missing_ok=True)
        finished = [one for one in self._places if one.path == place.path and one.finished]
        for old in finished[:-FINISHED_MAX]:
            self._places.remove(old)

    def _is_quiet(self, place: Place) -> bool:
        """Whether a rotated file is deleted or succeeded by one that is written to, and not written to."""
        if place.buffer is not None:
            return True
        status = os.fstat(self._open[place.id].fileno())
        newest = next(one for one in reversed(self._places) if one.path == place.path)
        is_succeeded = newest is not place and newest.is_known_by_content
        return (status.st_nlink == 0 or is_succeeded) and self._has_passed(place, status.st_mtime_ns)

    def _is_over(self, place: Place) -> bool:
        """Whether nobody writes to a rotated file any more: it has been quiet for long since it was seen to
        be one, for a log may have been quiet before and be written to by whoever still has it open."""
        seen_ns = self._rotated_ns.setdefault(place.id, now_ns())
        return self._is_quiet(place) and (place.buffer is not None or self._has_passed(place, seen_ns))

    def _has_passed(self, place: Place, since_ns: int) -> bool:
        is_deleted = os.fstat(self._open[place.id].fileno()).st_nlink == 0
        quiet_seconds = DELETED_QUIET_SECONDS if is_deleted else QUIET_SECONDS
        return now_ns() - since_ns > quiet_seconds * 1e9

    def _save(self, place: Place) -> bool:
        """Copy the rest of a file, and what it is recognised by, into the state folder, if it fits."""
        rest = self._size(place) - place.offset
        if rest <= 0 or self._buffered_bytes() + rest > self._buffer_bytes_max:
            return False
        name, base = f"{place.id}.rest", max(0, place.offset - MARK_BYTES)
        partial = self._state.folder / f"{name}.partial"
        source = Path(f"/proc/self/fd/{self._open[place.id].fileno()}")
        try:
            with source.open("rb") as rest_of, partial.open("wb") as copy:
                rest_of.seek(base)
                shutil.copyfileobj(rest_of, copy)
                copy.flush()
                os.fsync(copy.fileno())
        except OSError:
            partial.unlink(missing_ok=True)  # it must not keep a full disk full
            raise
        partial.replace(self._state.folder / name)
        place.buffer, place.base = name, base
        self._open.pop(place.id).close()
        self._reopen(place)
        return True

    def _size(self, place: Place) -> int:
        return place.base + os.fstat(self._open[place.id].fileno()).st_size

    def _buffered_bytes(self) -> int:
        return sum(
            os.fstat(self._open[place.id].fileno()).st_size
            for place in self._followed()
            if place.buffer is not None
        )
