"""Our own shippers on a disk that is full: they say so, wait, and lose nothing."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from agents.settings import Settings, load_settings
from tests.disk import fill, mounted
from tests.kafka.shipping import Ship, clean, create, get, wait_for
from tests.kafka.workers import ROOT, read_all
from tools.ports import free_ports

SIZE_BYTES = 12 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with mounted(folder, SIZE_BYTES):
        yield folder


def topics(kafka: str, name: str) -> tuple[Settings, dict[str, str]]:
    """A topic of the test's own, and the variable that names it."""
    variables = {"UNDERCURRENT_TOPICS_LOGS": f"{name}.logs"}
    settings = load_settings(None, {"UNDERCURRENT_BROKERS": kafka, **variables})
    create(settings)
    return settings, variables


def lines(settings: Settings) -> list[str]:
    """The distinct lines in Kafka, in order of their file and offset."""
    bodies = {
        (body["file"], body["offset"]): body["line"]
        for body in (orjson.loads(one.value or b"") for one in read_all(settings, settings.topics.logs))
    }
    return [bodies[key] for key in sorted(bodies)]


@pytest.mark.slow
def test_files_wait_while_the_disk_of_the_state_is_full(kafka: str, tmp_path: Path, small_disk: Path) -> None:
    """It says once that it waits, is not ready, and goes on by itself when there is room."""
    settings, variables = topics(kafka, "full-files")
    path, (port,) = tmp_path / "a.log", free_ports(1)
    path.write_text("one\n")
    words = (str(path), "--from", "beginning", "--state", str(small_disk / "state"))
    shipper = Ship(kafka, *words, "--listen", f"127.0.0.1:{port}", **variables)
    try:
        wait_for(lambda: "undercurrent_ship_records_total 1.0" in get(port, "/metrics"), shipper)
        filler = fill(small_disk)
        with path.open("a") as file:
            file.write("two\n")
        wait_for(lambda: "No space left on device" in get(port, "/readyz"), shipper)
        assert get(port, "/healthz") == "ok\n"
        filler.unlink()
        wait_for(lambda: get(port, "/readyz") == "ok\n", shipper)
        wait_for(lambda: len(lines(settings)) == 2, shipper)
        assert shipper.written().count("No space left on device") == 1
    finally:
        shipper.end()
    assert lines(settings) == ["one", "two"]


@pytest.mark.slow
def test_a_pipe_waits_while_the_disk_of_its_buffer_is_full(kafka: str, small_disk: Path) -> None:
    """Its writer is held up, not cut off; nothing of what it wrote is missing or torn."""
    settings, variables = topics(kafka, "full-pipe")
    (port,) = free_ports(1)
    filler = fill(small_disk)
    filler.open("r+b").truncate(filler.stat().st_size - (64 << 10))  # room for a few lines
    shipper = subprocess.Popen(
        [sys.executable, "-m", "agents", "ship", "logs", "-", "--brokers", kafka, "--instance", "registry",
         "--state", str(small_disk / "state"), "--listen", f"127.0.0.1:{port}"],
        cwd=ROOT, env=clean(**variables), stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert shipper.stdin is not None
    written = [f"line {number} {'x' * 500}" for number in range(2_000)]

    def write() -> None:
        assert shipper.stdin is not None
        shipper.stdin.write("".join(line + "\n" for line in written))
        shipper.stdin.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        writer.join(15)
        assert writer.is_alive(), "the disk has no room for what it writes"
        assert "No space left on device" in get(port, "/readyz")
        filler.unlink()
        writer.join(60)
        assert shipper.wait(60) == 0
    finally:
        shipper.kill()
        writer.join(10)
    assert lines(settings) == written
