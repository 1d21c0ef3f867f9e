"""How far each raw partition of this worker has been read, in event time. No clock of its own.

A source *holds* event time back while it has lag left, or while its shipper declares its progress
with markers. When every source of the worker is caught up and silent, their times move on at the
speed of the wall clock: that is the tick (law 2), and it reaches the core as data like any other.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agents.settings import Intake
from schemas import SourceProgress

Place = tuple[str, int]
"""A raw topic and a partition of it."""


@dataclass(frozen=True, slots=True)
class Note:
    """What the last reader of a partition left behind.

    `time`: event time, None if unknown. `term`: 0 where nobody says. `declared`: a shipper declared progress.
    """

    time: float | None = None
    term: int = 0
    declared: bool = False


@dataclass(slots=True)
class Source:
    """One raw partition.

    `high`: highest event time read. `moved_at`: clock when it last rose. `declared`: its shipper
    writes markers. `position`: next offset to read. `end`: first free offset, None until Kafka said.
    """

    high: float | None
    moved_at: float
    declared: bool = False
    position: int | None = None
    end: int | None = None

    @property
    def lag(self) -> int | None:
        """Records left to read, None while unknown."""
        if self.position is None or self.end is None:
            return None
        return max(0, self.end - self.position)


class Sources:
    """All raw partitions of one worker. Every `now` is seconds of one monotonic clock."""

    def __init__(self, settings: Intake, now: float) -> None:
        self._settings = settings
        self._sources: dict[Place, Source] = {}
        self._last_record_at = now

    def assign(self, remembered: Mapping[Place, Note], now: float) -> None:
        """Start anew with these partitions, each where its last reader left it."""
        self._sources = {place: Source(note.time, now, note.declared) for place, note in remembered.items()}
        self._last_record_at = now

    def places(self) -> Iterable[Place]:
        """The partitions of this worker."""
        return self._sources.keys()

    def lag(self, place: Place) -> int | None:
        """Records left to read, None while unknown."""
        return self._sources[place].lag

    def position(self, place: Place) -> int | None:
        """Next offset to read, None while unknown."""
        return self._sources[place].position

    def high(self, place: Place) -> float | None:
        """Highest event time read, None while there is none."""
        return self._sources[place].high

    def records_came(self, now: float) -> None:
        """Something was read: silence begins anew."""
        self._last_record_at = now

    def read(self, place: Place, high: float | None, declared: bool, now: float) -> None:
        """Take over how far the intake has read a partition."""
        source = self._sources[place]
        source.declared |= declared  # a new reader has seen no marker yet; its predecessor had
        if high is not None and (source.high is None or high > source.high):
            source.high, source.moved_at = high, now

    def moved(self, place: Place, position: int, end: int | None) -> None:
        """Take over where the consumer stands in a partition."""
        source = self._sources[place]
        source.position = position
        source.end = end if end is not None else source.end

    def caught_up(self) -> bool:
        """Whether nothing is left to read anywhere."""
        return all(source.lag == 0 for source in self._sources.values())

    def report(self, now: float) -> tuple[SourceProgress, ...]:
        """What to say in `Progress`. A partition whose end is unknown is not spoken of yet."""
        silent_seconds = now - self._last_record_at
        ticks = silent_seconds > self._settings.idle_seconds and self.caught_up()
        passed = math.floor(silent_seconds) if ticks else 0
        reports = []
        for (topic, partition), source in sorted(self._sources.items()):
            if source.lag is None:
                continue
            holds = self._holds(source, now)
            # Who declares progress says itself how time passes.
            time = source.high if source.high is None or holds else source.high + passed
            reports.append(SourceProgress(source=f"{topic}/{partition}", time=time, holds=holds))
        return tuple(reports)

    def leave(self, now: float) -> tuple[SourceProgress, ...]:
        """The last report before others take over: until they speak, event time waits for each partition.

        Else it would go on without what comes there meanwhile, and that would be late.
        """
        return tuple(one.model_copy(update={"holds": True}) for one in self.report(now))

    def too_far_ahead(self) -> set[Place]:
        """Partitions that must wait for the slowest one with lag, so that correlate need not keep
        what they would pour in meanwhile."""
        lagging = [one.high for one in self._sources.values() if one.lag and one.high is not None]
        if not lagging:
            return set()
        limit = min(lagging) + self._settings.alignment_seconds
        return {place for place, one in self._sources.items() if one.high is not None and one.high > limit}

    def declares(self, place: Place, now: float) -> bool:
        """Whether a shipper declares the progress of a partition, and has not long fallen silent."""
        return self._declares(self._sources[place], now)

    def _declares(self, source: Source, now: float) -> bool:
        return source.declared and now - source.moved_at <= self._settings.declared_seconds

    def _holds(self, source: Source, now: float) -> bool:
        return self._declares(source, now) or source.lag != 0
