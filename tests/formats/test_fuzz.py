"""A small share of the fuzzing in every run: each fixture mutated, and whatever Hypothesis thinks of.

`make fuzz` throws a million.
"""

import gzip
from itertools import islice
from typing import Any

import cramjam
import msgpack
import orjson
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.formats.fuzz import Laws, corpus
from tests.formats.mutations import mutations
from tests.formats.reading import fixtures

FIXTURES = fixtures()
OBJECTS = [orjson.loads(value) for value in FIXTURES.values() if value[:1] == b"{" and value.count(b"\n") < 1]
KEYS = st.sampled_from(sorted({key for one in OBJECTS for key in one}))


@pytest.mark.parametrize("name", FIXTURES)
def test_mutations_of_every_fixture_break_no_law(name: str) -> None:
    """Nothing raised, the books balance, what comes out is bounded: for its own mutations."""
    laws = Laws()
    for value in islice(mutations(11, [FIXTURES[name]]), 60):
        laws.check(value)


def test_mixtures_of_all_break_no_law() -> None:
    """All shippers' records mixed, into one intake in which halves wait."""
    laws = Laws()
    for value in islice(mutations(12, corpus()), 2_000):
        laws.check(value)
    assert min(laws.fates[fate] for fate in ("told", "dropped", "dead letter")) > 100


PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=20)
    | st.builds(msgpack.ExtType, st.integers(0, 127), st.binary(max_size=12))
    | st.builds(msgpack.Timestamp, st.integers(-(1 << 40), 1 << 40), st.integers(0, 999_999_999))
)
ANYTHING = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.integers(-9, 9), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(KEYS, ANYTHING, min_size=1, max_size=8))
def test_messagepack_of_any_types_under_known_keys_breaks_no_law(fields: dict[str, Any]) -> None:
    """Extensions, binary text, keys that are no text, numbers of 64 bits."""
    Laws().check(msgpack.packb(fields))


def _field(number: int, payload: bytes | int | float) -> bytes:
    if isinstance(payload, bytes):
        return _varint(number << 3 | 2) + _varint(len(payload)) + payload
    if isinstance(payload, float):
        return _varint(number << 3 | 1) + orjson.dumps(payload).ljust(8, b"0")[:8]
    return _varint(number << 3) + _varint(payload)


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


MESSAGE = st.recursive(
    st.binary(max_size=12) | st.sampled_from([b"__name__", b"container.cpu.time", b"RequestCanceled: error"]),
    lambda inner: st.lists(
        st.builds(
            _field,
            st.integers(1, 12),
            inner | st.integers(0, (1 << 64) - 1) | st.floats(allow_nan=False, allow_infinity=False),
        ),
        max_size=4,
    ).map(b"".join),
    max_leaves=20,
)


@settings(deadline=None, max_examples=300)
@given(MESSAGE, st.sampled_from([1, 4, 5]), st.booleans())
def test_protobuf_messages_of_any_shape_break_no_law(inner: bytes, number: int, packed: bool) -> None:
    """What is no message of anybody's, as it comes and as remote write packs it."""
    value = _field(number, inner)
    Laws().check(bytes(cramjam.snappy.compress_raw(value)) if packed else value)


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=200), st.integers(0, 3), st.integers(0, 40))
def test_packed_bytes_of_any_kind_cut_anywhere_break_no_law(inner: bytes, how: int, cut: int) -> None:
    """gzip, zstd, both forms of snappy, whole and cut."""
    pack = (gzip.compress, zstandard.compress, cramjam.snappy.compress, cramjam.snappy.compress_raw)[how]
    packed = bytes(pack(inner))
    Laws().check(packed)
    Laws().check(packed[: len(packed) - cut])


@pytest.mark.parametrize(
    "value",
    [
        b"==> " + b"a" * 1_000_000,
        b"==> a/cpu.stat <==\n" + b"== a\n" * 190_000,
        b"==> a/cpu.stat <==\n" + b"nr_periods 1\n" * 70_000,
        b"cgroup,a=b " + b'a="' * 300_000,
        b"cgroup,host=a cpu.stat.nr_periods=1i 1742380210000000000\n" * 17_000,
        b"prometheus,a=b " + b"a=1," * 250_000,
        b"\x82\xa1a" + b"\x91" * 900_000,
        b"\xdf\x00\x04\x00\x00" + b"\xa1a\x01" * 300_000,
        b"\x81\xa3log\xdb\x00\x0d\xbb\xa0" + b'time="' * 150_000,
        b"\x0a" + _varint(900_000) + b"\x12\x00" * 450_000,
        b'{"version":"1.1","short_message":"error","' + b"_a" * 400_000 + b'":1}',
        b'{"MESSAGE":[' + b"101," * 240_000 + b'101],"_HOSTNAME":"a"}',
        b'{"PROGRAM":"a","MESSAGE":"error' + b" " * 900_000 + b'"}',
        b'{"read":"a","cpu_stats":{"cpu_usage":' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}}",
        b'{"CPUPerc":"' + b"9" * 900_000 + b'%","MemUsage":""}',
    ],
    ids=lambda value: repr(value[:24]),
)
def test_a_megabyte_of_hostile_repetition_is_read_to_its_end(value: bytes) -> None:
    """No pattern and no loop may be quadratic: a quadratic one would not come to its end here."""
    Laws().check(value)
