"""Where records of a recording lie on the raw topics, and what the markers between them say."""

import math
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import orjson

from agents.recordings.arrivals import GAP_SECONDS, MARKERS, RUN, lay_out, layout_of
from agents.recordings.envelopes import ENVELOPES
from agents.recordings.recording import read_recording
from agents.settings import Topics
from pipeline.replay import Arrival
from tests.replay.folder import START, cancelled, cpu, make

ROOT = Path(__file__).parents[2]


def arrivals_of(path: Path, split: bool = True) -> list[Arrival]:
    return lay_out(read_recording(path), layout_of(ENVELOPES["fluent-bit"], split, Topics()))


def declared(arrival: Arrival) -> int:
    time: int = orjson.loads(arrival.record.value or b"")["undercurrent_progress"]["event_time"]
    return time


def test_each_kind_of_telemetry_has_its_topic(tmp_path: Path) -> None:
    """Log lines, resolver lines and readings of every exporter, each in the topic shippers use for it."""
    files = {
        "registry.log": cancelled(1, "r1"),
        "dns.log": 'time="2026-11-23T09:10:01Z" level=error msg=x',
        "metrics.jsonl": cpu(1),
        "s3.jsonl": cpu(1),
        "dns_upstream.jsonl": cpu(1),
        "events.jsonl": cpu(1, event="container_exit"),
        "registry_metrics/index.jsonl": '{"ts": 1795425001.0, "up": 0}',
    }
    found = {
        (arrival.group, arrival.series, arrival.record.topic)
        for arrival in arrivals_of(make(tmp_path, files))
        if arrival.group != MARKERS
    }
    assert {(group, topic) for group, _, topic in found} == {
        ("logs", "registry.logs"),
        ("dns", "dns.logs"),
        ("dns", "registry.metrics"),
        ("metrics", "registry.metrics"),
        ("storage", "registry.metrics"),
        ("registry", "registry.metrics"),
    }
    assert {series.split("/")[1] for _, series, _ in found if series} == {
        "cgroup",
        "s3-proxy",
        "dns-upstream",
        "runtime",
        "registry",
    }


def test_offsets_are_those_of_fresh_topics() -> None:
    """In each partition offsets run from 0 without a hole, markers included, and time never falls."""
    partitions = defaultdict(list)
    for arrival in arrivals_of(ROOT / "samples/dns_outage_direct"):
        partitions[arrival.record.topic, arrival.record.partition].append(arrival)
    assert len(partitions) == 12
    for records in partitions.values():
        assert [arrival.record.offset for arrival in records] == list(range(len(records)))
        assert all(one.at <= other.at for one, other in pairwise(records))


def test_records_spread_over_all_partitions_and_carry_their_time() -> None:
    """No key, so that they spread; Kafka's timestamp is event time in milliseconds."""
    found = arrivals_of(ROOT / "samples/cpu_cascade")
    assert {arrival.record.partition for arrival in found if arrival.group == "logs"} == {0, 1, 2, 3}
    assert all(arrival.record.key is None for arrival in found)
    assert all(arrival.record.timestamp_ms == round(arrival.at * 1000) for arrival in found)


def test_pieces_of_a_line_stay_together(tmp_path: Path) -> None:
    """Head and tail of every split line are neighbours in one partition, also where the partition changes."""
    log = "\n".join(cancelled(second, f"r{second}") for second in range(1, 3 * RUN))
    units = defaultdict(list)
    for arrival in arrivals_of(make(tmp_path, {"registry.log": log})):
        if arrival.group != MARKERS:
            units[arrival.unit].append(arrival.record)
    assert len(units) == 3 * RUN - 1
    for head, tail in units.values():
        assert (head.topic, head.partition, head.offset + 1) == (tail.topic, tail.partition, tail.offset)
    assert len({head.partition for head, _ in units.values()}) == 3


def test_a_marker_stands_behind_everything_up_to_its_second() -> None:
    """No record of a partition that follows a marker was read at or before the marker's time."""
    reached: dict[tuple[str, int], int] = {}
    seen = set()
    for arrival in arrivals_of(ROOT / "samples/dns_outage_direct"):
        place = arrival.record.topic, arrival.record.partition
        if arrival.group == MARKERS:
            reached[place] = declared(arrival)
            seen.add(declared(arrival))
        else:
            assert arrival.at > reached.get(place, -math.inf)
    assert len(reached) == 12
    assert seen == set(range(min(seen), max(seen) + 1))


def test_a_long_silence_is_not_filled_with_markers(tmp_path: Path) -> None:
    """After a night without a record the markers of its last minute suffice."""
    folder = make(tmp_path, {"metrics.jsonl": f"{cpu(0)}\n{cpu(36_000)}\n{cpu(36_001)}"})
    times = sorted({declared(arrival) for arrival in arrivals_of(folder) if arrival.group == MARKERS})
    assert times[-1] == START + 36_000
    assert len(times) == GAP_SECONDS + 2
