"""`undercurrent decode`: whoever sets up a shipper sees what is understood, and why something is not."""

import orjson
import pytest
from click.testing import CliRunner, Result

from agents.cli import main
from tests.formats.reading import KAFKA_MS, expected, fixtures

FIXTURES = fixtures()
AT = str(KAFKA_MS / 1000)


def decode(value: bytes, *options: str) -> Result:
    return CliRunner().invoke(main, ["decode", "-", "--at", AT, *options], input=value)


def test_a_packed_batch_is_told_in_words() -> None:
    """Packing, decoder, place and values stand there."""
    said = decode(FIXTURES["otlp_metrics.pb.zst"])
    assert said.exit_code == 0
    assert "Understood as otlp-metrics-protobuf: it tells of cpu." in said.output
    assert "packed with zstd" in said.output
    assert "usage_cores 0.998" in said.output


@pytest.mark.parametrize("name", [name for name, one in expected().items() if "tells" in one])
def test_json_has_the_canonical_signals_of_every_fixture(name: str) -> None:
    """As many signals as the fixture tells, of the same kinds and places."""
    said = decode(FIXTURES[name], "--json")
    assert said.exit_code == 0
    shown = orjson.loads(said.output)
    stated = expected()[name]
    assert shown["decoder"] == stated["decoder"]
    assert [one["kind"] for one in shown["signals"]] == [one["kind"] for one in stated["tells"]]
    assert [one["instance"] for one in shown["signals"]] == [one.get("instance") for one in stated["tells"]]


def test_what_is_not_understood_says_why_and_fails() -> None:
    """The reason of the dead letter, and exit code 1."""
    said = decode(b'{"temperature": 21.5, "error": 1}')
    assert said.exit_code == 1
    assert "Not understood: no decoder recognises its bytes." in said.output
    assert "temperature" in said.output
    refused = orjson.loads(decode(b"\x00\x01\x02", "--json").output)
    assert (refused["fate"], refused["reason"]) == ("dead_letter", "undecodable")


def test_what_tells_nothing_says_why() -> None:
    """Understood and of no use: exit code 3."""
    said = decode(FIXTURES["alertmanager-v4.json"])
    assert said.exit_code == 3
    assert "somebody else's alert" in said.output


def test_series_left_out_of_a_batch_are_named() -> None:
    """Whoever wonders where a metric went reads it here."""
    said = decode(FIXTURES["prometheus-remote-write-recorded.bin"])
    assert "3 as part_of_sum" in said.output


def test_a_whole_log_is_no_record() -> None:
    """Several lines are read as one record would be, and it is said that they are several."""
    said = decode(FIXTURES["rsyslog-rfc5424.txt"] + b"\n" + FIXTURES["rsyslog-rfc5424.txt"])
    assert "It holds several lines" in said.output


def test_what_bears_no_time_is_dated_by_the_given_one() -> None:
    """`--at` is the Kafka timestamp."""
    said = orjson.loads(decode(FIXTURES["cgroup2-files.txt"], "--json").output)
    assert {one["time"] for one in said["signals"]} == {KAFKA_MS / 1000}
    assert CliRunner().invoke(main, ["decode", "-", "--at", "noon"], input=b"x").exit_code == 2


def test_hostile_text_acts_on_no_terminal() -> None:
    """Escapes in a record are shown, not obeyed."""
    said = decode(b'{"\x5cu001b[31mred": 1, "error": 2}')
    assert "\x1b" not in said.output
