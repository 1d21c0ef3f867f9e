"""Replays raw records through the intake, the watermark and the core of the live worker.

There is no Kafka and no clock here: time is the arrival clock that the arrivals carry. The intake is
flushed whenever that clock passes a whole second, as the worker does once a second, and each flush
is followed by a `Progress`. The sources hold the watermark only if their shipper wrote markers: a
replay has no lag.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import orjson

from pipeline.core import Correlator, Output, Watermark
from pipeline.intake import Batch, Counts, Intake, IntakeConfig, RawRecord, Run, Source
from schemas import DeadLetter, Frame, Progress, Rules, SourceProgress

WORKER = "replay"
DUPLICATE_WITHIN_SECONDS = 5.0
CLOSING_STEP_SECONDS = 10

Sources = Mapping[tuple[str, int], Source]
"""(topic, partition) → how far it has been read."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A raw record and when it arrives, in unix seconds of the clock that event time runs on.

    The rest says where it comes from, for the perturbations below; the replay does not look at it.
    `group`: one of logs, dns, metrics, storage, registry, markers. `series`: what a reading is a
    sample of, "" for a log line. `unit`: records with the same number are pieces of one line, which
    leave their shipper together; it is negative for a copy.
    """

    at: float
    record: RawRecord
    group: str = ""
    series: str = ""
    unit: int | None = None


class Correlators:
    """The cores of all domains and their watermark, fed with what one or several intakes found.

    `counts`: what became of all records so far. `sources`, wherever it is asked for, is how far the
    intakes have read each raw partition that they have seen.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._watermark = Watermark()
        self._correlators: dict[str, Correlator] = {}
        self.counts = Counts()

    @property
    def event_time(self) -> float | None:
        """How far the sources are known to be read, in unix seconds of event time."""
        return self._watermark.event_time()

    def counted_in(self, domain: str, request: str) -> str | None:
        """Id of the incident of `domain` that counts this request now, if any."""
        correlator = self._correlators.get(domain)
        return None if correlator is None else correlator.counted_in(request)

    def restart(self) -> None:
        """Store every core and restore it, as a worker does that is killed and started again."""
        for domain, correlator in self._correlators.items():
            stored = orjson.loads(orjson.dumps(correlator.snapshot()))
            self._correlators[domain] = Correlator.restore(domain, self._rules, stored)

    def take(self, batch: Batch, sources: Sources, end: float | None = None) -> list[Output]:
        """Correlate what a flush found, and let time pass; `end` overrides how far has been read."""
        self.counts = _sum(self.counts, batch.counts)
        outputs: list[Output] = []
        for frame in batch.frames:
            correlator = self._correlator(frame.domain)
            for signal in frame.signals:
                outputs += correlator.receive(signal)
        self._watermark.receive(_progress(sources, end))
        event_time = self._watermark.event_time()
        if event_time is not None:
            for domain in sorted(self._correlators):
                outputs += self._correlators[domain].advance(event_time)
        return outputs

    def closing(self, sources: Sources) -> Iterator[list[Output]]:
        """Let so much time pass, a few seconds at a time, that everything open gets closed."""
        highs = [source.high for source in sources.values() if source.high is not None]
        if highs:
            end = closing_time(max(highs), self._rules)
            for time in (*range(math.ceil(max(highs)), end, CLOSING_STEP_SECONDS), end):
                yield self.take(Batch((), (), Counts()), sources, time)

    def _correlator(self, domain: str) -> Correlator:
        if domain not in self._correlators:
            self._correlators[domain] = Correlator(domain, self._rules)
        return self._correlators[domain]


def _progress(sources: Sources, end: float | None) -> Progress:
    """Report all sources seen so far; `end` overrides how far they have been read."""
    expected: dict[str, int] = {}
    for topic, partition in sources:
        expected[topic] = max(expected.get(topic, 0), partition + 1)
    reported = []
    for topic, count in sorted(expected.items()):
        for partition in range(count):
            source = sources.get((topic, partition))
            time = source.high if source is not None and end is None else end
            holds = source is not None and source.declared
            reported.append(SourceProgress(source=f"{topic}/{partition}", time=time, holds=holds))
    return Progress(worker=WORKER, expected=expected, sources=tuple(reported))


class Replayer:
    """Feeds arrivals to the pipeline, in order of arrival.

    `dead_letters` (what could not be read so far) can be looked at. `hear` is handed each frame.
    """

    def __init__(
        self, config: IntakeConfig, rules: Rules, hear: Callable[[Frame], None] = lambda _: None
    ) -> None:
        self._intake = Intake(config)
        self._hear = hear
        self._correlators = Correlators(rules)
        self._second: int | None = None
        self.dead_letters: list[DeadLetter] = []

    @property
    def counts(self) -> Counts:
        """What became of all records so far."""
        return self._correlators.counts

    @property
    def event_time(self) -> float | None:
        """How far the sources are known to be read, in unix seconds of event time."""
        return self._correlators.event_time

    def counted_in(self, domain: str, request: str) -> str | None:
        """Id of the incident of `domain` that counts this request now, if any."""
        return self._correlators.counted_in(domain, request)

    def receive(self, arrival: Arrival) -> list[Output]:
        """Take one record in; returns what the seconds that ended before it have brought to light."""
        outputs = self._pass(math.floor(arrival.at))
        self._intake.receive(arrival.record)
        return outputs

    def receive_run(self, second: int, run: Run) -> list[Output]:
        """The same for a run that arrives within one second of the arrival clock."""
        outputs = self._pass(second)
        self._intake.receive_run(run)
        return outputs

    def _pass(self, second: int) -> list[Output]:
        outputs = self.flush() if self._second is not None and second > self._second else []
        self._second = second
        return outputs

    def flush(self) -> list[Output]:
        """Hand what the intake has gathered to the core, and let time pass there."""
        return self._correlate(self._intake.flush(), None)

    def tick(self, event_time: float) -> list[Output]:
        """Hand over what the intake has gathered: every source is known to be read up to `event_time`."""
        return self._correlate(self._intake.flush(), event_time)

    def restart(self) -> None:
        """Store every core and restore it, as a worker does that is killed and started again."""
        self._correlators.restart()

    def finish(self) -> list[Output]:
        """End the replay as the last marker of a shipper does: everything that is open gets closed."""
        return [output for outputs in self.closing() for output in outputs]

    def closing(self) -> Iterator[list[Output]]:
        """The same, a few seconds of event time at a time."""
        yield self._correlate(self._intake.flush(release_heads=True), None)
        yield from self._correlators.closing(self._intake.sources())

    def _correlate(self, batch: Batch, end: float | None) -> list[Output]:
        self.dead_letters += batch.dead_letters
        for frame in batch.frames:
            self._hear(frame)
        return self._correlators.take(batch, self._intake.sources(), end)


def replay(arrivals: Iterable[Arrival], config: IntakeConfig, rules: Rules) -> Iterator[Output]:
    """Yield every change and decision that `arrivals`, in order of arrival, give rise to."""
    replayer = Replayer(config, rules)
    for arrival in arrivals:
        yield from replayer.receive(arrival)
    yield from replayer.finish()


def _sum(left: Counts, right: Counts) -> Counts:
    """Add up the counts of two flushes; what is held is no sum, the later one knows it."""

    def merged(name: str) -> dict[str, int]:
        return dict(Counter(getattr(left, name)) + Counter(getattr(right, name)))

    return Counts(
        received=left.received + right.received,
        records=merged("records"),
        dropped=merged("dropped"),
        dead_letters=merged("dead_letters"),
        markers=left.markers + right.markers,
        held=right.held,
        symptoms=merged("symptoms"),
        samples=merged("samples"),
        partial=left.partial + right.partial,
        rejoined=left.rejoined + right.rejoined,
    )


def closing_time(last: float, rules: Rules) -> int:
    """Return the whole second of event time by which nothing of what was seen up to `last` can still be open.

    The longest way: a symptom is held, the incident it joins waits for its verdict, stays quiet until
    it is resolved, and leaves the history.
    """
    waits_seconds = (
        rules.lateness_seconds,
        rules.hold_seconds_max,
        rules.evidence_grace_seconds,
        rules.burst.window_seconds,
        rules.lifecycle.recovering_after_seconds,
        rules.lifecycle.resolved_after_seconds,
        rules.retention_seconds,
    )
    return math.ceil(last + sum(waits_seconds))


# --- Perturbations: what can happen to records on their way. `draw` gives numbers in [0, 1). ---


def only(arrivals: Iterable[Arrival], groups: Iterable[str]) -> list[Arrival]:
    """Keep the records of these groups."""
    kept = frozenset(groups)
    return [arrival for arrival in arrivals if arrival.group in kept]


def thin(arrivals: Iterable[Arrival], interval_seconds: float) -> list[Arrival]:
    """Keep one reading per interval of each series, the first, as a slower exporter would give."""
    last: dict[str, int] = {}
    kept = []
    for arrival in arrivals:
        interval = math.floor(arrival.at / interval_seconds)
        if not arrival.series or last.get(arrival.series) != interval:
            kept.append(arrival)
            last[arrival.series] = interval
    return kept


def delay(arrivals: Iterable[Arrival], delay_seconds: float) -> list[Arrival]:
    """Let every reading arrive later; its event time stays what it is."""
    return in_order(
        replace(arrival, at=arrival.at + delay_seconds) if arrival.series else arrival for arrival in arrivals
    )


def shuffle(arrivals: Iterable[Arrival], within_seconds: float, draw: Callable[[], float]) -> list[Arrival]:
    """Let every record arrive up to `within_seconds` later, uniformly; pieces of a line stay together."""
    moved = []
    unit: int | None = None
    displacement_seconds = 0.0
    for arrival in arrivals:
        if arrival.unit is None or arrival.unit != unit:
            displacement_seconds = draw() * within_seconds
            unit = arrival.unit
        moved.append(replace(arrival, at=arrival.at + displacement_seconds))
    return in_order(moved)


def duplicate(
    arrivals: Iterable[Arrival],
    share: float,
    draw: Callable[[], float],
    within_seconds: float = DUPLICATE_WITHIN_SECONDS,
) -> list[Arrival]:
    """Let a share of the records arrive a second time, later and at a new offset.

    A shipper that has not heard of an acknowledgement sends again what it sent together, so the
    pieces of a line are repeated together.
    """
    originals = list(arrivals)
    ends = _ends(originals)
    repeated = []
    unit: int | None = None
    later_seconds: float | None = None
    for arrival in originals:
        if arrival.unit is None or arrival.unit != unit:
            later_seconds = draw() * within_seconds if draw() < share else None
            unit = arrival.unit
        if later_seconds is not None:
            place = arrival.record.topic, arrival.record.partition
            record = replace(arrival.record, offset=ends[place])
            ends[place] += 1
            copy = None if arrival.unit is None else -1 - arrival.unit  # travels by itself
            repeated.append(replace(arrival, at=arrival.at + later_seconds, record=record, unit=copy))
    return in_order([*originals, *repeated])


def in_order(arrivals: Iterable[Arrival]) -> list[Arrival]:
    """Sort by arrival; what arrives at the same time keeps its order."""
    return sorted(arrivals, key=lambda arrival: arrival.at)


def _ends(arrivals: Iterable[Arrival]) -> dict[tuple[str, int], int]:
    """Return the first free offset of each partition."""
    ends: dict[tuple[str, int], int] = {}
    for arrival in arrivals:
        place = arrival.record.topic, arrival.record.partition
        ends[place] = max(ends.get(place, 0), arrival.record.offset + 1)
    return ends
