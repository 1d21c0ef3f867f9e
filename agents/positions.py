"""How far intake has come in its raw partitions, kept by Kafka: the offset, and the event time there.

Event time travels with the position, as the note of a commit, so that the next reader of a partition
that has fallen silent knows what time it is there. So does the reader's term (agents/fence.py).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import CommitFailedError, IllegalStateError

from agents import log
from agents.connection import aiokafka_options
from agents.settings import Settings
from agents.sources import Note, Place

STEP_SECONDS = 10.0
"""Event time that passes over a silent partition is committed in steps of this."""


@dataclass(frozen=True, slots=True)
class Reached:
    """`offset`: the next one to read after a restart. `time`: event time reached, None if unknown.

    `declared`: a shipper declares the partition's progress, so whoever reads on waits for it as well.
    """

    offset: int
    time: float | None
    declared: bool = False


class Positions:
    """The committed positions of one intake."""

    def __init__(self, settings: Settings, consumer: Any, group: str) -> None:
        self._settings = settings
        self._consumer = consumer
        self._group = group
        self._journal = log.get("intake")
        self._committed: dict[Place, Reached] = {}
        self._term = 0

    def forget(self) -> None:
        """Others have the partitions now."""
        self._committed = {}

    async def claim(self, remembered: Mapping[Place, Note], term: int) -> bool:
        """Say, where the partitions were left, that they are read in `term` from now on.

        Returns whether Kafka has taken that: if not, they are somebody else's. Raises as `commit`.
        """
        self._term = term
        return await self.commit(
            {
                place: Reached(
                    await self._consumer.position(TopicPartition(*place)), note.time, note.declared
                )
                for place, note in remembered.items()
            }
        )

    async def commit(self, reached: Mapping[Place, Reached]) -> bool:
        """Commit what is new in `reached`; returns False when the partitions are not ours any more.

        Raises:
            KafkaError: Kafka did not take it; nothing is lost, the records would be read again.
        """
        new = {place: one for place, one in reached.items() if self._is_new(place, one)}
        if not new:
            return True
        offsets = {
            TopicPartition(*place): (
                one.offset,
                orjson.dumps({"time": one.time, "term": self._term, "declared": one.declared}).decode(),
            )
            for place, one in new.items()
        }
        try:
            await self._consumer.commit(offsets)
            self._committed |= new
        except (CommitFailedError, IllegalStateError) as error:
            # The group has moved on without this worker: others read these records again.
            self._journal.warning("commit_refused", error=repr(error))
            return False
        return True

    async def remembered(self, partitions: Iterable[TopicPartition]) -> dict[Place, Note]:
        """What the last readers of these partitions left behind."""
        found = {(one.topic, one.partition): Note() for one in partitions}
        if not found:
            return found
        admin = AIOKafkaAdminClient(**aiokafka_options(self._settings))
        try:
            await admin.start()
            notes = await admin.list_consumer_group_offsets(self._group, partitions=list(partitions))
        finally:
            await admin.close()
        for partition, committed in notes.items():
            if committed.offset >= 0 and committed.metadata:
                body = orjson.loads(committed.metadata)
                note = Note(body["time"], body.get("term", 0), body.get("declared", False))
                found[partition.topic, partition.partition] = note
        return found

    def _is_new(self, place: Place, reached: Reached) -> bool:
        before = self._committed.get(place)
        if before is None or (before.offset, before.declared) != (reached.offset, reached.declared):
            return True
        if reached.time is None:
            return False
        return before.time is None or reached.time - before.time >= STEP_SECONDS
