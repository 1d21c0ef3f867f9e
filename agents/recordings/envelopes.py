"""Wraps what a recording holds in the way shippers write it to Kafka.

Log lines go into the envelope of the shipper one chooses; readings go into the one JSON form of
metrics that is Undercurrent's own. Layouts follow each shipper's source and documentation.
"""

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache

import orjson

from agents.recordings.recording import LogLine, Reading

IMAGE = "docker.io/library/registry"
NAMESPACE = "registry"
HALF_SECONDS = 0.000_025
"""How much later than its head the runtime stamps the next piece of a split line."""


def fluent_bit(line: LogLine, text: str, at: float) -> bytes:
    """Fluent Bit, out_kafka in JSON, with the kubernetes filter."""
    return orjson.dumps(
        {
            "@timestamp": at,
            "time": _iso(at, digits=9),
            "stream": line.stream,
            "_p": "F",
            "log": text,
            "kubernetes": {
                "pod_name": line.instance,
                "namespace_name": NAMESPACE,
                "container_name": line.container,
                "host": host_of(line.instance),
                "labels": {"app": "registry"},
                "docker_id": container_id(line.instance, line.container),
                "container_image": IMAGE,
            },
        }
    )


def docker(line: LogLine, text: str, at: float) -> bytes:
    """A line of a docker json-file log, with the container's name as its `tag` attribute."""
    return orjson.dumps(
        {
            "log": f"{text}\n",
            "stream": line.stream,
            "attrs": {"tag": line.instance},
            "time": _iso(at, digits=9),
        }
    )


def plain(line: LogLine, text: str, at: float) -> bytes:
    """The bare line: nothing says which container wrote it."""
    return text.encode()


def filebeat(line: LogLine, text: str, at: float) -> bytes:
    """Filebeat, output.kafka, with the kubernetes processor."""
    container = container_id(line.instance, line.container)
    return orjson.dumps(
        {
            "@timestamp": _iso(at, digits=3),
            "@metadata": {"beat": "filebeat", "type": "_doc", "version": "8.17.0"},
            "stream": line.stream,
            "message": text,
            "input": {"type": "container"},
            "kubernetes": {
                "namespace": NAMESPACE,
                "pod": {"name": line.instance},
                "container": {"name": line.container},
                "node": {"name": host_of(line.instance)},
                "labels": {"app": "registry"},
            },
            "container": {"id": container, "runtime": "containerd", "image": {"name": IMAGE}},
            "log": {"file": {"path": f"/var/log/containers/{line.instance}_{NAMESPACE}_{container}.log"}},
            "host": {"name": host_of(line.instance)},
            "agent": {"type": "filebeat", "version": "8.17.0", "name": host_of(line.instance)},
        }
    )


def vector(line: LogLine, text: str, at: float) -> bytes:
    """Vector, kafka sink in JSON, from its kubernetes_logs source."""
    container = container_id(line.instance, line.container)
    return orjson.dumps(
        {
            "file": f"/var/log/pods/{NAMESPACE}_{line.instance}/{line.container}/0.log",
            "kubernetes": {
                "container_id": f"containerd://{container}",
                "container_image": IMAGE,
                "container_name": line.container,
                "pod_labels": {"app": "registry"},
                "pod_name": line.instance,
                "pod_namespace": NAMESPACE,
                "pod_node_name": host_of(line.instance),
            },
            "message": text,
            "source_type": "kubernetes_logs",
            "stream": line.stream,
            "timestamp": _iso(at, digits=9),
        }
    )


def rsyslog(line: LogLine, text: str, at: float) -> bytes:
    """Rsyslog, omkafka: `TIME HOST TAG MESSAGE`, the tag being the container's name."""
    escaped = _CONTROL.sub(lambda control: f"#{ord(control[0]):03o}", text)
    return f"{_iso(at, digits=6)} {host_of(line.instance)} {line.instance}[1]: {escaped}\n".encode()


_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

Envelope = Callable[[LogLine, str, float], bytes]

ENVELOPES: dict[str, Envelope] = {
    "fluent-bit": fluent_bit,
    "filebeat": filebeat,
    "vector": vector,
    "docker": docker,
    "rsyslog": rsyslog,
    "plain": plain,
}
"""Name on the command line → how that shipper writes a line."""


def wrap_line(line: LogLine, envelope: Envelope, split: bool) -> list[bytes]:
    """Write a log line as records: one, or with `split` one per piece a container runtime makes of it.

    Bytes that are no UTF-8 become replacement characters, as in shippers that write JSON.
    """
    text = line.text.decode("utf-8", "replace")
    pieces = as_upstream_writes(text).split("\n") if split and line.container == "registry" else [text]
    return [envelope(line, piece, line.at + number * HALF_SECONDS) for number, piece in enumerate(pieces)]


def wrap_reading(reading: Reading) -> bytes:
    """Write a reading in Undercurrent's own metric JSON; a broken line stays as it was recorded."""
    if reading.raw is not None:
        return reading.raw
    place = {"source": reading.source, "instance": reading.instance, "host": host_of(reading.instance)}
    return orjson.dumps({"undercurrent_metric": 1, **place, **reading.body})


def host_of(instance: str) -> str:
    """Name the machine of an instance; each of a recording had one of its own."""
    return f"node-{instance}"


@cache
def container_id(instance: str, container: str) -> str:
    """Derive a container id: 64 hex digits, the same in every run."""
    name = instance if container == "registry" else f"{instance}/{container}"
    return hashlib.sha256(name.encode()).hexdigest()


_PAIR = re.compile(r'([^\s="]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?: |$)')
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_BARE = re.compile(r"[A-Za-z0-9.-]*")
_RELEASE_3 = re.compile(r'version="?v3\.')


def as_upstream_writes(text: str) -> str:
    r"""Turn a text line of a quoting build into what the upstream 2.8 image would have written.

    Upstream's logrus prints string values with Go's `"%v"`: quotes around, nothing escaped inside, so
    that the line breaks of an error are real and a runtime makes several entries of it. It leaves
    quotes away only where a value is all of `[A-Za-z0-9.-]`, prints numbers, durations and maps bare,
    and ends the line with a space. A line that is not logrus text, or is of release 3, stays as it is.
    """
    pairs = []
    end = 0
    while end < len(text):
        pair = _PAIR.match(text, end)
        if pair is None:
            return text
        pairs.append(pair)
        end = pair.end()
    if _RELEASE_3.search(text):
        return text
    return "".join(f"{pair[1]}={_upstream_value(pair[1], pair[2])} " for pair in pairs)


def _upstream_value(name: str, written: str) -> str:
    value = _ESCAPE.sub(_unescape, written[1:-1]) if written.startswith('"') else written
    is_no_string = name == "http.response.duration" or value.startswith("map[")
    return value if is_no_string or (_BARE.fullmatch(value) and name != "time") else f'"{value}"'


def _unescape(escape: re.Match[str]) -> str:
    code = escape[1] or escape[2] or escape[3]
    if not code:
        return _ESCAPED.get(escape[4], escape[4])
    number = int(code, 16)
    is_byte = escape[1] is not None and number > 0x7F  # half of a character at best
    return "\ufffd" if is_byte or number > 0x10FFFF or 0xD800 <= number < 0xE000 else chr(number)


def _iso(at: float, digits: int) -> str:
    """Write a unix time as RFC 3339 in UTC with so many digits after the point."""
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}000"[: 20 + digits] + "Z"
