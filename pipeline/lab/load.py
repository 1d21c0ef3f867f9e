"""Load by window: CPU used, and requests by route, read from raw records. No sample, no guess.

Requests are counted once by their id, whatever number of lines tells of them, and spread evenly over
the time they ran: work that a starved service does for a request lies anywhere between its start and
its end. Requests that failed are counted apart from those that went well: only part of their work was
done.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeline.history import CpuReading, SampleStore, cpu_readings
from pipeline.intake.classify import route_of
from pipeline.intake.dating import Dating
from pipeline.intake.entry import LogLine, Reading
from pipeline.intake.envelope import decode
from pipeline.intake.identity import Place, Places
from pipeline.intake.instants import NS
from pipeline.intake.logrus import COMPLETED, Parsed, parse, parse_fields, parse_text
from pipeline.intake.record import IntakeConfig, RawRecord, RefusedError
from pipeline.intake.rejoin import is_tail
from pipeline.intake.unwrap import unwrap
from schemas import Origin, Sample, SampleKind

SECONDS = 5
"""Length of the smallest window, which longer ones are made of."""

REQUESTS_REMEMBERED = 200_000
"""So many ids are kept to count a request once; its lines come within seconds of each other."""

FAILED_STATUS = 499
"""From here on a request failed; 499 says that its client left."""

LONGEST_SECONDS = 600.0
"""A request that claims to have run longer is spread over so much."""


@dataclass(slots=True)
class Requests:
    """Requests of one instance in one window; fractions of a request where it ran in several."""

    good: dict[str, float] = field(default_factory=dict)
    failed: dict[str, float] = field(default_factory=dict)
    slow: float = 0.0

    def add(self, other: "Requests") -> None:
        """Add those of another window."""
        for mine, theirs in ((self.good, other.good), (self.failed, other.failed)):
            for route, count in theirs.items():
                mine[route] = mine.get(route, 0.0) + count
        self.slow += other.slow


@dataclass(frozen=True, slots=True)
class Window:
    """What one instance did from `start` on, for `seconds`.

    `used_cores`: mean CPU use. `limit_cores`: None where there is none or it is not known.
    `throttled_ratio`: share of periods, None where not told. `good`, `failed`: requests by route.
    `slow`: how many of the good ones were slow.
    """

    instance: str
    start: float
    seconds: float
    used_cores: float
    limit_cores: float | None
    throttled_ratio: float | None
    good: dict[str, float]
    failed: dict[str, float]
    slow: float

    @property
    def arrived(self) -> float:
        """Requests, good or not."""
        return math.fsum(self.good.values()) + math.fsum(self.failed.values())


class LoadReader:
    """Reads raw records one after the other; `windows` gives what they hold."""

    def __init__(self, config: IntakeConfig, slow_seconds: float = 1.0) -> None:
        self._dating = Dating(config)
        self._places = Places(config.domains, config.default_domain)
        self._slow_seconds = slow_seconds
        self._samples: dict[str, SampleStore] = {}
        self._requests: dict[tuple[str, str, int], Requests] = {}
        self._seen: dict[tuple[str, str], None] = {}
        self.unread = 0
        """Records that could not be decoded."""

    def receive(self, record: RawRecord) -> None:
        """Take in one record. Never raises for any input bytes."""
        if not record.value:
            return
        try:
            for entry in decode(record.value)[1]:
                if isinstance(entry, LogLine):
                    self._line(record, entry)
                elif isinstance(entry, Reading) and entry.kind is SampleKind.CPU:
                    self._reading(record, entry)
        except RefusedError:
            self.unread += 1

    def _reading(self, record: RawRecord, reading: Reading) -> None:
        place = self._places.find(reading.labels, record.topic, reading.extra)
        ns = self._dating.of_reading(reading.written, record)
        if place.instance is None or ns is None:
            return
        sample = Sample(
            kind=reading.kind,
            instance=place.instance,
            time=ns / NS,
            values=reading.values,
            source=reading.source,
            origin=Origin(topic=record.topic, partition=record.partition, offset=record.offset),
        )
        self._samples.setdefault(reading.domain or place.domain, SampleStore()).add(sample)

    def _line(self, record: RawRecord, line: LogLine) -> None:
        if line.fields is None:
            line = unwrap(line, self._dating.of_kafka(record))
        parsed = _parsed(line)
        if parsed.request is None or parsed.uri is None:
            return
        if parsed.msg != COMPLETED and (parsed.status or 0) < FAILED_STATUS:
            return
        ns = self._dating.of_line(parsed.time, line.written, record)
        place = self._places.find(line.labels, record.topic, line.extra)
        instance = place.instance or parsed.instance or place.host
        if ns is None or instance is None or not self._is_new(instance, parsed.request):
            return
        self._spread(place._replace(instance=instance), ns / NS, parsed)

    def _is_new(self, instance: str, request: str) -> bool:
        key = (instance, request)
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > REQUESTS_REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return True

    def _spread(self, place: Place, end: float, parsed: Parsed) -> None:
        took_seconds = min(max(parsed.duration_seconds or 0.0, 0.001), LONGEST_SECONDS)
        route = route_of(parsed.uri) or "other"
        first, last = math.floor((end - took_seconds) / SECONDS), math.floor(end / SECONDS)
        for index in range(first, last + 1):
            inside = min(end, (index + 1) * SECONDS) - max(end - took_seconds, index * SECONDS)
            share = inside / took_seconds
            window = self._requests.setdefault((place.domain, str(place.instance), index), Requests())
            if (parsed.status or 0) >= FAILED_STATUS:
                window.add(Requests({}, {route: share}))
            else:
                window.add(Requests({route: share}, {}, share if took_seconds >= self._slow_seconds else 0.0))

    def places(self) -> list[tuple[str, str]]:
        """(domain, instance) of everything whose CPU was measured, sorted."""
        return sorted(
            (domain, place)
            for domain, store in self._samples.items()
            for place, _ in store.keys(SampleKind.CPU, math.inf)
        )

    def windows(self, domain: str, instance: str) -> list[Window]:
        """Windows of one instance whose CPU use is known throughout, by time.

        Their length is `SECONDS`, or a multiple of it so that two readings fall into each.
        """
        rows = self._samples[domain].rows(SampleKind.CPU, instance, -math.inf, math.inf)
        readings = [one for one in cpu_readings(rows) if one.usage_cores is not None]
        if not readings:
            return []
        lengths = sorted(one.end - one.start for one in readings)
        multiple = max(1, math.ceil(2 * lengths[len(lengths) // 2] / SECONDS))
        return list(self._windows(domain, instance, readings, multiple))

    def _windows(
        self, domain: str, instance: str, readings: list[CpuReading], multiple: int
    ) -> Iterator[Window]:
        length = multiple * SECONDS
        by_window: dict[int, list[tuple[CpuReading, float]]] = {}
        for reading in readings:
            for index in range(math.floor(reading.start / length), math.floor(reading.end / length) + 1):
                shared = min(reading.end, (index + 1) * length) - max(reading.start, index * length)
                if shared > 0:
                    by_window.setdefault(index, []).append((reading, shared))
        for index, inside in sorted(by_window.items()):
            covered = math.fsum(seconds for _, seconds in inside)
            if covered < 0.9 * length:
                continue
            requests = Requests()
            for part in range(index * multiple, (index + 1) * multiple):
                found = self._requests.get((domain, instance, part))
                if found is not None:
                    requests.add(found)
            yield Window(
                instance,
                index * length,
                length,
                math.fsum((one.usage_cores or 0.0) * seconds for one, seconds in inside) / covered,
                _smallest([one.limit_cores for one, _ in inside]),
                _mean([(one.throttled_ratio, seconds) for one, seconds in inside]),
                requests.good,
                requests.failed,
                requests.slow,
            )


def _parsed(line: LogLine) -> Parsed:
    if line.fields is not None:
        return parse_fields(line.fields)
    if is_tail(line.text):
        return parse_text(f' err.detail="{line.text}')
    return parse(line.text)


def _smallest(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return min(known, default=None)


def _mean(values: list[tuple[float | None, float]]) -> float | None:
    known = [(value, weight) for value, weight in values if value is not None]
    total = math.fsum(weight for _, weight in known)
    return math.fsum(value * weight for value, weight in known) / total if total else None
