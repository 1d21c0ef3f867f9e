"""What a cause may look at: one instance, its trouble, and every measurement settled by now."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from pipeline.diagnosis.durations import Spread, spread
from pipeline.history import (
    LONGEST_INTERVAL_SECONDS,
    CpuReading,
    DnsReading,
    Episode,
    EventStore,
    MemoryReading,
    Request,
    SampleStore,
    ServiceReading,
    StorageReading,
    cpu_readings,
    dns_readings,
    failed_since,
    killed_since,
    memory_readings,
    service_readings,
    starvation_episodes,
    storage_readings,
)
from schemas import DNS_KINDS, Cause, Exemplar, Origin, Rules, SampleKind, SymptomKind

LINES_SHOWN = 2
"""Records named as the source of what was read off the log."""


@dataclass(frozen=True, slots=True)
class DnsLine:
    """DNS symptoms of one roll-up: how many, when, of which upstream."""

    second: int
    upstream: str
    kind: SymptomKind
    count: int


class View:
    """One instance at one settled second.

    `now`: everything before this event time is settled. `requests`: the failed requests in question,
    by end. `onset`: when their trouble began (the earliest start among them), or `now` without any.
    `first_end`, `last_end`: when the first and the last of them ended.
    """

    def __init__(
        self,
        instance: str,
        now: int,
        requests: list[Request],
        events: EventStore,
        samples: SampleStore,
        rules: Rules,
        host: str | None = None,
    ) -> None:
        self.instance = instance
        self._places = (instance, *((f"@{host}",) if host else ()))
        self.now = now
        self.requests = requests
        self.rules = rules
        self._events = events
        self._samples = samples
        self.onset = min((request.start for request in requests), default=float(now))
        self.last_end = max((request.end for request in requests), default=float(now))
        self.first_end = min((request.end for request in requests), default=float(now))
        self._from = now - rules.retention_seconds

    @cached_property
    def cpu(self) -> list[CpuReading]:
        """CPU readings of this very instance: nobody else's count (DESIGN: own instance only)."""
        rows = self._samples.rows(SampleKind.CPU, self.instance, self._from, self.now)
        return cpu_readings(rows, self.rules.configured_cores(self.instance))

    @cached_property
    def episodes(self) -> list[Episode]:
        """Stretches in which this instance was starved of CPU."""
        return starvation_episodes(self.cpu, self.rules.saturation)

    @cached_property
    def memory(self) -> list[MemoryReading]:
        """Memory readings of this instance."""
        return memory_readings(self._samples.rows(SampleKind.MEMORY, self.instance, self._from, self.now))

    @cached_property
    def storage(self) -> list[StorageReading]:
        """Storage from its own side: measured for this instance, or for the whole domain."""
        for place in (*self._places, ""):
            rows = self._samples.rows(SampleKind.STORAGE, place, self._from, self.now)
            if rows:
                return storage_readings(rows)
        return []

    @cached_property
    def service(self) -> list[ServiceReading]:
        """What this instance says of itself."""
        return service_readings(self._samples.rows(SampleKind.REQUESTS, self.instance, self._from, self.now))

    @cached_property
    def dns(self) -> dict[str, list[DnsReading]]:
        """Lookups by upstream, as the DNS server counted them."""
        return {
            upstream: dns_readings(rows)
            for place, upstream in self._samples.keys(SampleKind.DNS, self.now)
            if place in (*self._places, "")
            and (rows := self._samples.rows(SampleKind.DNS, place, self._from, self.now, upstream))
        }

    @cached_property
    def dns_lines(self) -> list[DnsLine]:
        """DNS symptoms of this instance, or of its host, within the retention, by second."""
        lines = [
            DnsLine(second, tag[1], SymptomKind(tag[0]), bucket.count())
            for place in self._places
            for second, tag, bucket in self._events.buckets(place, self._from, self.now - 1, DNS_KINDS)
        ]
        return sorted(lines, key=lambda line: (line.second, line.upstream, line.kind))

    def killed_lately(self, since: float) -> bool:
        """Whether this instance was killed after `since`: the cheap look before `memory` and its finding."""
        oldest = max(float(self._from), since - LONGEST_INTERVAL_SECONDS)
        rows = self._samples.rows(SampleKind.MEMORY, self.instance, oldest, self.now)
        return killed_since(rows, since) or bool(self.kills(since, self.now))

    def lost_lately(self, since: int) -> bool:
        """Whether a lookup failed after `since`: the cheap look before their finding."""
        lines = (
            line
            for place in self._places
            for line in self._events.buckets(place, max(since + 1, self._from), self.now - 1, DNS_KINDS)
        )
        return any(True for _ in lines) or any(
            failed_since(self._samples.rows(SampleKind.DNS, place, self._from, self.now, upstream), since)
            for place, upstream in self._samples.keys(SampleKind.DNS, self.now)
            if place in (*self._places, "")
        )

    @cached_property
    def spread(self) -> Spread | None:
        """Spread of the durations of the cancelled requests in question."""
        return spread(self.requests, self.rules.durations)

    def lookup_requests(self, since: float) -> list[Request]:
        """Failed requests whose own lines tell of a failed lookup."""
        return [r for r in self.requests if r.kinds & DNS_KINDS and r.end >= since]

    def ok(self, start: float, end: float) -> int:
        """Requests that went well and fast in `[start, end)`."""
        return self._count(start, end, SymptomKind.REQUEST_OK)

    def slow(self, start: float, end: float) -> int:
        """Requests logged as a slow success in `[start, end)`."""
        return self._count(start, end, SymptomKind.REQUEST_SLOW)

    def failed_list(self, since: float) -> list[Request]:
        """Failed requests since then, by end, whoever's they are."""
        return self._events.failed_requests(self.instance, int(since), self.now - 1)

    def slow_list(self, since: float) -> list[Request]:
        """Slow successes since then, by end."""
        return self._events.slow_requests(self.instance, int(since), self.now - 1)

    def exemplars(self, since: int, kinds: Iterable[SymptomKind]) -> list[Exemplar]:
        """Raw lines of `kinds` kept as examples since then."""
        return self._events.exemplars(self.instance, since, self.now - 1, kinds)

    def lines(self, kinds: Iterable[SymptomKind], since: float) -> tuple[Origin, ...]:
        """Records of the first lines of `kinds` since then, as far as they were kept as examples."""
        wanted = tuple(kinds)
        found = (
            exemplar.origin
            for place in self._places
            for second in range(int(since), self.now)
            for exemplar in self._events.exemplars(place, second, second, wanted)
        )
        return tuple(islice(found, LINES_SHOWN))

    def starts(self, since: float) -> list[float]:
        """Times at which the process logged that it started, since then."""
        return sorted(
            one.time
            for _, _, bucket in self._events.buckets(
                self.instance, int(since), self.now - 1, (SymptomKind.PROCESS_STARTED,)
            )
            for one in bucket.observations.values()
        )

    def last_start(self, since: float) -> float | None:
        """The latest process start since then, if any."""
        return max(self.starts(since), default=None)

    def kills(self, start: float, end: float) -> list[float]:
        """Times at which the runtime reported an exit by SIGKILL (137)."""
        return sorted(
            one.time
            for _, _, bucket in self._events.buckets(
                self.instance, int(start), self._settled(end), (SymptomKind.PROCESS_EXITED,)
            )
            for one in bucket.observations.values()
            if one.status == 137
        )

    def _count(self, start: float, end: float, kind: SymptomKind) -> int:
        return self._events.count(self.instance, int(start), self._settled(int(end)), (kind,))

    def _settled(self, end: float) -> int:
        """The last whole second before `end` that is settled: what comes later may not have arrived."""
        return min(math.ceil(end), self.now) - 1

    def overlap(self, ranges: list[tuple[float, float]], slack_seconds: float = 0.0) -> float:
        """Share of the requests in question that ran, at least in part, inside one of `ranges`."""
        if not self.requests:
            return 0.0
        inside = sum(
            any(request.start <= end + slack_seconds and request.end >= start for start, end in ranges)
            for request in self.requests
        )
        return inside / len(self.requests)

    def awaits(self, last_reading: float | None, grace_seconds: float) -> bool:
        """Whether a stream that lives should still tell about these failures.

        It lives if it ever told anything within the retention; it has told once its last reading covers
        half of them; and nobody waits longer than `grace_seconds` after the first.
        """
        return (
            last_reading is not None
            and last_reading < self.median_end
            and self.now < self.first_end + grace_seconds
        )

    def measured_until(self, cause: Cause | str) -> float:
        """Up to when the measurement of `cause` reaches; `now` for causes that are read off the log."""
        last: float | None = {
            str(Cause.CPU_SATURATION): self.cpu[-1].end if self.cpu else None,
            str(Cause.STORAGE_LATENCY): self.storage[-1].end if self.storage else None,
        }.get(cause)
        return float(self.now) if last is None else last

    @cached_property
    def median_end(self) -> float:
        """When half of the failed requests in question had ended."""
        ends = sorted(request.end for request in self.requests)
        return ends[len(ends) // 2] if ends else float(self.now)
