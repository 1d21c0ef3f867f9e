"""Strategies for histories, put together from blocks.

A block is a starved container, a burst of failures, lost lookups, …: facts thrown together at random
would hardly ever open an incident, let alone explain one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from typing import Any

from hypothesis import strategies as st

from schemas import Origin, SampleKind, SymptomKind
from tests.laws.histories import BASE, CLIENTS, HOSTS, SECONDS, UPSTREAMS, Event, Fact, History, Reading


@dataclass(frozen=True)
class Stretch:
    """Seconds `first` up to but not including `last`, counted from BASE."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}..{self.last}"

    def every(self, step: int) -> Iterator[int]:
        return iter(range(self.first, self.last, step))


def _sample(
    kind: SampleKind,
    second: float,
    values: dict[str, float | None],
    instance: str | None,
    upstream: str | None = None,
) -> Reading:
    offset = int(blake2b(f"{kind}{second}{instance}{upstream}".encode(), digest_size=4).hexdigest(), 16)
    return Reading(
        kind=kind,
        instance=instance,
        host=HOSTS.get(instance or ""),
        time=BASE + second,
        values=values,
        source="test",
        upstream=upstream,
        origin=Origin(topic="registry.metrics", partition=0, offset=offset),
    )


def cpu_sample(
    instance: str, second: float, *, starved: bool, memory: bool = False, host: str | None = None
) -> Reading:
    """A CPU sample at the limit or far from it, or a memory sample near its limit."""
    values: dict[str, float | None] = {"working_set_bytes": 95e6, "limit_bytes": 96e6}
    if not memory:
        share = 1.0 if starved else 0.05
        values = {"usage_cores": 0.12 * share, "limit_cores": 0.12, "throttled_ratio": share}
    sample = _sample(SampleKind.MEMORY if memory else SampleKind.CPU, second, values, instance)
    return sample.model_copy(update={"host": host})


def _event(kind: SymptomKind, second: float, instance: str, **more: Any) -> Event:
    return Event(kind, BASE + second, instance, HOSTS[instance], **more)


@dataclass(frozen=True)
class Block:
    """A part of a history, and what it is in few words, for whoever reads a counterexample."""

    words: str
    facts: list[Fact]

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(f"<{self.words}>")


instances = st.sampled_from(sorted(HOSTS))
stretches = st.builds(
    lambda first, length: Stretch(first, min(first + length, SECONDS)),
    st.integers(0, SECONDS - 10),
    st.integers(1, 60),
)
failures = st.sampled_from(
    [
        SymptomKind.REQUEST_CANCELLED,
        SymptomKind.REQUEST_CANCELLED,
        SymptomKind.REQUEST_DEADLINE,
        SymptomKind.REQUEST_FAILED,
        SymptomKind.STORAGE_THROTTLED,
        SymptomKind.CONNECT_TIMEOUT,
    ]
)


@st.composite
def starvation(draw: st.DrawFn) -> Block:
    """CPU samples over the whole history, at the limit in one stretch of it."""
    instance, starved = draw(instances), draw(stretches)
    interval, offset = draw(st.sampled_from([1, 2, 5])), draw(st.sampled_from([0.0, 0.25, 0.999]))
    at_host = draw(st.booleans()) and draw(st.booleans())
    facts: list[Fact] = []
    busy = idle = 0.0
    for second in range(0, SECONDS, interval):
        inside = starved.first <= second < starved.last
        busy, idle = busy + (0.95 if inside else 0.2) * interval, idle + (0.05 if inside else 0.8) * interval
        values: dict[str, float | None] = {"usage_cores": 0.2, "limit_cores": 1.0, "throttled_ratio": 0.0}
        if inside and not at_host:
            values |= {"usage_cores": 0.98, "throttled_ratio": 1.0}
        if at_host:
            values |= {
                "limit_cores": None,
                "pressure_ratio": 0.8 if inside else 0.0,
                "host_busy_seconds_total": busy,
                "host_idle_seconds_total": idle,
            }
        facts.append(_sample(SampleKind.CPU, second + offset, values, instance))
    level = "its host out of CPU" if at_host else "at its CPU limit"
    return Block(f"{instance} {level} {starved}, a sample every {interval} s + {offset}", facts)


@st.composite
def burst(draw: st.DrawFn) -> Block:
    """Requests that fail, some of them with two lines of different kinds."""
    instance, stretch, kind = draw(instances), draw(stretches), draw(failures)
    client, route = draw(st.sampled_from(CLIENTS)), draw(st.sampled_from(["catalog", "blob"]))
    timeout, smear = draw(st.sampled_from([0.15, 5.0])), draw(st.sampled_from([0.0, 3.0]))
    each, second_line = draw(st.integers(1, 4)), draw(st.sampled_from([None, SymptomKind.DNS_TIMEOUT, kind]))
    facts: list[Fact] = []
    for second in stretch.every(draw(st.sampled_from([1, 2, 7]))):
        for number in range(each):
            end = second + number / each
            name = f"{instance}-{second}-{number}-{kind}-{client}"
            duration = round(timeout + smear * ((second * 7 + number * 3) % 11) / 11, 3)
            request = {"request": name, "client": client, "route": route}
            facts.append(_event(kind, end, instance, duration_seconds=duration, **request))
            if second_line is not None and number == 0:
                facts.append(_event(second_line, end + 0.5 + second % 3, instance, number=1, **request))
    more = f", then {second_line}" if second_line is not None else ""
    return Block(f"{instance} {kind} {stretch} x{each} after {timeout} + {smear} s by {client}{more}", facts)


@st.composite
def good_service(draw: st.DrawFn) -> Block:
    """Requests that go well, or were logged as slow successes."""
    instance, stretch = draw(instances), draw(stretches)
    kind = draw(st.sampled_from([SymptomKind.REQUEST_OK, SymptomKind.REQUEST_SLOW]))
    duration = 4.0 if kind is SymptomKind.REQUEST_SLOW else None
    each = draw(st.integers(1, 4))
    facts: list[Fact] = [
        _event(
            kind, second + number / 4, instance, duration_seconds=duration, number=number, client=CLIENTS[1]
        )
        for second in stretch.every(1)
        for number in range(each)
    ]
    return Block(f"{instance} {kind} {stretch} x{each}", facts)


@st.composite
def lookups(draw: st.DrawFn) -> Block:
    """Failed lookups in the log, of an instance or of a host that names no instance."""
    instance, stretch = draw(st.sampled_from([*sorted(HOSTS), None, None])), draw(stretches)
    kind = draw(st.sampled_from([SymptomKind.DNS_TIMEOUT, SymptomKind.DNS_SERVFAIL]))
    upstream, step = draw(st.sampled_from([*UPSTREAMS, None])), draw(st.sampled_from([1, 3, 20]))
    host, each = HOSTS[instance] if instance else "node-1", draw(st.integers(1, 2))
    questions = ["s3.example", "auth.example"]
    facts: list[Fact] = [
        Event(
            kind,
            BASE + second + 0.5,
            instance,
            host,
            upstream=upstream,
            question=questions[(second + number) % 3 // 2],
            number=number,
        )
        for second in stretch.every(step)
        for number in range(each)
    ]
    return Block(f"{instance or host} {kind} at {upstream} {stretch} every {step} s x{each}", facts)


@st.composite
def dns_server(draw: st.DrawFn) -> Block:
    """The DNS server's own count of lookups, failing in one stretch of the history."""
    instance, failing, upstream = draw(instances), draw(stretches), draw(st.sampled_from(UPSTREAMS))
    failed = draw(st.integers(1, 5))
    facts: list[Fact] = [
        _sample(
            SampleKind.DNS,
            float(second),
            {"queries": 5.0, "failed": float(failed) if failing.first <= second < failing.last else 0.0},
            instance,
            upstream,
        )
        for second in range(0, SECONDS, 2)
    ]
    return Block(f"{upstream} failed {failed} of 5 lookups of {instance} {failing}", facts)


@st.composite
def storage_side(draw: st.DrawFn) -> Block:
    """Storage measured at its own side for the whole domain, slow in one stretch of the history."""
    slow = draw(stretches)
    facts: list[Fact] = [
        _sample(
            SampleKind.STORAGE,
            float(second),
            {
                "requests": 40.0,
                "ttfb_p50_seconds": 2.0 if slow.first <= second < slow.last else 0.003,
                "ttfb_p95_seconds": 4.0 if slow.first <= second < slow.last else 0.009,
                "errors_5xx": 0.0,
                "in_flight": 1.0,
                "new_connections": 1.0,
            },
            None,
        )
        for second in range(0, SECONDS, 2)
    ]
    return Block(f"storage slow {slow}", facts)


@st.composite
def kills(draw: st.DrawFn) -> Block:
    """A process that is killed for want of memory, or merely starts again."""
    instance, seconds = draw(instances), draw(st.lists(st.integers(0, SECONDS - 1), min_size=1, max_size=5))
    killed = draw(st.booleans())
    facts: list[Fact] = []
    for second in sorted(set(seconds)):
        if killed:
            facts.append(_event(SymptomKind.PROCESS_EXITED, second + 0.9, instance, status=137))
        facts.append(_event(SymptomKind.PROCESS_STARTED, second + 0.95, instance))
    if killed and draw(st.booleans()):
        for second in range(0, SECONDS, 2):
            dead = float(sum(one <= second for one in set(seconds)))
            values = {"working_set_bytes": 95e6, "limit_bytes": 96e6, "oom_kills_total": dead}
            facts.append(_sample(SampleKind.MEMORY, float(second), dict(values), instance))
    what = "killed" if killed else "started"
    return Block(f"{instance} {what} at {sorted(set(seconds))}, {len(facts)} facts", facts)


@st.composite
def cascade(draw: st.DrawFn) -> Block:
    """The case to get right: a container at its limit, cancellations smeared over it, a few lost lookups."""
    instance, starved = draw(instances), Stretch(10, draw(st.integers(40, 90)))
    facts: list[Fact] = []
    for second in range(0, SECONDS, draw(st.sampled_from([1, 5]))):
        ratio = 1.0 if starved.first < second <= starved.last else 0.05
        values = {"usage_cores": 0.12 * ratio, "limit_cores": 0.12, "throttled_ratio": ratio}
        facts.append(_sample(SampleKind.CPU, float(second), dict(values), instance))
    for second in range(starved.first + 5, starved.last):
        request = {"request": f"{instance}-{second}", "client": CLIENTS[0], "route": "catalog"}
        duration = 5.0 + (second * 7 % 11) / 5
        facts.append(
            _event(
                SymptomKind.REQUEST_CANCELLED, second + 0.1, instance, duration_seconds=duration, **request
            )
        )
    lost = draw(st.lists(st.integers(starved.first, starved.last), max_size=3, unique=True))
    about = {"upstream": UPSTREAMS[0], "question": "s3.example"}
    facts += [_event(SymptomKind.DNS_TIMEOUT, second + 0.2, instance, **about) for second in lost]
    return Block(f"{instance} cascade {starved}, lookups lost at {lost}", facts)


blocks = st.one_of(
    starvation(),
    burst(),
    good_service(),
    lookups(),
    dns_server(),
    storage_side(),
    kills(),
    cascade(),
)


def united(parts: list[Block]) -> History:
    """The blocks as one history by time, no fact twice; of two samples of one place and instant the first."""
    known: dict[object, Fact] = {}
    for fact in chain.from_iterable(part.facts for part in parts):
        key: object = fact
        if isinstance(fact, Reading):
            key = (fact.kind, fact.instance, fact.upstream, fact.time)
        known.setdefault(key, fact)
    return tuple(sorted(known.values(), key=lambda fact: (fact.time, repr(fact))))


histories: st.SearchStrategy[History] = st.lists(blocks, min_size=1, max_size=7).map(united)


@st.composite
def one_trouble(draw: st.DrawFn) -> History:
    """One instance at its limit the whole time, and requests that fail in it, some with several lines."""
    instance, each = draw(instances), draw(st.integers(1, 3))
    kinds = draw(st.lists(failures, min_size=1, max_size=3, unique=True))
    facts: list[Fact] = [
        _sample(
            SampleKind.CPU,
            float(second),
            {"usage_cores": 0.12, "limit_cores": 0.12, "throttled_ratio": 1.0},
            instance,
        )
        for second in range(SECONDS)
    ]
    first = draw(st.integers(5, 40))
    for second in range(first, draw(st.integers(first + 8, 80))):
        for number in range(each):
            request = {
                "request": f"{second}-{number}",
                "client": draw(st.sampled_from(CLIENTS)),
                "route": "catalog",
            }
            for line, kind in enumerate(kinds):
                duration = 5.0 + (second * 7 + number * 3) % 11 / 5
                at = second + number / 4 + line * 0.7
                facts.append(_event(kind, at, instance, duration_seconds=duration, **request))
    return united([Block("one trouble", facts)])
