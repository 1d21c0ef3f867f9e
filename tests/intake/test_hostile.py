"""Bad input is an output: whatever comes, nothing raises and every record is accounted for."""

import base64
import json
import random
import resource

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.intake import Intake, IntakeConfig, RawRecord
from schemas import DeadLetterReason
from tests.intake.feed import (
    AT,
    FIXTURES,
    accounted,
    captured,
    dead,
    feed,
    fluent_bit,
    record,
    samples_of_shippers,
)

CORPUS = [
    *samples_of_shippers().values(),
    *(line.encode() for name in ("v2.8.3-text.stderr", "v3.1.1-json.stderr") for line in captured(name)),
    (FIXTURES / "captured-registry-v2.8.3.metrics.prom").read_bytes(),
    (FIXTURES / "otlp_logs.json").read_bytes(),
    (FIXTURES / "otlp_metrics.json").read_bytes(),
    (FIXTURES / "otlp_metrics.pb").read_bytes(),
    b'{"undercurrent_progress":{"event_time":1795425100}}',
    b'{"undercurrent_metric":1,"source":"cgroup","time":1795425100,"reading":{"nr_periods":4,"cpu_limit_cores":1}}',
    b"[ERROR] plugin/errors: 2 s3.example.com. A: read udp 10.244.0.3:5->10.0.0.2:53: i/o timeout",
]


def _account(values: list[bytes | None], config: IntakeConfig | None = None) -> None:
    """Feed and flush; the books must balance at the end, and while halves wait."""
    intake = Intake(config or IntakeConfig())
    for offset, value in enumerate(values):
        intake.receive(record(value, offset))
    first = intake.flush()
    assert first.counts.received == len(values)
    assert accounted(first.counts) + first.counts.held == len(values)
    assert (first.counts.held > 0) == bool(intake.held_offsets())
    last = intake.flush(release_heads=True)
    assert accounted(first.counts) + accounted(last.counts) == len(values)
    assert last.counts.held == 0
    assert intake.held_offsets() == {}
    letters = [*first.dead_letters, *last.dead_letters]
    refused = sum(sum(batch.counts.dead_letters.values()) for batch in (first, last))
    assert len(letters) == refused
    for letter in letters:
        assert values[letter.origin.offset] is not None
        assert letter.detail


@settings(deadline=None)
@given(st.lists(st.binary(max_size=400) | st.none(), max_size=20))
def test_random_bytes_never_raise_and_are_accounted_for(values: list[bytes | None]) -> None:
    """Any bytes at all."""
    _account(values)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    sorted(
        {key for value in CORPUS if value.startswith(b"{") for key in orjson.loads(value.split(b"\n")[0])}
        | {"err", "http", "event_time", "reading", "values", "kind", "up", "text", "attrs", "ts"}
    )
)


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(KEYS, JSON | st.dictionaries(KEYS, JSON, max_size=4), max_size=8))
def test_known_keys_with_values_of_any_type_never_raise(fields: dict[str, object]) -> None:
    """A shipper's keys with nonsense in them: wrong types are dead letters, never errors."""
    _account([json.dumps(fields, ensure_ascii=False).encode()])


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(CORPUS), st.randoms(use_true_random=False))
def test_mutated_records_never_raise_and_are_accounted_for(value: bytes, chance: random.Random) -> None:
    """Real records with bytes changed, cut out, doubled or cut off."""
    data = bytearray(value)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(4)
        if kind == 0 and at < len(data):
            data[at] = chance.randrange(256)
        elif kind == 1:
            del data[at : at + chance.randint(1, 30)]
        elif kind == 2:
            data[at:at] = data[max(0, at - 20) : at]
        else:
            data[at:at] = chance.choice([b'"', b"\\", b"{", b"}", b"\x00", b"\xff", b"9" * 30, b"NaN"])
    _account([bytes(data)])


def test_every_mixture_of_fixtures_is_accounted_for() -> None:
    """All fixtures, whole and cut in half, in one intake."""
    _account([*CORPUS, *(value[: len(value) // 2] for value in CORPUS), None, b""])


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"\x00\x01\x02\x03error", DeadLetterReason.UNDECODABLE),
        (b"level=error \xff\xfe", DeadLetterReason.UNDECODABLE),
        (b"\xff\xfe nothing of interest", DeadLetterReason.UNDECODABLE),
        (b'{"log":"time=\\"2026', DeadLetterReason.UNDECODABLE),
        (b'{"log":"truncated, nothing of interest', DeadLetterReason.UNDECODABLE),
        (b'{"log":"an error", "time": NaN}', DeadLetterReason.UNDECODABLE),
        (b'{"log":"bad utf8 \xff"}', DeadLetterReason.UNDECODABLE),
        (b'{"some":"error","of":"nobody"}', DeadLetterReason.UNDECODABLE),
        (b'["an error"]', DeadLetterReason.UNDECODABLE),
        (fluent_bit("error", kubernetes=["registry-a"]), DeadLetterReason.MALFORMED),
        (fluent_bit("error", kubernetes={"pod_name": 5}), DeadLetterReason.MALFORMED),
        (fluent_bit("error", kubernetes={"pod_name": {"error": 1}}), DeadLetterReason.MALFORMED),
        (b'{"@timestamp":1795425030.5,"log":17,"error":1}', DeadLetterReason.MALFORMED),
        (b'{"@timestamp":1795425030.5,"kubernetes":{},"error":1}', DeadLetterReason.MALFORMED),
        (b'{"undercurrent_progress":{"event_time":"later"}}', DeadLetterReason.MALFORMED),
        (b'{"undercurrent_progress":{"event_time":1e300}}', DeadLetterReason.TIME_OUT_OF_RANGE),
        (
            fluent_bit('time="1999-01-01T00:00:00Z" level=info msg="listening on :5000"'),
            DeadLetterReason.TIME_OUT_OF_RANGE,
        ),
        (
            fluent_bit('time="9999-01-01T00:00:00Z" level=info msg="listening on :5000"'),
            DeadLetterReason.TIME_OUT_OF_RANGE,
        ),
        (
            b'time="yesterday" level=info msg="listening on :5000"',
            DeadLetterReason.TIME_OUT_OF_RANGE,
        ),
        (b"error" * 250_000, DeadLetterReason.OVERSIZE),
    ],
)
def test_what_cannot_be_read_says_why(value: bytes, reason: DeadLetterReason) -> None:
    """Undecodable, malformed, out of time or too big: each dead letter has its reason and its bytes."""
    batch = feed([value])
    (letter,) = dead(batch)
    assert letter.reason is reason
    assert base64.b64decode(letter.value_base64) == value[:65_536]
    assert letter.size_bytes == len(value)
    assert batch.frames == ()


@pytest.mark.parametrize(
    "value",
    [
        b"an ordinary line of another program",
        b"error: something else went wrong",
        "ein gew\u00f6hnlicher Satz".encode(),
        b'10.0.0.1 - - [23/Nov/2026:09:10:33 +0000] "GET /v2/ HTTP/1.1" 500 2 "" "error"',
        fluent_bit("a line that says nothing"),
    ],
)
def test_an_ordinary_line_is_irrelevant_and_no_dead_letter(value: bytes) -> None:
    """Whoever writes text into the topic is not at fault."""
    batch = feed([value])
    assert batch.counts.dropped == {"irrelevant": 1}
    assert batch.dead_letters == ()


def test_dead_letters_are_cut_and_their_details_are_redacted() -> None:
    """A poison record must not poison the dead-letter topic."""
    batch = feed([b'{"error": "' + b"x" * 3_000], IntakeConfig(dead_letter_bytes_max=100))
    (letter,) = dead(batch)
    assert len(base64.b64decode(letter.value_base64)) == 100
    assert letter.size_bytes == 3_011
    secret = feed([b'{"error":1,"AKIAIOSFODNN7EXAMPLE":2}'])
    assert "AKIA" not in dead(secret)[0].detail


@pytest.mark.parametrize(
    "value",
    [
        b"error " + b'time="' * 170_000,
        b'time="2026-11-23T09:10:30Z" level=error msg="' + b'" a="' * 200_000,
        b'time="2026-11-23T09:10:30Z" level=error err.detail="' + b"lookup a on b" * 75_000,
        fluent_bit("[ERROR] plugin/errors: 2 " + "a" * 500_000 + " errors like '" + "b" * 500_000),
        fluent_bit("dial tcp " + "dial tcp a" * 90_000 + "RequestError"),
        b"# TYPE error\nregistry_http_requests_total{" + b'a="' * 300_000,
        b"docker_log,a=b message=\"" + b"\\\\" * 500_000,
        b"<1>1 " + b"a " * 500_000 + b"error",
        fluent_bit("lookup " * 140_000 + "error RequestError"),
        b'{"error":' * 100_000,
    ],
)  # fmt: skip
def test_a_line_of_a_megabyte_takes_no_longer_than_its_bytes(value: bytes) -> None:
    """No pattern may be quadratic: ten hostile megabytes are through within a second each."""
    assert len(value) > 500_000
    usage = _cpu_seconds()
    _account([value])
    assert _cpu_seconds() - usage < 1.0


def _cpu_seconds() -> float:
    """Processor time of this process: what others do on the machine does not count."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize(
    "value",
    [
        fluent_bit('time="2027-06-01T00:00:00Z" level=info msg="listening on :5000"'),
        fluent_bit("nothing of interest", at=1_900_000_000.0),
        b'{"undercurrent_progress":{"event_time":1900000000}}',
        b'{"undercurrent_metric":1,"source":"a","time":1900000000,"kind":"cpu","values":{"usage_cores":1}}',
    ],
)
def test_a_time_from_the_future_moves_no_source(value: bytes) -> None:
    """A bad clock must not push the watermark past everything that is still to come."""
    intake = Intake(IntakeConfig())
    intake.receive(record(fluent_bit("nothing"), offset=0, at=AT))
    intake.receive(record(value, offset=1, at=AT))
    assert intake.sources()["registry.logs", 0].high == AT
    assert intake.sources()["registry.logs", 0].declared is False


def test_a_clock_that_runs_ahead_a_little_moves_its_source_to_the_kafka_timestamp_only() -> None:
    """The line is believed and counted, but it cannot make what comes after it late."""
    intake = Intake(IntakeConfig())
    value = fluent_bit('time="2026-11-23T10:10:30Z" level=info msg="listening on :5000"')
    intake.receive(record(value, at=AT))
    assert intake.sources()["registry.logs", 0].high == AT
    assert intake.flush().counts.symptoms == {"process_started": 1}


def test_a_kafka_timestamp_that_is_none_judges_nothing() -> None:
    """Brokers and bridges without create time write -1 or 0; then only the absolute bounds count."""
    for stamp in (-1, 0, 5, None):
        intake = Intake(IntakeConfig())
        value = fluent_bit('time="2026-11-23T09:10:30Z" level=info msg="listening on :5000"')
        intake.receive(RawRecord("registry.logs", 0, 0, stamp, None, value))
        assert intake.flush().counts.symptoms == {"process_started": 1}
        assert intake.sources()["registry.logs", 0].high == AT - 0.5
