"""Correlate: a Faust agent on undercurrent.signals that drives the pure core.

The laws of this stage:

1. A record is acknowledged only after everything it caused is in Kafka: first changes and decisions,
   then, at the next checkpoint, the state. So a crash may repeat outputs, whose ids are derived and
   which readers therefore drop, but it cannot lose one.
2. The state of a domain carries the offset of the last frame it has consumed; a frame at or below it
   has been seen and is skipped.
3. A checkpoint stores the domains that got a frame or said something since the one before. One that
   said nothing while time passed is not stored: the partition's time leads it there again.
4. What is known of time and of readers belongs to the partition, domains or none. It is stored with the
   offset it stands at, after the domains: so a restarted worker passes over what comes again up to
   there, and works off the rest at the time it first came.
5. What an intake writes after others have taken over its partitions is a repetition and is skipped
   (agents/fence.py).
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from agents import log
from agents.deadletters import DeadLetters
from agents.fence import Fence, Reader
from agents.outbox import Outbox, Outgoing
from agents.settings import Settings
from agents.statetable import StateTable
from agents.telemetry import Telemetry
from agents.topics import partition_of
from pipeline.core import Correlator, Output, Watermark
from schemas import Change, Frame, Progress, Rules, decode, encode

Acknowledge = Callable[[], Awaitable[object]]
"""Says that a record need not come again."""

PARTITION_KEY = "\0partition-"
"""Before the number of a partition: the key of its own state, which no domain can have."""

PENDING_BYTES_MAX = 32_000_000
"""Records that wait for a checkpoint, in bytes at most."""

CHECKPOINT_SHARE = 0.2
"""Of the time, at most, that checkpoints take. With a thousand domains in trouble each takes many seconds."""

CHECKPOINT_SECONDS_MAX = 60.0
"""Between two of them, at most, whatever they take."""


@dataclass(slots=True)
class Seat:
    """One domain's correlator and the offset of the last frame it has consumed."""

    correlator: Correlator
    offset: int = -1


@dataclass(slots=True)
class Partition:
    """Everything correlate knows about one partition of undercurrent.signals; pure.

    `position`: offset of the last record that watermark and fence know of. `moved`: it is not stored yet.
    """

    rules: Rules
    watermark: Watermark = field(default_factory=Watermark)
    fence: Fence = field(default_factory=Fence)
    seats: dict[str, Seat] = field(default_factory=dict)
    second: int | None = None
    unstored: set[str] = field(default_factory=set)
    position: int = -1
    moved: bool = False

    def restore(self, stored: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """Take over the stored states of the partition and of all its domains.

        Domains may be ahead of the partition, after a crash between their states and its own: they skip
        the frames that they know, and time that comes again moves nothing. A domain's copy of the
        watermark counts only where an older version has stored none for the partition.
        """
        newest = -1
        own: dict[str, Any] | None = None
        for key, body in stored:
            if key.startswith(PARTITION_KEY):
                own = body
                continue
            self.seats[key] = Seat(Correlator.restore(key, self.rules, body["state"]), body["offset"])
            if own is None:
                self.fence.learn(body.get("terms", {}))
                if body["offset"] > newest:
                    newest = body["offset"]
                    self.watermark = Watermark.restore(body["watermark"])
        if own is not None:
            self.position = own["offset"]
            self.watermark = Watermark.restore(own["watermark"])
            self.fence = Fence(dict(own["terms"]))

    def reach(self, offset: int) -> bool:
        """Go on to this record; False when what is stored knows of it already."""
        if offset <= self.position:
            return False
        self.position, self.moved = offset, True
        return True

    def seen(self, domain: str, offset: int) -> bool:
        """Whether this frame has been consumed before."""
        return domain in self.seats and offset <= self.seats[domain].offset

    def receive(self, frame: Frame, offset: int) -> list[Output]:
        """Hand a frame's signals to its domain, after the time that passed while it was left alone."""
        seat = self.seats.setdefault(frame.domain, Seat(Correlator(frame.domain, self.rules)))
        event_time = self.watermark.event_time()
        outputs = seat.correlator.advance(event_time) if event_time is not None else []
        outputs += [output for signal in frame.signals for output in seat.correlator.receive(signal)]
        seat.offset = offset
        self.unstored.add(frame.domain)
        return outputs

    def advance(self, progress: Progress) -> dict[str, list[Output]]:
        """Let time pass, for every domain that waits for it; returns what each of them says."""
        self.watermark.receive(progress)
        event_time = self.watermark.event_time()
        if event_time is None or int(event_time) == self.second:
            return {}
        self.second = int(event_time)
        said = {}
        for domain, seat in sorted(self.seats.items()):
            outputs = seat.correlator.advance(event_time) if seat.correlator.busy else []
            if outputs:
                said[domain] = outputs
        self.unstored |= said.keys()
        return said

    def state(self, domain: str) -> dict[str, Any]:
        """What to store of a domain. Watermark and terms are for older versions, which look for them here."""
        seat = self.seats[domain]
        return self._time_and_readers(seat.offset) | {"state": seat.correlator.snapshot()}

    def own_state(self) -> dict[str, Any]:
        """What to store of the partition itself; to an older version, a domain that stays silent."""
        return self._time_and_readers(self.position) | {"state": Correlator("", self.rules).snapshot()}

    def _time_and_readers(self, offset: int) -> dict[str, Any]:
        return {
            "offset": offset,
            "watermark": self.watermark.snapshot(),
            "terms": dict(sorted(self.fence.terms.items())),
        }


class StaleStateError(RuntimeError):
    """The stored state and the topic do not belong together."""


class Correlate:
    """The plumbing: records in, outputs and states out."""

    def __init__(
        self,
        settings: Settings,
        table: StateTable,
        outbox: Outbox,
        dead_letters: DeadLetters,
        telemetry: Telemetry,
        end_of: Callable[[Any], int | None],
        hear: Callable[[int, Frame | Progress, float | None], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._end_of = end_of
        self._hear = hear
        self._clock = clock
        self._pending: dict[int, list[Acknowledge]] = {}
        self._pending_since: dict[int, float] = {}
        self._pending_bytes: Counter[int] = Counter()
        self._took_seconds: dict[int, float] = {}  # the last checkpoint of each partition
        self._lock = asyncio.Lock()  # a record and a checkpoint before a rebalance take turns
        self._settings = settings
        self._dead_letters = dead_letters
        self._table = table
        self._outbox = outbox
        self._telemetry = telemetry
        self._journal = log.get("correlate")
        self._partitions: dict[int, Partition] = {}

    def forget(self) -> None:
        """Drop everything in memory: after a rebalance the table knows better."""
        self._partitions.clear()
        self._pending.clear()
        self._pending_bytes.clear()

    def event_times(self) -> dict[int, float]:
        """How far each partition is, in event time; none for one where that is not known yet."""
        times = {number: one.watermark.event_time() for number, one in self._partitions.items()}
        return {number: time for number, time in times.items() if time is not None}

    async def handle(self, event: Any, acknowledge: Acknowledge) -> None:
        """Work off one record of undercurrent.signals; returns when all it says is in Kafka."""
        async with self._lock:
            message = event.message
            partition = self._partitions.get(message.partition) or self._open(message)
            try:
                noun = self._read(message, event.value or b"")
            except ValueError as error:
                await self._dead_letters.refuse(message, event.value or b"", error)
            else:
                await self._work(partition, message, noun)
            if self._partitions.get(message.partition) is not partition:
                return  # a rebalance came meanwhile: not acknowledged, the record comes again
            self._telemetry.event_time(message.partition, partition.watermark.event_time())
            pending = self._pending.setdefault(message.partition, [])
            if not pending:
                self._pending_since[message.partition] = self._clock()
            pending.append(acknowledge)
            self._pending_bytes[message.partition] += len(event.value or b"")
            if self._is_due(message.partition):
                await self._checkpoint(message.partition)

    async def checkpoint(self) -> None:
        """Store and acknowledge everything; before partitions go to others."""
        async with self._lock:
            for number in list(self._pending):
                await self._checkpoint(number)

    def _is_due(self, number: int) -> bool:
        partition = self._partitions[number]
        if not partition.unstored and not partition.moved:
            return True
        waited_seconds = self._clock() - self._pending_since[number]
        wanted_seconds = self._settings.correlate.checkpoint_seconds
        due_seconds = max(wanted_seconds, self._took_seconds.get(number, 0.0) / CHECKPOINT_SHARE)
        full = self._pending_bytes[number] >= PENDING_BYTES_MAX
        return full or not wanted_seconds or waited_seconds >= min(due_seconds, CHECKPOINT_SECONDS_MAX)

    async def _checkpoint(self, number: int) -> None:
        partition, began = self._partitions[number], self._clock()
        for domain in sorted(partition.unstored):
            state = partition.state(domain)
            await self._table.put(number, domain, state["offset"], state)
            self._telemetry.let_go(partition.seats[domain].correlator.let_go())
        partition.unstored.clear()
        if partition.moved:  # last: up to there all domains are stored
            own = partition.own_state()
            await self._table.put(number, f"{PARTITION_KEY}{number}", own["offset"], own)
            partition.moved = False
        self._took_seconds[number] = self._clock() - began
        self._pending_bytes.pop(number, None)
        for acknowledge in self._pending.pop(number, []):
            await acknowledge()

    def _open(self, message: Any) -> Partition:
        """Restore a partition from the table at its first record.

        Raises:
            StaleStateError: the state is about a topic that is no longer there.
        """
        partition = Partition(self._settings.rules)
        partition.restore(self._table.of_partition(message.partition))
        newest = max([partition.position, *(seat.offset for seat in partition.seats.values())])
        end = self._end_of(message.tp)
        if end is not None and newest >= end:
            raise StaleStateError(
                f"state of {message.topic}/{message.partition} is at offset {newest}, which ends at {end}: "
                f"it was created anew. Delete the state topics of {self._settings.app_id}, or change app_id"
            )
        self._partitions[message.partition] = partition
        return partition

    def _read(self, message: Any, value: bytes) -> Frame | Progress:
        """Frames are keyed by domain, progress has no key. Raises ValueError for anything else."""
        if not message.key:
            return decode(Progress, value)
        frame = decode(Frame, value)
        home = partition_of(frame.domain, self._settings.topics.partitions)
        if home != message.partition:
            raise ValueError(
                f"domain {frame.domain} belongs to partition {home}: do all workers agree on it?"
            )
        return frame

    async def _work(self, partition: Partition, message: Any, noun: Frame | Progress) -> None:
        if not partition.reach(message.offset):
            self._telemetry.redelivered(message.topic)
            return
        if not partition.fence.admits(Reader.of(message.headers)):
            self._telemetry.superseded()
            return
        if isinstance(noun, Progress):
            said = partition.advance(noun)
        elif partition.seen(noun.domain, message.offset):
            self._telemetry.redelivered(message.topic)
            return
        else:
            said = {noun.domain: partition.receive(noun, message.offset)}
            self._telemetry.framed(noun)
        self._hear(message.partition, noun, partition.watermark.event_time())
        for domain, outputs in said.items():
            await self._say(message.partition, domain, outputs)

    async def _say(self, partition: int, domain: str, outputs: list[Output]) -> None:
        names = self._settings.topics
        await self._outbox.send(
            [
                Outgoing(
                    names.changes if isinstance(output, Change) else names.decisions,
                    encode(output),
                    domain.encode(),
                    partition,
                )
                for output in outputs
            ]
        )
        for output in outputs:
            self._telemetry.said(output)
            if isinstance(output, Change):
                incident = output.incident
                self._journal.info(
                    "change",
                    id=output.id,
                    kind=output.kind.value,
                    domain=domain,
                    cause=str(incident.cause),
                    state=incident.state.value,
                    event_time=output.at,
                )
