"""What shippers write as it is ends in a verdict: MinIO's own histogram proves and refutes slow storage."""
# ruff: noqa: E501 - a log line stands as it is written

from collections.abc import Iterator

import pytest

from agents.recordings.replay import run
from pipeline.intake import IntakeConfig, RawRecord
from pipeline.replay import Arrival, in_order
from schemas import Cause, Rules
from tests.intake.feed import AT, fluent_bit

BOUNDS = ("0.050", "0.100", "0.250", "0.500", "1.000", "2.500", "5.000", "10.000", "+Inf")
TROUBLE_FROM, UNTIL = 60, 110
CANCELLED = (
    'time="2026-11-23T09:{minute:02}:{second:02}.{part:09}Z" level=error msg="response completed with error" '
    'err.code=unknown err.detail="s3aws: RequestCanceled: request context canceled\\ncaused by: context canceled" '
    'err.message="unknown error" http.request.id=r{number} http.request.uri="/v2/a/blobs/b" '
    'http.request.useragent="docker/24" http.response.duration={duration}s http.response.status=500'
)


def _scrape(elapsed: int, slow: bool) -> str:
    """A scrape every five seconds: ten answers a second, since the trouble began within 2.5 to 5 s if slow."""
    early = 10 * min(elapsed, TROUBLE_FROM)
    late = 10 * max(0, elapsed - TROUBLE_FROM)
    name = "minio_s3_requests_ttfb_seconds_distribution"
    lines = [
        "# TYPE minio_s3_requests_total counter",
        f'minio_s3_requests_total{{api="getobject"}} {early + late}',
    ]
    for bound in BOUNDS:
        swift = not slow or bound in ("5.000", "10.000", "+Inf")
        lines.append(f'{name}{{api="getobject",le="{bound}"}} {early + (late if swift else 0)}')
    return "\n".join(lines)


def _arrivals(slow: bool) -> Iterator[Arrival]:
    start = AT - 30.5
    for elapsed in range(0, UNTIL, 5):
        stamp = round((start + elapsed) * 1000)
        value = _scrape(elapsed, slow).encode()
        yield Arrival(
            start + elapsed, RawRecord("registry.metrics", 0, elapsed, stamp, None, value), "storage"
        )
    for number in range(2 * (UNTIL - TROUBLE_FROM)):
        elapsed = TROUBLE_FROM + number / 2 + 0.123456789
        second, part = divmod(round((10 * 60 + elapsed) * 1e9), 1_000_000_000)
        line = CANCELLED.format(
            minute=second // 60, second=second % 60, part=part, number=number, duration=3 + number % 7 / 5
        )
        record = RawRecord(
            "registry.logs", 0, number, round((start + elapsed) * 1000), None, fluent_bit(line)
        )
        yield Arrival(start + elapsed, record, "logs")


@pytest.mark.parametrize("slow", [True, False])
def test_minios_histogram_decides_about_the_storage(slow: bool) -> None:
    """The same cancelled requests: with slow answers at the storage it was the storage, with swift ones not."""
    outcome = run(in_order(list(_arrivals(slow))), IntakeConfig(), Rules())
    assert outcome.incidents
    (incident,) = outcome.incidents
    if slow:
        assert incident.cause == Cause.STORAGE_LATENCY
        (fact,) = [one for one in incident.evidence if one.fact == "storage_slow"]
        assert fact.values["p95_seconds"] > 2.5
    else:
        assert incident.cause != Cause.STORAGE_LATENCY
        (rival,) = [one for one in incident.rejected if one.cause == Cause.STORAGE_LATENCY]
        assert "storage was normal as measured at the server" in rival.reason
