"""Shipping: everything gets there in order, or it is said what did not."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from agents.broker import API_VERSION, PARTITIONS, embedded_broker
from agents.commands.ship_recording import ship_recording
from agents.recordings.arrivals import MARKERS
from agents.recordings.envelopes import fluent_bit
from agents.recordings.recording import read_recording
from agents.recordings.ship import MAX_SPEED, Pacer, ShipError, Shipment, shipper
from agents.settings import Topics
from pipeline.replay import Arrival, closing_time
from schemas import Rules
from tests.replay.folder import START, cancelled, cpu, make

Place = tuple[str, int]
ALL = dict.fromkeys(Topics().raw, PARTITIONS)


@pytest.fixture
def broker() -> Iterator[str]:
    with embedded_broker() as address:
        yield address


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A recording of half a minute with all three raw topics in it."""
    log = "\n".join(cancelled(second, f"r{second}") for second in range(30))
    metrics = "\n".join(cpu(second) for second in range(30))
    dns = 'time="2026-11-23T09:10:05Z" level=error msg="[resolver] failed"'
    return make(tmp_path / "one", {"registry.log": log, "metrics.jsonl": metrics, "dns.log": dns})


def planned(folder: Path, **options: object) -> list[Arrival]:
    shipment = Shipment(read_recording(folder), fluent_bit, split=True, **options)  # type: ignore[arg-type]
    return shipment.arrivals(Topics(), ALL, Rules())


def consumed(address: str, records: int) -> dict[Place, list[tuple[int, bytes, int]]]:
    """Read the raw topics from their beginning: (offset, value, timestamp) by partition."""
    consumer = Consumer({"bootstrap.servers": address, "group.id": "test", "enable.auto.commit": False})
    consumer.assign([TopicPartition(*place, OFFSET_BEGINNING) for topic in ALL for place in places(topic)])
    found = defaultdict(list)
    deadline = time.monotonic() + 10
    count = 0
    while count < records and time.monotonic() < deadline:
        for message in consumer.consume(1000, timeout=0.2):
            assert message.error() is None
            place = str(message.topic()), message.partition() or 0
            found[place].append((message.offset() or 0, message.value() or b"", message.timestamp()[1]))
            count += 1
    consumer.close()
    return found


def places(topic: str) -> list[Place]:
    return [(topic, partition) for partition in range(PARTITIONS)]


def by_place(arrivals: list[Arrival]) -> dict[Place, list[tuple[bytes | None, int | None]]]:
    found = defaultdict(list)
    for arrival in arrivals:
        record = arrival.record
        found[record.topic, record.partition].append((record.value, record.timestamp_ms))
    return found


def test_everything_arrives_in_order_at_the_planned_offsets(broker: str, folder: Path) -> None:
    """In each partition Kafka holds exactly the planned bytes, in order, with event time as timestamp."""
    plan = planned(folder)
    with shipper(broker, 10, API_VERSION) as connected:
        assert connected.partitions(Topics()) == ALL
        connected.ship(plan, Pacer(MAX_SPEED), lambda _: None)
    found = consumed(broker, len(plan))
    assert {place: [record[0] for record in records] for place, records in found.items()} == {
        place: list(range(len(records))) for place, records in by_place(plan).items()
    }
    assert {
        place: [(value, stamp) for _, value, stamp in records] for place, records in found.items()
    } == by_place(plan)


def test_the_command_ships_and_says_how_much(broker: str, folder: Path) -> None:
    """Exit code 0 means that Kafka has acknowledged all of it."""
    result = CliRunner().invoke(
        ship_recording, [str(folder), "--brokers", broker, "--speed", "max", "--api-version", "0.10.2"]
    )
    assert result.exit_code == 0, result.output
    expected = len(planned(folder))
    assert f"{expected} records acknowledged by Kafka" in result.stderr
    assert sum(map(len, consumed(broker, expected).values())) == expected


def test_a_broker_that_dies_is_an_error_that_counts_what_is_missing(folder: Path) -> None:
    """Records without an acknowledgement are reported, and no marker claims that they are there."""
    plan = planned(folder)
    seen: list[Arrival] = []
    with ExitStack() as broker_life, ExitStack() as connection:
        address = broker_life.enter_context(embedded_broker())
        connected = connection.enter_context(shipper(address, 2, API_VERSION))

        def die_on_the_way(arrival: Arrival) -> None:
            seen.append(arrival)
            if len(seen) == 100:
                connected.settle()
                broker_life.close()

        with pytest.raises(ShipError) as caught:
            connected.ship(plan, Pacer(MAX_SPEED), die_on_the_way)
    acknowledged = connected.delivery.acknowledged.total()
    assert 100 <= acknowledged < len(plan)
    assert f"{len(plan) - acknowledged} of {len(plan)} records were not delivered" in str(caught.value)
    assert connected.delivery.failures


def test_the_command_fails_when_no_broker_answers(folder: Path) -> None:
    """Exit code 1 and the address that was tried."""
    with embedded_broker() as address:
        pass  # an address where nobody listens any more
    result = CliRunner().invoke(ship_recording, [str(folder), "--brokers", address, "--timeout", "1"])
    assert result.exit_code == 1
    assert f"no Kafka broker answers at {address}" in result.stderr


def test_the_command_refuses_what_is_no_recording(tmp_path: Path) -> None:
    """Exit code 2: the mistake is in the command, and nothing was tried."""
    result = CliRunner().invoke(ship_recording, [str(tmp_path), "--brokers", "127.0.0.1:1"])
    assert result.exit_code == 2
    assert "plan_<instance>.json" in result.stderr


@pytest.mark.parametrize("speed", ["0", "-1", "fast", "inf", "nan"])
def test_a_speed_is_a_number_above_0_or_max(folder: Path, speed: str) -> None:
    """Everything else is refused in words."""
    result = CliRunner().invoke(ship_recording, [str(folder), "--speed", speed])
    assert result.exit_code == 2
    assert "above 0 or max" in result.stderr


def test_the_last_marker_closes_everything(folder: Path) -> None:
    """Every partition ends with a marker that lies behind all the waits of the rules."""
    plan = planned(folder)
    last = max(arrival.at for arrival in plan if arrival.group != MARKERS)
    ends = {(arrival.record.topic, arrival.record.partition): arrival.record for arrival in plan}
    assert set(ends) == {place for topic in ALL for place in places(topic)}
    for record in ends.values():
        assert orjson.loads(record.value or b"") == {
            "undercurrent_progress": {"event_time": closing_time(last, Rules())}
        }
    rules = Rules()
    assert (
        closing_time(last, rules)
        > last + rules.lateness_seconds + rules.hold_seconds + rules.retention_seconds
    )


def test_markers_can_be_left_out(folder: Path) -> None:
    """Then only what was recorded is shipped."""
    plan = planned(folder, with_markers=False)
    assert {arrival.group for arrival in plan} == {"logs", "dns", "metrics"}


def test_duplicates_are_sent_twice(folder: Path) -> None:
    """With a share of 1 every record of the recording goes out a second time."""
    once = [one.record.value for one in planned(folder) if one.group != MARKERS]
    twice = [one.record.value for one in planned(folder, duplicate_share=1.0) if one.group != MARKERS]
    assert sorted(value or b"" for value in twice) == sorted([value or b"" for value in once] * 2)


def test_the_pacer_keeps_the_recordings_rhythm() -> None:
    """At 20 times real time ten seconds of event time take half a second, however long sending takes."""
    now = [100.0]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    pacer = Pacer(20, lambda: now[0], sleep)
    pacer.wait_for(START)
    pacer.wait_for(START + 10)
    assert now[0] == pytest.approx(100.5)
    now[0] += 5.0  # sending was slow
    pacer.wait_for(START + 20)
    assert slept == [pytest.approx(0.5)]


def test_at_full_speed_nobody_waits() -> None:
    """`max` never sleeps."""
    pacer = Pacer(MAX_SPEED, sleep=lambda _: pytest.fail("slept"))
    for second in range(100):
        pacer.wait_for(START + second)
