"""A line split in every way a line-based shipper can is counted once.

Runtimes break lines at real newlines (the 2.8 images' errors) and at their buffers' end; shippers write the
pieces as records of any partition, between those of other containers, and may write a record twice.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.intake import Batch, Intake, IntakeConfig, RawRecord
from tests.intake.feed import AT, accounted, symptoms

ERRORS = (
    ("s3aws: RequestCanceled: request context canceled", "caused by: context canceled"),
    ("s3aws: SlowDown: Please reduce your request rate.", "\tstatus code: 503, request id: A, host id: B"),
    (
        "s3aws: RequestError: send request failed",
        'caused by: Put "https://s3/x": read: connection reset by peer',
    ),
    (
        "s3aws: RequestError: send request failed",
        "\tstatus code: 500, request id: A",
        "caused by: Get https://b.s3.example.com: dial tcp: lookup b.s3.example.com on 10.0.0.2:53: "
        "read udp 10.1.1.5:4->10.0.0.2:53: i/o timeout",
    ),
)
PIECE_STEP_SECONDS = 0.000_02
EVENT_STEP_SECONDS = 0.05
FIRST_CUT = 100
"""A buffer is far larger: its first piece always holds what tells that the line is an error's."""


def _lines(number: int, pod: str, error: tuple[str, ...], quoted: bool) -> list[str]:
    """The lines that a runtime sees of one failed request: one, or one per real newline."""
    second = 30 + number * EVENT_STEP_SECONDS + 123e-9  # to the nanosecond, as the registry writes it
    head = (
        f'time="2026-11-23T09:10:{second:012.9f}Z" level=error msg="response completed with error" '
        'err.code=unknown err.detail="'
    )
    tail = (
        f'" err.message="unknown error" go.version=go1.20.8 http.request.id={pod}-{number} '
        'http.request.uri="/v2/_catalog?n=100" http.request.useragent="ui/1.0" '
        f"http.response.duration={number + 1}.5s http.response.status=500 http.response.written=104"
    )
    if quoted:
        escaped = (part.replace('"', '\\"').replace("\t", "\\t") for part in error)
        return [head + "\\n".join(escaped) + tail]
    return (head + "\n".join(error) + tail).split("\n")


def _cri(text: str, ended: bool, pod: str, at: float) -> bytes:
    return _kubernetes({"log": text, "_p": "F" if ended else "P"}, pod, at)


def _logtag(text: str, ended: bool, pod: str, at: float) -> bytes:
    return _kubernetes({"message": text, "logtag": "F" if ended else "P"}, pod, at)


def _kubernetes(fields: dict[str, Any], pod: str, at: float) -> bytes:
    place = {"pod_name": pod, "namespace_name": "r", "container_name": "registry", "host": "n"}
    return orjson.dumps({"@timestamp": at, "stream": "stderr", **fields, "kubernetes": place})


def _vector(text: str, ended: bool, pod: str, at: float) -> bytes:
    partial = {} if ended else {"_partial": True}
    place = {"pod_name": pod, "pod_namespace": "r", "container_name": "registry", "pod_node_name": "n"}
    body = {"message": text, "timestamp": at, "source_type": "kubernetes_logs", "stream": "stderr"}
    return orjson.dumps({**body, "kubernetes": place, **partial})


def _journald(text: str, ended: bool, pod: str, at: float) -> bytes:
    cut = {} if ended else {"CONTAINER_PARTIAL_MESSAGE": "true"}
    where = {"CONTAINER_NAME": pod, "_HOSTNAME": "n"}
    return orjson.dumps({"MESSAGE": text, "__REALTIME_TIMESTAMP": str(round(at * 1e6)), **where, **cut})


def _docker_fluentd(text: str, ended: bool, pod: str, at: float) -> bytes:
    partial = {"partial_message": "true", "partial_last": "true" if ended else "false"}
    body = {"log": text, "container_name": f"/{pod}", "container_id": "c", "source": "stderr", "time": at}
    return orjson.dumps({**body, **partial})


def _own(text: str, ended: bool, pod: str, at: float) -> bytes:
    body = {"shipper": "undercurrent", "time": round(at * 1e9), "pod": pod, "host": "n", "line": text}
    return orjson.dumps(body if ended else {**body, "ended": False})


Envelope = Callable[[str, bool, str, float], bytes]
ENVELOPES: tuple[Envelope, ...] = (_cri, _logtag, _vector, _journald, _docker_fluentd, _own)


def _cut(line: str, at: list[int]) -> list[tuple[str, bool]]:
    """(piece, whether it ends the line), cut at `at` where that is inside."""
    places = [0, *sorted({one for one in at if 0 < one < len(line)}), len(line)]
    pieces = [line[low:high] for low, high in pairwise(places)]
    return [(piece, number == len(pieces) - 1) for number, piece in enumerate(pieces)]


def _told(batch: Batch) -> dict[str, tuple[object, ...]]:
    return {
        one.id: (symptom.kind, symptom.instance, one.request, one.duration_seconds, one.status, one.route)
        for symptom in symptoms(batch)
        for one in symptom.observations
    }


def _feed(values: list[tuple[bytes, int]]) -> Batch:
    """(value, partition) in the order in which they are read."""
    intake = Intake(IntakeConfig())
    for offset, (value, partition) in enumerate(values):
        intake.receive(RawRecord("registry.logs", partition, offset, round(AT * 1000), None, value))
    batch = intake.flush(release_heads=True)
    assert accounted(batch.counts) == len(values)
    return batch


Event = tuple[int, bool, list[int]]
"""Which error, whether its newlines are quoted, and where its lines are cut."""

events = st.tuples(
    st.integers(0, len(ERRORS) - 1), st.booleans(), st.lists(st.integers(FIRST_CUT, 700), max_size=3)
)
streams = st.lists(
    st.tuples(st.sampled_from(ENVELOPES), st.lists(events, min_size=1, max_size=3)), min_size=1, max_size=3
)


@settings(deadline=None, max_examples=250)
@given(streams, st.randoms(use_true_random=False))
def test_lines_split_at_newlines_and_buffers_between_others_are_counted_once(
    chosen: list[tuple[Envelope, list[Event]]], chance: Any
) -> None:
    """Each container's pieces in order, mixed with the others' at will, in any partitions, some twice."""
    whole: list[tuple[bytes, int]] = []
    pieces: list[list[tuple[bytes, int]]] = []
    for stream, (envelope, told) in enumerate(chosen):
        pod, records = f"registry-{stream}", []
        for number, (error, quoted, cuts) in enumerate(told):
            at = AT + number * EVENT_STEP_SECONDS
            lines = _lines(number, pod, ERRORS[error], quoted)
            whole.append((envelope("\n".join(lines), True, pod, at), 0))
            for line in lines:
                for piece, ended in _cut(line, cuts if line.startswith("time=") else []):
                    records.append((envelope(piece, ended, pod, at), chance.randrange(4)))
                    at += PIECE_STEP_SECONDS
        pieces.append(records)
    mixed = []
    while any(pieces):
        mixed.append(chance.choice([records for records in pieces if records]).pop(0))
    for _ in range(chance.randrange(3)):
        first = chance.randrange(len(mixed))
        mixed.insert(chance.randint(first + 1, len(mixed)), mixed[first])
    batch = _feed(mixed)
    assert _told(batch) == _told(_feed(whole))
    assert sum(batch.counts.symptoms.values()) == sum(len(told) for _, told in chosen)
    assert batch.counts.partial == 0


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.integers(0, len(ERRORS) - 1), min_size=1, max_size=4),
    st.randoms(use_true_random=False),
    st.sampled_from(ENVELOPES),
)
def test_halves_at_newlines_come_in_any_order_from_any_partition_and_twice(
    errors: list[int], chance: Any, envelope: Envelope
) -> None:
    """Partitions are read in any order, and a shipper that was not answered writes a record again."""
    whole, pieces = [], []
    for number, error in enumerate(errors):
        at = AT + number * EVENT_STEP_SECONDS
        lines = _lines(number, "registry-a", ERRORS[error], False)
        whole.append((envelope("\n".join(lines), True, "registry-a", at), 0))
        pieces += [
            (envelope(line, True, "registry-a", at + place * PIECE_STEP_SECONDS), chance.randrange(4))
            for place, line in enumerate(lines)
        ]
    chance.shuffle(pieces)
    assert _told(_feed(pieces)) == _told(_feed(whole))
    assert _told(_feed([*pieces, chance.choice(pieces)])) == _told(_feed(whole))


def test_a_line_cut_by_docker_at_its_buffer_is_one() -> None:
    """json-file on disk: the first piece is 16 KiB to the byte, without a newline; no flag tells it."""
    line = _lines(0, "registry-a", ERRORS[0], True)[0].replace("ui/1.0", "ui/" + "ü" * 9_000)
    data = line.encode()
    parts = [data[:16_384], data[16_384:] + b"\n"]
    values = [
        orjson.dumps({"log": part.decode(), "stream": "stderr", "time": "2026-11-23T09:10:30.5Z"})
        for part in parts
    ]
    batch = _feed([(value, 0) for value in values])
    assert list(batch.counts.symptoms.values()) == [1]
    assert next(iter(_told(batch).values()))[2] == "registry-a-0"


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_a_cut_line_whose_rest_was_lost_swallows_no_other(envelope: Envelope) -> None:
    """The next line begins one of its own: both count, the first as half a line."""
    lost, next_one = (_lines(number, "registry-a", ERRORS[0], True)[0] for number in (0, 1))
    batch = _feed(
        [
            (envelope(lost[:300], False, "registry-a", AT), 0),
            (envelope(next_one, True, "registry-a", AT + 1), 0),
        ]
    )
    assert batch.counts.symptoms == {"request_cancelled": 2}
    assert batch.counts.partial == 1
