"""Writes what a story says the way services and exporters write it: as values of raw records."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

import orjson

from pipeline.stories.language import Bytes, Cpu, Lookups, Memory, Requests, Said, Started, Storage

LOGS, DNS, METRICS = "registry.logs", "dns.logs", "registry.metrics"

_DETAILS = {
    "cancelled": "s3aws: RequestCanceled: request context canceled\ncaused by: context canceled",
    "answered SlowDown": "s3aws: SlowDown: Please reduce your request rate.\n\tstatus code: 503",
    "failed": "unknown error",
}
MIB = 2**20


class Written(NamedTuple):
    """The value of a record and the topic it belongs to."""

    topic: str
    value: bytes


class Pen:
    """Remembers counters, for exporters tell totals. `start`: unix seconds of the story's second 0."""

    def __init__(self, start: int) -> None:
        self._start = start
        self._totals: defaultdict[tuple[str, str], float] = defaultdict(float)

    def write(self, second: int, who: str, what: Said) -> Iterator[Written]:
        """The records in which `who` says `what` in that second."""
        if isinstance(what, Bytes):
            yield Written(LOGS, what.text.encode())
        elif isinstance(what, Requests):
            yield from self._requests(second, who, what)
        elif isinstance(what, Started):
            line = {"time": self._written(second), "level": "info", "msg": "listening on [::]:5000"}
            yield self._line(LOGS, who, second, orjson.dumps(line).decode())
        else:
            yield self._sample(second, who, what)

    def _requests(self, second: int, who: str, what: Requests) -> Iterator[Written]:
        """Each at a time of its own; of a range of durations each takes its own, spread over it."""
        for number in range(what.count):
            at = second + number / max(100, what.count)
            if what.upstream is not None:
                yield self._line(DNS, who, at, self._resolver(at, what.upstream))
            else:
                yield self._line(
                    LOGS, who, at, orjson.dumps(self._request(second, at, who, number, what)).decode()
                )

    def _request(self, second: int, at: float, who: str, number: int, what: Requests) -> dict[str, object]:
        identity = sha256(f"{who} {second} {number} {what}".encode()).hexdigest()
        duration = 0.01
        if what.low is not None and what.high is not None:
            duration = what.low + (what.high - what.low) * int(identity[:4], 16) / 0xFFFF
        detail = what.error or _DETAILS.get(what.what)
        ended = (
            {"level": "info", "msg": "response completed", "http.response.status": 200}
            if detail is None
            else {
                "level": "error",
                "msg": "response completed with error",
                "err.code": "unknown",
                "err.detail": detail,
                "err.message": "unknown error",
                "http.response.status": 500,
            }
        )
        return {
            "time": self._written(at),
            **ended,
            "http.request.id": identity[16:28],
            "http.request.method": "GET",
            "http.request.uri": "/v2/_catalog",
            **({} if what.client is None else {"http.request.useragent": what.client}),
            **(
                {}
                if what.low is None and detail is not None
                else {"http.response.duration": f"{duration:.6f}s"}
            ),
        }

    def _resolver(self, at: float, upstream: str) -> str:
        """Docker's resolver, 24 and 25."""
        asked = f"[resolver] failed to query DNS server: {upstream}:53, query: ;s3.example.com.\\tIN\\t A"
        error = f"read udp 172.18.0.2:40000->{upstream}:53: i/o timeout"
        return f'time="{self._written(at)}" level=error msg="{asked}" error="{error}"'

    def _line(self, topic: str, who: str, at: float, text: str) -> Written:
        """A line of a docker json-file log; its tag names the container."""
        body = {"log": f"{text}\n", "stream": "stderr", "attrs": {"tag": who}, "time": self._written(at)}
        return Written(topic, orjson.dumps(body))

    def _written(self, at: float) -> str:
        """RFC 3339 with six digits."""
        moment = datetime.fromtimestamp(self._start + round(at, 6), UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def _sample(self, second: int, who: str, what: Cpu | Memory | Storage | Lookups) -> Written:
        """Undercurrent's own metric record."""
        upstream, instance = None, who
        if isinstance(what, Lookups):
            upstream, _, instance = who.removeprefix("dns ").partition(" for ")
        kind, values = self._values(second, who, what)
        body = {
            "undercurrent_metric": 1,
            "source": "story",
            **({} if isinstance(what, Storage) or not instance else {"instance": instance}),
            **({} if upstream is None else {"upstream": upstream}),
            "time": self._start + second,
            "kind": kind,
            "values": values,
        }
        return Written(METRICS, orjson.dumps(body))

    def _values(
        self, second: int, who: str, what: Cpu | Memory | Storage | Lookups
    ) -> tuple[str, dict[str, float | None]]:
        match what:
            case Cpu(limit=None):
                return "cpu", {
                    "usage_cores": what.used,
                    "limit_cores": None,
                    "pressure_ratio": what.waiting,
                    "host_busy_seconds_total": self._total(who, "busy", what.host_busy),
                    "host_idle_seconds_total": self._total(who, "idle", 1 - what.host_busy),
                }
            case Cpu():
                return "cpu", {
                    "usage_seconds_total": self._total(who, "used", what.used),
                    "limit_cores": what.limit,
                    "periods_total": second * 10.0,
                    "throttled_periods_total": self._total(who, "throttled", what.throttled * 10),
                }
            case Memory():
                return "memory", {
                    "working_set_bytes": what.used * MIB,
                    "limit_bytes": what.limit * MIB,
                    "oom_kills_total": self._total(who, "kills", float(what.kills)),
                }
            case Storage():
                return "storage", {
                    "requests": float(what.requests),
                    "ttfb_p95_seconds": what.p95 / 1000,
                    "ttfb_p50_seconds": what.median / 1000,
                }
            case Lookups():
                return "dns", {"queries": float(what.asked), "failed": float(what.lost)}

    def _total(self, who: str, name: str, more: float) -> float:
        self._totals[who, name] += more
        return self._totals[who, name]
