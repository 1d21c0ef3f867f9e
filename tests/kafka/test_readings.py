"""Our own readers of cgroups and Prometheus against a real Kafka, and what the doctor says of all of it."""

import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import orjson
import pytest

from agents.settings import Settings, load_settings
from pipeline.intake import Intake, IntakeConfig, RawRecord
from schemas import Sample
from tests.kafka.broker import KafkaBroker
from tests.kafka.shipping import Ship, clean, create, wait_for
from tests.kafka.workers import ROOT, read_all
from tests.shippers.exporter import Pages
from tools.ports import free_ports

LOG = ROOT / "samples" / "cpu_cascade" / "registry.log"


def readings(settings: Settings, topic: str) -> list[Sample]:
    """The samples that are in a topic."""
    intake = Intake(IntakeConfig())
    for one in read_all(settings, topic):
        intake.receive(RawRecord(topic, one.partition, one.offset, one.timestamp, one.key, one.value))
    batch = intake.flush()
    assert not batch.dead_letters
    return [item for frame in batch.frames for item in frame.signals if isinstance(item, Sample)]


@pytest.mark.slow
def test_readings_taken_while_kafka_is_away_arrive(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """Kafka dies, the shipper is killed and started: no beat is missing but those of its own death."""
    settings = Settings(brokers=kafka_broker.bootstrap)
    topic = settings.topics.metrics
    kafka_broker.create_topics({topic: 2})
    root = tmp_path / "cgroup"
    (root / "app").mkdir(parents=True)
    (root / "cgroup.controllers").write_text("cpu\n")
    (root / "app" / "cpu.stat").write_text("usage_usec 5000000\nnr_periods 10\nnr_throttled 9\n")
    words = ("--root", str(root), "--cgroup", "registry-a=app", "--interval", "0.2")
    words += ("--state", str(tmp_path / "state"))
    shipper = Ship(kafka_broker.bootstrap, *words, kind="cgroup")
    wait_for(lambda: len(readings(settings, topic)) > 3, shipper)
    kafka_broker.kill()
    time.sleep(2)
    assert shipper.end() == -signal.SIGKILL
    shipper = Ship(kafka_broker.bootstrap, *words, kind="cgroup")
    wait_for(lambda: "trying on" in shipper.written(), shipper)
    began = time.time()  # noqa: TID251 - the shipper dates readings by the same clock
    kafka_broker.start()
    wait_for(lambda: max(one.time for one in readings(settings, topic)) > began + 1, shipper)
    assert shipper.end(signal.SIGTERM) == 0, shipper.written()
    found = readings(settings, topic)
    assert {(one.instance, one.values["throttled_periods_total"]) for one in found} == {("registry-a", 9)}
    times = sorted(one.time for one in found)
    assert len(times) == len(set(times)), "what was sent twice is one reading"
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert sum(pause > 1 for pause in pauses) <= 1, f"more than one gap: {pauses}"


@pytest.mark.slow
@pytest.mark.needs("prometheus")
def test_a_real_prometheus_is_asked_for_what_it_scraped(kafka: str, tmp_path: Path) -> None:
    """Prometheus scrapes a registry's recorded metrics; each scrape arrives whole and once."""
    topics = {"UNDERCURRENT_TOPICS_METRICS": "asked.metrics"}
    settings = load_settings(None, {"UNDERCURRENT_BROKERS": kafka, **topics})
    create(settings)
    scrapes = sorted((ROOT / "samples" / "cpu_cascade" / "registry_metrics").glob("*.prom"))
    turns = iter(scrapes)
    (port,) = free_ports(1)
    with Pages(lambda *_: (200, next(turns).read_bytes())) as exporter:
        (tmp_path / "prometheus.yml").write_text(
            "scrape_configs:\n  - job_name: registry\n    scrape_interval: 1s\n    static_configs:\n"
            f"      - {{targets: ['127.0.0.1:{exporter.port}'], labels: {{pod: registry-a}}}}\n"
        )
        server = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={tmp_path}/prometheus.yml",
                f"--storage.tsdb.path={tmp_path}/data",
                f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=error",
            ],
            stdin=subprocess.DEVNULL,
        )
        try:
            words = ("--server", f"http://127.0.0.1:{port}", "--select", 'job="registry"', "--interval", "1")
            words += ("--state", str(tmp_path / "s"))
            shipper = Ship(kafka, *words, kind="prometheus", **topics)
            wait_for(lambda: len(readings(settings, "asked.metrics")) >= 3, shipper)
            assert shipper.end(signal.SIGTERM) == 0, shipper.written()
        finally:
            server.terminate()
            server.wait(20)
    found = sorted(readings(settings, "asked.metrics"), key=lambda one: one.time)
    assert {one.instance for one in found} == {"registry-a"}
    assert len({one.time for one in found}) == len(found)
    told = [one.values.get("requests_total") for one in found]
    assert told == sorted(told, key=lambda value: value or 0)
    expected = [requests(one.read_text()) for one in scrapes]
    assert [value or 0 for value in told] == expected[: len(told)]


def requests(text: str) -> float:
    """All requests that a registry has counted, as its own metrics say."""
    lines = [line for line in text.splitlines() if line.startswith("registry_http_requests_total")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


@pytest.mark.slow
def test_the_doctor_looks_at_what_shippers_have_just_written(kafka: str, tmp_path: Path) -> None:
    """Logs and readings of this machine's own, by our shippers: recognised, in time, under one name."""
    topics = {f"UNDERCURRENT_TOPICS_{name.upper()}": f"looked.{name}" for name in ("logs", "metrics", "dns")}
    create(load_settings(None, {"UNDERCURRENT_BROKERS": kafka, **topics}))
    looks = [sys.executable, "-m", "agents", "doctor", "--json"]
    environ = clean(UNDERCURRENT_BROKERS=kafka, **topics)
    done = subprocess.run(looks, cwd=ROOT, env=environ, capture_output=True, timeout=60, check=False)
    assert done.returncode == 3, "nothing was written yet"
    lines = [line for line in LOG.read_text().splitlines() if line.startswith("time=")][:200]
    moment = datetime.now(UTC)  # noqa: TID251 - lines of just now
    (tmp_path / "registry-a.log").write_text(
        "".join(
            f'time="{moment:%Y-%m-%dT%H:%M:%S}.{n:09d}Z"{line[line.index(" ") :]}\n'
            for n, line in enumerate(lines)
        )
    )
    words = (
        str(tmp_path / "registry-a.log"),
        "--from",
        "beginning",
        "--once",
        "--state",
        str(tmp_path / "1"),
    )
    assert Ship(kafka, *words, **topics).process.wait(60) == 0
    done = subprocess.run(looks, cwd=ROOT, env=environ, capture_output=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr.decode()
    (found,) = orjson.loads(done.stdout)["inputs"]
    assert (found["topic"], found["shipper"], found["records"]) == ("looked.logs", "undercurrent-line", 200)
    assert found["instances"] == ["registry-a"]
    assert 0 <= found["delay_seconds"] < 60
