"""Peels what runtimes, compose and syslog put around a line, outermost first.

The innermost time wins, because it was taken closest to the write; labels of an outer envelope stay.
"""

import re
from collections.abc import Callable

import orjson

from pipeline.intake.entry import NOWHERE, LogLine, is_cut_by_docker, labels
from pipeline.intake.instants import from_bsd

_LAYERS_MAX = 5

PAYLOADS = (
    'time="',
    "time=",
    "{",
    "[",
    "caused by:",
    "status code:",
    "\t",
    "#011",
)
"""How a line begins that has no wrapper left: a service's own line, or the rest of one."""

DAEMONS = frozenset({"dockerd", "docker", "containerd", "kubelet", "coredns", "dnsmasq", "systemd", "kernel"})
"""Syslog tags that name a program of the host rather than a container."""

_ISO = re.compile(
    r"(\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:[.,]\d{1,9})?(?:Z|[+-]\d{2}:?\d{2})?)[ \t]", re.ASCII
)
_CRI = re.compile(r"(stdout|stderr) ([FP])(?::\S{0,64})? ")
_PRIORITY = re.compile(r"<\d{1,3}>(1 )?", re.ASCII)
_BSD = re.compile(r"([A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2}) ", re.ASCII)
_HOST_TAG = re.compile(r"(\S{1,253}) (?:([\w./@-]{1,128})(?:\[\d{1,10}\])?: ?)?", re.ASCII)
_RFC5424 = re.compile(r"(\S{1,253}) (\S{1,128}) \S{1,128} \S{1,64} (?:-|\[[^\]]{0,1024}\]) ?(?:\ufeff)?")
_COMPOSE = re.compile(r"([\w][\w.-]{0,63}) +\| ", re.ASCII)
_ESCAPE = re.compile(r"#([01]\d{2})", re.ASCII)


def unwrap(line: LogLine, near_ns: int | None) -> LogLine:
    """`line` with its payload bare. `near_ns` (the Kafka timestamp) gives BSD syslog times their year."""
    for _ in range(_LAYERS_MAX):
        text = line.text
        if text.startswith("{"):
            inner = _docker_json(line) if text.startswith('{"log":') else None
        elif text.startswith(PAYLOADS):
            inner = None
        else:
            inner = next((peeled for peel in _PEELS if (peeled := peel(line, near_ns))), None)
        if inner is None:
            return line if text[-1:] not in "\r\n" else line._replace(text=text.rstrip("\r\n"))
        line = inner
    return line


def _docker_json(line: LogLine) -> LogLine | None:
    try:
        inner = orjson.loads(line.text)
    except orjson.JSONDecodeError:
        return None
    text, time = inner.get("log"), inner.get("time")
    if not isinstance(text, str):
        return None
    stream = inner.get("stream")
    return line._replace(
        text=text,
        written=time or line.written,
        stream=stream if isinstance(stream, str) else line.stream,
        ended=line.ended and not is_cut_by_docker(text),
    )


def _dated(line: LogLine, _near_ns: int | None) -> LogLine | None:
    """`TIME …`: CRI, `docker logs -t`, rsyslog, syslog-ng, or logstash's plain codec."""
    found = _ISO.match(line.text)
    if found is None:
        return None
    rest = found.end()
    dated = line._replace(written=found[1])
    cri = _CRI.match(line.text, rest)
    if cri is not None:
        return dated._replace(text=line.text[cri.end() :], stream=cri[1], ended=cri[2] == "F")
    text = line.text[rest:]
    return dated._replace(text=text) if text.startswith(PAYLOADS) else _from_host(dated, text)


def _prioritised(line: LogLine, _near_ns: int | None) -> LogLine | None:
    """`<27>…`: a syslog priority; with a version after it, RFC 5424."""
    found = _PRIORITY.match(line.text)
    if found is None:
        return None
    text = line.text[found.end() :]
    time = _ISO.match(text)
    header = _RFC5424.match(text, time.end()) if found[1] and time else None
    if header is None or time is None:
        return line._replace(text=text)
    return _named(line._replace(written=time[1]), header[1], header[2], text[header.end() :])


def _bsd(line: LogLine, near_ns: int | None) -> LogLine | None:
    """`Aug 24 15:12:43 172.21.0.1 registry[2022]: …`."""
    found = _BSD.match(line.text)
    if found is None:
        return None
    return _from_host(line._replace(written=from_bsd(found[1], near_ns)), line.text[found.end() :])


def _from_host(line: LogLine, text: str) -> LogLine:
    found = _HOST_TAG.match(text)
    return (
        line._replace(text=text) if found is None else _named(line, found[1], found[2], text[found.end() :])
    )


def _named(line: LogLine, host: str, tag: str | None, text: str) -> LogLine:
    where = line.labels
    if where == NOWHERE:
        container = None if tag is None or tag in DAEMONS or tag == "-" else tag
        where = labels(host=host, container=container, service=tag)
    return line._replace(text=_ESCAPE.sub(_control, text), labels=where)


def _control(escape: re.Match[str]) -> str:
    """Syslog daemons write a control character as `#` and three octal digits."""
    code = int(escape[1], 8) if "8" not in escape[1] and "9" not in escape[1] else 0x7F
    return chr(code) if code < 0x20 else escape[0]


def _compose(line: LogLine, _near_ns: int | None) -> LogLine | None:
    """`registry_1    | …`."""
    found = _COMPOSE.match(line.text)
    if found is None:
        return None
    where = labels(container=found[1]) if line.labels == NOWHERE else line.labels
    return line._replace(text=line.text[found.end() :], labels=where)


_PEELS: tuple[Callable[[LogLine, int | None], LogLine | None], ...] = (_dated, _prioritised, _bsd, _compose)
