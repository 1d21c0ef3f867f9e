"""Tells undercurrent.sources who was last heard when, as correlate hears it; nothing waits for it.

It has a task of its own: a topic that cannot be written to, for want of a right or of a broker, leaves
the health of sources unknown and holds nothing else up.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator

from agents.outbox import Outbox, Outgoing
from agents.settings import Settings
from agents.telemetry import Telemetry
from pipeline.hearing import Hearing, Report
from schemas import Frame, Heard, Progress, encode

TURN_SECONDS = 1.0


class Listener:
    """The hearing of all partitions that correlate has."""

    def __init__(
        self,
        settings: Settings,
        outbox: Outbox,
        telemetry: Telemetry,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._topic = settings.topics.sources
        self._outbox = outbox
        self._telemetry = telemetry
        self._clock = clock
        self._partitions: dict[int, Hearing] = {}

    def hear(self, partition: int, noun: Frame | Progress, event_time: float | None) -> None:
        """Correlate has worked off a record, and event time in its partition is now this."""
        hearing = self._partitions.setdefault(partition, Hearing(partition))
        hearing.reach(event_time)
        if isinstance(noun, Frame):
            hearing.receive(noun)

    def forget(self) -> None:
        """The partitions go to others, who hear for themselves."""
        self._partitions.clear()

    async def run(self) -> None:
        """Tell what is due, for as long as the worker lives."""
        while True:
            await asyncio.sleep(TURN_SECONDS)
            await self._outbox.send(list(self.due()))

    def due(self) -> Iterator[Outgoing]:
        """The records to write now."""
        for partition, hearing in sorted(self._partitions.items()):
            reports = hearing.due(self._clock())
            self._telemetry.sources_heard(one for one in reports if isinstance(one, Heard))
            yield from self._outgoing(partition, reports)

    def _outgoing(self, partition: int, reports: Iterable[Report]) -> Iterator[Outgoing]:
        for one in reports:
            yield Outgoing(self._topic, encode(one), one.key.encode(), partition)
