"""Any line inside any envelope: what a line tells does not depend on who has carried it."""
# ruff: noqa: E501 - a row of a table stands on one line

import gzip
from collections.abc import Callable
from typing import Any

import msgpack
import orjson
import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData

from tests.intake.feed import captured, feed, symptoms

AT_NS = 1_742_466_618_536_412_000
ISO = "2025-03-20T10:30:18.536412Z"
ID = "9b1f0e7c2d4a6b8c0d1e2f3a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e"


def _one(name: str, word: str) -> str:
    return next(line for line in captured(name) if word in line)


LINES = {
    "logrus text of release 3": _one("v3.1.1-text.stderr", "RequestCanceled"),
    "logrus text of release 2": _one("v2.8.3-text-dns-timeout.stderr", "i/o timeout"),
    "JSON of release 3": _one("v3.1.1-json.stderr", "SlowDown"),
    "JSON of release 2": _one("v2.8.3-json.stderr", "RequestTimeout"),
    "logstash of release 2": _one("v2.8.3-logstash.stderr", "RequestCanceled"),
    "a good request": _one("v3.1.1-text.stderr", 'msg="response completed" '),
    "a start": _one("v3.1.1-json.stderr", "listening on"),
    "the access log": captured("v3.1.1-access.stdout")[0],
    "dockerd 24": 'time="2025-03-19T09:06:02.462904328Z" level=error msg="[resolver] failed to query DNS server: '
    '10.0.0.2:53, query: ;s3.example.com.\\tIN\\t A" error="read udp 172.18.0.5:38131->10.0.0.2:53: i/o timeout"',
    "dockerd 26": 'time="2025-03-19T09:06:02.462904328Z" level=error msg="[resolver] failed to query external DNS '
    'server" client-addr="udp:127.0.0.1:41000" dns-server="udp:10.0.0.2:53" error="read udp '
    '172.18.0.5:38131->10.0.0.2:53: i/o timeout" question=";s3.example.com.\\tIN\\t A"',
    "CoreDNS": "[ERROR] plugin/errors: 2 s3.example.com. A: read udp 10.244.0.3:5->10.0.0.2:53: i/o timeout",
    "node-local-dns": "[ERROR] plugin/errors: 2 s3.example.com. AAAA: dial tcp 10.0.0.2:53: i/o timeout",
    "CoreDNS, consolidated": "[WARNING] 2 errors like '^read udp .* i/o timeout$' occurred in last 30s",
    "dnsmasq": "Maximum number of concurrent DNS queries reached (max: 150)",
}

KUBERNETES = {"pod_name": "p", "namespace_name": "r", "container_name": "registry", "host": "n"}


def _json(**fields: Any) -> bytes:
    return orjson.dumps(fields)


def _otlp(line: str) -> bytes:
    data = LogsData()
    resource = data.resource_logs.add()
    for key, value in (("k8s.pod.name", "p"), ("k8s.node.name", "n")):
        attribute = resource.resource.attributes.add(key=key)
        attribute.value.string_value = value
    record = resource.scope_logs.add().log_records.add(time_unix_nano=AT_NS)
    record.body.string_value = line
    return data.SerializeToString()


ENVELOPES: dict[str, Callable[[str], bytes]] = {
    "bare": str.encode,
    "Fluent Bit": lambda line: _json(**{"@timestamp": AT_NS / 1e9}, log=line, kubernetes=KUBERNETES),
    "Fluent Bit, MessagePack": lambda line: msgpack.packb(
        {"@timestamp": AT_NS / 1e9, "log": line, "kubernetes": KUBERNETES}
    ),
    "Fluent Bit, GELF": lambda line: _json(
        version="1.1",
        short_message=line,
        timestamp=AT_NS / 1e9,
        _kubernetes_pod_name="p",
        _kubernetes_host="n",
    ),
    "Fluentd": lambda line: _json(log=line, kubernetes=KUBERNETES, time=ISO),
    "Docker's fluentd driver": lambda line: _json(
        log=line, container_id=ID, container_name="/registry", source="stderr", time=ISO
    ),
    "Vector": lambda line: _json(
        message=line, timestamp=ISO, source_type="docker_logs", container_name="c", host="n"
    ),
    "Filebeat": lambda line: _json(**{"@timestamp": ISO, "@metadata": {}}, message=line, host={"name": "n"}),
    "Logstash": lambda line: _json(**{"@timestamp": ISO, "@version": "1"}, message=line, host={"name": "n"}),
    "journald": lambda line: _json(MESSAGE=line, __REALTIME_TIMESTAMP=str(AT_NS // 1000), _HOSTNAME="n"),
    "rsyslog, JSON": lambda line: _json(
        msg=f" {line}", hostname="n", syslogtag="registry[7]:", timereported=ISO
    ),
    "syslog-ng, JSON": lambda line: _json(MESSAGE=line, HOST="n", PROGRAM="registry", ISODATE=ISO),
    "rsyslog": lambda line: f"{ISO} n registry[7]: {line}\n".encode(),
    "RFC 5424": lambda line: f"<27>1 {ISO} n registry 7 - - {line}".encode(),
    "json-file": lambda line: _json(log=f"{line}\n", stream="stderr", time=ISO),
    "CRI": lambda line: f"{ISO} stderr F {line}".encode(),
    "compose": lambda line: f"registry_1    | {line}".encode(),
    "OTLP": _otlp,
    "OTLP, gzip": lambda line: gzip.compress(_otlp(line)),
    "json-file in Fluent Bit": lambda line: _json(
        **{"@timestamp": AT_NS / 1e9},
        log=_json(log=f"{line}\n", stream="stderr", time=ISO).decode(),
        kubernetes=KUBERNETES,
    ),
    "our own shipper": lambda line: _json(shipper="undercurrent", time=AT_NS, host="n", line=line),
}


def _told(value: bytes) -> list[tuple[object, ...]]:
    """What is told, but for place and time, which are the envelope's where the line has none."""
    batch = feed([value])
    assert batch.dead_letters == ()
    return [
        (
            one.kind,
            one.upstream,
            one.question,
            one.count,
            [(o.request, o.duration_seconds) for o in one.observations],
        )
        for one in symptoms(batch)
    ]


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("envelope", ENVELOPES)
def test_a_line_tells_the_same_in_every_envelope(envelope: str, line: str) -> None:
    """Kind, server, name asked for, number, request and duration."""
    reference = _told(ENVELOPES["Fluent Bit"](LINES[line]))
    assert bool(reference) == (line != "the access log")
    if envelope in ("bare", "compose") and not LINES[line].startswith(("time=", "{")):
        return  # without an envelope a line without a time is nobody's: a dead letter, see below
    assert _told(ENVELOPES[envelope](LINES[line])) == reference


def test_a_line_without_any_time_is_a_dead_letter() -> None:
    """Bare, and from a topic without timestamps: it cannot be placed."""
    (letter,) = feed([LINES["CoreDNS"]]).dead_letters
    assert "bears a time" in letter.detail


@pytest.mark.parametrize(
    "spelling",
    [
        {"kubernetes.pod_name": "p", "kubernetes.container_name": "registry", "kubernetes.host": "n"},
        {"k8s.pod.name": "p", "k8s.container.name": "registry", "k8s.node.name": "n"},
        {"kubernetes.pod.name": "p", "kubernetes.node.name": "n"},
        {"pod_name": "p", "hostname": "n"},
        {"pod.name": "p", "host": {"name": "n"}},
        {"kubernetes": {"pod_name": "p", "host": "n"}},
        {"kubernetes": {"pod": {"name": "p"}, "node": {"name": "n"}}},
        {"kubernetes": {"pod.name": "p", "node.name": "n"}},
    ],
    ids=lambda spelling: next(iter(spelling)),
)
@pytest.mark.parametrize(
    "shipper", [{}, {"@metadata": {}}, {"@version": "1", "tags": []}, {"source_type": "x", "timestamp": ISO}]
)
def test_the_place_is_found_in_every_spelling(spelling: dict[str, Any], shipper: dict[str, Any]) -> None:
    """Nested, dotted or lifted, by Fluent Bit, Beats, Logstash or Vector."""
    value = _json(**{"@timestamp": ISO}, **shipper, message=LINES["logrus text of release 3"], **spelling)
    (symptom,) = symptoms(feed([value]))
    assert (symptom.instance, symptom.host) == ("p", "n")
