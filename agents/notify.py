"""Notify: a Faust agent on undercurrent.changes that has people told, each change once.

Law 7, persist before speaking: the intent is in Kafka before a word is said, and what was said is in
Kafka before the change is acknowledged. A crash in between leaves the intent behind, and the speaker
looks up what became of the message before it sends anything again.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from agents.deadletters import DeadLetters
from agents.settings import Settings
from agents.speaker import Speaker
from agents.statetable import StateTable
from agents.telemetry import Telemetry
from pipeline.telling import Memory, intend, tell
from schemas import Change, IncidentState, decode

KEEP_SECONDS = 7 * 86_400.0
"""What was said of a resolved incident is remembered for so much event time."""

OWED_SECONDS = 10.0
"""How often what is still owed is tried again."""

Entry = dict[str, Any]
"""One incident: `memory` of the speaker, and of its last change `offset`, `at`, `state` and `cause`."""


class Notify:
    """The plumbing between changes, the memory of what was said, and a speaker."""

    def __init__(
        self,
        settings: Settings,
        table: StateTable,
        dead_letters: DeadLetters,
        speaker: Speaker,
        telemetry: Telemetry,
    ) -> None:
        self._settings = settings
        self._table = table
        self._dead_letters = dead_letters
        self._speaker = speaker
        self._telemetry = telemetry
        self._partitions: dict[int, dict[str, Entry]] = {}
        self._lock = asyncio.Lock()  # a change and the repetition of what is owed take turns

    def forget(self) -> None:
        """Drop everything in memory: after a rebalance the table knows better."""
        self._partitions.clear()

    def open(self, partition: int) -> dict[str, Entry]:
        """The incidents of one partition, from the table the first time."""
        if partition not in self._partitions:
            self._partitions[partition] = dict(self._table.of_partition(partition))
            self._count()
        return self._partitions[partition]

    async def handle(self, event: Any, acknowledge: Callable[[], Awaitable[object]]) -> None:
        """Work off one record of undercurrent.changes; returns when it has been told and noted."""
        message = event.message
        try:
            change = decode(Change, event.value or b"")
        except ValueError as error:
            await self._dead_letters.refuse(message, event.value or b"", error)
        else:
            async with self._lock:
                await self._tell(message.partition, message.offset, change)
        await acknowledge()

    async def _tell(self, partition: int, offset: int, change: Change) -> None:
        incident = change.incident.id
        known = self.open(partition).get(incident)
        memory = known["memory"] if known else None
        acts, _ = tell(memory, change)
        if not acts:
            self._telemetry.redelivered(self._settings.topics.changes)
            return
        await self._note(partition, offset, change, intend(memory, change))
        after = await self._speaker.say(change, memory)
        await self._note(partition, offset, change, after)
        await self._forget_old(partition, change.at)
        self._count()

    async def _note(self, partition: int, offset: int, change: Change, memory: Memory) -> None:
        incident = change.incident
        entry = {
            "memory": memory,
            "offset": offset,
            "at": change.at,
            "state": incident.state.value,
            "cause": str(incident.cause),
        }
        await self._put(partition, incident.id, entry)

    async def _put(self, partition: int, incident: str, entry: Entry) -> None:
        await self._table.put(partition, incident, entry["offset"], entry)
        if partition in self._partitions:  # else a rebalance came meanwhile
            self._partitions[partition][incident] = entry

    async def pay(self) -> None:
        """Try again what could not be told; call it every `OWED_SECONDS`."""
        async with self._lock:
            for partition, entries in list(self._partitions.items()):
                for incident, entry in list(entries.items()):
                    if self._speaker.owes(entry["memory"]):
                        await self._pay(partition, incident, entry)
            self._count()

    async def _pay(self, partition: int, incident: str, entry: Entry) -> None:
        paid = {**entry, "memory": await self._speaker.flush(entry["memory"])}
        # The partition may have gone to another worker meanwhile: its memory is no longer ours to write.
        if paid != entry and partition in self._partitions:
            await self._put(partition, incident, paid)

    async def _forget_old(self, partition: int, now: float) -> None:
        entries = self._partitions.get(partition, {})
        for incident, entry in list(entries.items()):
            done = entry["state"] == IncidentState.RESOLVED.value and not self._speaker.owes(entry["memory"])
            if done and now - entry["at"] > KEEP_SECONDS:
                await self._table.drop(partition, incident)
                del entries[incident]

    def _count(self) -> None:
        entries = [entry for known in self._partitions.values() for entry in known.values()]
        unresolved = [one["cause"] for one in entries if one["state"] != IncidentState.RESOLVED.value]
        owed = sum(self._speaker.owes(one["memory"]) for one in entries)
        self._telemetry.incidents(Counter(unresolved), owed)
