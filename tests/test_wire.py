"""The wire: what is written is read back the same, and what a newer program wrote is refused."""

import inspect

import orjson
import pytest

import schemas
from schemas import (
    Cause,
    Change,
    ChangeKind,
    DeadLetter,
    DeadLetterReason,
    DeadLetterRetry,
    Decision,
    EventTime,
    Frame,
    Heard,
    Incident,
    IncidentState,
    Observation,
    Origin,
    Outcome,
    Progress,
    Sample,
    SampleKind,
    SourceKind,
    SourceProgress,
    Symptom,
    SymptomKind,
    UnknownVersionError,
    decode,
    encode,
)
from schemas.base import Noun

ORIGIN = Origin(topic="registry.logs", partition=3, offset=0)
INCIDENT = Incident(
    id="i1",
    domain="d",
    instances=("registry-a",),
    cause=Cause.CPU_SATURATION,
    confidence=0.9,
    state=IncidentState.OPEN,
    first_symptom_at=1.5,
    opened_at=2.0,
)
RECORDS: list[Noun] = [
    Frame(
        domain="d",
        signals=(
            Symptom(
                kind=SymptomKind.DNS_TIMEOUT,
                second=1,
                count=1,
                observations=(Observation(id="0", time=1.25),),
            ),
            Sample(
                kind=SampleKind.CPU,
                time=1.0,
                values={"limit_cores": None, "usage_seconds_total": 0.1},
                source="cgroup",
                origin=ORIGIN,
            ),
        ),
    ),
    Progress(worker="w", expected={"t": 4}, sources=(SourceProgress(source="t/0", time=None, holds=True),)),
    Change(id="i1:0", seq=0, kind=ChangeKind.OPENED, at=2.0, reason="r", incident=INCIDENT),
    Decision(
        id="d1",
        domain="d",
        kind=SymptomKind.DNS_TIMEOUT,
        symptom_at=1.0,
        decided_at=2.0,
        count=1,
        outcome=Outcome.RELEASED,
        reason="r",
    ),
    DeadLetter(
        origin=ORIGIN,
        reason=DeadLetterReason.MALFORMED,
        detail="a \ufffd \u0000",
        value_base64="AA==",
        size_bytes=1,
        key_base64="AA==",
        redacted=True,
        retry_of=ORIGIN,
    ),
    DeadLetterRetry(of=ORIGIN, to=ORIGIN),
    Heard(partition=1, domain="d", kind=SourceKind.CPU, place="registry-a", at=1.5, interval_seconds=15.0),
    EventTime(partition=1, at=1.5),
]


def _nouns() -> list[type[Noun]]:
    return [
        noun
        for _, noun in inspect.getmembers(schemas, inspect.isclass)
        if issubclass(noun, Noun) and noun is not Noun
    ]


@pytest.mark.parametrize("noun", RECORDS, ids=lambda noun: type(noun).__name__)
def test_what_is_written_is_read_back_the_same(noun: Noun) -> None:
    """Every record that crosses a topic comes back equal, with its type and wire version in it."""
    written = encode(noun)
    assert decode(type(noun), written) == noun
    body = orjson.loads(written)
    assert body["v"] == schemas.WIRE_VERSION
    assert body["type"] == noun.type  # type: ignore[attr-defined]


@pytest.mark.parametrize("noun", _nouns(), ids=lambda noun: noun.__name__)
def test_nothing_but_none_stands_for_none(noun: type[Noun]) -> None:
    """A field left out on the wire because it is None has None as its default."""
    for name, field in noun.model_fields.items():
        if type(None) in getattr(field.annotation, "__args__", ()):
            assert field.default is None, name


def test_a_newer_version_is_refused_with_its_own_error() -> None:
    """A record of a newer program is not misread: its version is named."""
    body = orjson.loads(encode(INCIDENT))
    body["v"] = schemas.WIRE_VERSION + 1
    with pytest.raises(UnknownVersionError, match=f"version {schemas.WIRE_VERSION + 1}"):
        decode(Incident, orjson.dumps(body))


@pytest.mark.parametrize(
    "value", [b"", b"[]", b"{}", b'{"v": true}', b'{"v": 0}', b'{"v": 1, "type": "frame"}', b"\xff", b"{"]
)
def test_what_is_no_record_raises_value_error(value: bytes) -> None:
    """Bytes that are no frame are a ValueError, never another exception and never a frame."""
    with pytest.raises(ValueError, match=r".+"):
        decode(Frame, value)


def test_a_field_nobody_knows_is_an_error_that_names_it() -> None:
    """A closed model: an unknown field is refused by its name."""
    body = orjson.loads(encode(RECORDS[0]))
    body["surprise"] = 1
    with pytest.raises(ValueError, match=r"Frame\.surprise"):
        decode(Frame, orjson.dumps(body))
