"""Records of registries under a load of one's choice, as shippers write them: for the long and the large."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from agents.recordings.envelopes import fluent_bit, wrap_line, wrap_reading
from agents.recordings.recording import Group, LogLine, Reading
from pipeline.intake import RawRecord

START = 1_795_500_000

ANSWERED = (
    'time="{time}" level=info msg="response completed" go.version=go1.19.8 '
    'http.request.host="registry:5000" http.request.id={id} http.request.method=GET '
    'http.request.remoteaddr="10.0.0.9:40728" http.request.uri=/v2/team/app/manifests/latest '
    'http.request.useragent="docker/24.0.7" http.response.duration=20.7ms http.response.status=200 '
    "http.response.written=525"
)
CANCELLED = (
    'time="{time}" level=error msg="response completed with error" err.code=unknown '
    'err.detail="s3aws: RequestCanceled: request context canceled\\ncaused by: context canceled" '
    'err.message="unknown error" go.version=go1.19.8 http.request.host="registry:5000" '
    'http.request.id={id} http.request.method=GET http.request.remoteaddr="10.0.0.9:57642" '
    'http.request.uri="/v2/_catalog?n=300" http.request.useragent="registry-ui/2.5 (catalog-sync)" '
    'http.response.contenttype="application/json; charset=utf-8" http.response.duration={duration}s '
    "http.response.status=500 http.response.written=104"
)


@dataclass(slots=True)
class Registry:
    """One instance and the counters its exporter has come to."""

    name: str
    used_seconds: float = 0.0
    periods: int = 0
    throttled: int = 0
    lines: int = 0

    def reading(self, second: int, starved: bool) -> bytes:
        """What its cgroup says; call it once a second."""
        self.periods += 10
        self.used_seconds += 0.12 if starved else 0.03
        self.throttled += 10 if starved else 0
        body = {
            "cpu_limit_cores": 0.12,
            "cpu_usage_seconds_total": round(self.used_seconds, 3),
            "nr_periods": self.periods,
            "nr_throttled": self.throttled,
            "throttled_seconds": float(self.throttled),
            "rss_bytes": 40_000_000,
            "ts": second + 0.5,
        }
        return wrap_reading(
            Reading(second + 0.5, Group.METRICS, self.name, "cgroup", {"time": second + 0.5, "reading": body})
        )

    def line(self, at: float, failed: bool) -> list[bytes]:
        """A request of its log."""
        self.lines += 1
        time = datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        duration = 3.0 + self.lines * 0.37 % 9  # smeared, as starvation smears it
        text = (CANCELLED if failed else ANSWERED).format(
            time=time, id=f"{self.name}-{self.lines}", duration=round(duration, 3)
        )
        line = LogLine(at, Group.LOGS, self.name, "registry", "stdout", text.encode())
        return wrap_line(line, fluent_bit, split=False)


class Topics:
    """Raw topics of one partition each: gives every record the next offset."""

    def __init__(self, logs: str, metrics: str) -> None:
        self._names = {"logs": logs, "metrics": metrics}
        self._offsets = {"logs": 0, "metrics": 0}

    def record(self, topic: str, at: float, value: bytes) -> RawRecord:
        """The record as it lies in the topic."""
        offset = self._offsets[topic]
        self._offsets[topic] += 1
        return RawRecord(self._names[topic], 0, offset, round(at * 1000), None, value)


def second_of(
    registries: list[Registry], topics: Topics, second: int, starved: bool, lines: int
) -> Iterator[RawRecord]:
    """One second of all of them: a reading and `lines` requests each; starved ones fail half of those."""
    for registry in registries:
        yield topics.record("metrics", second + 0.5, registry.reading(second, starved))
        for number in range(lines):
            at = second + (number + 0.5) / lines
            for value in registry.line(at, starved and number % 2 == 0):
                yield topics.record("logs", at, value)
