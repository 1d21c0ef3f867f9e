"""State of an agent in a Faust table: one JSON object per key, in Kafka before the next step is taken.

A plain table with JSON keys and the memory store, at-least-once, and nothing else of Faust's tables:
no windows, no transactions, no isolated partitions. The partition of a write is named, never guessed
from the current event, and a write is awaited, so a failed one is an error and not a loss.
"""

from collections.abc import Iterator
from typing import Any

import faust
import orjson

from agents.topics import STATE_CONFIG


class StateTable:
    """Keys with a JSON object each. Every object carries the partition it belongs to as `partition`."""

    def __init__(self, app: faust.App, name: str, partitions: int) -> None:
        self._table = app.Table(
            name,
            key_type=str,
            value_type=bytes,  # we write the JSON ourselves: one encoding, and no string inside a string
            partitions=partitions,
            extra_topic_configs=STATE_CONFIG,
        )

    def of_partition(self, partition: int) -> Iterator[tuple[str, dict[str, Any]]]:
        """All keys of one partition, as recovered and as written since.

        The store may still hold keys of partitions this worker has lost; they are somebody else's.
        """
        for key, value in sorted(self._table.data.items()):
            body = orjson.loads(value)
            if body["partition"] == partition:
                yield key, body

    async def put(self, partition: int, key: str, body: dict[str, Any]) -> None:
        """Store `body`; returns when Kafka has it.

        Raises:
            KafkaError: Kafka did not take it.
        """
        value = orjson.dumps({"partition": partition, **body})
        await self._table.send_changelog(partition, key, value)
        self._table.data[key] = value

    async def drop(self, partition: int, key: str) -> None:
        """Forget a key; returns when Kafka has forgotten it as well."""
        await self._table.send_changelog(partition, key, None)
        self._table.data.pop(key, None)
