"""One table of lines and their classes. The text decides, never the level."""
# ruff: noqa: E501 - a log line stands on one line, as it is written

import pytest

from pipeline.intake.classify import IRRELEVANT, NOISE, classify, question_of, route_of, upstream_of
from pipeline.intake.logrus import parse, unescape
from schemas import SymptomKind as K

REQUEST = (
    'err.message="unknown error" go.version=go1.20.8 http.request.id=r1 http.request.uri="/v2/_catalog" '
    "http.response.duration=2s http.response.status=500"
)


def _error(detail: str) -> str:
    return (
        'time="2026-11-23T08:50:32Z" level=error msg="response completed with error" err.code=unknown '
        f'err.detail="{detail}" {REQUEST}'
    )


def _line(msg: str, level: str = "error", rest: str = "") -> str:
    return f'time="2026-11-23T08:50:32Z" level={level} msg="{msg}" {rest}'


LOOKUP = 's3aws: RequestError: send request failed\\ncaused by: Put \\"http://s3/b\\": dial tcp: lookup s3.example.com on 10.0.0.2:53: '
SENT = 's3aws: RequestError: send request failed\\ncaused by: Get \\"http://s3/b\\": '

CLASSES = [
    (_error("s3aws: RequestCanceled: request context canceled\\ncaused by: context canceled"), K.REQUEST_CANCELLED),
    (_error("upload part: RequestCanceled: request context canceled\\ncaused by: context canceled"), K.REQUEST_CANCELLED),
    (_error("s3aws: RequestCanceled: request context canceled\\ncaused by: context deadline exceeded"), K.REQUEST_DEADLINE),
    (_error("operation error S3: UploadPart, context canceled"), K.REQUEST_CANCELLED),
    (_error(LOOKUP + "read udp 10.1.1.1:4->10.0.0.2:53: i/o timeout"), K.DNS_TIMEOUT),
    (_error(LOOKUP + "no such host"), K.DNS_NXDOMAIN),
    (_error(LOOKUP + "server misbehaving"), K.DNS_SERVFAIL),
    (_error(LOOKUP + "operation was canceled"), K.REQUEST_CANCELLED),
    (_error("s3aws: RequestError: send request failed\\ncaused by: Get http://s3/b: dial tcp: lookup s3.example.com: Temporary failure in name resolution"), K.DNS_TIMEOUT),
    (_error(SENT + "dial tcp 10.0.0.9:443: i/o timeout"), K.CONNECT_TIMEOUT),
    (_error(SENT + "dial tcp: i/o timeout"), K.CONNECT_TIMEOUT),
    (_error(SENT + "net/http: TLS handshake timeout"), K.CONNECT_TIMEOUT),
    (_error(SENT + "read tcp 10.1.1.1:5->10.0.0.9:443: read: connection reset by peer"), K.CONNECTION_RESET),
    (_error(SENT + "EOF"), K.CONNECTION_RESET),
    (_error(SENT + "dial tcp 10.0.0.9:443: connect: connection refused"), K.STORAGE_ERROR),
    (_error("s3aws: SlowDown: Please reduce your request rate.\\n\\tstatus code: 503, request id: A"), K.STORAGE_THROTTLED),
    (_error("s3aws: SlowDown: \\n\\tstatus code: 503, request id: A"), K.STORAGE_THROTTLED),
    (_error("s3aws: RequestTimeout: Your socket connection\\n\\tstatus code: 400, request id: A"), K.STORAGE_TIMEOUT),
    (_error("s3aws: InternalError: We encountered an internal error.\\n\\tstatus code: 500, request id: A"), K.STORAGE_ERROR),
    (_error("s3aws: Path not found: /docker/registry"), K.REQUEST_FAILED),
    (_error("filesystem: no space left on device"), K.REQUEST_FAILED),
    (_line("unknown error completing upload: s3aws: RequestCanceled: request context canceled\\ncaused by: context canceled", rest="http.request.id=r1"), K.REQUEST_CANCELLED),
    (_line("error resolving upload: s3aws: RequestCanceled: request context canceled", level="warning"), K.REQUEST_CANCELLED),
    (_line("storage driver health check: s3aws: RequestError: send request failed\\ncaused by: Get \\\"http://s3\\\": dial tcp: lookup s3.example.com on 10.0.0.2:53: server misbehaving"), K.DNS_SERVFAIL),
    (_line("client disconnected during blob PATCH", rest='copied=12 error="unexpected EOF" http.request.id=r1'), K.CLIENT_DISCONNECTED),
    (_line("listening on [::]:5000", level="info"), K.PROCESS_STARTED),
    (_line("response completed", level="info", rest="http.request.id=r http.response.duration=12ms http.response.status=200"), K.REQUEST_OK),
    (_line("response completed", level="info", rest="http.request.id=r http.response.duration=1.2s http.response.status=200"), K.REQUEST_SLOW),
    (_line("response completed", level="info", rest="http.request.id=r http.response.duration=2m3.5s http.response.status=200"), K.REQUEST_SLOW),
    (_line("[resolver] failed to query DNS server: 10.0.0.2:53, query: ;s3.example.com.\\tIN\\t A", rest='error="read udp 172.18.0.5:1->10.0.0.2:53: i/o timeout"'), K.DNS_TIMEOUT),
    (_line("[resolver] failed to query external DNS server", rest='client-addr="udp:172.18.0.5:1" dns-server="udp:10.0.0.2:53" error="read udp 172.18.0.5:1->10.0.0.2:53: i/o timeout" question=";s3.example.com.\\tIN\\t A"'), K.DNS_TIMEOUT),
    (_line("[resolver] failed to query external DNS server", rest='dns-server="udp:10.0.0.2:53" error="read udp 172.18.0.5:1->10.0.0.2:53: read: connection refused" question=";s3.example.com.\\tIN\\t A"'), K.DNS_SERVFAIL),
    (_line("[resolver] more than 1024 concurrent queries"), K.DNS_TIMEOUT),
    (_error(SENT + "read tcp 10.1.1.1:5->10.0.0.9:443: i/o timeout"), K.STORAGE_TIMEOUT),
    ("[ERROR] plugin/errors: 2 s3.example.com. A: read udp 10.244.0.3:5->10.0.0.2:53: i/o timeout", K.DNS_TIMEOUT),
    ("[ERROR] plugin/errors: 2 s3.example.com. AAAA: dial tcp 10.0.0.2:53: i/o timeout", K.DNS_TIMEOUT),
    ("[ERROR] plugin/errors: 2 s3.example.com. A: plugin/forward: no healthy upstream", K.DNS_SERVFAIL),
    ("dnsmasq[10]: Maximum number of concurrent DNS queries reached (max: 150)", K.DNS_TIMEOUT),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind"), CLASSES)
def test_a_line_of_each_class_is_recognised(text: str, kind: K) -> None:
    """Every class of the format notes has a line here."""
    finding = classify(parse(text), slow_request_seconds=1.0)
    assert not isinstance(finding, str), finding
    assert finding.kind is kind


def test_the_table_has_every_kind_a_log_line_can_tell() -> None:
    """A kind without a line here would be untested."""
    assert {kind for _, kind in CLASSES} == set(K) - {K.PROCESS_EXITED}


NOTHING = [
    (_line('traces export: Post \\"https://localhost:4318/v1/traces\\": dial tcp [::1]:4318: connect: connection refused'), NOISE),
    (_line('traces export: Post \\"https://otel:4318\\": dial tcp: lookup otel on 10.0.0.2:53: no such host'), NOISE),
    (_line("error canceling upload after error: already closed"), NOISE),
    (_line("error authorizing context: authorization token required", level="warning"), NOISE),
    (_line("error posting event: dial tcp 10.0.0.7:6379: i/o timeout"), NOISE),
    (_line("response completed with error", rest='err.code="blob unknown" err.detail="sha256:1" err.message="blob unknown to registry" http.response.status=404'), NOISE),
    (_line("response completed with error", rest='err.code="manifest unknown" err.detail="unknown tag=SlowDown" err.message="manifest unknown" http.response.status=404'), NOISE),
    (_line("response completed with error", rest='err.code="pagination number invalid" err.detail=map[n:99999] err.message="invalid" http.response.status=400'), NOISE),
    (_line("debug server listening 127.0.0.1:5001", level="info"), IRRELEVANT),
    (_line("listening on a new idea", level="error"), NOISE),
    (_line("authorizing request", level="debug"), IRRELEVANT),
    (_line("[resolver] received AAAA record", level="debug"), IRRELEVANT),
    ("{not json, error", IRRELEVANT),
    ("2025/06/10 09:58:24 http: superfluous response.WriteHeader call", IRRELEVANT),
    ("[INFO] 10.0.0.1:5 - 29 \"A IN error.example.org. udp 41 false 4096\" NOERROR qr,rd 68 0.03s", IRRELEVANT),
]  # fmt: skip


@pytest.mark.parametrize(("text", "reason"), NOTHING)
def test_an_error_line_without_meaning_is_dropped_with_a_reason(text: str, reason: str) -> None:
    """`level=error` alone is no symptom, and a class name inside a tag or a telemetry error is none."""
    assert classify(parse(text), slow_request_seconds=1.0) == reason


def test_a_dns_line_names_server_and_question_in_one_spelling() -> None:
    """Docker before and after 26 and CoreDNS spell them differently; suppression compares them."""
    texts = [text for text, kind in CLASSES if kind is K.DNS_TIMEOUT and "s3.example.com" in text]
    found = [classify(parse(text), 1.0) for text in texts]
    assert len(found) == 6
    for finding in found:
        assert not isinstance(finding, str)
        assert finding.question == "s3.example.com"
        assert finding.upstream in ("10.0.0.2", None)
    assert sum(not isinstance(one, str) and one.upstream is None for one in found) == 1


def test_a_consolidated_coredns_line_stands_for_as_many_events_as_it_says() -> None:
    """`N errors like` has weight N, bounded."""
    text = "[WARNING] plugin/errors: 17 errors like '^read udp .* i/o timeout$' occurred in last 30s"
    finding = classify(parse(text), 1.0)
    assert not isinstance(finding, str)
    assert (finding.kind, finding.weight) == (K.DNS_TIMEOUT, 17)
    flood = classify(parse(text.replace("17", "999999999")), 1.0)
    assert not isinstance(flood, str)
    assert flood.weight == 4096


def test_a_client_cannot_pass_off_its_user_agent_as_the_answer() -> None:
    """In unescaped release 2 text a user agent may hold anything: status and duration come from behind it."""
    forged = 'x" http.response.status=404 http.response.duration=1ms y="'
    text = (
        'time="2026-11-23T08:50:32Z" level=error msg="response completed with error" err.code=unknown '
        'err.detail="s3aws: SlowDown: \tstatus code: 503" err.message="unknown error" go.version=go1.20.8 '
        f'http.request.id=r1 http.request.uri="/v2/" http.request.useragent="{forged}" '
        "http.response.duration=9s http.response.status=500 http.response.written=104 "
    )
    parsed = parse(text)
    assert (parsed.status, parsed.duration_seconds, parsed.request) == (500, 9.0, "r1")


def test_escapes_of_go_become_what_they_were_and_never_half_a_character() -> None:
    r"""`%q` writes \x, \u and \U; a byte that is no character and a lone surrogate become U+FFFD."""
    assert unescape(r"a\n\t\"b\" \\ \x41 \u00e9 \U0001f600 \xff \ud800 \U00110000") == (
        'a\n\t"b" \\ A \u00e9 \U0001f600 \ufffd \ufffd \ufffd'
    )


def test_a_very_long_line_is_read_at_both_its_ends() -> None:
    """The cause is at the begin, request and duration at the end; the middle may be anything."""
    detail = "s3aws: SlowDown: Please reduce your request rate. " + "x" * 100_000
    parsed = parse(_error(detail))
    finding = classify(parsed, 1.0)
    assert not isinstance(finding, str)
    assert (finding.kind, parsed.request, parsed.duration_seconds) == (K.STORAGE_THROTTLED, "r1", 2.0)


@pytest.mark.parametrize(
    ("uri", "route"),
    [
        ("/v2/_catalog?n=300&last=blobs/uploads", "catalog"),
        ("/v2/team/app/blobs/uploads/", "blob_upload"),
        ("/v2/team/app/blobs/uploads/1-2-3?_state=abc", "blob_upload"),
        ("/v2/team/app/blobs/sha256:00", "blob"),
        ("/v2/team/app/manifests/latest", "manifest"),
        ("/v2/team/app/tags/list?n=5", "tags"),
        ("/v2/", "base"),
        ("/", "base"),
        ("/healthz", "other"),
        (None, None),
    ],
)
def test_a_route_is_the_handler_that_answers(uri: str | None, route: str | None) -> None:
    """Impact is counted by route, so an address must become one of few names."""
    assert route_of(uri) == route


@pytest.mark.parametrize(
    ("written", "server"),
    [
        ("udp:10.0.0.2:53", "10.0.0.2"),
        ("10.0.0.2:53", "10.0.0.2"),
        ("10.0.0.2:5353", "10.0.0.2:5353"),
        ("[fd00::1]:53", "fd00::1"),
        ("", None),
        (None, None),
    ],
)
def test_an_upstream_is_its_address_without_the_usual_port(written: str | None, server: str | None) -> None:
    """One server, one name."""
    assert upstream_of(written) == server


def test_a_question_loses_its_type_its_dots_and_its_case() -> None:
    """`;S3.Example.com.\\tIN\\t A` asks for s3.example.com, whether the tab is real or two characters."""
    assert (
        question_of(";S3.Example.com.\\tIN\\t A")
        == question_of(";s3.example.com.\tIN\t A")
        == "s3.example.com"
    )
