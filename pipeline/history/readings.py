"""Rates and shares between consecutive rows: the readings every cause is judged by.

Counters are differenced here, from sorted rows. A counter that falls was reset: that interval gives
no rate rather than a wrong one. Intervals longer than two minutes give none either, because a gap
says nothing about what happened inside it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from pipeline.history.latency import latency
from pipeline.history.samples import Row
from schemas import Origin
from schemas.rules import Saturation

LONGEST_INTERVAL_SECONDS = 120.0


class Sourced:
    """A reading knows the row it ends with; its origin is built only for those that are told."""

    __slots__ = ()
    row: Row

    @property
    def origin(self) -> Origin:
        """The record it was read from."""
        return self.row.where()


@dataclass(frozen=True, slots=True)
class CpuReading(Sourced):
    """CPU of one container between two samples; None where the exporter does not tell.

    `limit_cores` is None both for unknown and unlimited; `unlimited` tells them apart.
    `limit_configured`: the rules gave it, because no sample did.
    """

    start: float
    end: float
    usage_cores: float | None
    limit_cores: float | None
    limit_configured: bool
    unlimited: bool
    throttled_ratio: float | None
    pressure_ratio: float | None
    host_busy_ratio: float | None
    row: Row

    @property
    def usage_ratio(self) -> float | None:
        """Use over limit."""
        if self.usage_cores is None or not self.limit_cores:
            return None
        return self.usage_cores / self.limit_cores


@dataclass(frozen=True, slots=True)
class MemoryReading(Sourced):
    """Memory of one container at `end`, with what happened since the sample before it."""

    start: float
    end: float
    used_ratio: float | None
    limit_bytes: float | None
    pressure_ratio: float | None
    oom_kills: float
    restarts: float
    row: Row


@dataclass(frozen=True, slots=True)
class StorageReading(Sourced):
    """Storage as seen from its own side in the interval that ends at `end`."""

    start: float
    end: float
    requests: float
    p50_seconds: float | None
    p95_seconds: float | None
    errors_5xx: float
    in_flight: float
    new_connections: float
    row: Row


@dataclass(frozen=True, slots=True)
class DnsReading(Sourced):
    """Lookups at one DNS server in the interval from `start` to `end`."""

    start: float
    end: float
    queries: float
    failed: float
    row: Row


@dataclass(frozen=True, slots=True)
class ServiceReading(Sourced):
    """What the service says of itself at `end`; `up` is False where its metrics could not be fetched.

    `storage_mean_seconds` is its own view of the storage: a symptom of its own state as much as of the
    storage's, and never evidence against the storage.
    """

    end: float
    up: bool
    in_flight: float | None
    storage_mean_seconds: float | None
    row: Row


@dataclass(frozen=True, slots=True)
class Episode:
    """A stretch of CPU starvation. `level` is `container` or `host`; `open` means it was so to "
    "the last reading.

    `start` and `end` are estimates: where the readings around it are partly throttled, the share of
    throttled periods says how much of their interval belongs to it. `readings` are those wholly inside.
    """

    start: float
    end: float
    open: bool
    level: str
    readings: tuple[CpuReading, ...]

    def covers(self, time: float, slack_seconds: float = 0.0) -> bool:
        """Whether `time` lies inside, give or take `slack_seconds` at the end."""
        return self.start <= time <= self.end + slack_seconds


def _pairs(rows: list[Row]) -> Iterator[tuple[Row, Row, float]]:
    for before, after in pairwise(rows):
        elapsed = after.time - before.time
        if 0 < elapsed <= LONGEST_INTERVAL_SECONDS:
            yield before, after, elapsed


def _delta(before: Row, after: Row, name: str) -> float | None:
    """Growth of a counter, None where unknown or reset."""
    old, new = before.values.get(name), after.values.get(name)
    if old is None or new is None or new < old:
        return None
    return new - old


def _share(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else min(1.0, part / whole)


def cpu_readings(rows: list[Row], configured_cores: float | None = None) -> list[CpuReading]:
    """Readings from rows with counters `usage_seconds_total`, `periods_total`, … or gauges.

    `configured_cores` is the limit where no row tells one. Gauges win where both stand: `usage_cores`,
    `throttled_ratio`, `pressure_ratio`.
    """
    known_limit: float | None = None
    told = any("limit_cores" in row.values for row in rows)
    configured = None if told else configured_cores
    readings = []
    for before, after, elapsed in _pairs(rows):
        basis = (known_limit, configured)
        derived = after.derived
        if derived is None or derived[0] is not before or derived[1] != basis:
            known_limit = after.values.get("limit_cores", before.values.get("limit_cores", known_limit))
            reading = _cpu_reading(before, after, elapsed, known_limit, configured)
            after.derived = derived = (before, basis, known_limit, reading)
        known_limit = derived[2]
        if derived[3] is not None:
            readings.append(derived[3])
    return readings


def _cpu_reading(
    before: Row, after: Row, elapsed: float, known_limit: float | None, configured: float | None
) -> CpuReading | None:
    used = _delta(before, after, "usage_seconds_total")
    usage = after.values.get("usage_cores")
    if usage is None and used is not None:
        usage = used / elapsed
    throttled = after.values.get("throttled_ratio")
    if throttled is None:
        throttled = _share(
            _delta(before, after, "throttled_periods_total"), _delta(before, after, "periods_total")
        )
    pressure = after.values.get("pressure_ratio")
    if pressure is None:
        pressure = _share(_delta(before, after, "psi_some_seconds_total"), elapsed)
    if usage is None and throttled is None and pressure is None:
        return None
    busy = _delta(before, after, "host_busy_seconds_total")
    idle = _delta(before, after, "host_idle_seconds_total")
    limit_named = "limit_cores" in after.values or "limit_cores" in before.values
    return CpuReading(
        start=before.time,
        end=after.time,
        usage_cores=usage,
        limit_cores=known_limit if configured is None else configured,
        limit_configured=configured is not None,
        unlimited=limit_named and known_limit is None,
        throttled_ratio=throttled,
        pressure_ratio=pressure,
        host_busy_ratio=_share(busy, busy + idle) if busy is not None and idle is not None else None,
        row=after,
    )


def memory_readings(rows: list[Row]) -> list[MemoryReading]:
    """Readings from rows with `usage_bytes` or `working_set_bytes`, `limit_bytes`, `oom_kills_total`, …

    The working set leaves out the file cache the kernel can take back at once; where an exporter
    gives no working set it is usage less cache.
    """
    readings = []
    for before, after, elapsed in _pairs(rows):
        derived = after.derived
        if derived is None or derived[0] is not before:
            after.derived = derived = (before, _memory_reading(before, after, elapsed))
        readings.append(derived[1])
    return readings


def _memory_reading(before: Row, after: Row, elapsed: float) -> MemoryReading:
    values = after.values
    used = values.get("working_set_bytes")
    if used is None and (usage := values.get("usage_bytes")) is not None:
        used = usage - (values.get("cache_bytes") or 0.0)
    limit = values.get("limit_bytes")
    return MemoryReading(
        start=before.time,
        end=after.time,
        used_ratio=used / limit if used is not None and limit else None,
        limit_bytes=limit,
        pressure_ratio=_share(_delta(before, after, "psi_some_seconds_total"), elapsed),
        oom_kills=_delta(before, after, "oom_kills_total") or 0.0,
        restarts=_delta(before, after, "restarts_total") or 0.0,
        row=after,
    )


def killed_since(rows: list[Row], since: float) -> bool:
    """Whether kills for want of memory were counted after `since`; as `memory_readings` say, but cheap."""
    known: float | None = None
    known_at = 0.0
    for row in rows:
        kills = row.values.get("oom_kills_total")
        grown = kills is not None and known is not None and kills > known
        if grown and row.time > since and row.time - known_at <= LONGEST_INTERVAL_SECONDS:
            return True
        known, known_at = kills, row.time
    return False


def _of_interval(before: Row | None, row: Row, name: str) -> float:
    """What happened in the interval that ends at `row`: its own count, or the growth of its counter."""
    counted = row.values.get(name)
    if counted is not None:
        return counted
    return (_delta(before, row, f"{name}_total") if before is not None else None) or 0.0


def storage_readings(rows: list[Row]) -> list[StorageReading]:
    """Readings from rows with `requests`, `errors_5xx` (or their counters) and `ttfb_p95_seconds`, …

    An exporter that knows only a mean latency (`ttfb_mean_seconds`) gives it for the median; one that counts
    gives both by its counters (latency.py).
    """
    readings = []
    for index, row in enumerate(rows):
        get = row.values.get
        before = rows[index - 1] if index else None
        if before is not None and row.time - before.time > LONGEST_INTERVAL_SECONDS:
            before = None
        requests = _of_interval(before, row, "requests")
        p50, p95 = get("ttfb_p50_seconds", get("ttfb_mean_seconds")), get("ttfb_p95_seconds")
        if p50 is None and before is not None:
            p50, p95 = latency(partial(_delta, before, row))
        readings.append(
            StorageReading(
                start=before.time if before is not None else row.time - 1.0,
                end=row.time,
                requests=requests,
                p50_seconds=p50 if requests else None,
                p95_seconds=p95 if requests else None,
                errors_5xx=_of_interval(before, row, "errors_5xx"),
                in_flight=get("in_flight") or 0.0,
                new_connections=get("new_connections") or 0.0,
                row=row,
            )
        )
    return readings


def dns_readings(rows: list[Row]) -> list[DnsReading]:
    """Readings from rows with `queries` and `failed`, or their counters."""
    return [
        DnsReading(
            rows[index - 1].time if index else row.time,
            row.time,
            _of_interval(rows[index - 1] if index else None, row, "queries"),
            _of_interval(rows[index - 1] if index else None, row, "failed"),
            row,
        )
        for index, row in enumerate(rows)
    ]


def failed_since(rows: list[Row], since: float) -> bool:
    """Whether a lookup failed after `since`; what `dns_readings` say, cheaply."""
    for index in range(len(rows) - 1, -1, -1):
        if rows[index].time <= since:
            return False
        if _of_interval(rows[index - 1] if index else None, rows[index], "failed"):
            return True
    return False


def service_readings(rows: list[Row]) -> list[ServiceReading]:
    """Readings from rows with `up`, `in_flight` and `storage_seconds_{sum,count}_total`."""
    readings = []
    for index, row in enumerate(rows):
        before = rows[index - 1] if index else None
        total = _delta(before, row, "storage_seconds_sum_total") if before else None
        count = _delta(before, row, "storage_seconds_count_total") if before else None
        readings.append(
            ServiceReading(
                end=row.time,
                up=row.values.get("up", 1.0) != 0.0,
                in_flight=row.values.get("in_flight"),
                storage_mean_seconds=total / count if total is not None and count else None,
                row=row,
            )
        )
    return readings


def starvation_level(reading: CpuReading, rules: Saturation) -> str | None:
    """`container`, `host` or None: whether this reading is one of starvation, to enter an episode."""
    usage, throttled = reading.usage_ratio, reading.throttled_ratio
    if throttled is not None and throttled >= rules.enter_throttled_ratio:
        return "container" if usage is None or usage >= rules.enter_usage_ratio else None
    if throttled is None and usage is not None and usage >= rules.unthrottled_usage_ratio:
        return "container"
    return "host" if _host_starved(reading, rules.host_pressure_ratio, rules.host_busy_ratio) else None


def _host_starved(reading: CpuReading, pressure: float, busy: float) -> bool:
    """Waiting for CPU on a host that has none left, without a limit of its own that holds it back."""
    return (
        (reading.throttled_ratio or 0.0) < 0.1
        and reading.pressure_ratio is not None
        and reading.pressure_ratio >= pressure
        and reading.host_busy_ratio is not None
        and reading.host_busy_ratio >= busy
    )


def _stays(reading: CpuReading, level: str, rules: Saturation) -> bool:
    """Hysteresis: whether an episode of `level` goes on through `reading`."""
    if level == "host":
        return _host_starved(reading, rules.host_pressure_ratio * 0.75, rules.host_busy_ratio * 0.9)
    usage, throttled = reading.usage_ratio, reading.throttled_ratio
    if throttled is not None and throttled < rules.leave_throttled_ratio:
        return False
    return usage is None or usage >= rules.leave_usage_ratio


def starvation_episodes(readings: list[CpuReading], rules: Saturation) -> list[Episode]:
    """Stretches of starvation, by time.

    An episode ends with its last starved reading once `calm_seconds` of readings, or a gap of 30 s,
    show no starvation: a breath between two bursts does not end it. One shorter than
    `episode_seconds` (`host_episode_seconds` at host level) is none.
    """
    episodes: list[Episode] = []
    current: list[CpuReading] = []
    level: str | None = None
    calm_seconds = 0.0
    before: CpuReading | None = None
    previous: CpuReading | None = None

    def close(open_ended: bool) -> None:
        shortest = rules.host_episode_seconds if level == "host" else rules.episode_seconds
        if level is not None and current[-1].end - current[0].start >= shortest:
            start = current[0].start - _share_of(before, current[0].start)
            end = current[-1].end if open_ended else current[-1].end + _share_of(after_last, current[-1].end)
            episodes.append(Episode(start, end, open_ended, level, tuple(current)))

    after_last: CpuReading | None = None
    for reading in readings:
        if level is not None:
            if reading.start - current[-1].end <= 30.0 and _stays(reading, level, rules):
                current.append(reading)
                calm_seconds, after_last, previous = 0.0, None, reading
                continue
            after_last = after_last or reading
            calm_seconds += reading.end - reading.start
            if calm_seconds < rules.calm_seconds and reading.start - current[-1].end <= 30.0:
                previous = reading
                continue
            close(open_ended=False)
        level, calm_seconds = starvation_level(reading, rules), 0.0
        current, before, after_last = ([reading] if level is not None else []), previous, None
        previous = reading
    if level is not None:
        close(open_ended=calm_seconds == 0.0)
    return episodes


def _share_of(reading: CpuReading | None, edge: float) -> float:
    """Seconds of a partly throttled reading next to an episode's edge that belong to the episode."""
    if reading is None or edge not in (reading.start, reading.end) or reading.throttled_ratio is None:
        return 0.0
    return reading.throttled_ratio * (reading.end - reading.start)
