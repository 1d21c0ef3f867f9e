"""Both stores merge like sets: in any order, in any portions, however often, they end up the same."""

from random import Random

import orjson
from hypothesis import given
from hypothesis import strategies as st

from pipeline.history import EventStore, SampleStore
from pipeline.history.events import OBSERVATIONS_MAX
from schemas import Origin, SampleKind, Symptom, SymptomKind
from tests.laws.bounds import searched
from tests.laws.histories import BASE, Event, Reading, roll_up

seeds = st.integers(0, 1 << 32)

events = st.lists(
    st.builds(
        Event,
        kind=st.sampled_from([SymptomKind.REQUEST_CANCELLED, SymptomKind.DNS_TIMEOUT]),
        time=st.integers(0, 3).map(lambda second: BASE + second + 0.5),
        instance=st.sampled_from(["registry-a", "registry-b"]),
        upstream=st.sampled_from([None, "10.0.0.2"]),
        number=st.integers(0, 40),
        copy=st.integers(0, 1),
    ),
    max_size=60,
)
readings = st.lists(
    st.builds(
        lambda second, instance, values, offset: Reading(
            kind=SampleKind.CPU,
            instance=instance,
            time=BASE + second,
            values=values,
            source="cgroup",
            origin=Origin(topic="registry.metrics", partition=0, offset=offset),
        ),
        st.integers(0, 4).map(lambda tenth: tenth / 10),
        st.sampled_from(["registry-a", "registry-b"]),
        st.dictionaries(
            st.sampled_from(["usage_cores", "limit_cores"]), st.sampled_from([None, 0.5, 1.0]), max_size=2
        ),
        st.integers(0, 30),
    ),
    max_size=25,
)


def dumped(store: EventStore | SampleStore) -> bytes:
    return orjson.dumps(store.snapshot(), option=orjson.OPT_SORT_KEYS)


def stored(symptoms: list[Symptom]) -> bytes:
    store = EventStore()
    for symptom in symptoms:
        store.add(symptom)
    return dumped(store)


def sampled(samples: list[Reading]) -> bytes:
    store = SampleStore()
    for sample in samples:
        store.add(sample)
    return dumped(store)


def portions(found: list[Event], random: Random, bound: int = OBSERVATIONS_MAX) -> list[Symptom]:
    """The events rolled up in portions as flushes would cut them, some events in several of them."""
    cuts: list[list[Event]] = [[] for _ in range(random.randint(1, 4))]
    for event in found:
        for portion in random.sample(cuts, random.randint(1, len(cuts))):
            portion.append(event)
    rolled = [symptom for portion in cuts for symptom in roll_up(portion, bound)]
    random.shuffle(rolled)
    return rolled


@searched(100)
@given(events, seeds)
def test_events_merge_like_sets(found: list[Event], seed: int) -> None:
    """Whole or in portions, in any order, with repetitions: the store of events is the same."""
    assert stored(portions(found, Random(seed))) == stored(roll_up(found))


@searched(100)
@given(events, seeds, st.sampled_from([2, 5]))
def test_portions_that_were_cut_merge_like_sets(found: list[Event], seed: int, bound: int) -> None:
    """Roll-ups cut to the smallest ids merge into the cut of the whole, whatever the portions."""
    cut = EventStore()
    for symptom in portions(found, Random(seed), bound):
        cut.add(symptom)
    for symptom in roll_up(found):
        for _, _, bucket in cut.buckets(
            symptom.instance or "", symptom.second, symptom.second, (symptom.kind,)
        ):
            whole = [one.id for one in symptom.observations]
            kept = sorted(bucket.observations)
            if set(kept) & set(whole):
                assert kept == whole[: len(kept)]
                assert len(kept) >= min(bound, len(whole))


@searched(100)
@given(events, seeds)
def test_what_is_new_is_said_once(found: list[Event], seed: int) -> None:
    """Adding says which observations were not known before: each of them exactly once."""
    store, news = EventStore(), []
    for symptom in portions(found, Random(seed)):
        news += [(symptom.kind, symptom.upstream, one.id) for one in store.add(symptom)]
    assert len(news) == len(set(news))
    assert {one for _, _, one in news} == {event.id for event in found}


@searched(100)
@given(readings, seeds)
def test_samples_merge_like_sets(found: list[Reading], seed: int) -> None:
    """In any order and with repetitions, contradictions included: the store of samples is the same."""
    random = Random(seed)
    again = [*found, *random.choices(found, k=10)] if found else []
    random.shuffle(again)
    assert sampled(again) == sampled(found)


@searched(50)
@given(events, readings)
def test_both_stores_survive_being_written_down(found: list[Event], samples: list[Reading]) -> None:
    """A store read back from JSON is the store that was written, and goes on merging like it."""
    half = len(found) // 2
    store = EventStore()
    for symptom in roll_up(found[:half]):
        store.add(symptom)
    store = EventStore.restore(orjson.loads(orjson.dumps(store.snapshot())))
    for symptom in roll_up(found[half:]):
        store.add(symptom)
    assert dumped(store) == stored(roll_up(found))
    kept = SampleStore()
    for number, sample in enumerate(samples):
        if number == len(samples) // 2:
            kept = SampleStore.restore(orjson.loads(orjson.dumps(kept.snapshot())))
        kept.add(sample)
    assert dumped(kept) == sampled(samples)


def crowd(first: int, last: int) -> list[Event]:
    return [
        Event(SymptomKind.REQUEST_CANCELLED, BASE + 0.5, "registry-a", number=number)
        for number in range(first, last)
    ]


def test_a_count_beyond_the_bound_is_near_the_truth_whatever_the_portions() -> None:
    """Ten thousand failures within a second, in portions of any size, are estimated within 20 %."""
    for portion in (10_000, 1_000, 300):
        store = EventStore()
        for first in range(0, 10_000, portion):
            for symptom in roll_up(crowd(first, first + portion)):
                store.add(symptom)
        counted = store.count("registry-a", BASE, BASE, (SymptomKind.REQUEST_CANCELLED,))
        assert 8_000 < counted < 12_000, portion
        assert store.cut("registry-a", BASE, BASE)


def test_a_large_and_a_small_portion_that_were_cut_are_estimated_together() -> None:
    """A roll-up cut far below beside one cut less far: the estimate is that of their union."""
    store = EventStore()
    for symptom in [*roll_up(crowd(0, 9_000), 64), *roll_up(crowd(9_000, 9_500), 64)]:
        store.add(symptom)
    counted = store.count("registry-a", BASE, BASE, (SymptomKind.REQUEST_CANCELLED,))
    assert 6_500 < counted < 12_500


def test_a_count_below_the_bound_is_exact() -> None:
    """As long as nothing was cut, the number is the number."""
    store = EventStore()
    for symptom in roll_up(crowd(0, OBSERVATIONS_MAX)):
        store.add(symptom)
    assert store.count("registry-a", BASE, BASE, (SymptomKind.REQUEST_CANCELLED,)) == OBSERVATIONS_MAX
    assert not store.cut("registry-a", BASE, BASE)
