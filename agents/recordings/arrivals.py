"""Lays a recording out on the raw topics: which record, in which partition, at which offset, when.

Shipping and replaying a recording share this plan, so what a replay says about an offset holds for
fresh topics that the recording was shipped to.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from agents.recordings.envelopes import Envelope, wrap_line, wrap_reading
from agents.recordings.recording import Group, LogLine, Reading, Recording
from agents.settings import Topics
from pipeline.intake import RawRecord
from pipeline.replay import Arrival

PARTITIONS = 4
RUN = 8
"""Records without a key stay in one partition for so many lines, as shippers batch them. A split line
is not divided: its pieces leave a shipper in the same breath."""

GAP_SECONDS = 60
"""After a silence longer than this, markers are written for its last minute only."""

MARKERS = "markers"
"""The `group` of a marker among arrivals."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a recording is written to Kafka. `partitions`: topic → partition count."""

    topics: Topics
    partitions: dict[str, int]
    envelope: Envelope
    split: bool


def layout_of(envelope: Envelope, split: bool, topics: Topics, partitions: int = PARTITIONS) -> Layout:
    """Make a layout whose topics all have the same number of partitions."""
    return Layout(topics, dict.fromkeys(topics.raw, partitions), envelope, split)


def lay_out(recording: Recording, layout: Layout) -> list[Arrival]:
    """Turn a recording into arrivals in order of time, with a marker per second and partition.

    The marker of a second stands behind everything that was read up to its end.
    """
    offsets: Counter[tuple[str, int]] = Counter()
    units: Counter[str] = Counter()
    arrivals: list[Arrival] = []
    for number, entry in enumerate(_with_seconds(recording)):
        if isinstance(entry, int):
            arrivals += markers(entry, entry, layout, offsets)
            continue
        topic, values = _values(entry, layout)
        partition = units[topic] // RUN % layout.partitions[topic]
        units[topic] += 1
        for value in values:
            record = _record(topic, partition, offsets, entry.at, value)
            arrivals.append(Arrival(entry.at, record, entry.group.value, series_of(entry, number), number))
    return arrivals


def markers(
    event_time: int, at: float, layout: Layout, offsets: Counter[tuple[str, int]]
) -> Iterator[Arrival]:
    """Say at `at`, in every partition of every raw topic: all records up to `event_time` are written."""
    value = orjson.dumps({"undercurrent_progress": {"event_time": event_time}})
    for topic, count in layout.partitions.items():
        for partition in range(count):
            yield Arrival(at, _record(topic, partition, offsets, event_time, value), MARKERS)


def series_of(entry: LogLine | Reading, number: int) -> str:
    """Name the series a reading belongs to, "" for log lines. An event is a series of its own."""
    if isinstance(entry, LogLine):
        return ""
    series = f"{entry.instance}/{entry.source}"
    return f"{series}/{number}" if entry.is_event else series


def _with_seconds(recording: Recording) -> Iterator[LogLine | Reading | int]:
    """Interleave the entries with the whole seconds that have passed before each of them."""
    passed = math.floor(recording.entries[0].at) if recording.entries else 0
    for entry in recording.entries:
        last = math.ceil(entry.at) - 1
        yield from range(max(passed + 1, last - GAP_SECONDS), last + 1)
        passed = max(passed, last)
        yield entry


def _values(entry: LogLine | Reading, layout: Layout) -> tuple[str, list[bytes]]:
    if isinstance(entry, Reading):
        return layout.topics.metrics, [wrap_reading(entry)]
    topic = layout.topics.dns if entry.group is Group.DNS else layout.topics.logs
    return topic, wrap_line(entry, layout.envelope, layout.split)


def _record(
    topic: str, partition: int, offsets: Counter[tuple[str, int]], at: float, value: bytes
) -> RawRecord:
    offset = offsets[topic, partition]
    offsets[topic, partition] += 1
    return RawRecord(topic, partition, offset, round(at * 1000), None, value)
