"""State of an agent in a Faust table: one JSON object per key, zlib-packed, in Kafka before the next step.

A plain table with JSON keys and the memory store, at-least-once, and nothing else of Faust's tables:
no windows, no transactions, no isolated partitions. Three things are not left to Faust:

- The partition of a write is named, never guessed from the current event, and a write is awaited, so
  that a failed one is an error and not a loss.
- A stored object carries a version (the offset its owner has consumed), and on recovery the highest
  version of a key wins, not the last one written: a worker that was frozen, lost its partitions and
  woke up in the middle of a record may still write what it meant to, after its successor.
- It carries the name of its table as well: after a rebalance Faust may apply a record that was still
  under way to whichever table came before it.

And it carries the number of its format. While workers are replaced one by one, both versions read what
the other has written: a new optional key needs no new number, its absence must mean what it meant before.
A change that an older version would misread raises `FORMAT`, and older workers then end instead of
going on with half an understanding; reading format n - 1 stays possible for one version.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import faust
import orjson

from agents.connection import STATE_BYTES_MAX
from agents.topics import STATE_CONFIG

FORMAT = 1
"""Of the stored objects; those without a number are of format 1."""

RECORD_OVERHEAD_BYTES = 4096
"""Room for key, headers and the batch around a state."""


class StateTooNewError(RuntimeError):
    """A state was written by a version that this one cannot know."""


class StateTooLargeError(RuntimeError):
    """A state does not fit into one record: a bound of the core does not hold."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One key's newest object, still packed: most domains are quiet, and need no parsing."""

    partition: int
    version: int
    value: bytes


class StateTable:
    """Keys with a JSON object each."""

    def __init__(self, app: faust.App, name: str, partitions: int) -> None:
        self._name = name
        self._stored: dict[str, Stored] = {}
        self._table = app.Table(
            name,
            key_type=str,
            value_type=bytes,  # we write the JSON ourselves: one encoding, and no string inside a string
            partitions=partitions,
            extra_topic_configs=STATE_CONFIG,
            on_changelog_event=self._recover,
        )

    def of_partition(self, partition: int) -> Iterator[tuple[str, dict[str, Any]]]:
        """All keys of one partition with their objects, as recovered and as written since.

        Keys of partitions that this worker has lost may still be here; they are somebody else's.
        """
        for key, stored in sorted(self._stored.items()):
            if stored.partition == partition:
                yield key, _unpacked(stored.value)

    async def put(self, partition: int, key: str, version: int, body: dict[str, Any]) -> None:
        """Store `body`; returns when Kafka has it.

        Raises:
            KafkaError: Kafka did not take it.
            StateTooLargeError: it is more than Kafka has been told to take.
        """
        head = {"table": self._name, "partition": partition, "version": version, "format": FORMAT}
        value = _packed(head | body)
        if len(value) > STATE_BYTES_MAX - RECORD_OVERHEAD_BYTES:
            raise StateTooLargeError(f"{self._name} {key}: {len(value)} bytes, packed")
        await self._table.send_changelog(partition, key, value)
        self._stored[key] = Stored(partition, version, value)

    async def drop(self, partition: int, key: str) -> None:
        """Forget a key; returns when Kafka has forgotten it as well."""
        await self._table.send_changelog(partition, key, None)
        self._stored.pop(key, None)

    async def _recover(self, event: Any) -> None:
        """Take over one record of the changelog. What it raises, Faust logs, and the worker fails on."""
        if event.value is None:
            self._stored.pop(event.key, None)
            return
        head = _unpacked(event.value)
        known = self._stored.get(event.key)
        if head["table"] != self._name:
            return
        if head.get("format", FORMAT) > FORMAT:
            raise StateTooNewError(
                f"{self._name} {event.key} is of format {head['format']}, this version knows {FORMAT}: "
                "go on with the newer version, or delete the state topics"
            )
        if known is None or head["version"] >= known.version:
            self._stored[event.key] = Stored(head["partition"], head["version"], event.value)


def _packed(body: dict[str, Any]) -> bytes:
    """States are large and repeat themselves: the fastest level makes an eighth of them."""
    return zlib.compress(orjson.dumps(body), level=1)


def _unpacked(value: bytes) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(zlib.decompress(value))
    return body
