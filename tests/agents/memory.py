"""What stands behind an agent, in memory: its topics, its table, and the events it is handed."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import orjson

from agents.correlate import Correlate
from agents.notify import Notify
from agents.outbox import Outgoing


@dataclass
class Kafka:
    """What an agent has written, in order, and its table. `fail_at`: the number of the write that fails."""

    log: list[str] = field(default_factory=list)
    outputs: list[Outgoing] = field(default_factory=list)
    states: dict[str, bytes] = field(default_factory=dict)
    fail_at: int | None = None

    def write(self, what: str) -> None:
        """Note a write, or fail as a crash would."""
        if self.fail_at is not None and len(self.log) >= self.fail_at:
            raise ConnectionError("the machine is gone")
        self.log.append(what)

    async def send(self, records: Iterable[Outgoing]) -> None:
        """Stand in for the outbox."""
        for record in records:
            self.write(record.topic)
            self.outputs.append(record)

    async def put(self, partition: int, key: str, version: int, body: dict[str, Any]) -> None:
        """Stand in for the state table."""
        self.write("state")
        self.states[key] = orjson.dumps({"partition": partition, "version": version} | body)

    async def drop(self, partition: int, key: str) -> None:
        """Stand in for the state table."""
        self.write("state")
        del self.states[key]

    def of_partition(self, partition: int) -> Iterable[tuple[str, dict[str, Any]]]:
        """Stand in for the state table after recovery."""
        stored = [(key, orjson.loads(value)) for key, value in sorted(self.states.items())]
        return [(key, body) for key, body in stored if body["partition"] == partition]


def event(
    value: bytes | None,
    key: bytes | None,
    offset: int,
    partition: int,
    headers: tuple[tuple[str, bytes], ...] = (),
) -> Any:
    """A record as Faust hands it to an agent."""
    message = SimpleNamespace(
        topic="undercurrent.signals",
        partition=partition,
        offset=offset,
        key=key,
        tp=("signals", partition),
        headers=headers,
    )
    return SimpleNamespace(message=message, value=value)


async def hand(
    agent: Correlate | Notify, record: Any, door: Callable[..., Awaitable[None]] | None = None
) -> bool:
    """Hand one record to the agent, by its `handle` or another door; says whether it was acknowledged."""
    acknowledged = []

    async def acknowledge() -> None:
        acknowledged.append(record)

    await (door or agent.handle)(record, acknowledge)
    return bool(acknowledged)
