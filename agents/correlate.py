"""Correlate: a Faust agent on undercurrent.signals that drives the pure core.

The laws of this stage:

1. A record is acknowledged only after everything it caused is in Kafka: first changes and decisions,
   then, at the next checkpoint, the state. So a crash may repeat outputs, whose ids are derived and
   which readers therefore drop, but it cannot lose one.
2. The state of a domain carries the offset of the last frame it has consumed; a frame at or below it
   has been seen and is skipped.
3. A checkpoint stores the domains that got a frame or said something since the one before. Time that
   passes without a word is not stored: the same signals and the same progress lead to it again.
4. The watermark of the partition is stored with the state, so that a restarted worker need not wait
   until everybody has reported.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from agents import log
from agents.deadletters import DeadLetters
from agents.outbox import Outbox, Outgoing
from agents.settings import Settings
from agents.statetable import StateTable
from agents.telemetry import Telemetry
from agents.topics import partition_of
from pipeline.core import Correlator, Output, Watermark
from schemas import Change, Frame, Progress, Rules, decode, encode

Acknowledge = Callable[[], Awaitable[object]]
"""Says that a record need not come again."""

PENDING_MAX = 50
"""Records that wait for a checkpoint, at most: a frame may be a megabyte."""


@dataclass(slots=True)
class Seat:
    """One domain's correlator and the offset of the last frame it has consumed."""

    correlator: Correlator
    offset: int = -1


@dataclass(slots=True)
class Partition:
    """Everything correlate knows about one partition of undercurrent.signals; pure."""

    rules: Rules
    watermark: Watermark = field(default_factory=Watermark)
    seats: dict[str, Seat] = field(default_factory=dict)
    second: int | None = None
    unstored: set[str] = field(default_factory=set)

    def restore(self, stored: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """Take over the stored states of all domains of the partition."""
        newest = -1
        for domain, body in stored:
            correlator = Correlator.restore(domain, self.rules, body["state"])
            self.seats[domain] = Seat(correlator, body["offset"])
            if body["offset"] > newest:
                newest = body["offset"]
                self.watermark = Watermark.restore(body["watermark"])

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
        """What to store of a domain."""
        seat = self.seats[domain]
        return {
            "offset": seat.offset,
            "watermark": self.watermark.snapshot(),
            "state": seat.correlator.snapshot(),
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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._end_of = end_of
        self._clock = clock
        self._pending: dict[int, list[Acknowledge]] = {}
        self._pending_since: dict[int, float] = {}
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
            if self._is_due(message.partition):
                await self._checkpoint(message.partition)

    async def checkpoint(self) -> None:
        """Store and acknowledge everything; before partitions go to others."""
        async with self._lock:
            for number in list(self._pending):
                await self._checkpoint(number)

    def _is_due(self, number: int) -> bool:
        if not self._partitions[number].unstored:
            return True
        waited_seconds = self._clock() - self._pending_since[number]
        full = len(self._pending[number]) >= PENDING_MAX
        return full or waited_seconds >= self._settings.correlate.checkpoint_seconds

    async def _checkpoint(self, number: int) -> None:
        partition = self._partitions[number]
        for domain in sorted(partition.unstored):
            state = partition.state(domain)
            await self._table.put(number, domain, state["offset"], state)
        partition.unstored.clear()
        for acknowledge in self._pending.pop(number, []):
            await acknowledge()

    def _open(self, message: Any) -> Partition:
        """Restore a partition from the table at its first record.

        Raises:
            StaleStateError: the state is about a topic that is no longer there.
        """
        partition = Partition(self._settings.rules)
        partition.restore(self._table.of_partition(message.partition))
        newest = max((seat.offset for seat in partition.seats.values()), default=-1)
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
        if isinstance(noun, Progress):
            said = partition.advance(noun)
        elif partition.seen(noun.domain, message.offset):
            self._telemetry.redelivered(message.topic)
            return
        else:
            said = {noun.domain: partition.receive(noun, message.offset)}
            self._telemetry.framed(noun)
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
