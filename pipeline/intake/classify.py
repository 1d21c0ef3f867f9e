"""What one line tells: its class, or that it is noise. The level never decides: `error` alone means nothing.

Classes and their texts are those of real services; see docs/signals.md for the table.
"""

import re
from enum import Enum
from typing import NamedTuple

from pipeline.intake.entry import NAME_CHARACTERS_MAX
from pipeline.intake.logrus import COMPLETED, Parsed
from schemas import SymptomKind

NOISE, IRRELEVANT = "noise", "irrelevant"
"""Why a line tells nothing: it is of a class known to mean nothing, or of none at all."""

WEIGHT_MAX = 4_096


class Teller(Enum):
    """Who wrote the line, and so what its envelope says about the place of the trouble."""

    SERVICE = "service"
    """The service itself: the container of the envelope, or what the line calls its instance, or the host."""
    RESOLVER = "resolver"
    """Docker's resolver, for some container: the one the envelope names, else only the host is known."""
    SERVER = "server"
    """A DNS server, for everyone: its own container is not the one in trouble, only the host is told."""


class Finding(NamedTuple):
    """`weight`: how many events the line stands for. `text`: what was classified; it makes the identity.

    `signature`: the user's own signature that fits it.
    """

    kind: SymptomKind
    text: str
    upstream: str | None = None
    question: str | None = None
    weight: int = 1
    teller: Teller = Teller.SERVICE
    signature: str | None = None


_LOOKUP = re.compile(r"lookup (\S{1,255}?)(?: on (\S{1,120}))?: ([^\n]{0,400})")
_DIAL = re.compile(r"dial (?:tcp|udp)(?: \S{1,300})?: i/o timeout")
_UNREAD = re.compile(r"-> ?(\S{1,120}):53: |dial (?:tcp|udp) (\S{1,120}):53: ")
_COREDNS = re.compile(r"plugin/errors: \S{1,8} (\S{1,255}) [A-Z0-9]{1,16}: ([^\n]{0,400})")
_CONSOLIDATED = re.compile(r"(\d{1,9}) errors like '([^\n]{0,400})' occurred")
_QUERY = re.compile(r"DNS server: (\S{1,120}?)(?:, query: ;?(\S{1,255}))?(?:$|[\s,\\])")

_CLIENT_ERRORS = range(400, 499)
_GONE = (
    "connection reset by peer",
    "broken pipe",
    ": EOF",
    "unexpected EOF",
    "use of closed network connection",
)
_STORAGE = ("RequestError", "RequestCanceled", "s3aws", "storage driver", "operation error S3")


def classify(line: Parsed, slow_request_seconds: float) -> Finding | str:
    """The finding of one line, or the reason it has none."""
    msg = line.msg
    if msg == COMPLETED:
        slow = line.duration_seconds is not None and line.duration_seconds >= slow_request_seconds
        return Finding(SymptomKind.REQUEST_SLOW if slow else SymptomKind.REQUEST_OK, msg)
    if msg.startswith("traces export:"):
        return NOISE
    if msg.startswith("listening on") and line.level == "info":
        return Finding(SymptomKind.PROCESS_STARTED, msg)
    if line.time is None and line.detail is None and line.request is None:
        return _bare_dns(msg)
    if msg.startswith("[resolver]"):
        return _docker_dns(line)
    if msg.startswith("client disconnected") or line.status == 499:
        return Finding(SymptomKind.CLIENT_DISCONNECTED, f"{msg} {line.error or ''}")
    if line.status in _CLIENT_ERRORS:
        return NOISE
    return _failed(line)


def _failed(line: Parsed) -> Finding | str:
    text = line.detail or (f"{line.msg} {line.error}" if line.error else line.msg)
    found = _by_cause(text, told=bool(line.detail or line.status) or any(name in text for name in _STORAGE))
    if found is not None:
        return found
    if line.status is not None and line.status >= 500:
        return Finding(SymptomKind.REQUEST_FAILED, text)
    return NOISE if line.level in ("error", "warning", "fatal", "panic") else IRRELEVANT


def _by_cause(text: str, told: bool) -> Finding | None:
    """By the deepest cause the text names. `told`: it is about a request or the storage, not about others."""
    lookup = _LOOKUP.search(text) if "lookup " in text else None
    if lookup is not None:
        return _of_lookup(text, lookup[1], lookup[2], lookup[3])
    if "context deadline exceeded" in text:
        return Finding(SymptomKind.REQUEST_DEADLINE, text) if told else None
    if "RequestCanceled" in text or "context canceled" in text:
        return Finding(SymptomKind.REQUEST_CANCELLED, text) if told else None
    if not told:
        return None
    if "SlowDown" in text:
        return Finding(SymptomKind.STORAGE_THROTTLED, text)
    if "RequestTimeout" in text or "timeout awaiting response headers" in text:
        return Finding(SymptomKind.STORAGE_TIMEOUT, text)
    if "TLS handshake timeout" in text or _DIAL.search(text):
        return Finding(SymptomKind.CONNECT_TIMEOUT, text)
    if any(sign in text for sign in _GONE):
        return Finding(SymptomKind.CONNECTION_RESET, text)
    if "i/o timeout" in text:
        return Finding(SymptomKind.STORAGE_TIMEOUT, text)
    if "status code: " in text or "StatusCode: " in text or "connect: " in text:
        return Finding(SymptomKind.STORAGE_ERROR, text)
    return Finding(SymptomKind.REQUEST_FAILED, text) if "RequestError" in text else None


def _of_lookup(text: str, question: str, server: str | None, reason: str) -> Finding:
    if "canceled" in reason:
        return Finding(SymptomKind.REQUEST_CANCELLED, text)
    return Finding(_dns_kind(reason), text, upstream_of(server), question_of(question))


def _dns_kind(reason: str) -> SymptomKind:
    """How a lookup failed. What is neither silence nor a denial is a resolver that could not resolve."""
    if "no such host" in reason or "NXDOMAIN" in reason or "Name or service not known" in reason:
        return SymptomKind.DNS_NXDOMAIN
    if "timeout" in reason or "deadline exceeded" in reason or "Temporary failure" in reason:
        return SymptomKind.DNS_TIMEOUT
    return SymptomKind.DNS_SERVFAIL


def _docker_dns(line: Parsed) -> Finding | str:
    """Docker's embedded resolver: 24 and 25 name server and query in the message, 26 and later in fields."""
    msg, error = line.msg, line.error or ""
    text = f"{msg} {error} {line.question or ''}"
    if "concurrent queries" in msg:
        return Finding(SymptomKind.DNS_TIMEOUT, text, teller=Teller.RESOLVER)
    if "failed to query" not in msg and "failed" not in msg:
        return IRRELEVANT
    named = _QUERY.search(msg)
    server = line.server or (named[1] if named else None)
    question = line.question or (named[2] if named else None)
    kind = _dns_kind(error or msg)
    return Finding(kind, text, upstream_of(server), question_of(question), teller=Teller.RESOLVER)


def _bare_dns(text: str) -> Finding | str:
    """CoreDNS, node-local-dns and dnsmasq: lines without time or fields."""
    errors = _COREDNS.search(text) if "plugin/errors: " in text else None
    if errors is not None:
        upstream, question = _asked(errors[2]), question_of(errors[1])
        return Finding(_dns_kind(errors[2]), text, upstream, question, teller=Teller.SERVER)
    several = _CONSOLIDATED.search(text) if " errors like '" in text else None
    if several is not None:
        weight = min(WEIGHT_MAX, max(1, int(several[1])))
        return Finding(_dns_kind(several[2]), text, weight=weight, teller=Teller.SERVER)
    if "Maximum number of concurrent DNS queries reached" in text:
        return Finding(SymptomKind.DNS_TIMEOUT, text, teller=Teller.SERVER)
    return IRRELEVANT


def _asked(reason: str) -> str | None:
    found = _UNREAD.search(reason)
    return upstream_of(found[1] or found[2]) if found else None


def upstream_of(server: str | None) -> str | None:
    """`udp:10.0.0.2:53`, `10.0.0.2:53`, `[::1]:53` → the address; another port stays."""
    if not server:
        return None
    for scheme in ("udp:", "tcp:"):
        server = server.removeprefix(scheme)
    server = server.rstrip(",").removesuffix(":53")
    if server.startswith("[") and server.endswith("]"):
        server = server[1:-1]
    return server[:NAME_CHARACTERS_MAX] or None


def question_of(name: str | None) -> str | None:
    r"""`;s3.example.com.\tIN\t A` → `s3.example.com`."""
    if not name:
        return None
    bare = re.split(r"[\s\\]", name.lstrip(";"), maxsplit=1)[0].rstrip(".").lower()
    return bare[:NAME_CHARACTERS_MAX] or None


def route_of(uri: str | None) -> str | None:
    """The handler of a registry's API that answers `uri`."""
    if uri is None:
        return None
    path = uri.partition("?")[0]
    if path in ("/", "/v2", "/v2/"):
        return "base"
    if path.startswith("/v2/_catalog"):
        return "catalog"
    for part, route in _ROUTES:
        if part in path:
            return route
    return "tags" if path.endswith("/tags/list") else "other"


_ROUTES = (("/blobs/uploads", "blob_upload"), ("/blobs/", "blob"), ("/manifests/", "manifest"))
