"""Signals: what intake says to the core. Symptoms are rolled up, samples carry raw readings.

Two laws shape these models. *Duplicates never matter*: every observation has an id derived from
its own content (never from its offset), and a roll-up keeps the `k` smallest ids, so two roll-ups
of the same second merge into exactly the roll-up of their union (a bottom-k sketch: Cohen & Kaplan,
"Summarizing data using bottom-k sketches", PODC 2007). *Order never matters*: samples carry
counters as read; rates are taken in the core from the sorted history, where a late or repeated
reading cannot bend them.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from schemas.base import Noun


class SymptomKind(StrEnum):
    """What one log line tells. The values are the names used in metrics, docs and Slack."""

    REQUEST_CANCELLED = "request_cancelled"
    """`RequestCanceled … context canceled`: the client went away, whatever the reason."""
    REQUEST_DEADLINE = "request_deadline"
    """`RequestCanceled … context deadline exceeded`."""
    REQUEST_FAILED = "request_failed"
    """The service answered 5xx for a reason with no class of its own."""
    REQUEST_SLOW = "request_slow"
    """A request logged as a success that took long enough to have been given up on."""
    REQUEST_OK = "request_ok"
    """A request that went well and fast; only counted, so that impact has a denominator."""
    CLIENT_DISCONNECTED = "client_disconnected"
    """The client left in the middle of a body (499)."""
    STORAGE_THROTTLED = "storage_throttled"
    """The storage answered `SlowDown`."""
    STORAGE_TIMEOUT = "storage_timeout"
    """The storage answered `RequestTimeout`, or its reply never came."""
    STORAGE_ERROR = "storage_error"
    """Any other error the storage reported."""
    CONNECT_TIMEOUT = "connect_timeout"
    """`dial tcp: i/o timeout` without a lookup: the peer did not answer, or a lookup ran out."""
    CONNECTION_RESET = "connection_reset"
    """Reset or EOF on an established connection."""
    DNS_TIMEOUT = "dns_timeout"
    """A lookup got no answer in time."""
    DNS_SERVFAIL = "dns_servfail"
    """A resolver answered that it could not resolve (`server misbehaving`)."""
    DNS_NXDOMAIN = "dns_nxdomain"
    """A resolver answered that the name does not exist."""
    PROCESS_STARTED = "process_started"
    """The service logged its start: a deploy, a restart or a crash before it."""
    PROCESS_EXITED = "process_exited"
    """The runtime reported an exit; `status` carries the exit code (137 is SIGKILL)."""


DNS_KINDS = frozenset({SymptomKind.DNS_TIMEOUT, SymptomKind.DNS_SERVFAIL, SymptomKind.DNS_NXDOMAIN})
"""Kinds that are held until something explains or refutes them (law 4)."""

REQUEST_KINDS = frozenset(
    {
        SymptomKind.REQUEST_CANCELLED,
        SymptomKind.REQUEST_DEADLINE,
        SymptomKind.REQUEST_FAILED,
        SymptomKind.CLIENT_DISCONNECTED,
        SymptomKind.STORAGE_THROTTLED,
        SymptomKind.STORAGE_TIMEOUT,
        SymptomKind.STORAGE_ERROR,
        SymptomKind.CONNECT_TIMEOUT,
        SymptomKind.CONNECTION_RESET,
    }
)
"""Kinds that mean a request failed. DNS kinds count as well when they carry a request id."""


class Origin(Noun):
    """Where a number came from: law 9. `topic`, `partition`, `offset` of the raw record."""

    topic: str
    partition: int
    offset: int


class Observation(Noun):
    """One event inside a roll-up.

    `id`: 16 hex digits derived from the event's own content; equal for every copy of the event.
    `time`: when it was logged, which for a request is its end.
    `duration_seconds`: of the request, so that it ran in `[time - duration_seconds, time]`.
    `request`: request id as the service logged it, to count requests instead of lines.
    `client`: user agent. `route`: `catalog`, `blob`, `blob_upload`, `manifest`, `tags`, `base`, …
    `status`: HTTP status, or the exit code of `process_exited`.
    `signature`: the user's own signature its text bears, if any.
    """

    id: str
    time: float
    duration_seconds: float | None = None
    request: str | None = None
    client: str | None = None
    route: str | None = None
    status: int | None = None
    signature: str | None = None


class Exemplar(Noun):
    """One raw line kept as an example, redacted and cut; for `explain` and the page."""

    origin: Origin
    text: str


class Symptom(Noun):
    """All observations of one kind, at one place, in one second of event time.

    `instance` is None for lines that name no container (dockerd, CoreDNS); then `host` places them.
    `upstream`: the DNS server asked; `question`: the name asked for, without a trailing dot.
    `count`: distinct events seen by this roll-up. Equal to `len(observations)` unless the bound on
    a roll-up cut it, in which case the observations are the ones with the smallest ids.
    `partial`: how many of them came from a line whose other half never arrived.
    """

    type: Literal["symptom"] = "symptom"
    kind: SymptomKind
    instance: str | None = None
    host: str | None = None
    second: int
    upstream: str | None = None
    question: str | None = None
    count: int
    observations: tuple[Observation, ...]
    exemplars: tuple[Exemplar, ...] = ()
    partial: int = 0


class SampleKind(StrEnum):
    """What a sample measures, and so which cause it can prove or refute."""

    CPU = "cpu"
    MEMORY = "memory"
    STORAGE = "storage"
    DNS = "dns"
    REQUESTS = "requests"


class Sample(Noun):
    """One reading of one place at one instant; the names of `values` are listed in docs/signals.md.

    `*_total` are counters as read (rates are taken in the core); the others are gauges or counts of
    the interval that ends at `time`. A value of None says "known to be unlimited"; a name that is
    absent says "not known". Two samples of the same kind, place and time are merged.

    `source` names the exporter (`cgroup`, `cadvisor`, `s3-proxy`, …), `upstream` the DNS server of a
    dns sample.
    """

    type: Literal["sample"] = "sample"
    kind: SampleKind
    instance: str | None = None
    host: str | None = None
    time: float
    values: dict[str, float | None]
    source: str
    upstream: str | None = None
    origin: Origin


Signal = Annotated[Symptom | Sample, Field(discriminator="type")]


class Frame(Noun):
    """One record of undercurrent.signals, keyed by domain: all that one flush found for a domain."""

    type: Literal["frame"] = "frame"
    domain: str
    signals: tuple[Signal, ...]


class SourceProgress(Noun):
    """How far one raw topic partition has been read.

    `time`: the highest event time seen in it, None if it never held a record that bears one.
    `holds`: the watermark must not pass `time`, because the partition has lag left to read or its
    shipper declares its own progress. A caught-up partition holds nothing back.
    """

    source: str
    time: float | None = None
    holds: bool


class Progress(Noun):
    """Written by every intake to every partition of undercurrent.signals: time as data (law 2).

    `expected`: raw topic → partition count, so that a reader waits for partitions nobody has
    reported yet. When all a worker's sources fall silent their `time` is moved on by the shell:
    that is the tick.
    """

    type: Literal["progress"] = "progress"
    worker: str
    expected: dict[str, int]
    sources: tuple[SourceProgress, ...]
