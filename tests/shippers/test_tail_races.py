"""Rotation between any two system calls of the shipper: it sees no moment whole, and still loses no line.

The writer and logrotate advance one step at a time at moments that Hypothesis chooses: between the look at a
path and the reading of it, in the middle of a copy, between the copy and the truncation. Files bear the
times of a clock of their own, one second a step, so nothing hides in the grain of the kernel's.
"""

import glob
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from agents.shippers import rotation
from agents.shippers import tail as tailing
from agents.shippers.page import Figures
from agents.shippers.places import State
from agents.shippers.tail import Tail
from tests.shippers.killing import kill

START_NS = 1_800_000_000_000_000_000
STEP_NS = 1_000_000_000
QUIET_NS = 10 * STEP_NS
LONG_NS = 70 * STEP_NS


class World:
    """A log, what writes and rotates it step by step, and the shipper that is interrupted by the steps."""

    def __init__(self, folder: Path, script: list[str], gaps: list[int], numbered: bool) -> None:
        self.folder = folder
        self.path = folder / "registry.log"
        self.written: list[str] = []
        self.given: dict[tuple[str, int], bytes] = {}
        self.figures = Figures()
        self.acknowledged: set[str] = set()
        self.clock_ns = START_NS
        self._numbered = numbered
        self._writer = self._steps(script)
        self._gaps = iter(gaps)
        self._gap = next(self._gaps, 0)
        self._is_stepping = True
        self._rotations = 0
        self._append(self.path)
        self._is_stepping = False
        self.tail: Tail | None = None

    def _steps(self, script: list[str]) -> Iterator[str]:
        """All that is done to the log; one step lies between two yields."""
        for word in script:
            if word == "write":
                self._append(self.path)
                yield "write"
            elif word == "a minute and more":
                yield self._wait(LONG_NS)
            elif word == "delete":
                yield from self._delete()
            else:
                old = yield from self._old_name()
                yield from self._rotate(word, old)

    def _rotate(self, word: str, old: Path) -> Iterator[str]:
        if word == "copytruncate":
            data = self.path.read_bytes()
            for end in (0, len(data) // 2, len(data)):
                self._put(old, data[:end], "wb")
                yield f"copy {end} of {len(data)} bytes to {old.name}"
            self._put(self.path, b"", "wb")
            yield "truncate"
            return
        if not self.path.stat().st_size:
            word = "rename"  # one that was empty when it was renamed is not waited for
        self.path.rename(old)
        yield f"rename to {old.name}"
        held = old.open("ab", buffering=0)  # as by a program that is slow to open the new one
        if word == "rename, reopened late":
            yield self._wait()
            self._append(held)
            yield f"write to what was {old.name}"
        self._put(self.path, b"", "wb")
        yield "create"
        if word == "rename, two writers":
            self._append(self.path)
            yield "write"
            yield self._wait()
            self._append(held)
            yield f"write to what was {old.name}"
        held.close()

    def _wait(self, ns: int = QUIET_NS) -> str:
        self.clock_ns += ns
        return f"wait {ns // STEP_NS} s"

    def _old_name(self) -> Generator[str, None, Path]:
        """Make room for the next rotated file; returns its path."""
        self._rotations += 1
        if not self._numbered:
            return self.folder / f"{self.path.name}-{20_260_000 + self._rotations}"
        for number in range(self._rotations, 0, -1):
            one = Path(f"{self.path}.{number}")
            if one.exists():
                one.rename(f"{self.path}.{number + 1}")
                yield f"rename {number} to {number + 1}"
        return Path(f"{self.path}.1")

    def _delete(self) -> Iterator[str]:
        """Delete rotated files whose lines Kafka or the buffer has: their numbers go to the next files."""
        for old in self.folder.glob("registry.log[.-]*"):
            if set(old.read_text().splitlines()) <= self.acknowledged or self._is_saved(old):
                old.unlink()
                yield f"delete {old.name}"

    def _is_saved(self, old: Path) -> bool:
        """Whether the state on disk says that the rest of this file is in the buffer."""
        stored = orjson.loads((self.folder / "state" / "places.json").read_bytes())["places"]
        inode = old.stat().st_ino
        return any(one["buffer"] and one["inode"] == inode and not one["finished"] for one in stored)

    def _append(self, to: Path | BinaryIO) -> None:
        line = f"line {len(self.written)} of this log"
        self.written.append(line)
        self._put(to, line.encode() + b"\n", "ab")

    def _put(self, to: Path | BinaryIO, data: bytes, mode: str) -> None:
        with to.open(mode, buffering=0) if isinstance(to, Path) else nullcontext(to) as file:
            file.write(data)
            self.clock_ns += STEP_NS
            os.utime(file.fileno(), ns=(self.clock_ns, self.clock_ns))

    def called(self) -> None:
        """A system call of the shipper is about to be made."""
        if self._is_stepping or self.tail is None:
            return
        while self._gap == 0:
            if not self.step():
                return
            self._gap = next(self._gaps, 10**9)
        self._gap -= 1

    def step(self) -> bool:
        """Advance the writer by one step; False where it has ended."""
        self._is_stepping = True
        try:
            done = next(self._writer, None)
        finally:
            self._is_stepping = False
        if done is not None:
            note(done)
        return done is not None

    def round(self, *, killed: bool = False, waits: bool = False) -> bool:
        """One round; `killed`: the shipper dies before it knows of its end; `waits`: Kafka is away."""
        if self.tail is None:
            state = State(self.folder / "state")
            tail = Tail((str(self.folder / "*.log"),), state, "host-1", self.figures)
            if not self.given:  # what is rotated away before the very first look is not looked for
                tail.take()
            self.tail = tail
        records = self.tail.take()
        for record in records:
            body = orjson.loads(record.value)
            note(f"given: {body['file'][:4]} {body['offset']} {body['line']}")
            again = self.given.setdefault((body["file"], body["offset"]), record.value)
            assert again == record.value, "a line that is given again is the same to its last byte"
        if waits:
            note("waiting")
            self.tail.waiting()
        if killed:
            self.kill()
        else:
            self.tail.done()
            self.acknowledged.update(orjson.loads(record.value)["line"] for record in records)
        return bool(records)

    def kill(self) -> None:
        """End the shipper where there is one."""
        if self.tail is not None:
            note("killed")
            kill(self.tail)
            self.tail = None

    def lines(self) -> list[str]:
        """The distinct lines given."""
        return [orjson.loads(value)["line"] for value in self.given.values()]


@pytest.fixture
def patched(monkeypatch: pytest.MonkeyPatch) -> Callable[[World], None]:
    """Let a world step in before every system call by which the shipper looks at files."""
    real: dict[str, Any] = {
        "pread": os.pread, "fstat": os.fstat, "scandir": os.scandir, "open": open,
        "Path.open": Path.open, "glob": glob.glob,
    }  # fmt: skip

    def begin(world: World) -> None:
        def before(name: str) -> Callable[..., Any]:
            def call(*arguments: Any, **options: Any) -> Any:
                world.called()
                return real[name](*arguments, **options)

            return call

        for name in ("pread", "fstat", "scandir"):
            monkeypatch.setattr(os, name, before(name))
        for module in (tailing, rotation):
            monkeypatch.setattr(module, "open", before("open"), raising=False)
        monkeypatch.setattr(Path, "open", before("Path.open"))
        monkeypatch.setattr(glob, "glob", before("glob"))
        monkeypatch.setattr(tailing, "now_ns", lambda: world.clock_ns)
        monkeypatch.setattr(rotation, "BETWEEN_LOOKS_SECONDS", 0.0)

    return begin


def play(world: World, kills: set[int], waits: set[int]) -> None:
    """Ship while the writer steps in, and after it has ended whatever is left."""
    world.round()
    for number in range(1, 13):
        world.round(killed=number in kills, waits=number in waits)
    while world.step():
        pass
    while world.round():
        pass
    world.round()


WORDS = (
    "write",
    "write",
    "rename",
    "rename, reopened late",
    "rename, two writers",
    "copytruncate",
    "a minute and more",
    "delete",
)


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # each example has a folder and a world of its own
@given(
    script=st.lists(st.sampled_from(WORDS), min_size=1, max_size=12),
    gaps=st.lists(st.integers(0, 40), max_size=40),
    kills=st.sets(st.integers(1, 12)),
    waits=st.sets(st.integers(1, 12)),
    numbered=st.booleans(),
)
def test_no_line_is_lost_or_given_twice_by_rotation_between_two_system_calls(
    tmp_path_factory: pytest.TempPathFactory,
    patched: Callable[[World], None],
    script: list[str],
    gaps: list[int],
    kills: set[int],
    waits: set[int],
    numbered: bool,
) -> None:
    """Whenever the steps come, all lines are given once by file and offset, and none is called lost."""
    world = World(tmp_path_factory.mktemp("race"), script, gaps, numbered)
    patched(world)
    with capture_logs() as said:
        play(world, kills, waits)
    try:
        assert sorted(world.lines()) == sorted(world.written)
        assert world.figures.value("lost_bytes_total") == 0
        if "delete" not in script:  # or what could have been written to it is unknown
            assert [one["event"] for one in said] == []
    finally:
        world.kill()
