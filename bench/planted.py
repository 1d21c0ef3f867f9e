"""Incidents with a known truth, one after the other over a span of time, and a quiet fleet around them.

Both are seeded: equal arguments give equal records.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from agents.recordings.arrivals import MARKERS, lay_out, layout_of
from agents.recordings.envelopes import fluent_bit, wrap_reading
from agents.recordings.recording import Group, LogLine, Reading
from agents.scoring.scenarios import START, Scenario, envelope_of, play, read_scenarios, recording_of
from agents.scoring.truth import Truth, Window
from agents.settings import Topics
from pipeline.replay import Arrival, in_order
from pipeline.simulation.lines import stamp

SCENARIOS = Path(__file__).resolve().parents[1] / "corpus" / "scenarios"
CAUSES = (
    "cpu_cascade/v2-text",
    "storage_slow/v3-json",
    "client_timeout/new-client",
    "memory_pressure/big-pushes",
    "dns_outage/moby-v2",
    "host_contention/v2",
    "cpu_cascade/severe",
)
ROOM_SECONDS = 480.0
"""What an incident gets of the span: it lasts about three minutes, and its end takes some more."""

LATE_SHARE, LATE_SECONDS = 0.005, 60.0
"""Records that arrive beyond the allowed lateness of 10 s."""
DISORDERED_SHARE, DISORDER_SECONDS = 0.1, 8.0
"""Records that arrive out of order within it."""

REGISTRIES = 8
READING_SECONDS = 10
COMPLETED_SHARE = 0.1
_HOLE = "@@@@"


@dataclass(frozen=True, slots=True)
class Planted:
    """What lies in Kafka besides the quiet fleet, in order of arrival, and what is true about it."""

    arrivals: tuple[Arrival, ...]
    truth: Truth


def plant(begin: float, seconds: float, topics: Topics, partitions: int) -> Planted:
    """Spread an incident of every kind over a span, each on registries of its own."""
    draw = random.Random(2)
    arrivals: list[Arrival] = []
    truth = Truth()
    for number, name in enumerate(CAUSES):
        start = round(begin + seconds * (number + 0.5) / len(CAUSES))
        moved, known = _moved(_scenario(name), number, start)
        shipping = moved.shipping
        layout = layout_of(envelope_of(shipping), shipping.split, topics, partitions)
        arrivals += [one for one in lay_out(recording_of(moved, play(moved)), layout) if one.group != MARKERS]
        truth = Truth(
            truth.troubles + known.troubles,
            truth.suppressible + known.suppressible,
            truth.genuine + known.genuine,
            truth.tolerated + known.tolerated,
        )
    return Planted(tuple(in_order(_disordered(arrivals, draw))), truth)


def _scenario(name: str) -> Scenario:
    family = read_scenarios(SCENARIOS / f"{name.split('/')[0]}.yaml")
    return next(one for one in family if one.name == name)


def _moved(scenario: Scenario, number: int, start: float) -> tuple[Scenario, Truth]:
    """The same story at another time and on other instances, and what is true about it then."""
    shift = start - START

    def named(instance: str | None) -> str | None:
        return instance and f"{instance}-{number}"

    def window(one: Window) -> Window:
        names = tuple(f"{name}-{number}" for name in one.instances)
        return Window(names, one.start + shift, one.end + shift)

    plan, truth = scenario.plan, scenario.truth
    moved = replace(
        plan,
        start=start,
        instances=tuple(replace(one, name=f"{one.name}-{number}") for one in plan.instances),
        changes=tuple(replace(one, instance=named(one.instance)) for one in plan.changes),
    )
    troubles = tuple(
        replace(
            one,
            instances=tuple(f"{name}-{number}" for name in one.instances),
            start=one.start + shift,
            end=one.end + shift,
        )
        for one in truth.troubles
    )
    known = Truth(
        troubles,
        tuple(map(window, truth.suppressible)),
        tuple(map(window, truth.genuine)),
        tuple(replace(one, where=window(one.where)) for one in truth.tolerated),
    )
    return replace(scenario, plan=moved), known


def _disordered(arrivals: list[Arrival], draw: random.Random) -> Iterator[Arrival]:
    """Some arrive behind younger ones, a few of them too late. Pieces of a line stay together."""
    unit, behind_seconds = None, 0.0
    for one in arrivals:
        if one.unit != unit:
            unit, chance = one.unit, draw.random()
            if chance < LATE_SHARE:
                behind_seconds = LATE_SECONDS
            else:
                behind_seconds = draw.random() * DISORDER_SECONDS if chance < DISORDERED_SHARE else 0.0
        yield replace(one, at=one.at + behind_seconds)


class Fleet:
    """Eight registries that nothing is wrong with, and what else writes to the raw topics."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        draw = random.Random(1)
        self._digits = f"{draw.getrandbits(1 << 20):0{1 << 18}x}".encode()
        self._line = lru_cache(maxsize=4096)(_line)
        self._asked = lru_cache(maxsize=512)(_asked)

    def record(self, number: int, at: float) -> tuple[str, bytes]:
        """Topic and value of the record with this number, which was written at `at`."""
        kind = number * 37 % 100
        place = number * 61 % 262_000
        digest = self._digits[place : place + 64]
        registry, second = number % REGISTRIES, int(at)
        if kind < 15:
            before, after = self._asked(second)
            return self._topics.dns, before + digest[:5] + after
        if kind < 30:
            text = b'node_cpu_seconds_total{cpu="%d",mode="idle",instance="node-%d"} %d.%d %d'
            cpu, node = number % 64, number % 200
            return self._topics.metrics, text % (cpu, node, second % 1_000_000, number % 10, round(at * 1000))
        is_service = kind < 30 + 100 * COMPLETED_SHARE
        if is_service:
            parts = digest[:8], digest[8:12], digest[13:16], digest[17:20], digest[20:32]
            digest = b"%s-%s-4%s-a%s-%s" % parts
        before, after = self._line(is_service, registry, second)
        return self._topics.logs, before + digest + after

    def readings(self, second: int) -> Iterator[tuple[str, bytes]]:
        """What an exporter says of each registry's CPU at a second."""
        for registry in range(REGISTRIES):
            passed = second % 1_000_000
            body = {
                "ts": second,
                "cpu_limit_cores": 2.0,
                "cpu_usage_seconds_total": passed * 0.3,
                "nr_periods": passed * 10,
                "nr_throttled": 0,
                "throttled_seconds": 0.0,
                "memory_usage_bytes": 60_000_000,
                "memory_limit_bytes": 500_000_000,
            }
            fields = {"time": body["ts"], "reading": body}
            reading = Reading(second, Group.METRICS, f"quiet-{registry}", "cgroup", fields)
            yield self._topics.metrics, wrap_reading(reading)


def _line(is_service: bool, registry: int, second: int) -> tuple[bytes, bytes]:
    """A line of the service about a request that went well, or of its access log, in two: what stands before
    and behind the request's id, or the manifest's digest."""
    instance, at = f"quiet-{registry}", float(second)
    path = f"/v2/team{second % 97}/app/manifests"
    agent = "docker/24.0.7 go/go1.20.10 os/linux arch/amd64"
    if is_service:
        text = (
            f'time="{stamp(at)}" level=info msg="response completed" go.version=go1.19.8 '
            f'http.request.host="registry.test:5000" http.request.id={_HOLE} http.request.method=GET '
            f'http.request.remoteaddr="10.0.1.20:35152" http.request.uri="{path}/latest" '
            f'http.request.useragent="{agent}" http.response.contenttype="application/json" '
            "http.response.duration=13.764282ms http.response.status=200 http.response.written=1234 "
        )
    else:
        text = (
            f'10.0.1.{registry} - - [{stamp(at)}] "GET {path}/sha256:{_HOLE} HTTP/1.1" 200 1234 "" "{agent}"'
        )
    return _shipped(LogLine(at, Group.LOGS, instance, "registry", "stderr", text.encode()))


def _asked(second: int) -> tuple[bytes, bytes]:
    """A line of CoreDNS about a lookup that was answered, in two: the query's number is left out."""
    text = (
        f"[INFO] 10.0.{second % 250}.7:40112 - {_HOLE} "
        '"A IN s3.storage.test. udp 45 false 512" NOERROR qr,rd,ra 106 0.000312s'
    )
    return _shipped(LogLine(float(second), Group.DNS, "coredns-0", "coredns", "stdout", text.encode()))


def _shipped(line: LogLine) -> tuple[bytes, bytes]:
    before, _, after = fluent_bit(line, line.text.decode(), line.at).partition(_HOLE.encode())
    return before, after
