"""State recovered from a changelog: the newest wins, what is foreign is left alone, damage is noticed."""

import zlib
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from agents import statetable
from agents.faustapp import FaustApp, faust_options
from agents.settings import load_settings
from agents.statetable import StateTable, StateTooLargeError, StateTooNewError


@pytest.fixture
async def table() -> StateTable:
    """A table of an app that has not been started."""
    settings = load_settings(None, {})
    return StateTable(FaustApp("statetable", **faust_options(settings)), "domains", 4)


def record(key: str, version: int, name: str = "domains", partition: int = 0, **body: Any) -> Any:
    """A record of the changelog as Faust hands it over."""
    value = {"table": name, "partition": partition, "version": version, **body}
    return SimpleNamespace(key=key, value=zlib.compress(orjson.dumps(value)))


async def recovered(table: StateTable, *records: Any) -> dict[str, Any]:
    """State of partition 0 after these records."""
    for one in records:
        await table._recover(one)
    return {key: body.get("state") for key, body in table.of_partition(0)}


async def test_the_last_of_equal_versions_wins(table: StateTable) -> None:
    """An owner stores a state again without a new frame, when time has moved on."""
    found = await recovered(table, record("a", 1, state="old"), record("a", 1, state="new"))
    assert found == {"a": "new"}


async def test_a_frozen_owner_that_writes_late_changes_nothing(table: StateTable) -> None:
    """The successor has consumed more, and stands earlier in the changelog."""
    found = await recovered(table, record("a", 7, state="successor"), record("a", 3, state="sleeper"))
    assert found == {"a": "successor"}


async def test_a_record_of_another_table_is_left_alone(table: StateTable) -> None:
    """Faust may apply a record that was under way during a rebalance to the wrong table."""
    assert await recovered(table, record("a", 1, name="told")) == {}


async def test_a_forgotten_key_is_gone(table: StateTable) -> None:
    """A tombstone ends a key, and the key may begin anew."""
    gone = SimpleNamespace(key="a", value=None)
    assert await recovered(table, record("a", 9, state="x"), gone) == {}
    assert await recovered(table, record("a", 1, state="anew")) == {"a": "anew"}


async def test_partitions_are_kept_apart(table: StateTable) -> None:
    """What lies in another partition is another worker's, even if this one has seen it."""
    assert await recovered(table, record("a", 1, partition=2), record("b", 1, state="mine")) == {"b": "mine"}


@pytest.mark.parametrize("value", [b"{}", b"", zlib.compress(b"[]"), zlib.compress(b'{"table": "domains"}')])
async def test_damage_is_not_overlooked(table: StateTable, value: bytes) -> None:
    """What cannot be read raises, and a worker that hears of it ends."""
    with pytest.raises((zlib.error, KeyError, TypeError)):
        await table._recover(SimpleNamespace(key="a", value=value))


async def test_a_state_of_a_later_version_ends_the_worker(table: StateTable) -> None:
    """Half an understanding is worse than none: whoever rolls back too far is told."""
    with pytest.raises(StateTooNewError, match="format 2, this version knows 1"):
        await table._recover(record("a", 1, format=2))


async def test_a_state_without_a_format_is_of_the_first(table: StateTable) -> None:
    """States were written before they bore a number."""
    assert await recovered(table, record("a", 1, state="old")) == {"a": "old"}


async def test_a_state_that_does_not_fit_is_an_error_before_it_is_sent(
    table: StateTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka would refuse it later and less clearly."""
    monkeypatch.setattr(statetable, "STATE_BYTES_MAX", statetable.RECORD_OVERHEAD_BYTES + 10)
    with pytest.raises(StateTooLargeError, match="domains a: "):
        await table.put(0, "a", 1, {"state": "x" * 1000})
