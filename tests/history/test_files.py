"""History from files: whatever they are packed in, the records are the same."""

import gzip
from pathlib import Path

import pytest
import zstandard

from agents.history import FileHistory, HistoryError, Span
from agents.history.saved import Head, head_line, record_line
from agents.settings import Settings
from pipeline.intake import IntakeConfig, RawRecord
from pipeline.replay import Arrival, replay
from schemas import Change, Rules, encode

SETTINGS = Settings()
NOW = 1_795_500_000.0
LOG = Path(__file__).resolve().parents[2] / "samples" / "cpu_cascade" / "registry.log"
GROUPS = {SETTINGS.topics.logs: "logs"}


def read(*paths: Path) -> list[Arrival]:
    return list(FileHistory(paths, SETTINGS.topics.logs, GROUPS, NOW).arrivals())


def test_a_log_is_the_same_plain_and_packed(tmp_path: Path) -> None:
    """gzip and zstd are recognised by what is in the file, not by its name."""
    plain = read(LOG)
    assert len(plain) == len(LOG.read_bytes().splitlines())
    for name, packed in {
        "registry.a": gzip.compress(LOG.read_bytes()),
        "registry.b": zstandard.compress(LOG.read_bytes()),
    }.items():
        path = tmp_path / name
        path.write_bytes(packed)
        assert read(path) == plain


def test_a_plain_log_gives_its_incident() -> None:
    """Lines without any envelope are dated by themselves, and the file's name says which container it was."""
    said = list(replay(read(LOG), IntakeConfig(), Rules()))
    assert {one.incident.instances for one in said if isinstance(one, Change)} == {("registry",)}


def test_a_folder_is_read_in_order_of_time_across_its_files(tmp_path: Path) -> None:
    """Rotated files interleave by time; each is a partition of its own, numbered by its name's place."""
    lines = LOG.read_bytes().splitlines(keepends=True)
    folder = tmp_path / "logs"
    (folder / "older").mkdir(parents=True)
    (folder / ".hidden").write_bytes(b"not read\n")
    (folder / "registry.log").write_bytes(b"".join(lines[300:]))
    (folder / "older" / "registry.log.1").write_bytes(b"".join(lines[:300]))
    found = read(folder)
    assert [one.record.value for one in found[:300]] == [one.record.value for one in read(LOG)[:300]]
    assert [one.at for one in found] == sorted(one.at for one in found)
    assert {one.record.partition for one in found} == {0, 1}


def test_saved_records_come_back_as_they_lay(tmp_path: Path) -> None:
    """Place, time, key and bytes survive, also where they are no text; the head is no record."""
    span = Span(NOW - 10, NOW)
    stamp_ms = round(NOW * 1000) - 5_000
    records = [
        RawRecord("registry.logs", 3, 41, stamp_ms, b"key", b'{"log":"\xc3\xa9"}'),
        RawRecord("dns.logs", 0, 7, stamp_ms, b"\xff", b"\x00\xff"),
        RawRecord("registry.logs", 3, 42, -1, None, None),
    ]
    path = tmp_path / "saved.jsonl"
    path.write_bytes(b"\n".join([head_line(Head(span, ("registry.logs",))), *map(record_line, records)]))
    assert [one.record for one in read(path)] == records
    assert [one.at for one in read(path)] == [stamp_ms / 1000] * 3


def test_one_line_from_the_future_moves_no_clock(tmp_path: Path) -> None:
    """A line from 2099 comes when its neighbours come."""
    path = tmp_path / "one.log"
    path.write_bytes(
        b'time="2026-11-20T08:00:00Z" level=info msg="a"\n'
        b'time="2099-01-01T00:00:00Z" level=info msg="b"\n'
        b'time="2026-11-20T08:00:01Z" level=info msg="c"\n'
    )
    times = [one.at for one in read(path)]
    assert times[0] == times[1] == times[2] - 1


def test_what_is_broken_is_named_with_its_line(tmp_path: Path) -> None:
    """A packed file that was cut off, and a saved record that lost a key."""
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(LOG.read_bytes())[:2000])
    with pytest.raises(HistoryError, match=r"cut\.gz, after line \d+: "):
        read(cut)
    broken = tmp_path / "broken.jsonl"
    broken.write_bytes(b'{"topic":"registry.logs","partition":"x","offset":1}\n')
    with pytest.raises(HistoryError, match=r"broken\.jsonl, line 1: a saved record is broken"):
        read(broken)


def test_saved_records_of_a_newer_version_are_refused(tmp_path: Path) -> None:
    """Exit code 7 and what to do."""
    path = tmp_path / "newer.jsonl"
    path.write_bytes(b'{"undercurrent_records":2,"from":0,"to":1,"topics":[]}\n')
    with pytest.raises(HistoryError, match="replay them with the version") as refused:
        read(path)
    assert refused.value.exit_code == 7


def test_a_folder_without_files_is_empty(tmp_path: Path) -> None:
    """Exit code 3."""
    with pytest.raises(HistoryError, match="no files in") as refused:
        read(tmp_path)
    assert refused.value.exit_code == 3


def test_two_readings_of_one_history_are_the_same() -> None:
    """So that it can be replayed under several rules."""
    history = FileHistory([LOG], SETTINGS.topics.logs, GROUPS, NOW)
    first, second = (list(replay(history.arrivals(), IntakeConfig(), Rules())) for _ in range(2))
    assert [encode(one) for one in first] == [encode(one) for one in second] != []
