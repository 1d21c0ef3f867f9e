"""Notify: a Faust agent on undercurrent.changes that has people told, each change once.

Law 7, persist before speaking: the intent is in Kafka before a word is said, and what was said is in
Kafka before the change is acknowledged. A crash in between leaves the intent behind, and the speaker
looks up what became of the message before it sends anything again.

A storm: where more incidents want to be told than there is time for, changes are noted as owed and
acknowledged, so that reading never waits for people. What is owed is told worst first, behind one
message that says how many wait and which are the worst. Each incident then gets one root message with
its latest state and its steps in one reply: late, and nothing left out.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from agents.deadletters import DeadLetters
from agents.settings import Settings
from agents.statetable import StateTable
from agents.telemetry import Telemetry
from agents.tell.speaker import Speaker
from pipeline.render.words import catalogue
from pipeline.storm import Brief, Digest
from pipeline.telling import Memory, intend, tell
from schemas import Change, Decision, Feedback, FeedbackKind, IncidentState, decode
from schemas.outputs import REPLAY_HEADER

KEEP_SECONDS = 7 * 86_400.0
"""What was said of a resolved incident is remembered for so much event time."""

OWED_SECONDS = 10.0
"""How often what is still owed is tried again."""

DIGEST_EACH = 10
"""In a storm the digest is brought up to date after so many incidents told."""

STORM = "storm-"
"""A digest stands in the table among the incidents, under this and the incident it began with."""

Entry = dict[str, Any]
"""One incident: `memory` of the speaker, and of its last change `offset`, `at`, `state`, `cause`, `brief`."""


@dataclass(slots=True)
class Storm:
    """The storm this worker is in. `told`: incidents told since it began. `number`: of the last
    digest. `announced`: `told` as it stood then."""

    partition: int
    key: str
    memory: Memory | None = None
    number: int = 0
    told: int = 0
    announced: int = -DIGEST_EACH

    @property
    def is_told(self) -> bool:
        """Whether there is, or may be, a digest already."""
        return self.memory is not None


Suppressed = Callable[[Feedback], Awaitable[Sequence[Decision] | None]]
"""What was suppressed of the incident that a press is about; None if it cannot be read now."""


@dataclass(slots=True)
class _Turn:
    """The lock of one incident, and how many hold it or wait for it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class Notify:
    """The plumbing between changes, the memory of what was said, and a speaker."""

    def __init__(
        self,
        settings: Settings,
        table: StateTable,
        dead_letters: DeadLetters,
        speaker: Speaker,
        telemetry: Telemetry,
        assigned: Callable[[], Iterable[int]],
        suppressed: Suppressed,
        behind: Callable[[], int] = lambda: 0,
        now: Callable[[], float] = time.time,  # noqa: TID251  how old what we say is, for people who read it
    ) -> None:
        self._suppressed = suppressed
        self._assigned = assigned
        self._now = now
        self._behind = behind  # how many changes wait to be read
        self._settings = settings
        self._table = table
        self._dead_letters = dead_letters
        self._speaker = speaker
        self._telemetry = telemetry
        self._partitions: dict[int, dict[str, Entry]] = {}
        self._event_times: dict[int, float] = {}
        self._owed: set[tuple[int, str]] = set()  # incidents of which something is left to tell
        self._turns: dict[str, _Turn] = {}
        self._storm: Storm | None = None
        self._at_once = settings.slack.incidents_at_once

    def forget(self) -> None:
        """Drop everything in memory: after a rebalance the table knows better."""
        self._partitions.clear()
        self._event_times.clear()
        self._owed.clear()
        self._storm = None

    def event_times(self) -> dict[int, float]:
        """Event time of the last change that was worked off, by partition."""
        return dict(self._event_times)

    def open(self, partition: int) -> dict[str, Entry]:
        """The incidents of one partition, from the table the first time."""
        if partition not in self._partitions:
            self._partitions[partition] = {}
            for incident, entry in self._table.of_partition(partition):
                self._know(partition, incident, entry)
            self._count()
        return self._partitions[partition]

    async def handle(self, event: Any, acknowledge: Callable[[], Awaitable[object]]) -> None:
        """Work off one record of undercurrent.changes; returns when it has been told and noted."""
        message = event.message
        if REPLAY_HEADER in dict(message.headers or ()):
            await acknowledge()  # the past, in a shadow topic that somebody took for the live one
            return
        try:
            change = decode(Change, event.value or b"")
        except ValueError as error:
            await self._dead_letters.refuse(message, event.value or b"", error)
        else:
            async with self._turn(change.incident.id):
                await self._tell(message.partition, message.offset, change)
            self._event_times[message.partition] = change.at
        await acknowledge()

    async def hear(self, event: Any, acknowledge: Callable[[], Awaitable[object]]) -> None:
        """Work off one record of undercurrent.feedback: a person pressed a button somewhere."""
        message = event.message
        try:
            feedback = decode(Feedback, event.value or b"")
        except ValueError as error:
            await self._dead_letters.refuse(message, event.value or b"", error)
        else:
            asked = feedback.kind is FeedbackKind.ASKED_SUPPRESSED
            decisions = await self._suppressed(feedback) if asked else None
            async with self._turn(feedback.incident):
                await self._show(message.partition, feedback, decisions)
        await acknowledge()

    async def _show(self, partition: int, feedback: Feedback, decisions: Sequence[Decision] | None) -> None:
        entry = self.open(partition).get(feedback.incident)
        if entry is None:
            self._telemetry.heard("button", "unknown_incident")
            return
        memory = self._speaker.hear(feedback, entry["memory"], decisions)
        if memory != entry["memory"]:
            await self._put(partition, feedback.incident, {**entry, "memory": memory})
            if self._storm is None:
                await self._pay(partition, feedback.incident)

    async def _tell(self, partition: int, offset: int, change: Change) -> None:
        incident = change.incident.id
        known = self.open(partition).get(incident)
        memory = known["memory"] if known else None
        acts, _ = tell(memory, change)
        if not acts:
            self._telemetry.redelivered(self._settings.topics.changes)
            return
        change = self._dated(change)
        if self._must_wait():
            await self._note(partition, offset, change, self._speaker.keep(change, memory))
            self._storm = self._storm or Storm(partition, f"{STORM}{incident}")
        else:
            await self._note(partition, offset, change, intend(memory, change))
            await self._note(partition, offset, change, await self._speaker.say(change, memory))
        if self._storm is None:
            await self._forget_old(partition, change.at)
            self._count()

    def _dated(self, change: Change) -> Change:
        """The change, with a word on its age where people might else take the past for the present."""
        age_seconds = self._now() - change.at
        if not 0 < self._settings.behind_seconds <= age_seconds:
            return change
        age = catalogue("en").duration(age_seconds)
        late = f"told {age} after it happened, because Undercurrent is behind"
        return change.model_copy(update={"reason": f"{change.reason}; {late}"})

    def _must_wait(self) -> bool:
        """Whether so much is to be told that this has to take its turn among the others."""
        return len(self._owed) >= self._at_once or self._behind() > self._at_once

    @asynccontextmanager
    async def _turn(self, incident: str) -> AsyncIterator[None]:
        """A change of an incident and the repetition of what it owes take turns."""
        turn = self._turns.setdefault(incident, _Turn())
        turn.users += 1  # who waits counts as well: a lock just released looks free to others
        try:
            async with turn.lock:
                yield
        finally:
            turn.users -= 1
            if not turn.users:
                self._turns.pop(incident, None)

    async def _note(self, partition: int, offset: int, change: Change, memory: Memory) -> None:
        incident = change.incident
        entry = {
            "memory": memory,
            "offset": offset,
            "at": change.at,
            "state": incident.state.value,
            "cause": str(incident.cause),
            "brief": Brief.of(change).stored(),
        }
        await self._put(partition, incident.id, entry)

    async def _put(self, partition: int, incident: str, entry: Entry) -> None:
        await self._table.put(partition, incident, entry["offset"], entry)
        if partition in self._partitions:  # else a rebalance came meanwhile
            self._know(partition, incident, entry)

    def _know(self, partition: int, incident: str, entry: Entry) -> None:
        self._partitions[partition][incident] = entry
        if not incident.startswith(STORM) and self._speaker.owes(entry["memory"]):
            self._owed.add((partition, incident))
        else:
            self._owed.discard((partition, incident))

    async def pay(self) -> None:
        """Try again what could not be told, by this worker or one before; call it every `OWED_SECONDS`.

        The worst comes first, and returns when all is told or nobody can be reached.
        """
        for partition in self._assigned():
            self.open(partition)
        await self._remind()
        self._resume_storm()
        if self._storm is not None and not self._storm.is_told and len(self._owed) <= self._at_once:
            self._storm = None  # a handful that had to wait: each message comes as soon as a digest would
        tried: set[str] = set()
        while (worst := self._worst(tried)) is not None:
            if self._storm is not None and self._storm.told >= self._storm.announced + DIGEST_EACH:
                await self._announce(self._storm)
            partition, incident = worst
            tried.add(incident)
            async with self._turn(incident):
                paid = await self._pay(partition, incident)
            if self._storm is not None and paid:
                self._storm.told += 1
        if self._storm is not None and not self._owed:
            await self._announce(self._storm)
            self._storm = None
        self._count()

    async def _remind(self) -> None:
        """Let the speaker say what is due only because time has passed."""
        for partition, entries in list(self._partitions.items()):
            for incident, entry in list(entries.items()):
                if entry["state"] == IncidentState.RESOLVED.value or incident.startswith(STORM):
                    continue
                async with self._turn(incident):
                    memory = self._speaker.remind(entry["memory"])
                    if memory != entry["memory"] and entries.get(incident) is entry:
                        await self._put(partition, incident, {**entry, "memory": memory})

    def _worst(self, but: set[str]) -> tuple[int, str] | None:
        """Partition and id of the incident to tell next."""
        left = [one for one in self._owed if one[1] not in but]
        return min(left, key=lambda one: self._brief(*one).rank, default=None)

    def _brief(self, partition: int, incident: str) -> Brief:
        """What is known of an incident that waits; little of one that was noted before there were briefs."""
        entry = self._partitions[partition][incident]
        known = entry.get("brief")
        if known is not None:
            return Brief(**known)
        return Brief(incident, "", entry["cause"], entry["state"], 0, 0, entry["at"])

    async def _pay(self, partition: int, incident: str) -> bool:
        """Tell what is owed of one incident; returns whether that is now all told."""
        entries = self._partitions.get(partition, {})
        entry = entries.get(incident)
        if entry is None:
            return False
        paid = {**entry, "memory": await self._speaker.flush(entry["memory"])}
        # The partition may have gone to another worker meanwhile: its memory is no longer ours to write.
        if paid != entry and self._partitions.get(partition) is entries:
            await self._put(partition, incident, paid)
        return not self._speaker.owes(paid["memory"])

    async def _announce(self, storm: Storm) -> None:
        """Bring the storm's one message up to date, once more at its end."""
        entries = self._partitions.get(storm.partition)
        if entries is None:
            return
        waiting = [self._brief(*one) for one in self._owed]
        digest = Digest.of(storm.key, storm.number + 1, waiting, storm.told)
        body = {"offset": 0, "at": 0.0, "state": IncidentState.RESOLVED.value, "cause": ""}
        if storm.memory is None:  # from here on a crash leaves behind that something was being said
            storm.memory = {"incident": storm.key}
            await self._put(storm.partition, storm.key, body | {"memory": storm.memory, "told": storm.told})
        storm.memory = await self._speaker.announce(digest, storm.memory)
        storm.number, storm.announced = digest.number, storm.told
        if self._partitions.get(storm.partition) is not entries:
            return
        if waiting or self._speaker.owes(storm.memory):
            await self._put(storm.partition, storm.key, body | {"memory": storm.memory, "told": storm.told})
        else:
            await self._table.drop(storm.partition, storm.key)
            entries.pop(storm.key, None)

    def _resume_storm(self) -> None:
        """Go on with the storm of a worker before this one."""
        for partition, entries in self._partitions.items():
            for key, entry in entries.items():
                if self._storm is None and key.startswith(STORM):
                    self._storm = Storm(partition, key, entry["memory"], told=entry["told"])

    async def _forget_old(self, partition: int, now: float) -> None:
        entries = self._partitions.get(partition, {})
        for incident, entry in list(entries.items()):
            done = entry["state"] == IncidentState.RESOLVED.value and (partition, incident) not in self._owed
            if done and now - entry["at"] > KEEP_SECONDS and not incident.startswith(STORM):
                await self._table.drop(partition, incident)
                del entries[incident]

    def _count(self) -> None:
        entries = [
            entry
            for known in self._partitions.values()
            for incident, entry in known.items()
            if not incident.startswith(STORM)
        ]
        unresolved = [one["cause"] for one in entries if one["state"] != IncidentState.RESOLVED.value]
        self._telemetry.incidents(Counter(unresolved), len(self._owed))
