"""Records gone wrong, made from real ones: bytes changed, pieces cut, doubled, mixed and blown up.

What lies inside a packed record is broken before it is packed again, or nothing would get past the
checksum. The same seed gives the same records.
"""

import gzip
from collections.abc import Callable, Iterator, Sequence
from random import Random

import cramjam
import zstandard

from pipeline.intake.packing import snappy_block, unpacked
from pipeline.intake.record import RefusedError

BLOWN_UP_BYTES = 131_072
TOKENS = (
    b'"', b"\\", b"{", b"}", b"[", b"]", b":", b",", b"\n", b"\r", b"\t", b"\x00", b"\xff", b"\x80",
    b"NaN", b"Infinity", b"null", b"true", b"{}", b"[]", b'""', b"-1", b"1e400", b"9" * 30, b"0" * 400,
    b'"error"', b' err.detail="', b"caused by: ", b"time=", b"#011", b" lookup a on b: ", b"<27>1 ",
    b"errors like '", b"4294967295 errors like 'i/o timeout' occurred", b"== ", b"==> ", b"# TYPE ",
    b"\x0a", b"\x12", b"\x0a\x00", b"\x12\x00", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\xdf\xff\xff\xff\xff", b"\xc1", b"\xd8\x00", b"\x81\xa3log\x91", b"\xe2\x80\xae", b"\x1b[31m",
    b"<!channel>", b"AKIAIOSFODNN7EXAMPLE",
)  # fmt: skip

PACKERS: tuple[Callable[[bytes], bytes], ...] = (
    lambda data: gzip.compress(data, 1, mtime=0),
    lambda data: zstandard.compress(data, 1),
    lambda data: bytes(cramjam.snappy.compress(data)),
    lambda data: bytes(cramjam.snappy.compress_raw(data)),
)


def mutations(seed: int, corpus: Sequence[bytes]) -> Iterator[bytes]:
    """Records without end."""
    chance = Random(seed)
    bare = [_inside(value) for value in corpus]
    while True:
        at = chance.randrange(len(corpus))
        if bare[at] is not corpus[at] and chance.random() < 0.8:
            yield chance.choice(PACKERS)(_broken(chance, bare[at], bare))
        else:
            value = _broken(chance, corpus[at], corpus)
            yield chance.choice(PACKERS)(value) if chance.random() < 0.05 else value


def _inside(value: bytes) -> bytes:
    try:
        name, inside = unpacked(value)
    except RefusedError:
        return value
    return inside if name else snappy_block(value) or value


def _broken(chance: Random, value: bytes, corpus: Sequence[bytes]) -> bytes:
    data = bytearray(value)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        _BREAK[chance.randrange(len(_BREAK))](chance, data, corpus)
    return bytes(data)


def _change(chance: Random, data: bytearray, _corpus: Sequence[bytes]) -> None:
    if data:
        data[chance.randrange(len(data))] = chance.randrange(256)


def _flip(chance: Random, data: bytearray, _corpus: Sequence[bytes]) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _cut(chance: Random, data: bytearray, _corpus: Sequence[bytes]) -> None:
    at = chance.randrange(len(data) + 1)
    del data[at : at + chance.randint(1, 40)]


def _end(chance: Random, data: bytearray, _corpus: Sequence[bytes]) -> None:
    del data[chance.randrange(len(data) + 1) :]


def _token(chance: Random, data: bytearray, _corpus: Sequence[bytes]) -> None:
    at = chance.randrange(len(data) + 1)
    data[at:at] = chance.choice(TOKENS)


def _double(chance: Random, data: bytearray, _corpus: Sequence[bytes]) -> None:
    at = chance.randrange(len(data) + 1)
    data[at:at] = data[max(0, at - chance.randint(1, 200)) : at]


def _mix(chance: Random, data: bytearray, corpus: Sequence[bytes]) -> None:
    other = chance.choice(corpus)
    at, there = chance.randrange(len(data) + 1), chance.randrange(len(other) + 1)
    data[at : at + chance.randint(0, 80)] = other[there : there + chance.randint(1, 300)]


def _blow_up(chance: Random, data: bytearray, _corpus: Sequence[bytes]) -> None:
    """A piece or a token many times over; rarely, for it is what takes time."""
    if chance.random() > 0.02:
        return
    at = chance.randrange(len(data) + 1)
    piece = bytes(data[max(0, at - chance.randint(1, 30)) : at]) or chance.choice(TOKENS)
    data[at:at] = piece * (BLOWN_UP_BYTES // len(piece))


_BREAK = (_change, _flip, _cut, _end, _token, _double, _mix, _blow_up)
