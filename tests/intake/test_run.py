"""A run of records is taken in exactly as its records one by one, wherever it was read; only faster."""

import pickle
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.history.readers import packed
from agents.recordings.arrivals import lay_out, layout_of
from agents.recordings.envelopes import ENVELOPES
from agents.recordings.recording import read_recording
from agents.settings import Topics
from pipeline.intake import Intake, IntakeConfig, RawRecord, Run
from pipeline.intake.dating import Dating
from pipeline.intake.record import Joined
from pipeline.intake.relevance import cannot_matter, may_matter
from schemas import Signature, SymptomKind, encode
from tests.intake.feed import AT, captured, fluent_bit, samples_of_shippers

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
ACCESS = captured("v2.8.3-access.stdout")
STAMP_MS = round(AT * 1000)


def run_of(records: list[RawRecord]) -> Run:
    return Run(
        records[0].topic,
        records[0].partition,
        [one.offset for one in records],
        [one.timestamp_ms for one in records],
        [one.key for one in records],
        [one.value for one in records],
    )


def travelled(run: Run, config: IntakeConfig) -> Run:
    """The run as it comes from another process."""
    there = packed(run, Joined(run.values), config.record_bytes_max, Dating(config))
    here: Run = pickle.loads(pickle.dumps(there))
    return here


def taken(records: list[RawRecord], config: IntakeConfig, length: int, far: bool = False) -> list[object]:
    """Everything that can be seen of an intake, after runs of this length; 0: one record at a time.

    `far`: the runs come from another process.
    """
    intake = Intake(config)
    if length:
        for start in range(0, len(records), length):
            run = run_of(records[start : start + length])
            intake.receive_run(travelled(run, config) if far else run)
    else:
        for record in records:
            intake.receive(record)
    held = intake.held_offsets()
    batch = intake.flush(release_heads=True)
    frames = [encode(frame) for frame in batch.frames]
    sources = {place: asdict(source) for place, source in intake.sources().items()}
    return [frames, asdict(batch.counts), batch.dead_letters, held, sources]


def by_partition(name: str, shipper: str) -> list[list[RawRecord]]:
    layout = layout_of(ENVELOPES[shipper], shipper == "fluent-bit", Topics())
    found: dict[tuple[str, int], list[RawRecord]] = {}
    for arrival in lay_out(read_recording(SAMPLES / name), layout):
        found.setdefault((arrival.record.topic, arrival.record.partition), []).append(arrival.record)
    return list(found.values())


@pytest.mark.parametrize("shipper", ["fluent-bit", "plain", "rsyslog"])
def test_a_recording_is_taken_in_the_same_in_runs(shipper: str) -> None:
    """Split lines, metrics, markers and access lines, whatever the length of a run."""
    for records in by_partition("cpu_cascade", shipper):
        one_by_one = taken(records, IntakeConfig(), 0)
        for length in (1, 7, 5_000):
            assert taken(records, IntakeConfig(), length) == one_by_one


def test_signatures_of_ones_own_are_seen_in_runs() -> None:
    """A rule may name words that the byte test does not know."""
    signature = Signature(name="panicked", kind=SymptomKind.REQUEST_FAILED, match="out of sockets")
    line = 'time="2026-11-23T09:10:30Z" level=fatal msg="out of sockets"'
    records = [RawRecord("registry.logs", 0, n, STAMP_MS, None, fluent_bit(line)) for n in range(3)]
    config = IntakeConfig(signatures=(signature,))
    assert taken(records, config, 3) == taken(records, config, 0)
    assert taken(records, config, 3)[0]


times = st.one_of(
    st.sampled_from(["2099-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "", "not a time"]),
    st.integers(-5000, 5000).map(lambda ms: f"2026-11-23T09:10:{30 + ms // 1000:02}.{ms % 1000:03}Z"),
    st.integers(-5000, 5000).map(lambda ms: f"2026-11-23T10:10:{30 + ms // 1000:02}.{ms % 1000:03}+01:00"),
    st.integers(-5, 5).map(lambda seconds: f"{STAMP_MS // 1000 + seconds}"),
    st.integers(-5000, 5000).map(lambda ms: f"{(STAMP_MS + ms) / 1000}"),
    st.integers(-5000, 5000).map(lambda ms: f"{STAMP_MS + ms}"),
    st.sampled_from([f"000{STAMP_MS}", f"{STAMP_MS // 1000}.", f"{STAMP_MS // 1000}.0", f"{STAMP_MS}000000"]),
)
stamps = st.one_of(
    st.none(), st.sampled_from([-1, 0, STAMP_MS * 2]), st.integers(-5000, 5000).map(lambda ms: STAMP_MS + ms)
)
shapes = (
    b'{"time":"%s","log":"a line"}',
    b'{"time":"%s","log":"cut off',
    b'{"@timestamp":"%s","log":"an error","stream":"stderr"}',
    b'{"date":"%s","log":"begins","stream":"stderr","_p":"P"}',
)
values = st.one_of(
    st.builds(lambda shape, time: shape % time.encode(), st.sampled_from(shapes), times),
    st.sampled_from(
        [None, b"", b"\xff", b"plain", b"[", ACCESS[0].encode(), *samples_of_shippers().values()]
    ),
)


@given(st.lists(st.tuples(stamps, values), min_size=1, max_size=12), st.integers(1, 12))
def test_any_run_is_taken_in_as_its_records_are(
    rows: list[tuple[int | None, bytes | None]], length: int
) -> None:
    """Whatever time a record claims and Kafka stamped, broken, empty or cut."""
    records = [
        RawRecord("registry.logs", 0, number, stamp, None, value)
        for number, (stamp, value) in enumerate(rows)
    ]
    config = IntakeConfig(record_bytes_max=4096)
    one_by_one = taken(records, config, 0)
    assert taken(records, config, length) == one_by_one
    assert taken(records, config, length, far=True) == one_by_one


@given(st.lists(st.one_of(values.filter(bool), st.binary(min_size=1)), max_size=12))
def test_the_byte_test_of_many_is_that_of_each(found: list[bytes]) -> None:
    """No word is found across the border of two records."""
    assert may_matter(found) == [number for number, value in enumerate(found) if not cannot_matter(value)]
