"""`undercurrent verify`: whatever happened to the workers, a replay says what they said; and it can tell."""

import signal
import time
from pathlib import Path

import orjson
import pytest
import zstandard
from click.testing import CliRunner, Result

from agents.cli import main
from agents.history.verify import first_difference
from agents.recordings.recording import read_recording
from schemas import Change, encode
from tests.kafka.test_worker import in_the_background
from tests.kafka.workers import ROOT, Cluster, write

SAMPLE = ROOT / "samples" / "cpu_cascade"


def verify(cluster: Cluster, **variables: str) -> Result:
    return CliRunner().invoke(main, ["verify", "--from", "-1h"], env={**cluster.environ, **variables})


def verify_raw(cluster: Cluster, *words: str, **variables: str) -> Result:
    span = ["--from", "2026-11-23T09:00", *(words or ("--to", "2026-11-23T10:00"))]
    return CliRunner().invoke(main, ["verify", "--raw", *span], env={**cluster.environ, **variables})


@pytest.mark.slow
def test_killed_workers_said_what_a_replay_says_and_a_forged_word_is_found(kafka: str) -> None:
    """One worker killed before anything is said, one in the middle of work: no difference. Other rules,
    a changed copy and an invented change: the first difference is shown."""
    with Cluster(kafka, "verified") as cluster:
        victims = [cluster.worker().wait_until_ready(), cluster.worker().wait_until_ready()]
        shipping, arrivals = in_the_background(cluster, read_recording(SAMPLE))
        time.sleep(1.0)  # before the first change, and before most partitions have a domain
        victims[0].signal(signal.SIGKILL)
        cluster.worker()
        cluster.wait_for(lambda: bool(cluster.said()))
        time.sleep(1.2)  # a checkpoint
        victims[1].signal(signal.SIGKILL)
        cluster.worker()
        shipping.join()
        cluster.wait_until_read(arrivals[-1].at)

        same = verify(cluster)
        assert same.exit_code == 0, same.output
        said = {one.id for one in cluster.said()}
        assert said
        assert f"{len(said)} changes and decisions compared: no difference" in same.output

        names = cluster.settings.topics
        again = CliRunner().invoke(
            main,
            ["replay", "--from", "-1h", "--topic", names.signals, "--into", "verified-past"],
            env=cluster.environ,
        )
        assert again.exit_code == 0, again.output
        for topic, shadow in ((names.changes, "changes"), (names.decisions, "decisions")):
            live = {one.value for one in cluster.records(topic)}
            assert {one.value for one in cluster.records(f"verified-past.{shadow}")} == live != set()

        raw = verify_raw(cluster)
        assert (raw.exit_code, raw.stdout) == (0, "1 incident compared: no difference\n"), raw.output
        open_yet = verify_raw(cluster, "--to", "2026-11-23T09:12")
        assert open_yet.stdout == "0 incidents compared: no difference\n"
        assert "note: not compared: 1 incident, not over by then" in open_yet.stderr
        other_idea = verify_raw(cluster, UNDERCURRENT_RULES_LIFECYCLE_RESOLVED_AFTER_SECONDS="90")
        assert other_idea.exit_code == 8, other_idea.output
        assert "1 incident compared, different: 1. The first:\nincident " in other_idea.stdout

        other_rules = verify(cluster, UNDERCURRENT_RULES_LIFECYCLE_RESOLVED_AFTER_SECONDS="90")
        assert other_rules.exit_code == 8, other_rules.output

        change = next(one for one in cluster.said() if isinstance(one, Change))
        forged = change.model_copy(update={"reason": "because we say so"})
        write(cluster.settings, cluster.settings.topics.changes, encode(forged), b"default")
        found = verify(cluster)
        assert found.exit_code == 8
        assert f'{change.id}: reason: live "because we say so", replay "{change.reason}"' in found.output


def test_nothing_to_verify_has_its_exit_codes(kafka: str) -> None:
    """Topics that are not there, and signals of a version that is yet to come."""
    with Cluster(kafka, "unverified") as cluster:
        names = cluster.settings.topics
        assert verify(cluster, UNDERCURRENT_TOPICS_SIGNALS="absent").exit_code == 5
        assert verify(cluster).output == "0 changes and decisions compared: no difference\n"
        write(cluster.settings, names.signals, b'{"v":99,"type":"frame"}', b"default")
        newer = verify(cluster)
        assert newer.exit_code == 7
        assert "wire version 99" in newer.output


def test_the_first_difference_is_named_by_its_place() -> None:
    """Down to the number in the list; an order of keys is told as such."""
    live = orjson.dumps({"a": 1, "b": [{"c": 1}, {"c": 2}]})
    assert first_difference(live, orjson.dumps({"a": 1, "b": [{"c": 1}, {"c": 3}]})) == (
        "b[1].c: live 2, replay 3"
    )
    assert first_difference(live, orjson.dumps({"a": 1})).startswith("b: live [{")
    assert first_difference(b'{"a":1,"b":2}', b'{"b":2,"a":1}').startswith("the order of keys")


def test_a_recorded_span_travels_without_secrets_and_gives_the_same_incidents(
    kafka: str, tmp_path: Path
) -> None:
    """Saved from Kafka, replayed from the file without any Kafka; JSON stays JSON where a secret was."""
    secret = b'{"log":"Authorization: Bearer abcdef123456","password":"hunter2hunter2","stream":"stderr"}'
    span = ("--from", "2026-11-23T09:00", "--to", "+1h")
    with Cluster(kafka, "recorded") as cluster:
        cluster.ship(read_recording(SAMPLE))
        file = tmp_path / "incident.jsonl.zst"
        saved = CliRunner().invoke(main, ["record", str(file), *span], env=cluster.environ)
        assert saved.exit_code == 0, saved.output
        assert [path.name for path in tmp_path.iterdir()] == [file.name]
        from_kafka = CliRunner().invoke(main, ["replay", *span, "--json"], env=cluster.environ)
        from_file = CliRunner().invoke(main, ["replay", str(file), "--json"])
        assert from_file.exit_code == 0, from_file.output
        assert b'"type":"incident"' in from_kafka.stdout_bytes
        assert from_file.stdout_bytes == from_kafka.stdout_bytes
        write(cluster.settings, cluster.settings.topics.logs, secret, None)
        now = CliRunner().invoke(
            main, ["record", str(tmp_path / "now.zst"), "--from", "-1h"], env=cluster.environ
        )
        assert now.exit_code == 0, now.output
        with zstandard.open(tmp_path / "now.zst") as lines:
            text = lines.read()
        assert b"hunter2" not in text
        assert b"abcdef123456" not in text
        row = orjson.loads(text.splitlines()[-1])
        assert orjson.loads(row["value"])["stream"] == "stderr"
