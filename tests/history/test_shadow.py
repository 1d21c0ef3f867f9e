"""`replay --into PREFIX`: the past beside the live topics, once however often, and shown by the page."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from typing import Any

from click.testing import CliRunner, Result

from agents.cli import main
from agents.recordings.recording import read_recording
from schemas import Change, encode
from schemas.outputs import REPLAY_HEADER
from tests.kafka.workers import ROOT, Cluster, write

SAMPLE = ROOT / "samples" / "cpu_cascade"
SPAN = ("--from", "2026-11-23T09:00", "--to", "+1h")


def invoke(cluster: Cluster, *options: str) -> Result:
    return CliRunner().invoke(main, ["replay", *SPAN, "--json", "--changes", *options], env=cluster.environ)


def lying(cluster: Cluster, topic: str) -> dict[str, tuple[bytes, int]]:
    """Key → value and timestamp of all records, of which each must bear the mark and a key of its own."""
    records = cluster.records(topic)
    assert all(dict(record.headers).get(REPLAY_HEADER) for record in records)
    found = {record.key.decode(): (record.value, record.timestamp) for record in records}
    assert len(found) == len(records)
    return found


def shown(cluster: Cluster, prefix: str) -> Any:
    """The incidents on the page of the past, once it has read them."""
    process = subprocess.Popen(
        [sys.executable, "-m", "agents", "page", "--topics", prefix, "--port", "0"],
        cwd=ROOT, env={**os.environ, **cluster.environ}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        address = process.stdout.readline().split()[0]
        found: dict[str, Any] = {}

        def read() -> bool:
            with urllib.request.urlopen(f"{address}api/v1/incidents?state=all", timeout=5) as answer:
                found.update(json.load(answer))
            return bool(found["total"]) and found["incidents"][0]["state"] == "resolved"

        cluster.wait_for(read)
        return found
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        finally:
            process.kill()


def test_a_replay_fills_topics_of_its_own_once_and_the_page_shows_them(kafka: str) -> None:
    """The bytes that live would have written, at their event times; a second time adds nothing."""
    with Cluster(kafka, "backfill") as cluster:
        names = cluster.settings.topics
        cluster.ship(read_recording(SAMPLE))
        first = invoke(cluster, "--into", "backfill-past")
        assert first.exit_code == 0, first.output
        said = [json.loads(line) for line in first.stdout.splitlines()]
        changes = lying(cluster, "backfill-past.changes")
        assert changes.keys() == {one["id"] for one in said if one["type"] == "change"}
        decisions = lying(cluster, "backfill-past.decisions")
        assert decisions.keys() == {one["id"] for one in said if one["type"] == "decision"}
        replayed = cluster.replayed(cluster.arrivals(read_recording(SAMPLE)))
        live = {one.id: (encode(one), round(one.at * 1000)) for one in replayed if isinstance(one, Change)}
        assert changes == live != {}

        again = invoke(cluster, "--into", "backfill-past")
        assert (
            f"0 records written to backfill-past.*; {len(changes) + len(decisions)} lay there" in again.stderr
        )
        assert lying(cluster, "backfill-past.changes") == changes
        assert not cluster.records(names.changes)
        assert not cluster.records(names.decisions)

        (incident,) = shown(cluster, "backfill-past")["incidents"]
        assert incident["cause"] == "cpu_saturation"


def test_live_topics_are_never_filled(kafka: str) -> None:
    """Neither those that the settings name, nor those of another system whose records bear no mark."""
    with Cluster(kafka, "backlive", UNDERCURRENT_TOPICS_CHANGES="backlive-own.changes") as cluster:
        cluster.ship(read_recording(SAMPLE))
        own = invoke(cluster, "--into", "backlive-own")
        assert own.exit_code == 2
        assert "backlive-own.changes is a live topic" in own.stderr
        invoke(cluster, "--into", "backlive-other")
        write(cluster.settings, "backlive-other.decisions", b"{}", b"live")
        before = len(cluster.records("backlive-other.changes"))
        other = invoke(cluster, "--into", "backlive-other")
        assert other.exit_code == 2
        assert "backlive-other.decisions holds what no replay has written" in other.stderr
        assert len(cluster.records("backlive-other.changes")) == before
        assert invoke(cluster, "--into", "a b").exit_code == 2
