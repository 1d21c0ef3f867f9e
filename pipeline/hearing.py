"""Hearing: the frames of one partition of undercurrent.signals → who was last heard when.

What it says is little however much it hears: of each source at most one record in REPORT_SECONDS, the
first at once. It is told the time it may speak at, on whatever clock its owner has.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median

from schemas import DNS_KINDS, REQUEST_KINDS, Frame, Sample, SampleKind, Symptom, SymptomKind
from schemas.sources import EventTime, Heard, SourceKind

REPORT_SECONDS = 30.0
"""Of each source at most one record in so long: what is known of it is at most so old."""

SOURCES_MAX = 50_000
"""Sources remembered per partition; more are not heard."""

REMEMBERED = 9
"""Readings by which interval and delay are judged."""

LOGGED = REQUEST_KINDS | {SymptomKind.REQUEST_OK, SymptomKind.REQUEST_SLOW, SymptomKind.PROCESS_STARTED}

VALUES: dict[SampleKind, dict[SourceKind, frozenset[str]]] = {
    SampleKind.CPU: {
        SourceKind.CPU: frozenset({"usage_seconds_total", "usage_cores"}),
        SourceKind.THROTTLING: frozenset(
            {"throttled_periods_total", "throttled_seconds_total", "throttled_ratio"}
        ),
    },
    SampleKind.MEMORY: {SourceKind.MEMORY: frozenset({"usage_bytes", "working_set_bytes", "rss_bytes"})},
}
"""Which names in a sample tell of a source (docs/signals.md); of the other kinds every name does."""

Id = tuple[str, SourceKind, str]
Report = Heard | EventTime


@dataclass(slots=True)
class _Ear:
    at: float
    host: str | None
    exporter: str | None
    gaps: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    delays: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    said_at: float | None = None

    def hear(self, at: float, host: str | None, event_time: float | None) -> None:
        if at > self.at:
            self.gaps.append(at - self.at)
            self.at = at
        if event_time is not None:
            self.delays.append(max(0.0, event_time - at))
        self.host = host or self.host


class Hearing:
    """Takes frames in; `due` says what is to be told of them."""

    def __init__(self, partition: int) -> None:
        self._partition = partition
        self._ears: dict[Id, _Ear] = {}
        self._unsaid: set[Id] = set()
        self._event_time: float | None = None
        self._time_said: tuple[float, float] | None = None  # event time, and when it was told

    def reach(self, event_time: float | None) -> None:
        """Event time has come so far."""
        if event_time is not None:
            self._event_time = max(event_time, self._event_time or event_time)

    def receive(self, frame: Frame) -> None:
        """Hear what a frame tells."""
        for signal in frame.signals:
            heard = _of_sample(signal) if isinstance(signal, Sample) else _of_symptom(signal)
            for kind, place, at in heard:
                exporter = signal.source if isinstance(signal, Sample) else None
                self._hear((frame.domain, kind, place), at, signal.host, exporter)

    def _hear(self, source: Id, at: float, host: str | None, exporter: str | None) -> None:
        ear = self._ears.get(source)
        if ear is None:
            if len(self._ears) >= SOURCES_MAX:
                return
            ear = self._ears[source] = _Ear(at, host, exporter)
        ear.hear(at, host, self._event_time)
        self._unsaid.add(source)

    def due(self, now: float) -> list[Report]:
        """What is to be told at `now`, in seconds of a clock that only rises."""
        found: list[Report] = []
        for source in sorted(self._unsaid):
            ear = self._ears[source]
            if ear.said_at is None or now - ear.said_at >= REPORT_SECONDS:
                ear.said_at = now
                found.append(self._report(source, ear))
                self._unsaid.discard(source)
        if self._event_time is not None and self._is_time_due(self._event_time, now):
            self._time_said = self._event_time, now
            found.append(EventTime(partition=self._partition, at=self._event_time))
        return found

    def _is_time_due(self, event_time: float, now: float) -> bool:
        if self._time_said is None:
            return True
        before, said_at = self._time_said
        return event_time > before and now - said_at >= REPORT_SECONDS

    def _report(self, source: Id, ear: _Ear) -> Heard:
        domain, kind, place = source
        judged = ear.exporter is not None and len(ear.gaps) >= 2
        return Heard(
            partition=self._partition,
            domain=domain,
            kind=kind,
            place=place,
            host=ear.host if ear.host != place else None,
            exporter=ear.exporter,
            at=ear.at,
            interval_seconds=round(median(ear.gaps), 3) if judged else None,
            behind_seconds=round(max(ear.delays), 3) if judged and ear.delays else None,
        )


def _of_sample(sample: Sample) -> Iterator[tuple[SourceKind, str, float]]:
    place = sample.instance or sample.host or sample.upstream or ""
    if sample.kind not in VALUES:
        yield SourceKind(sample.kind.value), place, sample.time
        return
    for kind, names in VALUES[sample.kind].items():
        if names & sample.values.keys():
            yield kind, place, sample.time


def _of_symptom(symptom: Symptom) -> Iterator[tuple[SourceKind, str, float]]:
    place = symptom.instance or symptom.host or ""
    if symptom.kind in LOGGED:
        yield SourceKind.REGISTRY_LOG, place, float(symptom.second)
    elif symptom.kind in DNS_KINDS:
        yield SourceKind.DNS_LOG, place, float(symptom.second)
