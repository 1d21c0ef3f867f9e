"""Malformed records, made from a seed: most are a real record with one thing broken in it.

None of them may count as an event, however much of a real error still shows. A maker gets a source
of chance and a real record's value (a JSON object), and returns what a shipper gone wrong could send.
"""

from collections.abc import Callable, Iterator, Sequence
from random import Random

import orjson

Maker = Callable[[Random, bytes], bytes | None]

CANCELLED = (
    'time="{time}" level=error msg="response completed with error" err.code=unknown '
    'err.detail="s3aws: RequestCanceled: request context canceled\\ncaused by: context canceled" '
    'err.message="unknown error" http.request.id=5f0e6c4b-0000-4000-8000-00000000dead '
    "http.response.duration=9.8s http.response.status=500"
)
ABSURD_TIMES = (
    "0001-01-01T00:00:00Z",
    "1969-12-31T23:59:59Z",
    "1999-12-31T23:59:58.999999999Z",
    "2999-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z",
)
ABSURD_INSTANTS = (-1, 0, 1.5, 1e300, -1e300, 32_503_680_000, 2**63, 10**19)
NO_OBJECTS = (b"7", b"-0.5", b"true", b"null", b"[]", b"[{}]", b'"RequestCanceled: request context canceled"')
NO_TEXT = (7, -0.5, True, [], [{}], ["RequestCanceled: request context canceled"])
NO_LABELS = (7, "registry-a", [1], {"pod_name": {"a": 1}}, {"pod_name": "a", "container_name": ["registry"]})
NO_NUMBERS = (b"NaN", b"Infinity", b"-Infinity", b"nan", b"+1", b"0x10", b"1e", b".5")
HUGE_NUMBERS = (b"1" + b"0" * 400, b"1e400", b"-1e999", b"9" * 4300, b"-" + b"7" * 30)


def noise(chance: Random, real: bytes) -> bytes:
    """Random bytes."""
    return chance.randbytes(chance.randint(1, 600))


def truncated(chance: Random, real: bytes) -> bytes:
    """A real record that ends somewhere in the middle."""
    return real[: chance.randrange(1, len(real) - 1)]


def no_object(chance: Random, real: bytes) -> bytes:
    """Valid JSON that is no record, or two records in one."""
    return chance.choice([*NO_OBJECTS, b"[" + real + b"]", real + real])


def no_text(chance: Random, real: bytes) -> bytes:
    """An envelope whose log line is something else than text."""
    return orjson.dumps({**_error_line(real), "log": chance.choice(NO_TEXT), "level": "error"})


def no_labels(chance: Random, real: bytes) -> bytes:
    """A perfect error line with labels that are none."""
    body = _error_line(real, CANCELLED.format(time="2026-11-23T09:00:00Z"))
    return orjson.dumps({**body, "kubernetes": chance.choice(NO_LABELS)})


def absurd_time(chance: Random, real: bytes) -> bytes:
    """A perfect error line, or a progress marker, from long ago or far in the future."""
    instant = chance.choice(ABSURD_INSTANTS)
    if chance.random() < 0.2:
        return orjson.dumps({"undercurrent_progress": {"event_time": instant}})
    line = CANCELLED.format(time=chance.choice(ABSURD_TIMES))
    return orjson.dumps({**_error_line(real, line), "@timestamp": instant})


def invalid_utf8(chance: Random, real: bytes) -> bytes:
    """A real record with a byte in it that no UTF-8 text has."""
    return _with(chance, real, chance.choice([b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5"]))


def nul_bytes(chance: Random, real: bytes) -> bytes:
    """Nothing but NUL, or a real record with a NUL in it."""
    return b"\0" * chance.randint(1, 300) if chance.random() < 0.3 else _with(chance, real, b"\0")


def not_a_number(chance: Random, real: bytes) -> bytes:
    """A metric whose reading is no number: not even JSON, or NaN in a string as Prometheus writes it."""
    if chance.random() < 0.5:
        return _metric(time=b"1795424900.5", reading=chance.choice(NO_NUMBERS))
    return orjson.dumps(
        {
            "labels": {"pod": "registry-a", "container": "registry", "namespace": "registry"},
            "name": "container_cpu_usage_seconds_total",
            "timestamp": "2026-11-23T09:00:00Z",
            "value": chance.choice(["NaN", "+Inf", "-Inf", "", "twelve"]),
        }
    )


def huge_number(chance: Random, real: bytes) -> bytes:
    """A metric from a time with hundreds of digits."""
    return _metric(time=chance.choice(HUGE_NUMBERS), reading=b"0.5")


def deep(chance: Random, real: bytes) -> bytes:
    """JSON nested deeper than any parser's stack."""
    depth = chance.randint(2_000, 20_000)
    opening, closing = chance.choice([(b"[", b"]"), (b'{"log":', b"}"), (b'{"kubernetes":', b"}")])
    return opening * depth + b"1" + (closing * depth if chance.random() < 0.5 else b"")


def empty(chance: Random, real: bytes) -> bytes | None:
    """No value at all, or nothing in it."""
    return chance.choice([None, b"", b" ", b"\n", b"\r\n\t "])


def megabyte(chance: Random, real: bytes) -> bytes:
    """A line of a megabyte and more: a perfect error that is too long, or letters without end."""
    if chance.random() < 0.5:
        line = CANCELLED.format(time="2026-11-23T09:00:00Z")
        return orjson.dumps(_error_line(real, line + " vars.name=" + "a" * 1_048_576))
    return b"error " * 166_000


MAKERS: dict[Maker, int] = {
    noise: 1_200,
    truncated: 2_000,
    no_object: 800,
    no_text: 800,
    no_labels: 800,
    absurd_time: 1_200,
    invalid_utf8: 1_000,
    nul_bytes: 600,
    not_a_number: 700,
    huge_number: 500,
    deep: 160,
    empty: 200,
    megabyte: 40,
}
"""How many of each kind: 10,000 together."""


def malformed(seed: int, real: Sequence[bytes]) -> Iterator[tuple[str, bytes | None]]:
    """Yield all of them in random order, as name of the kind and value; `real` are values to break."""
    chance = Random(seed)
    makers = [maker for maker, count in MAKERS.items() for _ in range(count)]
    chance.shuffle(makers)
    for maker in makers:
        yield maker.__name__, maker(chance, chance.choice(real))


def _error_line(real: bytes, line: str = "") -> dict[str, object]:
    """The real record's envelope around another line."""
    body = orjson.loads(real)
    return {**body, "log": line}


def _with(chance: Random, real: bytes, broken: bytes) -> bytes:
    at = chance.randrange(1, len(real))
    return real[:at] + broken + real[at:]


def _metric(time: bytes, reading: bytes) -> bytes:
    return (
        b'{"undercurrent_metric":1,"source":"cgroup","instance":"registry-a","host":"node-registry-a",'
        b'"time":' + time + b',"reading":{"cpu_usage_cores":' + reading + b"}}"
    )
