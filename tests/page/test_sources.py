"""Health of sources: told rarely, merged in any order, and silence is measured in event time."""

import random

import pytest

from pipeline.hearing import REPORT_SECONDS, Hearing
from pipeline.page import Answers, Book, Limits
from pipeline.page.answers import Slice
from pipeline.render.words import catalogue
from schemas import Frame, Observation, Origin, Sample, SampleKind, Symptom, SymptomKind
from schemas.page import DomainSources, SourceState
from schemas.sources import EventTime, Heard, SourceKind
from tests.page.records import NODE_7, NOW_EVENT_TIME, book_of, heard
from tests.render.incidents import BEGAN

ORIGIN = Origin(topic="registry.metrics", partition=0, offset=1)


def shown(*records: Heard | EventTime, language: str = "en") -> DomainSources:
    """How the sources of the first domain are."""
    return Answers(book_of(*records), catalogue(language)).sources(None, Slice(), BEGAN).domains[0]


def texts(*records: Heard | EventTime) -> list[str]:
    return [one.text for one in shown(*records).problems]


def states(domain: DomainSources) -> dict[tuple[str, str], SourceState]:
    return {(one.kind.value, one.place): one.state for one in domain.sources}


def cpu(at: float, instance: str = "registry-a", **values: float) -> Sample:
    values = values or {"usage_seconds_total": at, "throttled_periods_total": 0.0}
    return Sample(
        kind=SampleKind.CPU,
        instance=instance,
        host="node-7",
        time=at,
        values=dict(values),
        source="cadvisor",
        origin=ORIGIN,
    )


# --- what is told ---


def test_a_source_is_told_at_once_and_then_rarely() -> None:
    """However often it is heard: one record when it appears, then one in thirty seconds, the newest."""
    hearing = Hearing(3)
    told: list[tuple[float, float]] = []
    for second in range(200):
        hearing.reach(1000.0 + second)
        hearing.receive(Frame(domain="d", signals=(cpu(1000.0 + second, usage_cores=1.0),)))
        told += [(float(second), one.at) for one in hearing.due(float(second)) if isinstance(one, Heard)]
    assert told == [(n * REPORT_SECONDS, 1000.0 + n * REPORT_SECONDS) for n in range(7)]


def test_interval_and_delay_are_those_of_the_last_readings() -> None:
    """A scrape every fifteen seconds that comes late is known as such; repeats do not matter."""
    hearing = Hearing(0)
    for n in (1, 2, 2, 3, 4, 6, 5, 7, 8):
        hearing.reach(1020.0 + 15 * n)
        hearing.receive(Frame(domain="d", signals=(cpu(1000.0 + 15 * n),)))
    reports = [one for one in hearing.due(0.0) if isinstance(one, Heard)]
    assert [(one.kind, one.place, one.host) for one in reports] == [
        (SourceKind.CPU, "registry-a", "node-7"),
        (SourceKind.THROTTLING, "registry-a", "node-7"),
    ]
    assert [(one.at, one.interval_seconds) for one in reports] == [(1120.0, 15.0)] * 2
    assert reports[0].behind_seconds == 35.0
    assert hearing.due(1.0) == []


def test_logs_count_for_whom_they_tell_of() -> None:
    """A request is heard of the registry; a failed lookup is no sign that the registry's log comes."""
    observed = Observation(id="0", time=70.25)
    hearing = Hearing(0)
    for kind in (SymptomKind.REQUEST_OK, SymptomKind.DNS_TIMEOUT, SymptomKind.PROCESS_EXITED):
        symptom = Symptom(kind=kind, instance="a", second=70, count=1, observations=(observed,))
        hearing.receive(Frame(domain="d", signals=(symptom,)))
    told = [(one.kind, one.at, one.exporter) for one in hearing.due(0.0) if isinstance(one, Heard)]
    assert told == [(SourceKind.DNS_LOG, 70.0, None), (SourceKind.REGISTRY_LOG, 70.0, None)]


def test_event_time_is_told_while_nothing_is_heard() -> None:
    """Silence can only be measured by a time that goes on."""
    hearing = Hearing(5)
    told = []
    for second in range(100):
        hearing.reach(50.0 + second)
        told += hearing.due(float(second))
    assert told == [EventTime(partition=5, at=50.0 + 30 * n) for n in range(4)]


# --- what is made of it ---


def test_a_node_that_lost_its_cpu_metrics_is_named_once() -> None:
    """Not each container by itself, and nothing of the node that still tells them."""
    assert texts(*NODE_7) == ["no CPU and throttling metrics from node-7 for 4 min"]
    other = heard(SourceKind.CPU, "registry-d", 3, "node-7")
    assert texts(*NODE_7, other) == ["no CPU and throttling metrics from registry-a and registry-b for 4 min"]


@pytest.mark.parametrize("seed", range(5))
def test_order_and_repeats_do_not_matter(seed: int) -> None:
    """Records of an older worker that come late change nothing."""
    older = [
        one.model_copy(update={"at": one.at - 90, "interval_seconds": None})
        for one in NODE_7
        if isinstance(one, Heard)
    ]
    records = [*NODE_7, *NODE_7[::2], *older, EventTime(partition=0, at=BEGAN - 500)]
    random.Random(seed).shuffle(records)
    assert shown(*records) == shown(*NODE_7)


@pytest.mark.parametrize(
    ("interval", "behind", "silent_after"),
    [(1.0, 0.0, 90), (15.0, 2.0, 92), (60.0, 0.0, 210), (60.0, 300.0, 510), (None, None, 90)],
)
def test_silence_begins_where_readings_are_missed(
    interval: float | None, behind: float | None, silent_after: float
) -> None:
    """Three intervals, as late as the readings usually come, and what may not have been told yet."""
    for ago, state in ((silent_after, SourceState.HEALTHY), (silent_after + 1, SourceState.SILENT)):
        one = heard(SourceKind.STORAGE, "minio", ago, interval=interval)
        record = one.model_copy(update={"behind_seconds": behind})
        assert states(shown(record, NOW_EVENT_TIME))["storage", "minio"] is state


def test_a_worker_that_lags_makes_nobody_silent() -> None:
    """Ages count in event time; that it lags is said instead."""
    book = book_of(*NODE_7)
    answer = Answers(book, catalogue("en")).sources(None, Slice(), BEGAN + 7200)
    assert answer.behind_seconds == 7200
    assert answer.domains == Answers(book, catalogue("en")).sources(None, Slice(), BEGAN).domains


def test_a_log_is_quiet_and_never_silent() -> None:
    """A registry that nobody asks is no fault."""
    domain = shown(heard(SourceKind.REGISTRY_LOG, "registry-a", 5000), NOW_EVENT_TIME)
    assert states(domain)["registry_log", "registry-a"] is SourceState.QUIET
    assert domain.problems == ()


def test_a_container_that_was_replaced_is_gone_and_one_alone_is_silent() -> None:
    """Deployments end containers every day; but a registry whose every source ended is worth a word."""
    old = [heard(kind, "registry-1", 4000) for kind in (SourceKind.CPU, SourceKind.REGISTRY_LOG)]
    new = [heard(kind, "registry-2", 5) for kind in (SourceKind.CPU, SourceKind.REGISTRY_LOG)]
    domain = shown(*old, *new, NOW_EVENT_TIME)
    assert states(domain)["cpu", "registry-1"] is SourceState.GONE
    assert domain.problems == ()
    assert texts(*old, NOW_EVENT_TIME) == ["no CPU metrics from registry-1 for 1 h 6 min"]
    ages = [one.model_copy(update={"at": BEGAN - 100_000}) for one in old]
    assert ("cpu", "registry-1") not in states(shown(*ages, *new, NOW_EVENT_TIME))
    storage = heard(SourceKind.STORAGE, "minio", 4000)
    assert texts(storage, *new, NOW_EVENT_TIME) == ["no storage metrics from minio for 1 h 6 min"]


def test_what_was_never_heard_is_told_with_what_it_costs() -> None:
    """Kind by kind, and only where something depends on it."""
    domain = shown(*NODE_7)
    assert [one.text for one in domain.missing] == [
        "DNS metrics never heard: a DNS outage shows only as lookups that fail in logs"
    ]
    alone = shown(heard(SourceKind.REGISTRY_LOG, "registry-a", 5), NOW_EVENT_TIME)
    assert [one.kinds[0].value for one in alone.missing] == ["cpu", "throttling", "memory", "storage", "dns"]
    assert alone.missing[0].text.startswith("CPU metrics of registry-a never heard: starvation shows only")


def test_the_sources_heard_longest_ago_are_forgotten_and_it_is_said() -> None:
    """The ledger is bounded."""
    book = Book(Limits(sources=100))
    for n in range(150):
        book.receive(heard(SourceKind.CPU, f"registry-{n}", 150 - n))
    answer = Answers(book, catalogue("en")).sources(None, Slice(), BEGAN)
    places = {one.place for one in answer.domains[0].sources if one.state is not SourceState.NEVER}
    assert len(places - {""}) == 150 - answer.forgotten <= 100
    assert "registry-149" in places


def test_pages_of_domains_hold_each_once_and_troubled_ones_first() -> None:
    """What needs somebody comes before what does not."""
    records = [heard(SourceKind.CPU, "a", 500 if n % 3 == 0 else 5, domain=f"shop-{n:02}") for n in range(40)]
    answers = Answers(book_of(*records, NOW_EVENT_TIME), catalogue("en"))
    seen, before = [], None
    while True:
        page = answers.sources(None, Slice(before, 7), BEGAN)
        seen += [one.domain for one in page.domains]
        before = page.next
        if before is None:
            break
    assert seen == [*(f"shop-{n:02}" for n in range(0, 40, 3)), *(f"shop-{n:02}" for n in range(40) if n % 3)]
    assert page.silent == 14


def test_silence_is_told_in_chinese() -> None:
    """In the language of the settings."""
    (problem,) = shown(*NODE_7, language="zh").problems
    assert problem.text == "node-7 已有 4 分 没有CPU和限流指标"


def test_a_page_of_domains_ends_early_where_they_have_many_sources() -> None:
    """Each domain is shown whole, and a page stays as short as it is quick."""
    records = [
        heard(SourceKind.CPU, f"registry-{n}", 5, domain=f"shop-{domain}")
        for domain in range(5)
        for n in range(120 if domain else 400)
    ]
    answers = Answers(book_of(*records, NOW_EVENT_TIME), catalogue("en"))
    pages, before = [], None
    while True:
        page = answers.sources(None, Slice(before, 50), BEGAN)
        pages.append([one.domain for one in page.domains])
        before = page.next
        if before is None:
            break
    assert pages == [["shop-0"], ["shop-1", "shop-2"], ["shop-3", "shop-4"]]
