"""The queue on disk: in order, through kills, bounded, and honest about what it lets go."""

import threading
from pathlib import Path

import pytest

from agents.shippers import spool as spooling
from agents.shippers.page import Figures
from agents.shippers.places import State
from agents.shippers.source import Outgoing
from agents.shippers.spool import Spool

MIB = 1 << 20


def record(number: int, size: int = 0) -> Outgoing:
    """A record that can be told from others."""
    return Outgoing(f"{number}:{'x' * size}".encode(), b"key", number)


def numbers(records: list[Outgoing]) -> list[int]:
    """Which records these are."""
    return [one.timestamp_ms for one in records]


def opened(
    folder: Path, figures: Figures | None = None, size: int = 64 * MIB, *, waits: bool = False
) -> Spool:
    """A spool in a folder."""
    return Spool(State(folder), figures or Figures(), size, waits=waits)


def test_what_was_put_comes_out_in_order_until_it_is_done(tmp_path: Path) -> None:
    """A round that was not acknowledged comes again, also after a kill, followed by what is new."""
    spool = opened(tmp_path)
    assert all(spool.put(record(number)) for number in range(3))
    assert numbers(spool.take()) == [0, 1, 2]
    spool._state.close()  # killed: nothing is written down
    spool = opened(tmp_path)
    spool.put(record(3))
    found = spool.take()
    spool.done()
    found += spool.take()
    spool.done()
    assert numbers(found) == [0, 1, 2, 3]
    assert spool.take() == []
    spool.close()
    assert opened(tmp_path).take() == []


def test_a_line_that_a_killed_writer_left_unfinished_hurts_nobody(tmp_path: Path) -> None:
    """The fragment is skipped; what stands before and after it is given."""
    spool = opened(tmp_path)
    spool.put(record(0))
    spool._writer.write(b'["half of a rec')
    spool._state.close()
    spool = opened(tmp_path)
    spool.put(record(1))
    found = []
    for _ in range(3):
        found += spool.take()
        spool.done()
    assert numbers(found) == [0, 1]


def test_shipped_segments_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk holds no more than what is left."""
    monkeypatch.setattr(spooling, "SEGMENT_BYTES", 1000)
    spool = opened(tmp_path)
    for number in range(50):
        spool.put(record(number, 100))
    assert len(list(tmp_path.glob("*.spool"))) > 3
    found: list[Outgoing] = []
    while records := spool.take():
        found += records
        spool.done()
    assert numbers(found) == list(range(50))
    assert len(list(tmp_path.glob("*.spool"))) == 1


def test_readings_push_out_the_oldest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While Kafka is away for too long the newest are kept, and what is gone is counted."""
    monkeypatch.setattr(spooling, "SEGMENT_BYTES", 1000)
    figures = Figures()
    spool = opened(tmp_path, figures, 4000)
    for number in range(100):
        assert spool.put(record(number, 100))
    found: list[Outgoing] = []
    while records := spool.take():
        found += records
        spool.done()
    kept = numbers(found)
    assert kept == list(range(kept[0], 100))
    assert 10 < len(kept) < 40
    assert figures.value("lost_bytes_total") > 0


def test_a_pipes_writer_waits_where_it_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of a pipe is thrown away: `put` comes back when there is room, or False when all is over."""
    monkeypatch.setattr(spooling, "SEGMENT_BYTES", 1000)
    figures = Figures()
    spool = opened(tmp_path, figures, 2000, waits=True)
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.extend(spool.put(record(n, 100)) for n in range(60)))
    thread.start()
    found: list[Outgoing] = []
    while len(found) < 60:
        found += spool.take()
        spool.done()
    thread.join(10)
    assert numbers(found) == list(range(60))
    assert answers == [True] * 60
    assert figures.value("lost_bytes_total") == 0
    spool.close()
    assert not spool.put(record(60))
