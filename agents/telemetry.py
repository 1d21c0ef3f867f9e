"""Telemetry: one fold of everything the stages say into Prometheus metrics. Listed in docs/metrics.md."""

import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client import Counter as CounterMetric

from agents.sources import Sources
from pipeline.core import Output
from pipeline.intake import Counts
from schemas import Change, ChangeKind, DeadLetter, Frame

METRICS: dict[str, tuple[type[CounterMetric] | type[Gauge], tuple[str, ...], str]] = {
    # intake
    "records_read_total": (CounterMetric, ("topic",), "Raw records read"),
    "records_total": (CounterMetric, ("decoder",), "Raw records that told something"),
    "records_dropped_total": (CounterMetric, ("reason",), "Raw records that cannot matter"),
    "markers_total": (CounterMetric, (), "Progress markers of shippers read"),
    "lines_held": (Gauge, (), "Halves of split lines that wait for their other half"),
    "lines_rejoined_total": (CounterMetric, (), "Events put together from several records"),
    "lines_partial_total": (CounterMetric, (), "Events of which only half a line ever came"),
    "symptoms_total": (CounterMetric, ("kind",), "Events found in log lines"),
    "samples_total": (CounterMetric, ("kind",), "Readings found in metrics"),
    "frames_total": (CounterMetric, (), "Frames written to undercurrent.signals"),
    "consumer_lag_records": (Gauge, ("topic", "partition"), "Raw records left to read"),
    "partitions_paused": (Gauge, (), "Raw partitions that wait for slower ones"),
    "event_time_seconds": (Gauge, ("topic", "partition"), "Highest event time read"),
    "event_time_lag_seconds": (Gauge, ("topic",), "Clock minus highest event time read, slowest partition"),
    # correlate
    "frames_received_total": (CounterMetric, (), "Frames handed to the core"),
    "redelivered_total": (
        CounterMetric,
        ("topic",),
        "Records that had been worked off before and were skipped",
    ),
    "watermark_seconds": (Gauge, ("partition",), "Event time up to which a partition of signals is complete"),
    "changes_total": (CounterMetric, ("kind", "cause"), "Changes of incidents"),
    "late_total": (CounterMetric, (), "Events that came after their time was settled"),
    "decisions_total": (CounterMetric, ("outcome", "kind"), "Held symptoms decided on"),
    "agents_lag_records": (Gauge, (), "Records of signals and changes left to work off"),
    # notify
    "incidents_open": (Gauge, ("cause",), "Incidents that are not resolved"),
    "notifications_total": (CounterMetric, ("act", "outcome"), "What became of what was to be told"),
    "notifications_owed": (Gauge, (), "Incidents with something left to tell"),
    # all
    "dead_letters_total": (CounterMetric, ("reason",), "Records nobody could read"),
    "rebalances_total": (CounterMetric, ("group",), "Assignments of partitions to this worker"),
}
"""Every metric, without its prefix: what it is, its labels, what it says."""

PREFIX = "undercurrent_"


class Telemetry:
    """The metrics of one worker."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._metrics: dict[str, Any] = {
            name: kind(PREFIX + name, help_, labels, registry=self.registry)
            for name, (kind, labels, help_) in METRICS.items()
        }
        self._late: Counter[str] = Counter()

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    # --- intake ---

    def read(self, topic: str, records: int) -> None:
        """Records came from a raw topic."""
        self._metrics["records_read_total"].labels(topic).inc(records)

    def flushed(self, counts: Counts, frames: int, letters: Iterable[DeadLetter]) -> None:
        """One flush is in Kafka."""
        self._metrics["frames_total"].inc(frames)
        self._count("records_total", counts.records)
        self._count("records_dropped_total", counts.dropped)
        self._count("symptoms_total", counts.symptoms)
        self._count("samples_total", counts.samples)
        self._metrics["markers_total"].inc(counts.markers)
        self._metrics["lines_rejoined_total"].inc(counts.rejoined)
        self._metrics["lines_partial_total"].inc(counts.partial)
        self._metrics["lines_held"].set(counts.held)
        for letter in letters:
            self.dead_letter(letter)

    def reading(self, sources: Sources) -> None:
        """Where this worker stands in its raw partitions."""
        clock = time.time()  # noqa: TID251  lag is the distance to the wall clock
        slowest: dict[str, float] = {}
        for place in sources.places():
            lag, high = sources.lag(place), sources.high(place)
            labels = place[0], str(place[1])
            if lag is not None:
                self._metrics["consumer_lag_records"].labels(*labels).set(lag)
            if high is not None:
                self._metrics["event_time_seconds"].labels(*labels).set(high)
                slowest[place[0]] = max(slowest.get(place[0], 0.0), clock - high)
        for topic, seconds in slowest.items():
            self._metrics["event_time_lag_seconds"].labels(topic).set(seconds)
        self._metrics["partitions_paused"].set(len(sources.too_far_ahead()))

    def reassigned(self, group: str) -> None:
        """The partitions of this worker changed: what was said of the old ones no longer holds."""
        self._metrics["rebalances_total"].labels(group).inc()
        gauges = {
            "intake": ("consumer_lag_records", "event_time_seconds", "event_time_lag_seconds"),
            "agents": ("watermark_seconds", "incidents_open"),
        }
        for name in gauges[group]:
            self._metrics[name].clear()

    # --- correlate ---

    def framed(self, frame: Frame) -> None:
        """A frame was handed to the core."""
        self._metrics["frames_received_total"].inc()

    def redelivered(self, topic: str) -> None:
        """A record came a second time and was skipped."""
        self._metrics["redelivered_total"].labels(topic).inc()

    def event_time(self, partition: int, seconds: float | None) -> None:
        """Event time of a partition of signals."""
        if seconds is not None:
            self._metrics["watermark_seconds"].labels(str(partition)).set(seconds)

    def agents_lag(self, records: int) -> None:
        """What correlate and notify have left to work off."""
        self._metrics["agents_lag_records"].set(records)

    def said(self, output: Output) -> None:
        """A change or a decision is in Kafka."""
        if isinstance(output, Change):
            labels = output.kind.value, str(output.incident.cause)
            self._metrics["changes_total"].labels(*labels).inc()
            if output.kind is ChangeKind.LATE:
                self._metrics["late_total"].inc()
        else:
            labels = output.outcome.value, output.kind.value
            self._metrics["decisions_total"].labels(*labels).inc(output.count)

    # --- notify ---

    def heard(self, act: str, outcome: str) -> None:
        """Something was told, or could not be."""
        self._metrics["notifications_total"].labels(act, outcome).inc()

    def incidents(self, open_by_cause: Counter[str], owed: int) -> None:
        """The incidents this worker tells about."""
        self._metrics["incidents_open"].clear()
        for cause, count in open_by_cause.items():
            self._metrics["incidents_open"].labels(cause).set(count)
        self._metrics["notifications_owed"].set(owed)

    # --- all ---

    def dead_letter(self, letter: DeadLetter) -> None:
        """A record nobody could read is kept."""
        self._metrics["dead_letters_total"].labels(letter.reason.value).inc()

    def _count(self, name: str, counted: dict[str, int]) -> None:
        for label, count in counted.items():
            self._metrics[name].labels(label).inc(count)
