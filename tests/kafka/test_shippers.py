"""Our own shippers against a real Kafka: killed, cut off and rotated under, they lose no line."""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path

import orjson
import pytest

from agents.settings import Settings, load_settings
from pipeline.intake import Intake, IntakeConfig, RawRecord
from schemas import Symptom, SymptomKind
from tests.kafka.broker import KafkaBroker
from tests.kafka.shipping import Ship, clean, create, get, wait_for
from tests.kafka.workers import ROOT, read_all
from tools.ports import free_ports

LOG = ROOT / "samples" / "cpu_cascade" / "registry.log"
SEED = 8
KILLS = 9
FROZEN = (1, 2)
UNDATED = "[ERROR] plugin/errors: 2 s3.internal.{}. A: read udp 10.0.0.2:41234->10.0.0.53:53: i/o timeout"
"""CoreDNS writes no time: which line it is must come from the shipper."""


def rotate(path: Path, number: int, *, by_renaming: bool) -> None:
    """As logrotate does, with dated names: `create`, or `copytruncate`."""
    if by_renaming:
        path.rename(f"{path}-{20260000 + number}")
        path.touch()
    else:
        shutil.copy(path, f"{path}-{20260000 + number}")
        os.truncate(path, 0)


def write(path: Path, lines: list[bytes], *, by_renaming: bool, dice: random.Random) -> None:
    """Write `lines` over some twenty seconds and rotate at random."""
    at = rotations = 0
    while at < len(lines):
        count = dice.randint(1, 60)
        with path.open("ab") as file:
            file.write(b"".join(line + b"\n" for line in lines[at : at + count]))
        at += count
        if dice.random() < 0.25:
            rotations += 1
            rotate(path, rotations, by_renaming=by_renaming)
        time.sleep(dice.random() * 0.2)


def told(records: list[RawRecord]) -> Counter[tuple[SymptomKind, str]]:
    """Events by kind and identity, as the intake tells them."""
    intake = Intake(IntakeConfig(observations_per_rollup=100_000))
    for record in records:
        intake.receive(record)
    found: Counter[tuple[SymptomKind, str]] = Counter()
    for frame in intake.flush(release_heads=True).frames:
        for signal_ in frame.signals:
            if isinstance(signal_, Symptom) and signal_.kind is not SymptomKind.REQUEST_OK:
                found.update((signal_.kind, one.id) for one in signal_.observations)
    return found


@pytest.mark.slow
def test_a_shipper_killed_at_random_during_rotation_loses_no_line(
    kafka_broker: KafkaBroker, tmp_path: Path
) -> None:
    """`kill -9` nine times, rotation both ways, Kafka dead for a while: all lines, copies known."""
    topic = Settings().topics.logs
    kafka_broker.create_topics({topic: 3})
    dice = random.Random(SEED)
    recorded = LOG.read_bytes().splitlines()[:6_000]
    logs = {
        tmp_path / "renamed.log": [*recorded[:3_000]],
        tmp_path / "truncated.log": [*recorded[3_000:]],
    }
    for lines in logs.values():
        for number in range(0, 3_000, 100):
            lines.insert(number, UNDATED.format(number + len(lines)).encode())
    writers = []
    for path, lines in logs.items():
        path.touch()
        options = {"by_renaming": path.name == "renamed.log", "dice": random.Random(dice.random())}
        writers.append(threading.Thread(target=write, args=(path, lines), kwargs=options))
    words = (str(tmp_path / "*.log"), "--from", "beginning", "--state", str(tmp_path / "state"))
    shipper = Ship(kafka_broker.bootstrap, *words)
    places = tmp_path / "state" / "places.json"
    wait_for(places.exists, shipper)  # what was rotated away before the first start is not looked for
    for thread in writers:
        thread.start()
    said = ""
    for number in range(KILLS):
        if number == KILLS // 3:
            kafka_broker.kill()
        if number == 2 * KILLS // 3:
            kafka_broker.start()
        time.sleep(0.5 + dice.random() * 2)
        if number in FROZEN:  # what it sends now lies at the broker's door when it dies
            wait_for(partial(shipper.has_said, '"shipping"'), shipper)
            time.sleep(1)
            kafka_broker.pause()
            time.sleep(1)
        assert shipper.end() == -signal.SIGKILL, shipper.written()
        said += shipper.written()
        kafka_broker.resume()
        shipper = Ship(kafka_broker.bootstrap, *words)
    for thread in writers:
        thread.join(60)
    shipper.end()
    shipper = Ship(kafka_broker.bootstrap, *words, "--once")
    assert shipper.process.wait(60) == 0, shipper.written()
    assert "deleted or truncated" not in said + shipper.written()
    assert "refuses" not in said + shipper.written()

    settings = Settings(brokers=kafka_broker.bootstrap)
    records = [
        RawRecord(one.topic, one.partition, one.offset, one.timestamp, one.key, one.value)
        for one in read_all(settings, topic)
    ]
    copies: dict[tuple[str, int], set[bytes]] = {}
    for record in records:
        body = orjson.loads(record.value or b"")
        copies.setdefault((body["file"], body["offset"]), set()).add(record.value or b"")
    assert {len(values) for values in copies.values()} == {1}, "what is sent again is the same"
    once = Counter(orjson.loads(values.pop())["line"].encode() for values in copies.values())
    assert once == Counter(line for lines in logs.values() for line in lines)
    assert len(records) > len(copies), "some rounds were sent again, or the test shows nothing"

    events = told(records)
    first = {record.value: record for record in reversed(records)}
    assert events == told(sorted(first.values(), key=lambda record: (record.partition, record.offset)))
    assert set(events.values()) == {1}
    undated = sum(UNDATED[:20].encode() in line for lines in logs.values() for line in lines)
    assert sum(kind is SymptomKind.DNS_TIMEOUT for kind, _ in events) >= undated


def test_a_shipper_that_is_told_to_stop_ends_its_round(kafka: str, tmp_path: Path) -> None:
    """SIGTERM: exit code 0, everything read is in Kafka, and the next one goes on behind it."""
    topics = {"UNDERCURRENT_TOPICS_LOGS": "once.logs"}
    settings = load_settings(None, {"UNDERCURRENT_BROKERS": kafka, **topics})
    create(settings)
    path, state, (port,) = tmp_path / "a.log", tmp_path / "state", free_ports(1)
    path.write_text("one\ntwo\n")
    words = (str(path), "--from", "beginning", "--state", str(state), "--listen", f"127.0.0.1:{port}")
    shipper = Ship(kafka, *words, **topics)
    wait_for(lambda: "undercurrent_ship_records_total 2.0" in get(port, "/metrics"), shipper)
    assert get(port, "/healthz") == get(port, "/readyz") == "ok\n"
    assert shipper.end(signal.SIGTERM) == 0, shipper.written()
    with path.open("a") as file:
        file.write("three\n")
    assert Ship(kafka, *words, "--once", **topics).process.wait(30) == 0
    assert [orjson.loads(one.value)["line"] for one in read_all(settings, "once.logs")] == [
        "one",
        "two",
        "three",
    ]


def test_a_shipper_without_kafka_stops_when_told_and_says_so(tmp_path: Path) -> None:
    """Nobody answers: not ready, alive, and exit code 3 because something is left."""
    port, nobody = free_ports(2)
    path = tmp_path / "a.log"
    path.write_text("one\n")
    words = (
        str(path),
        "--from",
        "beginning",
        "--state",
        str(tmp_path / "state"),
        "--listen",
        f"127.0.0.1:{port}",
    )
    shipper = Ship(f"127.0.0.1:{nobody}", *words)
    wait_for(lambda: "Kafka does not take" in get(port, "/readyz"), shipper)
    assert get(port, "/healthz") == "ok\n"
    assert shipper.end(signal.SIGTERM) == 3, shipper.written()
    assert "trying on" in shipper.written()


def test_standard_input_is_shipped_to_its_end(kafka: str, tmp_path: Path) -> None:
    """A pipe's lines, the last one without a newline, under the name they are given."""
    settings = load_settings(None, {"UNDERCURRENT_BROKERS": kafka, "UNDERCURRENT_TOPICS_DNS": "piped.dns"})
    create(settings)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "agents",
            "ship",
            "logs",
            "-",
            "--to",
            "dns",
            "--instance",
            "coredns-1",
            "--brokers",
            kafka,
            "--state",
            str(tmp_path),
        ],
        cwd=ROOT,
        env=clean(UNDERCURRENT_TOPICS_DNS="piped.dns"),
        input=b"first\n\nsecond",
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    found = [orjson.loads(one.value) for one in read_all(settings, "piped.dns")]
    assert [(one["container"], one["line"]) for one in found] == [
        ("coredns-1", "first"),
        ("coredns-1", "second"),
    ]
