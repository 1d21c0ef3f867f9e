"""Writes what a registry and a resolver write: logrus in text or JSON, the access log, `[resolver]` lines.

Text is as Debian's build of release 2 and upstream's release 3 quote it. That upstream's release 2
leaves line breaks as they are is a matter of shipping (agents/recordings/envelopes.py).
"""

import re
from datetime import UTC, datetime

import orjson

from pipeline.simulation.kernel import Chance
from pipeline.simulation.lookups import RESOLVERS, STORAGE_HOST
from pipeline.simulation.output import Line, Output
from pipeline.simulation.plan import InstancePlan

VERSIONS = {"v2": ("go1.19.8", "2.8.2+ds1"), "v3": ("go1.26.8", "v3.0.0+unknown")}
Fields = dict[str, str | int]

_BARE = re.compile(r"[A-Za-z0-9\-._/@^+]+")
_FIRST = ("time", "level", "msg")
CANCELLED = "RequestCanceled: request context canceled\ncaused by: context canceled"


class Pen:
    """Writes the lines of one instance. `start`: unix time at which the story begins."""

    def __init__(self, output: Output, start: float, given: InstancePlan, chance: Chance) -> None:
        self._output = output
        self._start = start + given.clock_skew_seconds
        self._instance = given.name
        self._release = given.release
        self._log = given.log
        self._resolver = given.resolver
        self._upstream = given.upstream
        self._chance = chance
        self._process: Fields = {}

    def process_started(self, now: float) -> None:
        """Write what the service says when it starts; its id is new."""
        go, version = VERSIONS[self._release]
        self._process = {
            "go.version": go,
            "instance": self._instance,
            "instance.id": uuid(self._chance),
            "service": "registry",
            "version": version,
        }
        for text in (
            "redis not configured",
            "backend redirection disabled",
            "using inmemory blob descriptor cache",
        ):
            self.write(now, "info", text, self._process)
        self.write(now, "info", "providing prometheus metrics on /metrics", {})
        self.write(now, "info", "listening on 127.0.0.1:5000", self._process)
        self.write(now, "info", "debug server listening 127.0.0.1:5001", {})

    def complain(self, now: float, text: str) -> None:
        """Write an error that belongs to no request."""
        self.write(now, "error", text, self._process)

    def request_fields(self) -> Fields:
        """What every line about a request says about the process: release 2 says little."""
        if self._release == "v3":
            return dict(self._process)
        return {"go.version": VERSIONS["v2"][0]}

    def write(self, now: float, level: str, text: str, fields: Fields) -> None:
        """Write one logrus line."""
        entry: Fields = {**fields, "level": level, "msg": text, "time": stamp(self._start + now)}
        line = _json(entry, self._release) if self._log == "json" else _text(entry)
        self._output.lines.append(Line(now, self._instance, "registry", "stderr", line))

    def access(self, now: float, began: float, asked: str, status: int, written: int, agent: str) -> None:
        """Write one line of the access log; its time is when the request came in."""
        moment = datetime.fromtimestamp(self._start + began, UTC)
        when = f"{moment:%d/%b/%Y:%H:%M:%S} +0000"
        line = f'127.0.0.1 - - [{when}] "{asked} HTTP/1.1" {status} {written} "" "{agent}"'
        self._output.lines.append(Line(now, self._instance, "registry", "stdout", line))

    def lost(self, now: float, record: str) -> None:
        """Write what the resolver says about a query that ran out of time; refusals it hands on silently."""
        if not RESOLVERS[self._resolver].writes:
            return
        server = f"{self._upstream}:53"
        error = f"read udp 10.0.0.9:{32768 + self._chance.getrandbits(14)}->{server}: i/o timeout"
        question = f";{STORAGE_HOST}.\\tIN\\t {record}"
        at = stamp(self._start + now)
        if self._resolver == "coredns":
            line = f"[ERROR] plugin/errors: 2 {STORAGE_HOST}. {record}: {error}"
        elif self._resolver == "dockerd26":
            port = 32768 + self._chance.getrandbits(14)
            line = (
                f'time="{at}" level=error msg="[resolver] failed to query external DNS server" '
                f'client-addr="udp:127.0.0.1:{port}" dns-server="udp:{server}" error="{error}" '
                f'question="{question}"'
            )
        else:
            line = (
                f'time="{at}" level=error msg="[resolver] failed to query DNS server: {server}, '
                f'query: {question}" error="{error}"'
            )
        self._output.lines.append(Line(now, self._instance, "resolver", "stderr", line))


def uuid(chance: Chance) -> str:
    """Draw an id in the form of a random UUID."""
    bits = f"{chance.getrandbits(128):032x}"
    return f"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-a{bits[17:20]}-{bits[20:]}"


def stamp(at: float) -> str:
    """Write a unix time as Go does: RFC 3339 in UTC, nanoseconds without trailing zeros."""
    seconds = int(at)
    nanoseconds = f"{(at - seconds) * 1e9:09.0f}"[:9].rstrip("0")
    return (
        f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}{'.' if nanoseconds else ''}{nanoseconds}Z"
    )


def duration(seconds: float) -> str:
    """Write a duration as Go does: `1m2.5s`, `5.000589586s`, `20.747365ms`, `967.871µs`."""
    nanoseconds = round(seconds * 1e9)
    if nanoseconds >= 60_000_000_000:
        minutes, rest = divmod(nanoseconds, 60_000_000_000)
        return f"{minutes}m{_trimmed(rest, 9)}s"
    if nanoseconds >= 1_000_000_000:
        return f"{_trimmed(nanoseconds, 9)}s"
    if nanoseconds >= 1_000_000:
        return f"{_trimmed(nanoseconds, 6)}ms"
    return f"{_trimmed(nanoseconds, 3)}µs"


def _trimmed(number: int, digits: int) -> str:
    whole, part = divmod(number, 10**digits)
    tail = f"{part:0{digits}d}".rstrip("0")
    return f"{whole}.{tail}" if tail else str(whole)


def _json(entry: Fields, release: str) -> str:
    line = orjson.dumps(entry, option=orjson.OPT_SORT_KEYS).decode()
    if release == "v2":  # Go's encoder escapes for HTML unless told otherwise, as release 3 does
        line = line.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return line


def _text(entry: Fields) -> str:
    names = [*_FIRST, *sorted(name for name in entry if name not in _FIRST)]
    return " ".join(f"{name}={_value(entry[name])}" for name in names)


def _value(value: str | int) -> str:
    text = str(value)
    if _BARE.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'
