"""Event time of a partition: never back, never past a source that holds it, silent until all reported."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core import Watermark
from schemas import Progress, SourceProgress
from tests.laws.bounds import searched

PARTITIONS = {"registry.logs": 2, "registry.metrics": 1}
SOURCES = [f"{topic}/{number}" for topic, count in PARTITIONS.items() for number in range(count)]

times = st.one_of(st.none(), st.integers(0, 50).map(float))
reports = st.builds(
    lambda worker, sources: Progress(
        worker=worker,
        expected=PARTITIONS,
        sources=tuple(SourceProgress(source=s, time=t, holds=h) for s, t, h in sources),
    ),
    st.sampled_from(["worker-1", "worker-2"]),
    st.lists(st.tuples(st.sampled_from(SOURCES), times, st.booleans()), max_size=4),
)
courses = st.lists(reports, max_size=12)


def held_at(course: list[Progress]) -> list[float | None]:
    """Naively: how far each source that holds in its last report was ever read."""
    last = {one.source: one.holds for report in course for one in report.sources}
    found: list[float | None] = []
    for source in (source for source, holds in last.items() if holds):
        read = [
            one.time
            for report in course
            for one in report.sources
            if one.source == source and one.time is not None
        ]
        found.append(max(read, default=None))
    return found


@searched(200)
@given(courses)
def test_event_time_keeps_its_laws(course: list[Progress]) -> None:
    """It never goes back, never passes a holding source, and waits until every source has reported."""
    mark = Watermark()
    reached: float | None = None
    for count, report in enumerate(course, 1):
        mark.receive(report)
        now = mark.event_time()
        reported = {one.source for before in course[:count] for one in before.sources}
        if reported != set(SOURCES):
            assert now is None
        if now != reached:
            assert now is not None
            assert reached is None or now > reached
            holding = held_at(course[:count])
            assert all(time is not None and now <= time for time in holding)
            read = [one.time for before in course[:count] for one in before.sources]
            assert now <= max(time for time in read if time is not None)
        reached = now


@searched(100)
@given(courses, st.integers(0, 12))
def test_a_restored_watermark_goes_on_as_it_was(course: list[Progress], cut: int) -> None:
    """Written down as JSON and read back at any point, it says what it would have said."""
    kept, restored = Watermark(), Watermark()
    for number, report in enumerate(course):
        if number == cut:
            restored = Watermark.restore(orjson.loads(orjson.dumps(restored.snapshot())))
        kept.receive(report)
        restored.receive(report)
        assert restored.event_time() == kept.event_time()
    assert restored.snapshot() == kept.snapshot()


@searched(100)
@given(courses)
def test_a_repeated_report_changes_nothing(course: list[Progress]) -> None:
    """A report that is delivered twice in a row says nothing new."""
    mark = Watermark()
    for report in course:
        mark.receive(report)
        before = mark.snapshot()
        mark.receive(report)
        assert mark.snapshot() == before


def test_a_source_nobody_expects_does_not_stand_for_one_that_is() -> None:
    """A report about another topic does not break the silence of a partition that nobody has reported."""
    mark = Watermark()
    strange = (
        SourceProgress(source="registry.logs/0", time=10.0, holds=False),
        SourceProgress(source="dns.logs/0", time=10.0, holds=False),
    )
    mark.receive(Progress(worker="worker-1", expected={"registry.logs": 2}, sources=strange))
    assert mark.event_time() is None


def test_a_caught_up_source_holds_nobody_back() -> None:
    """Where nobody holds, event time is the highest that was read: a quiet topic does not stop it."""
    mark = Watermark()
    sources = (
        SourceProgress(source="registry.logs/0", time=40.0, holds=False),
        SourceProgress(source="registry.logs/1", time=None, holds=False),
    )
    mark.receive(Progress(worker="worker-1", expected={"registry.logs": 2}, sources=sources))
    assert mark.event_time() == 40.0
