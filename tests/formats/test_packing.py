"""Packed records: what is inside counts, and never more than the bound, whatever a record claims."""

import gzip
import zlib

import cramjam
import pytest
import zstandard

from pipeline.intake.bound import ENTRIES_MAX
from pipeline.intake.envelope import decode
from pipeline.intake.packing import UNPACKED_BYTES_MAX, snappy_block, unpacked
from pipeline.intake.record import RefusedError
from schemas import DeadLetterReason
from tests.formats.reading import fixtures
from tests.intake.feed import dead, feed

LINE = fixtures()["docker-json-file.json"]
PACK = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "zstd": zstandard.compress,
    "snappy-framed": lambda data: bytes(cramjam.snappy.compress(data)),
}
STREAMED = zstandard.ZstdCompressor().compressobj()
BOMBS = {
    **{name: pack(b"a" * 64_000_000) for name, pack in PACK.items() if name != "snappy-framed"},
    "snappy-framed": PACK["snappy-framed"](b"a" * (UNPACKED_BYTES_MAX + 1)),
    "snappy": bytes(cramjam.snappy.compress_raw(b"\x0a" * (UNPACKED_BYTES_MAX + 1))),
    "zstd without its size": STREAMED.compress(b"a" * 64_000_000) + STREAMED.flush(),
    "gzip of many members": gzip.compress(b"a" * 100_000, mtime=0) * 50,
    "zstd of many frames": zstandard.compress(b"a" * 100_000) * 50,
    "otlp of nothing": zstandard.compress(b"\x0a\x00" * (ENTRIES_MAX + 1)),
}


@pytest.mark.parametrize("name", PACK)
def test_what_is_packed_counts_like_what_is_not(name: str) -> None:
    """The same record, the same signals, in one piece or several."""
    packed = PACK[name](LINE)
    assert unpacked(packed) == (name, LINE)
    assert feed([packed]).frames == feed([LINE]).frames
    assert unpacked(PACK[name](LINE[:100]) + PACK[name](LINE[100:])) == (name, LINE)


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_a_dead_letter_with_its_reason(name: str) -> None:
    """Refused as soon as it is known to be too much: a megabyte in, never more than the bound out."""
    assert len(BOMBS[name]) < 1_048_576
    (letter,) = dead(feed([BOMBS[name]]))
    if name == "otlp of nothing":  # its first resource is empty, so nobody takes it for logs
        assert letter.reason is DeadLetterReason.UNDECODABLE
    else:
        assert (letter.reason, str(UNPACKED_BYTES_MAX) in letter.detail) == (DeadLetterReason.OVERSIZE, True)


@pytest.mark.parametrize("name", PACK)
def test_a_packed_record_that_was_cut_off_is_malformed(name: str) -> None:
    """Half of it is not told as if it were all."""
    packed = PACK[name](LINE * 3)
    for cut in (len(packed) // 3, len(packed) // 2, len(packed) - 1):
        with pytest.raises(RefusedError) as refused:
            decode(packed[:cut])
        assert refused.value.reason in (DeadLetterReason.MALFORMED, DeadLetterReason.UNDECODABLE)


def test_packed_twice_is_not_unpacked_twice() -> None:
    """One layer: a bomb of bombs stays what it is."""
    (letter,) = dead(feed([gzip.compress(gzip.compress(LINE))]))
    assert letter.reason is DeadLetterReason.UNDECODABLE


def test_noise_is_no_snappy_block() -> None:
    """A raw block has no magic bytes; what does not unpack is none."""
    assert snappy_block(b"\xff" * 40) is None
    assert snappy_block(zlib.compress(LINE)) is None
    assert snappy_block(b"") is None


def test_a_record_of_a_hundred_thousand_things_is_too_large() -> None:
    """Empty log records cost two bytes each and time all the same."""
    record = b"\x59" + (1_742_380_218_000_000_000).to_bytes(8, "little")
    records = b"\x12" + bytes([len(record)]) + record + b"\x12\x00" * ENTRIES_MAX
    scope = b"\x12" + _varint(len(records)) + records
    value = b"\x0a" + _varint(len(scope)) + scope
    (letter,) = dead(feed([value]))
    assert (letter.reason, letter.detail) == (
        DeadLetterReason.OVERSIZE,
        f"it holds more than {ENTRIES_MAX} things",
    )


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])
