"""What shippers write: the envelope of each, and the pieces a runtime makes of a v2 error."""

import re
import time
from pathlib import Path

import orjson
import pytest

from agents.recordings.envelopes import ENVELOPES, as_upstream_writes, container_id, wrap_line, wrap_reading
from agents.recordings.recording import Group, LogLine, Reading, read_recording
from tests.replay.folder import START, access, cancelled

ROOT = Path(__file__).parents[2]
CAPTURED = Path(__file__).parent / "fixtures/captured-registry-v2.8.3-text.stderr.log"


def line(text: str | bytes, container: str = "registry") -> LogLine:
    data = text.encode() if isinstance(text, str) else text
    return LogLine(START + 1.5, Group.LOGS, "registry-a", container, "stderr", data)


def one(shipper: str, text: str | bytes) -> bytes:
    (value,) = wrap_line(line(text), ENVELOPES[shipper], split=False)
    return value


def test_fluent_bit_writes_time_stream_line_and_place() -> None:
    """The record is Fluent Bit's JSON with the kubernetes filter, byte time as float seconds."""
    assert orjson.loads(one("fluent-bit", "hello")) == {
        "@timestamp": START + 1.5,
        "time": "2026-11-23T09:10:01.500000000Z",
        "stream": "stderr",
        "_p": "F",
        "log": "hello",
        "kubernetes": {
            "pod_name": "registry-a",
            "namespace_name": "registry",
            "container_name": "registry",
            "host": "node-registry-a",
            "labels": {"app": "registry"},
            "docker_id": container_id("registry-a", "registry"),
            "container_image": "docker.io/library/registry",
        },
    }


@pytest.mark.parametrize(
    ("shipper", "path"),
    [
        ("fluent-bit", ("kubernetes", "pod_name")),
        ("filebeat", ("kubernetes", "pod", "name")),
        ("vector", ("kubernetes", "pod_name")),
        ("docker", ("attrs", "tag")),
    ],
)
def test_each_json_envelope_names_the_instance(shipper: str, path: tuple[str, ...]) -> None:
    """The instance stands where that shipper puts the pod or the container."""
    body = orjson.loads(one(shipper, "hello"))
    for name in path:
        body = body[name]
    assert body == "registry-a"


def test_text_envelopes() -> None:
    """Syslog puts time, host and tag before the line and escapes control characters; plain adds nothing."""
    assert one("rsyslog", "a\tb") == b"2026-11-23T09:10:01.500000Z node-registry-a registry-a[1]: a#011b\n"
    assert one("plain", "a\tb") == b"a\tb"


def test_a_container_id_is_derived() -> None:
    """The id is 64 hex digits, the same in every run, and differs between containers."""
    assert re.fullmatch("[0-9a-f]{64}", container_id("registry-a", "registry"))
    assert container_id("registry-a", "registry") != container_id("registry-a", "resolver")


@pytest.mark.parametrize("shipper", list(ENVELOPES))
def test_hostile_bytes_survive_every_envelope(shipper: str) -> None:
    """Bytes that are no UTF-8 do not stop a shipper: they become replacement characters."""
    assert "\ufffd" in one(shipper, b"caf\xe9 \xff").decode("utf-8")


def test_a_v2_error_is_split_where_upstream_breaks_the_line() -> None:
    """The head carries time and cause, the tail the request; both are records of their own."""
    head, tail = wrap_line(line(cancelled(1, "r1")), ENVELOPES["plain"], split=True)
    assert head.endswith(b'err.detail="s3aws: RequestCanceled: request context canceled')
    assert tail.startswith(b'caused by: context canceled" err.message="unknown error" http.request.id=r1 ')


def test_the_pieces_of_a_line_follow_each_other_in_time() -> None:
    """The runtime stamps the tail a little after the head."""
    head, tail = wrap_line(line(cancelled(1, "r1")), ENVELOPES["fluent-bit"], split=True)
    assert 0 < orjson.loads(tail)["@timestamp"] - orjson.loads(head)["@timestamp"] < 0.001


@pytest.mark.parametrize(
    "text",
    [
        access(1),
        '{"err.detail":"a\\ncaused by: b","time":"2026-11-23T09:10:01Z"}',
        "panic: runtime error",
        'time="2026-11-23T09:10:01Z" level=error msg="half a li',
        'time="x" level=error msg="a\\nb" version="v3.1.1"',
        "",
    ],
)
def test_other_lines_are_not_split(text: str) -> None:
    """Access logs, JSON, broken lines and release 3, which writes its line breaks as `\\n`, stay whole."""
    assert wrap_line(line(text), ENVELOPES["plain"], split=True) == [text.encode()]


@pytest.mark.parametrize(
    "text", ["a" * 1_000_000, 'time="' + "\\" * 1_000_000, '"=' * 500_000, '"' * 1_000_000]
)
def test_a_huge_line_costs_no_more_than_its_length(text: str) -> None:
    """A megabyte of nonsense is passed on at once: a scan that went back would take minutes."""
    started = time.process_time()
    assert wrap_line(line(text), ENVELOPES["plain"], split=True) == [text.encode()]
    assert time.process_time() - started < 2


def test_a_resolver_line_is_not_split() -> None:
    """Only the registry's image writes line breaks raw."""
    text = 'time="2026-11-23T09:10:01Z" level=error msg="a\\nb"'
    assert wrap_line(line(text, "resolver"), ENVELOPES["plain"], split=True) == [text.encode()]


def test_what_upstream_wrote_is_what_upstream_writes() -> None:
    """Every complete line captured from an upstream 2.8.3 registry comes out as it went in."""
    lines = CAPTURED.read_text().splitlines()
    whole = [text for text in lines if text.startswith("time=") and text.endswith(" ")]
    assert len(whole) > 10
    assert [as_upstream_writes(text) for text in whole] == whole


@pytest.mark.parametrize(
    ("quoted", "upstream"),
    [
        ("uri=/v2/ ua=curl/7.88.1", 'uri="/v2/" ua="curl/7.88.1" '),
        ('d="Put \\"http://s3/a\\": EOF"', 'd="Put "http://s3/a": EOF" '),
        ('http.response.duration="20.5µs"', "http.response.duration=20.5µs "),
        ('d="map[n:1]" n=', "d=map[n:1] n= "),
        (r'd="\u00e9\x07\t\\"', 'd="é\x07\t\\" '),
        (r'd="\ud800\xff\U00110000"', 'd="\ufffd\ufffd\ufffd" '),
    ],
)
def test_values_are_written_as_upstream_writes_them(quoted: str, upstream: str) -> None:
    """Quotes around all but plain words, numbers, durations and maps; nothing escaped inside."""
    assert as_upstream_writes(quoted) == upstream


def test_a_reading_is_our_own_metric_json() -> None:
    """Exporter, place, time and the recorded fields."""
    reading = Reading(
        START, Group.METRICS, "registry-a", "cgroup", {"time": START, "reading": {"nr_periods": 7}}
    )
    assert orjson.loads(wrap_reading(reading)) == {
        "undercurrent_metric": 1,
        "source": "cgroup",
        "instance": "registry-a",
        "host": "node-registry-a",
        "time": START,
        "reading": {"nr_periods": 7},
    }


def test_a_broken_reading_goes_out_as_it_was() -> None:
    """The intake gets the bytes that were recorded."""
    assert wrap_reading(Reading(START, Group.METRICS, "registry-a", "cgroup", {}, raw=b'{"ts')) == b'{"ts'


def test_all_errors_of_a_recorded_cascade_are_split() -> None:
    """In the sample every one of the recorded cancellations becomes two records."""
    lines = [
        entry for entry in read_recording(ROOT / "samples/cpu_cascade").entries if isinstance(entry, LogLine)
    ]
    errors = [entry for entry in lines if b"RequestCanceled" in entry.text]
    assert len(errors) > 200
    assert {len(wrap_line(entry, ENVELOPES["fluent-bit"], split=True)) for entry in errors} == {2}
