"""The language of stories: a few words about services and what they say, one statement a line.

    12 registry-a: 3 cancelled by registry-ui after 5.0 s          requests that ended in that second
    12..30 registry-a: 2 failed by crane after 0.02 s: x509: certificate has expired      ... with this error
    20 registry-a: 4 answered SlowDown
    12 registry-a: 20 went well
    12 registry-a: 4 served slowly by docker after 6.0..8.0 s
    12 registry-a: 2 dns timeouts at 10.0.0.2
    12 registry-a: started
    10..40 registry-a: cpu 0.12 of 0.12 cores, throttled 100 %     one sample a second
    10..40 registry-a: cpu 1.9 cores, waiting 70 %, host busy 97 %
    20 registry-a: memory 96 of 96 MiB, 1 kill
    10..40 storage: 40 requests, p95 8 ms, median 3 ms
    10..40 dns 10.0.0.2 for registry-a: 10 lookups, 0 lost
    25 record: {"log": 5                                           a record of the logs, as it stands

    advance 60            event time has come to 60; what was said for later seconds waits
    restart               the worker is killed and started again
    again                 everything said so far is said once more
    shuffled              from here on, what is said arrives in another order, up to nine seconds late
    telling               from here on, `=>` lines say what people are told
    evidence              what speaks for the cause of the last incident told of, and where it was read

What is said of a second that is over already arrives late. `#` begins a comment. Lines that begin with
`->` or `=>` are answers.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

ANSWERS = ("->", "=>")

SECONDS_MAX = 86_400
COUNT_MAX = 1_000
SLOW_SECONDS = 5.0
"""How long a slow success takes where a story does not say it."""


class StoryError(ValueError):
    """A line that is not in the language. `line`: its number, from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


class Order(StrEnum):
    """What is done to the worker or to what was said, or asked."""

    RESTART = "restart"
    AGAIN = "again"
    SHUFFLED = "shuffled"
    TELLING = "telling"
    EVIDENCE = "evidence"


@dataclass(frozen=True, slots=True)
class Advance:
    """Event time comes to this second."""

    second: int


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests of one second, or lookups: `what` is the word used for how they ended.

    `low` and `high` seconds: durations spread between them. `error`: the text of the error.
    """

    count: int
    what: str
    client: str | None = None
    low: float | None = None
    high: float | None = None
    error: str | None = None
    upstream: str | None = None


@dataclass(frozen=True, slots=True)
class Cpu:
    """A second of a container's CPU: `limit` in cores, None where it has none and waits for its host."""

    used: float
    limit: float | None
    throttled: float = 0.0
    waiting: float = 0.0
    host_busy: float = 0.0


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of a container in MiB, and kills for want of it."""

    used: float
    limit: float
    kills: int = 0


@dataclass(frozen=True, slots=True)
class Storage:
    """A second of the storage, measured at its own side, in milliseconds."""

    requests: int
    p95: float
    median: float


@dataclass(frozen=True, slots=True)
class Lookups:
    """A second of a DNS server, as it counts itself."""

    asked: int
    lost: int


@dataclass(frozen=True, slots=True)
class Started:
    """A process logs its start."""


@dataclass(frozen=True, slots=True)
class Bytes:
    """A record as it stands."""

    text: str


Said = Requests | Cpu | Memory | Storage | Lookups | Started | Bytes


@dataclass(frozen=True, slots=True)
class Statement:
    """In each of the seconds `first..last`, `who` says `what`."""

    first: int
    last: int
    who: str
    what: Said


_LINE = re.compile(r"(\d{1,6})(?:\.\.(\d{1,6}))? ([^:]{1,100}): (.*)")
_ADVANCE = re.compile(r"advance (\d{1,6})")
_NUMBER = r"(\d{1,9}(?:\.\d{1,9})?)"
_REQUESTS = re.compile(
    r"(\d{1,6}) (cancelled|answered SlowDown|failed|served slowly)(?: by (\S{1,80}))?"
    rf"(?: after {_NUMBER}(?:\.\.{_NUMBER})? s)?(?:: (.{{1,2000}}))?"
)
_WELL = re.compile(r"(\d{1,6}) (went well)")
_DNS = re.compile(r"(\d{1,6}) (dns timeout)s? at (\S{1,100})")
_CPU = re.compile(rf"cpu {_NUMBER} of {_NUMBER} cores, throttled {_NUMBER} %")
_HOST = re.compile(rf"cpu {_NUMBER} cores, waiting {_NUMBER} %, host busy {_NUMBER} %")
_MEMORY = re.compile(rf"memory {_NUMBER} of {_NUMBER} MiB(?:, (\d{{1,3}}) kills?)?")
_STORAGE = re.compile(rf"(\d{{1,6}}) requests, p95 {_NUMBER} ms, median {_NUMBER} ms")
_LOOKUPS = re.compile(r"(\d{1,6}) lookups, (\d{1,6}) lost")


def read(number: int, line: str) -> Statement | Advance | Order:
    """One line of a story, which is neither blank nor a comment nor an answer.

    Raises:
        StoryError: it is not in the language.
    """
    if line in set(Order):
        return Order(line)
    advance = _ADVANCE.fullmatch(line)
    if advance is not None:
        return Advance(_second(number, advance[1]))
    found = _LINE.fullmatch(line)
    if found is None:
        raise StoryError(number, f"not in the language: {line[:80]}")
    first, last = _second(number, found[1]), _second(number, found[2] or found[1])
    if last < first:
        raise StoryError(number, f"{last} is before {first}")
    who = found[3]
    said = Bytes(found[4]) if who == "record" else _said(found[4])
    if said is None:
        raise StoryError(number, f"{who} says what is not in the language: {found[4][:80]}")
    if isinstance(said, Lookups) != who.startswith("dns ") or isinstance(said, Storage) != (who == "storage"):
        raise StoryError(number, f"{who} cannot say that: {found[4][:80]}")
    if isinstance(said, Requests) and said.count > COUNT_MAX:
        raise StoryError(number, f"at most {COUNT_MAX} a second")
    return Statement(first, last, who, said)


def _second(number: int, text: str) -> int:
    if int(text) > SECONDS_MAX:
        raise StoryError(number, f"a story lasts at most {SECONDS_MAX} s")
    return int(text)


def _said(text: str) -> Said | None:
    if found := _REQUESTS.fullmatch(text):
        if found[6] and found[2] != "failed":
            return None
        usual = SLOW_SECONDS if found[2] == "served slowly" else None
        low = usual if found[4] is None else float(found[4])
        high = low if found[5] is None else float(found[5])
        return Requests(int(found[1]), found[2], found[3], low, high, found[6])
    if found := _WELL.fullmatch(text) or _DNS.fullmatch(text):
        return Requests(int(found[1]), found[2], upstream=found[3] if found.re is _DNS else None)
    if found := _CPU.fullmatch(text):
        return Cpu(float(found[1]), float(found[2]), throttled=float(found[3]) / 100)
    if found := _HOST.fullmatch(text):
        waiting, busy = float(found[2]) / 100, float(found[3]) / 100
        return Cpu(float(found[1]), None, waiting=waiting, host_busy=busy)
    if found := _MEMORY.fullmatch(text):
        return Memory(float(found[1]), float(found[2]), int(found[3] or 0))
    if found := _STORAGE.fullmatch(text):
        return Storage(int(found[1]), float(found[2]), float(found[3]))
    if found := _LOOKUPS.fullmatch(text):
        return Lookups(int(found[1]), int(found[2]))
    return Started() if text == "started" else None
