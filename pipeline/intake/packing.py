"""What a record is packed in: gzip, zstd or snappy, taken off before anybody looks for its shipper.

A packed record can be far larger than it looks. Nothing here ever holds more than UNPACKED_BYTES_MAX
of what is inside: a larger one is refused as soon as that is known, whatever it claims of itself.
"""

import zlib
from collections.abc import Callable
from io import BytesIO
from typing import NamedTuple

import cramjam
import zstandard

from pipeline.intake.bound import too_large
from pipeline.intake.record import malformed

UNPACKED_BYTES_MAX = 4_194_304
"""Bytes that a record may hold when unpacked: four times what one may have packed, by default."""

WINDOW_BYTES_MAX = 8_388_608
"""zstd's memory: frames that ask for a larger window are refused (RFC 8878 recommends this much)."""

_RATIO_MAX = 22
"""Snappy packs no tighter: a copy of 64 bytes takes 3. Who claims more is no block."""

_FRAMED = b"\xff\x06\x00\x00sNaPpY"


_TOO_MUCH = f"more than {UNPACKED_BYTES_MAX} bytes when unpacked"


class Packing(NamedTuple):
    """`unpack` raises `RefusedError` where the bytes are broken or hold too much."""

    magic: bytes
    unpack: Callable[[bytes], bytes]


def _bounded(unpacked: bytes) -> bytes:
    if len(unpacked) > UNPACKED_BYTES_MAX:
        raise too_large(_TOO_MUCH)
    return unpacked


def _gunzip(value: bytes) -> bytes:
    """One or several members, one after the other."""
    parts: list[bytes] = []
    size = 0
    while value:
        member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            part = member.decompress(value, UNPACKED_BYTES_MAX + 1 - size)
        except zlib.error as error:
            raise malformed(f"gzip: {error}") from error
        parts.append(part)
        size += len(part)
        if size > UNPACKED_BYTES_MAX:
            break
        if not member.eof:
            raise malformed("gzip: it ends in the middle")
        if not member.unused_data.startswith(_GZIP):
            break
        value = member.unused_data
    return _bounded(b"".join(parts))


def _unzstd(value: bytes) -> bytes:
    """One or several frames. They are measured first, for only a whole read says whether one was cut off."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES_MAX)
    parts: list[bytes] = []
    try:
        with decompressor.stream_reader(BytesIO(value), read_across_frames=True) as reader:
            _bounded(reader.read(UNPACKED_BYTES_MAX + 1))
        while value:
            frame = decompressor.decompressobj()
            parts.append(frame.decompress(value))
            if not frame.eof:
                raise malformed("zstd: it ends in the middle")
            value = frame.unused_data
    except zstandard.ZstdError as error:
        raise malformed(f"zstd: {error}") from error
    return b"".join(parts)


def _unframe(value: bytes) -> bytes:
    """Snappy's framing: as much as fits the bound is written, and one byte more is too much."""
    room = bytearray(UNPACKED_BYTES_MAX + 1)
    try:
        size = cramjam.snappy.decompress_into(value, room)
    except cramjam.DecompressionError as error:
        if "write" in str(error):  # no room left
            raise too_large(_TOO_MUCH) from error
        raise malformed(f"snappy: {error}") from error
    return _bounded(bytes(room[:size]))


_GZIP = b"\x1f\x8b\x08"

PACKINGS: dict[str, Packing] = {
    "gzip": Packing(_GZIP, _gunzip),
    "zstd": Packing(b"\x28\xb5\x2f\xfd", _unzstd),
    "snappy-framed": Packing(_FRAMED, _unframe),
}
"""Name → how it begins and how it is taken off."""


def unpacked(value: bytes) -> tuple[str | None, bytes]:
    """The packing's name and what is inside, once: a packed record inside a packed one stays as it is.

    Raises:
        RefusedError: it begins like one and is broken, or holds more than UNPACKED_BYTES_MAX.
    """
    for name, packing in PACKINGS.items():
        if value.startswith(packing.magic):
            return name, packing.unpack(value)
    return None, value


def snappy_block(value: bytes) -> bytes | None:
    """What a raw snappy block holds (it has no magic bytes); None if it is none, or an empty one.

    Raises:
        RefusedError: it is a block, by its first bytes, and holds more than UNPACKED_BYTES_MAX.
    """
    try:
        size = cramjam.snappy.decompress_raw_len(value)
        if size > UNPACKED_BYTES_MAX and size <= _RATIO_MAX * len(value):
            raise too_large(_TOO_MUCH)
        return bytes(cramjam.snappy.decompress_raw(value)) if 0 < size <= UNPACKED_BYTES_MAX else None
    except cramjam.DecompressionError:
        return None
