"""Telemetry: one fold of everything the stages say into Prometheus metrics. Listed in docs/metrics.md."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client import Counter as CounterMetric

from agents.sources import Sources
from pipeline.core import Output
from pipeline.intake import Counts
from schemas import REQUEST_KINDS, Change, ChangeKind, DeadLetter, Frame, Heard, Sample

METRICS: dict[str, tuple[type[CounterMetric] | type[Gauge] | type[Histogram], tuple[str, ...], str]] = {
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
    "event_time_lag_seconds": (
        Gauge,
        ("topic", "partition"),
        "Clock minus highest event time read",
    ),
    # correlate
    "frames_received_total": (CounterMetric, (), "Frames handed to the core"),
    "domain_signals_total": (
        CounterMetric,
        ("domain", "kind"),
        "Failed requests and readings of a domain handed to the core",
    ),
    "redelivered_total": (
        CounterMetric,
        ("topic",),
        "Records that had been worked off before and were skipped",
    ),
    "superseded_total": (
        CounterMetric,
        (),
        "Records of an intake whose partitions others had taken over: repetitions, skipped",
    ),
    "watermark_seconds": (Gauge, ("partition",), "Event time up to which a partition of signals is complete"),
    "changes_total": (CounterMetric, ("kind", "cause"), "Changes of incidents"),
    "late_total": (CounterMetric, (), "Events that came after their time was settled"),
    "let_go_total": (
        CounterMetric,
        ("how",),
        "Observations and readings that a domain had no room for: estimated, or forgotten early",
    ),
    "decisions_total": (CounterMetric, ("outcome", "kind"), "Held symptoms decided on"),
    "source_last_heard_timestamp_seconds": (
        Gauge,
        ("domain", "source"),
        "Highest event time heard of a kind of source",
    ),
    "agents_lag_records": (
        Gauge,
        ("topic", "partition"),
        "Records of signals and changes left to work off",
    ),
    "agents_event_time_lag_seconds": (
        Gauge,
        ("topic", "partition"),
        "Clock minus event time worked off of signals and changes, 0 where nothing is left",
    ),
    # notify
    "incidents_open": (Gauge, ("cause",), "Incidents that are not resolved"),
    "notifications_total": (CounterMetric, ("act", "outcome"), "What became of what was to be told"),
    "notifications_owed": (Gauge, (), "Incidents with something left to tell"),
    # the incident page
    "page_requests_total": (CounterMetric, ("route", "status"), "Requests to the page and its API"),
    "page_answer_seconds": (Histogram, ("route",), "Time from a request to its answer"),
    "page_listeners": (Gauge, (), "Open pages that are told of news"),
    # all
    "dead_letters_total": (CounterMetric, ("reason",), "Records nobody could read"),
    "heartbeat_timestamp_seconds": (
        Gauge,
        ("stage",),
        "Clock when a stage last got on or had nothing left: while it stands still, nobody watches",
    ),
    "rebalances_total": (CounterMetric, ("group",), "Assignments of partitions to this worker"),
}
"""Every metric, without its prefix: what it is, its labels, what it says."""

PREFIX = "undercurrent_"

DOMAINS_MAX = 1_000
"""Domains counted by name; those that come later share the name OTHER_DOMAINS."""

OTHER_DOMAINS = "(others)"
FAILED_REQUESTS = "failed_requests"


class Telemetry:
    """The metrics of one worker."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._metrics: dict[str, Any] = {
            name: kind(PREFIX + name, help_, labels, registry=self.registry)
            for name, (kind, labels, help_) in METRICS.items()
        }
        self._domains: set[str] = set()
        self._last_heard: dict[tuple[str, str], float] = {}

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
        for place in sources.places():
            lag, high = sources.lag(place), sources.high(place)
            labels = place[0], str(place[1])
            if lag is not None:
                self._metrics["consumer_lag_records"].labels(*labels).set(lag)
            if high is not None:
                self._metrics["event_time_seconds"].labels(*labels).set(high)
                self._metrics["event_time_lag_seconds"].labels(*labels).set(clock - high)
        self._metrics["partitions_paused"].set(len(sources.too_far_ahead()))

    def reassigned(self, group: str) -> None:
        """The partitions of this worker changed: what was said of the old ones no longer holds."""
        self._metrics["rebalances_total"].labels(group).inc()
        gauges = {
            "intake": ("consumer_lag_records", "event_time_seconds", "event_time_lag_seconds"),
            "agents": (
                "agents_lag_records",
                "agents_event_time_lag_seconds",
                "watermark_seconds",
                "source_last_heard_timestamp_seconds",
                "incidents_open",
            ),
        }
        for name in gauges[group]:
            self._metrics[name].clear()
        if group == "agents":
            self._last_heard.clear()

    # --- correlate ---

    def framed(self, frame: Frame) -> None:
        """A frame was handed to the core."""
        self._metrics["frames_received_total"].inc()
        domain = self._domain(frame.domain)
        for signal in frame.signals:
            if isinstance(signal, Sample):
                self._metrics["domain_signals_total"].labels(domain, signal.kind.value).inc()
            elif signal.kind in REQUEST_KINDS:
                self._metrics["domain_signals_total"].labels(domain, FAILED_REQUESTS).inc(signal.count)

    def sources_heard(self, heard: Iterable[Heard]) -> None:
        """Sources of a domain were heard; of several of a kind, the last one counts."""
        for one in heard:
            labels = self._domain(one.domain), one.kind.value
            self._last_heard[labels] = max(one.at, self._last_heard.get(labels, one.at))
            self._metrics["source_last_heard_timestamp_seconds"].labels(*labels).set(self._last_heard[labels])

    def redelivered(self, topic: str) -> None:
        """A record came a second time and was skipped."""
        self._metrics["redelivered_total"].labels(topic).inc()

    def superseded(self) -> None:
        """A record of an intake that had been taken over was skipped."""
        self._metrics["superseded_total"].inc()

    def event_time(self, partition: int, seconds: float | None) -> None:
        """Event time of a partition of signals."""
        if seconds is not None:
            self._metrics["watermark_seconds"].labels(str(partition)).set(seconds)

    def working(self, topic: str, lags: Mapping[int, int], event_times: Mapping[int, float]) -> None:
        """What an agent has left of its partitions, and the event time it is at in each of them."""
        clock = time.time()  # noqa: TID251  lag is the distance to the wall clock
        for partition, lag in lags.items():
            labels = topic, str(partition)
            self._metrics["agents_lag_records"].labels(*labels).set(lag)
            if lag == 0 or partition in event_times:
                seconds = clock - event_times[partition] if lag else 0.0
                self._metrics["agents_event_time_lag_seconds"].labels(*labels).set(seconds)

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

    def let_go(self, let_go: Counter[str]) -> None:
        """A domain had no room for all that happened in it."""
        self._count("let_go_total", let_go)

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

    # --- the incident page ---

    def page_answered(self, route: str, status: int, seconds: float | None) -> None:
        """The page answered; `seconds` None where an answer goes on as long as somebody listens."""
        self._metrics["page_requests_total"].labels(route, str(status)).inc()
        if seconds is not None:
            self._metrics["page_answer_seconds"].labels(route).observe(seconds)

    def page_listeners(self, count: int) -> None:
        """So many pages are open and told of news."""
        self._metrics["page_listeners"].set(count)

    # --- all ---

    def alive(self, stage: str) -> None:
        """A stage was found to get on with its work, or to have none left."""
        self._metrics["heartbeat_timestamp_seconds"].labels(stage).set_to_current_time()

    def dead_letter(self, letter: DeadLetter) -> None:
        """A record nobody could read is kept."""
        self._metrics["dead_letters_total"].labels(letter.reason.value).inc()

    def _domain(self, name: str) -> str:
        """The domain as a label."""
        if name in self._domains or len(self._domains) < DOMAINS_MAX:
            self._domains.add(name)
        return name if name in self._domains else OTHER_DOMAINS

    def _count(self, name: str, counted: dict[str, int]) -> None:
        for label, count in counted.items():
            self._metrics[name].labels(label).inc(count)
