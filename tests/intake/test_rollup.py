"""Roll-ups merge like sets: order, repetition and the moments of flushing leave no trace."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.intake import Batch, Intake, IntakeConfig
from pipeline.intake.rollup import FRAME_OBSERVATIONS_MAX, GOOD_REQUESTS_MAX, estimated_count
from schemas import SymptomKind
from tests.intake.feed import AT, accounted, feed, fluent_bit, record, symptoms, union

BOUND = 3


def _line(number: int, second: int) -> str:
    return (
        f'time="2026-11-23T09:10:{second:02}.{number:09}Z" level=error msg="response completed with error" '
        'err.code=unknown err.detail="s3aws: RequestCanceled: request context canceled\\ncaused by: context '
        f'canceled" err.message="unknown error" go.version=go1.20.8 http.request.id=r{number} '
        "http.response.duration=2s http.response.status=500"
    )


def _cancelled(number: int, pod: str, second: int) -> bytes:
    return fluent_bit(_line(number, second), pod, AT - 30.5 + second)


def _good(number: int, pod: str, second: int) -> bytes:
    line = (
        f'time="2026-11-23T09:10:{second:02}.{number:09}Z" level=info msg="response completed" '
        f"go.version=go1.20.8 http.request.id=r{number} http.response.duration=2ms http.response.status=200 "
    )
    return fluent_bit(line, pod, AT - 30.5 + second)


EVENTS = st.lists(
    st.builds(
        lambda write, number, pod, second: write(number, f"registry-{pod}", second),
        st.sampled_from([_cancelled, _good]),
        st.integers(0, 200),
        st.sampled_from("ab"),
        st.integers(30, 32),
    ),
    max_size=80,
)


def _run(values: list[bytes], flush_after: set[int]) -> list[Batch]:
    intake = Intake(IntakeConfig(observations_per_rollup=BOUND))
    batches = []
    for offset, value in enumerate(values):
        intake.receive(record(value, offset))
        if offset in flush_after:
            batches.append(intake.flush())
    return [*batches, intake.flush(release_heads=True)]


@settings(deadline=None)
@given(EVENTS, st.sets(st.integers(0, 160)), st.randoms(use_true_random=False))
def test_order_repetition_and_flushes_do_not_change_the_union(
    values: list[bytes], flush_after: set[int], chance: random.Random
) -> None:
    """Shuffled, doubled and flushed anywhere, the merged roll-ups hold the same observations."""
    plain = union(_run(values, set()), BOUND)
    mixed = [*values, *chance.sample(values, len(values) // 2)]
    chance.shuffle(mixed)
    assert union(_run(mixed, flush_after), BOUND) == plain


@settings(deadline=None)
@given(EVENTS)
def test_a_roll_up_holds_every_distinct_event_up_to_its_bound(values: list[bytes]) -> None:
    """Against the naive count of distinct records: exact up to the bound, above it a larger estimate."""
    (batch,) = _run(values, set())
    distinct = {
        (kind, pod, second): len({value for value in values if value in wanted})
        for kind, write in ((SymptomKind.REQUEST_CANCELLED, _cancelled), (SymptomKind.REQUEST_OK, _good))
        for pod in "ab"
        for second in (30, 31, 32)
        if (wanted := {write(number, f"registry-{pod}", second) for number in range(201)}) & set(values)
    }
    found = {(one.kind, (one.instance or "")[-1], one.second % 60): one for one in symptoms(batch)}
    assert set(found) == set(distinct)
    for key, symptom in found.items():
        bound = GOOD_REQUESTS_MAX if key[0] is SymptomKind.REQUEST_OK else BOUND
        assert len(symptom.observations) == min(bound, distinct[key])
        if distinct[key] <= bound:
            assert symptom.count == distinct[key]
        else:
            assert symptom.count > bound


def test_beyond_the_bound_the_count_is_estimated_well() -> None:
    """Bottom-k of 64 has a relative error of about 13 %: 5,000 requests are known within three of it."""
    batch = feed([_good(number, "registry-a", 30) for number in range(5_000)])
    (symptom,) = symptoms(batch)
    assert len(symptom.observations) == GOOD_REQUESTS_MAX
    assert symptom.count == pytest.approx(5_000, rel=0.4)
    assert all(one.time == symptom.second and one.request is None for one in symptom.observations)


@pytest.mark.parametrize("events", [BOUND + 1, 2 * BOUND + 1, 50])
def test_a_roll_up_that_was_cut_shows_it(events: int) -> None:
    """More were seen than are kept, by one or by many: or else merging would take the count for exact."""
    batch = _run([_cancelled(number, "registry-a", 30) for number in range(1, events + 1)], set())[0]
    (symptom,) = symptoms(batch)
    assert len(symptom.observations) == BOUND
    assert symptom.count > BOUND


def test_an_estimate_is_a_function_of_the_kept_ids_alone() -> None:
    """The k-th smallest id as a fraction of the id space says how many there were."""
    ids = [f"{number:016x}" for number in range(0, 1 << 60, 1 << 54)]
    assert estimated_count(ids, cut=False) == len(ids)
    assert estimated_count(ids[:33], cut=True) == pytest.approx(32 * 1024 / 32, rel=0.01)


def test_a_weighty_line_is_as_many_events_as_it_says_and_counts_once_when_repeated() -> None:
    """CoreDNS' consolidated errors: 17 events, the same 17 when the line comes twice, at no instance."""
    line = "[WARNING] plugin/errors: 17 errors like '^read udp .* i/o timeout$' occurred in last 30s"
    value = fluent_bit(line, pod="coredns-5d78c9869d-x")
    (symptom,) = symptoms(feed([value, value]))
    assert symptom.kind is SymptomKind.DNS_TIMEOUT
    assert symptom.count == 17
    assert (symptom.instance, symptom.host) == (None, "node-coredns-5d78c9869d-x")


def test_examples_are_two_redacted_lines_with_their_origin() -> None:
    """Every number has a source: the record a line came from, and the line without its secrets."""
    said, signed = b"request context canceled", b"request context canceled X-Amz-Signature=deadbeefdeadbeef"
    batch = feed([_cancelled(number, "registry-a", 30).replace(said, signed) for number in range(9)])
    (symptom,) = symptoms(batch)
    assert symptom.count == 9
    assert len(symptom.exemplars) == 2
    for exemplar in symptom.exemplars:
        assert "X-Amz-Signature=[redacted]" in exemplar.text
        assert "deadbeef" not in exemplar.text
        assert len(exemplar.text) <= 500
    assert {exemplar.origin.offset for exemplar in symptom.exemplars} <= set(range(9))


def test_a_big_flush_is_cut_into_several_frames() -> None:
    """A frame stays well below Kafka's megabyte; nothing is lost between two."""
    values = [_cancelled(number, f"registry-{number % 20}", 30) for number in range(5_000)]
    batch = feed(values, IntakeConfig(observations_per_rollup=256))
    sizes = [sum(one.count for one in symptoms(Batch((frame,), (), batch.counts))) for frame in batch.frames]
    assert len(sizes) == 3
    assert sum(sizes) == 5_000
    assert max(sizes) <= FRAME_OBSERVATIONS_MAX
    assert max(len(frame.model_dump_json()) for frame in batch.frames) < 700_000


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_half_a_line_and_the_whole_are_one_event_and_the_fuller_telling_stays(order: tuple[int, int]) -> None:
    """A half told too early and its line told later share an id: place and nanosecond are the event's own."""
    whole = _line(1, 30)
    half = whole.partition("\\n")[0]
    assert half.endswith("request context canceled")
    intake = Intake(IntakeConfig())
    for offset, value in enumerate([(half, whole)[place] for place in order]):
        intake.receive(record(fluent_bit(value), offset))
    batch = intake.flush(release_heads=True)
    assert batch.counts.partial == 1
    (symptom,) = symptoms(batch)
    assert symptom.count == 1
    assert symptom.observations[0].request == "r1"
    assert symptom.partial == 0


def test_a_flush_forgets_what_it_gave() -> None:
    """Nothing is told twice."""
    intake = Intake(IntakeConfig())
    intake.receive(record(_cancelled(1, "registry-a", 30)))
    first, second = intake.flush(), intake.flush()
    assert (len(first.frames), len(second.frames)) == (1, 0)
    assert (accounted(first.counts), accounted(second.counts)) == (1, 0)


@settings(deadline=None)
@given(numbers=st.permutations(range(12)), sides=st.lists(st.booleans(), min_size=12, max_size=12))
def test_examples_do_not_depend_on_who_read_which_record(numbers: list[int], sides: list[bool]) -> None:
    """Two workers that share the partitions keep, together, the examples that one worker would keep."""
    values = [(offset, _cancelled(number, "registry-a", 30)) for offset, number in enumerate(numbers)]

    def examples(part: list[tuple[int, bytes]]) -> list[int]:
        intake = Intake(IntakeConfig(observations_per_rollup=BOUND))
        for offset, value in part:
            intake.receive(record(value, offset))
        return [one.origin.offset for symptom in symptoms(intake.flush()) for one in symptom.exemplars]

    shares = [
        [value for value, at in zip(values, sides, strict=True) if at is side] for side in (True, False)
    ]
    together = sorted(offset for share in shares for offset in examples(share))
    assert together[:2] == examples(values)
