"""Following files: whatever rotation and crashes do, every line is given, and given again the same."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.shippers import rotation
from agents.shippers import tail as tailing
from agents.shippers.lines import LINE_BYTES_MAX
from agents.shippers.page import Figures
from agents.shippers.places import State, StateError
from agents.shippers.source import Outgoing
from agents.shippers.tail import Tail
from pipeline.intake import Intake, IntakeConfig, RawRecord
from tests.shippers.killing import kill


class Log:
    """A log of numbered lines, and a shipper beside it that can be killed."""

    def __init__(self, folder: Path, **options: object) -> None:
        self.folder = folder
        self.path = folder / "registry.log"
        self.figures = Figures()
        self.given: dict[tuple[str, int], Outgoing] = {}
        self.written: list[str] = []
        self._options = options
        self._rotations = 0
        self.tail: Tail | None = None

    def write(self, count: int = 1) -> None:
        """Append lines."""
        with self.path.open("a") as file:
            for _ in range(count):
                self.written.append(f"line {len(self.written)} of this log")
                file.write(self.written[-1] + "\n")

    def write_blank(self) -> None:
        """Append a line of nothing, which is no record."""
        with self.path.open("a") as file:
            file.write("\n")

    def rename(self) -> None:
        """Rotate as logrotate does with `create`: the older ones move up."""
        if self.path.exists():
            self._shift()
            self.path.rename(f"{self.path}.1")
            self.path.touch()

    def copy_and_truncate(self) -> None:
        """Rotate as logrotate does with `copytruncate`."""
        if self.path.exists():
            self._shift()
            shutil.copy(self.path, f"{self.path}.1")
            os.truncate(self.path, 0)

    def _shift(self) -> None:
        numbers = sorted(
            (int(one.suffix[1:]) for one in self.folder.glob("registry.log.[0-9]*")), reverse=True
        )
        for number in numbers:
            Path(f"{self.path}.{number}").rename(f"{self.path}.{number + 1}")

    def start(self) -> Tail:
        """The running shipper, started where there is none."""
        if self.tail is None:
            state = State(self.folder / "state")
            self.tail = Tail((str(self.folder / "*.log"),), state, "host-1", self.figures, **self._options)  # type: ignore[arg-type]
        return self.tail

    def ship(self, *, killed: bool = False) -> list[Outgoing]:
        """One round; `killed`: the shipper dies when Kafka has it and before it knows."""
        records = self.start().take()
        for record in records:
            body = orjson.loads(record.value)
            again = self.given.setdefault((body["file"], body["offset"]), record)
            assert again == record, "a line that is given again is the same to its last byte"
        if killed:
            self.kill()
        elif records:
            self.start().done()
        return records

    def kill(self) -> None:
        """End the shipper where there is one."""
        if self.tail is not None:
            kill(self.tail)
            self.tail = None

    def drain(self) -> list[str]:
        """Ship all there is; the distinct lines given, in whatever order."""
        while self.ship():
            pass
        return [orjson.loads(record.value)["line"] for record in self.given.values()]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """A log that is shipped from its beginning."""
    found = Log(tmp_path)
    yield found
    found.kill()


ACTIONS: dict[str, Callable[[Log], object]] = {
    "write": lambda log: log.write(),
    "write much": lambda log: log.write(50),
    "write a blank": Log.write_blank,
    "rename": Log.rename,
    "ship": Log.ship,
    "ship, killed": lambda log: log.ship(killed=True),
    "kill": Log.kill,
    "look": lambda log: log.start().waiting(),
}


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # each example has a folder of its own
@given(
    names=st.lists(st.sampled_from(sorted(ACTIONS)), max_size=25),
    truncates=st.booleans(),
)
def test_no_line_is_lost_whatever_rotation_and_kills_do(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], truncates: bool
) -> None:
    """Any order of writing, rotating, shipping and dying: none missing, each once by file and offset."""
    log = Log(tmp_path_factory.mktemp("log"))
    log.write(3)
    log.ship(killed=True)
    for name in names:
        if name == "rename" and truncates:
            log.copy_and_truncate()
        else:
            ACTIONS[name](log)
    log.write(2)
    try:
        assert sorted(log.drain()) == sorted(log.written)
        assert log.figures.value("lost_bytes_total") == 0
    finally:
        log.kill()


def test_files_that_were_there_are_read_from_their_end_if_so_wanted(tmp_path: Path) -> None:
    """The past is left alone at the very first start only; later files are read from their beginning."""
    log = Log(tmp_path, from_end=True)
    log.write(5)
    assert log.ship() == []
    log.write(1)
    log.kill()
    log.rename()
    log.write(1)
    assert sorted(log.drain()) == sorted(log.written[5:])
    log.kill()


def test_a_line_is_not_given_before_it_is_complete(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a line waits for its end; the last one of a file that was rotated away needs none."""
    log.path.write_text("begun")
    assert log.ship() == []
    with log.path.open("a") as file:
        file.write(" and ended\nlast words")
    assert log.drain() == ["begun and ended"]
    log.rename()
    assert log.drain() == ["begun and ended"]
    monkeypatch.setattr(tailing, "QUIET_SECONDS", -1.0)
    assert log.drain() == ["begun and ended"], "as long as the next file is empty, this one is written to"
    log.write(1)
    assert sorted(log.drain()) == ["begun and ended", "last words", *log.written]


def test_blank_lines_alone_hold_nothing_up(log: Log) -> None:
    """A round of which no record comes is done with: what is written after it is given."""
    log.path.write_text("\n")
    assert log.ship() == []
    log.write(1)
    assert log.drain() == log.written
    with log.path.open("a") as file:
        file.write("\n" * (2 * tailing.CHUNK_BYTES))
    log.write(1)
    assert log.drain() == log.written


def test_the_hole_that_a_truncation_leaves_is_no_line(log: Log) -> None:
    """A program that does not append goes on where it was: the file begins with as many NULs again."""
    with log.path.open("w") as file:  # not "a", as of `registry serve > registry.log`

        def write(count: int) -> None:
            for _ in range(count):
                log.written.append(f"line {len(log.written)} of this log")
                file.write(log.written[-1] + "\n")
            file.flush()

        write(100_000)
        log.drain()
        for _ in range(3):
            log.copy_and_truncate()
            write(10)
            assert log.path.read_bytes()[:1_000_000] == bytes(1_000_000)
            log.drain()
        log.kill()
        for _ in range(3):
            log.copy_and_truncate()
            write(10)
        assert log.drain() == log.written
    assert log.figures.value("lost_bytes_total") == 0


def test_a_very_long_line_goes_in_pieces_that_intake_puts_together(log: Log) -> None:
    """An error of 400 kB is one event."""
    filler = "x" * (3 * LINE_BYTES_MAX)
    text = (
        'time="2026-11-24T10:00:00.123456789Z" level=error msg="response completed with error" '
        f'err.code=unknown err.detail="s3aws: RequestCanceled: request context canceled\\ncaused by: context '
        f'canceled" err.message="unknown error" vars.name="{filler}" go.version=go1.20'
        " http.response.status=500"
    )
    log.path.write_text(f"{text}\n")
    records = log.ship()
    assert len(records) == 4
    intake = Intake(IntakeConfig())
    for number, record in enumerate(records):
        intake.receive(RawRecord("registry.logs", 0, number, record.timestamp_ms, record.key, record.value))
    batch = intake.flush(release_heads=True)
    assert batch.counts.symptoms == {"request_cancelled": 1}
    assert batch.counts.dead_letters == {}


def test_a_folder_that_never_stands_still_is_taken_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where every look finds another list, the files of the last one are there to be read."""
    monkeypatch.setattr(rotation, "LOOKS_MAX", 3)
    looks, scandir = iter(range(100)), os.scandir

    def changed(folder: str) -> Iterator[os.DirEntry[str]]:
        (tmp_path / f"a.log-{20_260_000 + next(looks)}").write_text("text\n")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", changed)
    found = rotation.siblings(str(tmp_path / "a.log"))
    assert [file.read() for file in found] == [b"text\n"] * 7, "three looks of two lists, and the last"
    rotation.close(found)


def test_logs_that_come_and_go_are_forgotten(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node's containers have a log each: the state does not grow with all there ever were."""
    monkeypatch.setattr(tailing, "DELETED_QUIET_SECONDS", -1.0)
    monkeypatch.setattr(tailing, "FORGOTTEN_SECONDS", -1.0)
    log.write(1)
    for number in range(40):
        one = log.folder / f"registry-{number}.log"
        one.write_text(f"line of {number}\n")
        assert len(log.ship()) == (2 if number == 0 else 1)
        one.unlink()
        log.ship()
    log.ship()
    assert [place.path for place in log.start()._places] == [str(log.path)]
    log.kill()
    assert [place.path for place in log.start()._places] == [str(log.path)]


def test_what_was_rotated_away_is_saved_while_kafka_is_away(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rotated file that is deleted before Kafka is back has been copied; then the copy goes."""
    monkeypatch.setattr(tailing, "QUIET_SECONDS", -1.0)
    log.write(10)
    log.start().take()
    log.rename()
    log.write(1)
    log.start().waiting()
    Path(f"{log.path}.1").unlink()
    log.kill()
    assert sorted(log.drain()) == sorted(log.written)
    assert log.figures.value("lost_bytes_total") == 0
    assert list((log.folder / "state").glob("*.rest*")) == []


def test_what_does_not_fit_the_buffer_and_is_deleted_is_counted_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound holds; what is gone is said in bytes, and the rest goes on."""
    monkeypatch.setattr(tailing, "QUIET_SECONDS", -1.0)
    log = Log(tmp_path, buffer_bytes_max=10)
    log.write(10)
    log.start().take()
    size = log.path.stat().st_size
    log.rename()
    log.write(1)
    log.start().waiting()
    Path(f"{log.path}.1").unlink()
    log.kill()
    assert log.drain() == log.written[10:]
    assert log.figures.value("lost_bytes_total") == size
    log.kill()


def test_two_shippers_do_not_share_a_state(log: Log) -> None:
    """The second one is refused with the fix, and a state that is none is not taken for an empty one."""
    log.start()
    with pytest.raises(StateError, match="give each its own"):
        State(log.folder / "state")
    log.kill()
    (log.folder / "state" / "places.json").write_text("{}")
    with pytest.raises(StateError, match="move it away"):
        log.start()


def test_rotated_and_compressed_files_are_not_taken_for_logs(tmp_path: Path) -> None:
    """A pattern that matches rotated files as well follows only those that are written to."""
    for name in ("a.log", "a.log.1", "a.log-20261124", "a.log.2.gz", "b.log.20261124-101112"):
        (tmp_path / name).write_text("text\n")
    state = State(tmp_path / "state")
    found = Tail((str(tmp_path / "*.log*"),), state, "h", Figures()).take()
    assert [orjson.loads(record.value)["container"] for record in found] == ["a"]
    state.close()


def test_a_line_without_a_time_is_dated_by_the_one_before_it(log: Log) -> None:
    """What has waited for Kafka for hours is not told as if it happened now; absurd times date nothing."""
    log.path.write_text(
        "2026/11/20 10:00:00 http: superfluous response.WriteHeader call\n"
        'time="2026-11-20T10:00:01.5Z" level=info msg="response completed"\n'
        "caused by: context canceled\n"
        'time="2099-01-01T00:00:00Z" level=info msg="from the future"\n'
        '{"log":"[ERROR] plugin/errors: 2 a. A: i/o timeout","time":"2026-11-20T10:00:03Z"}\n'
        "2026-11-20T10:00:04.000000007Z stderr F [ERROR] plugin/errors: 2 b. A: i/o timeout\n"
    )
    found = [orjson.loads(one.value)["time"] for one in log.ship()]
    first = 1_795_168_801_500_000_000
    assert [time - first for time in found] == [
        1_000, 0, 2_000, 3_000, 1_500_000_000, 2_500_000_007,
    ]  # fmt: skip
    log.path.write_text("")
    log.drain()
    log.path.write_text("nothing here\nbears a time\n")
    first, second = (orjson.loads(one.value)["time"] for one in log.ship())
    assert abs(first - tailing.now_ns()) < 60e9
    assert second == first + 1_000
