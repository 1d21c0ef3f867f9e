"""Perturbations: what each does to arrivals, and that chance is only the seed's."""

import random
from collections import Counter
from pathlib import Path

import pytest

from agents.recordings.arrivals import lay_out, layout_of
from agents.recordings.envelopes import ENVELOPES
from agents.recordings.recording import Group, read_recording
from agents.recordings.replay import Perturbation, perturb
from agents.settings import Topics
from pipeline.intake import RawRecord
from pipeline.replay import Arrival, delay, duplicate, only, shuffle, thin

ROOT = Path(__file__).parents[2]


def arrival(
    at: float, offset: int, group: str = "metrics", series: str = "a/cgroup", unit: int | None = None
) -> Arrival:
    record = RawRecord("t", 0, offset, round(at * 1000), None, b"%d" % offset)
    return Arrival(at, record, group, series, offset if unit is None else unit)


def offsets(arrivals: list[Arrival]) -> list[int]:
    return [arrival.record.offset for arrival in arrivals]


@pytest.fixture(scope="module")
def recorded() -> list[Arrival]:
    recording = read_recording(ROOT / "samples/dns_outage_direct")
    return lay_out(recording, layout_of(ENVELOPES["fluent-bit"], True, Topics()))


def test_a_subset_of_the_sources() -> None:
    """Only the chosen groups are left."""
    found = only([arrival(0, 0, "logs"), arrival(1, 1, "dns"), arrival(2, 2, "storage")], ["logs", "storage"])
    assert offsets(found) == [0, 2]


def test_thinning_keeps_the_first_reading_of_each_interval_and_series() -> None:
    """Each series is thinned by itself; log lines, which have no series, all stay."""
    readings = [arrival(second, second) for second in range(25)]
    others = [arrival(3, 100, series="a/s3-proxy"), arrival(4, 101, "logs", "")]
    assert offsets(thin([*readings, *others], 10)) == [0, 10, 20, 100, 101]


def test_thinning_keeps_events(recorded: list[Arrival]) -> None:
    """A lost query is an event, not a sample: none is thinned away."""
    lost = [one for one in recorded if b'"event":"dropped"' in (one.record.value or b"")]
    assert len(lost) > 10
    kept = offsets([one for one in thin(recorded, 10) if b'"event":"dropped"' in (one.record.value or b"")])
    assert kept == offsets(lost)


def test_a_delay_moves_readings_only() -> None:
    """Readings arrive later, their record unchanged; log lines arrive as they did."""
    found = delay([arrival(0, 0), arrival(1, 1, "logs", ""), arrival(2, 2)], 45)
    assert [(one.at, one.record.offset, one.record.timestamp_ms) for one in found] == [
        (1, 1, 1000),
        (45, 0, 0),
        (47, 2, 2000),
    ]


def test_a_shuffle_displaces_each_record_within_its_bound(recorded: list[Arrival]) -> None:
    """Nothing is lost, nothing arrives early or later than allowed, and the order is another."""
    found = shuffle(recorded, 8, random.Random(1).random)
    before = {(one.record.topic, one.record.partition, one.record.offset): one.at for one in recorded}
    after = {(one.record.topic, one.record.partition, one.record.offset): one.at for one in found}
    assert before.keys() == after.keys()
    assert all(0 <= after[place] - at < 8 for place, at in before.items())
    assert [one.at for one in found] == sorted(after.values())
    assert offsets(found) != offsets(recorded)


def test_a_shuffle_keeps_the_pieces_of_a_line_together() -> None:
    """Pieces of one line arrive at the same time, one after the other."""
    pieces = [arrival(second, 2 * second + half, unit=second) for second in range(50) for half in (0, 1)]
    found = offsets(shuffle(pieces, 30, random.Random(1).random))
    assert found != sorted(found)
    assert all(found[index + 1] == found[index] + 1 for index in range(0, 100, 2))


def test_duplicates_are_later_copies_at_new_offsets(recorded: list[Arrival]) -> None:
    """About the share asked for comes again: same bytes, same partition, an offset of its own, later."""
    found = duplicate(recorded, 0.1, random.Random(1).random)
    places = Counter((one.record.topic, one.record.partition, one.record.offset) for one in found)
    assert max(places.values()) == 1
    added = Counter(one.record.value for one in found) - Counter(one.record.value for one in recorded)
    assert 0.07 * len(recorded) < added.total() < 0.13 * len(recorded)
    assert [one.at for one in found] == sorted(one.at for one in found)
    first_at = {one.record.value: one.at for one in reversed(recorded)}
    assert all(one.at - first_at[one.record.value] >= 0 for one in found)


def test_duplicates_repeat_whole_lines() -> None:
    """The pieces of a line are sent again together, as a shipper's retry does."""
    pieces = [arrival(second, 2 * second + half, unit=second) for second in range(50) for half in (0, 1)]
    extra = [one for one in duplicate(pieces, 0.5, random.Random(1).random) if one.record.offset >= 100]
    units = Counter(one.unit for one in extra)
    assert units
    assert set(units.values()) == {2}


@pytest.mark.parametrize(
    "perturbation",
    [
        Perturbation(),
        Perturbation(shuffle_seconds=8, seed=3),
        Perturbation(duplicate_share=0.1, seed=3),
        Perturbation(shuffle_seconds=8, duplicate_share=0.1, metrics_interval_seconds=10, seed=3),
    ],
)
def test_equal_settings_give_equal_arrivals(recorded: list[Arrival], perturbation: Perturbation) -> None:
    """Chance comes from the seed alone."""
    assert perturb(recorded, perturbation) == perturb(recorded, perturbation)


def test_another_seed_gives_other_arrivals(recorded: list[Arrival]) -> None:
    """The seed is used."""
    one, other = (perturb(recorded, Perturbation(shuffle_seconds=8, seed=seed)) for seed in (1, 2))
    assert one != other


def test_without_perturbation_only_the_markers_go(recorded: list[Arrival]) -> None:
    """What is replayed by default is the recording, record by record."""
    assert perturb(recorded, Perturbation()) == only(recorded, [group.value for group in Group])
