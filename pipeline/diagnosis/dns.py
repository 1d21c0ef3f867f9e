"""dns_outage: a resolver fails for this instance; its lookups get no answer.

Needs one of: the DNS server counted most lookups as failed; lookups fail in the log while hardly any
request goes well; or storage traffic stopped altogether with at least one sign of a failed lookup
(aws-sdk-go hides lookup errors behind bare cancellations once the client has left).
Refuted by: lookups counted and answered, or new connections to the storage, which need a lookup.
Single lost queries among many answered ones are noise, whoever else is in trouble.

Its level says which of two things it is: `resolver`, which does not answer, or `lookups`, single ones lost
of which each stalls requests. The second needs CPU and storage measured as normal, so it says nothing about
a lookup lost while its instance is starved.
"""

from dataclasses import dataclass

from pipeline.diagnosis.finding import Explains, Finding, Standing
from pipeline.diagnosis.view import View
from pipeline.diagnosis.words import amount, clock, percent
from pipeline.history import DnsReading
from schemas import DNS_KINDS, Cause, Evidence, Origin, SymptomKind
from schemas.rules import Dns

STALLS_MIN = 2
HUNG_SECONDS = 1.5
LOG_LAG_SECONDS = 40.0
"""A lookup that hangs is logged up to 40 s after it began."""
CARRY_OVER_SECONDS = 10.0
"""A request that begins this soon after the last failed lookup may still have met the outage."""


@dataclass(frozen=True, slots=True)
class Failing:
    """A resolver that fails: since when, on what evidence, and whether it still does."""

    since: float
    last: float
    upstream: str
    strength: float
    evidence: Evidence


def examine(view: View) -> Finding:
    """How dns_outage stands for this instance."""
    failing = _counted(view) or _logged(view) or _silenced(view)
    if failing is not None:
        measured = [readings[-1].end for readings in view.dns.values()]
        over = min([float(view.now), *measured]) - failing.last > view.rules.dns.window_seconds
        return Finding(
            Cause.DNS_OUTAGE,
            Standing.PROVEN,
            since=failing.since,
            strength=failing.strength,
            evidence=(failing.evidence,),
            explains=Explains(failing.since - 5, failing.last + CARRY_OVER_SECONDS if over else None),
            level="resolver",
            last=failing.last,
        )
    return _judge(view)


def _window(readings: list[DnsReading], end: float, rules: Dns) -> tuple[float, float]:
    """(queries, failed) in the window that ends at `end`."""
    inside = [r for r in readings if end - rules.window_seconds < r.end <= end]
    return sum(r.queries for r in inside), sum(r.failed for r in inside)


def _counted(view: View) -> Failing | None:
    """The DNS server's own count: most lookups of the last window failed."""
    for upstream, readings in sorted(view.dns.items()):
        failures = [r for r in readings if r.failed]
        proven = [r for r in failures if _fails(readings, r.end, view.rules.dns)]
        if not proven or view.now - proven[-1].end > view.rules.dns.window_seconds + LOG_LAG_SECONDS:
            continue
        run = _run(failures, proven[-1].end, view.rules.dns)
        start, last = max(run[0].start, run[0].end - view.rules.dns.window_seconds), run[-1].end
        inside = [r for r in readings if start <= r.end <= last]
        queries, failed = sum(r.queries for r in inside), sum(r.failed for r in inside)
        name = upstream or "the DNS server"
        return Failing(
            start,
            last,
            upstream,
            0.95,
            Evidence(
                fact="lookups_fail",
                instance=view.instance,
                text=f"{name} failed {percent(failed / queries)} of {amount(int(queries), 'lookup')} of "
                f"{view.instance} from {clock(start)}",
                values={"failed_ratio": round(failed / queries, 4), "queries": queries, "failed": failed},
                at=start,
                origins=(run[0].origin, run[-1].origin),
            ),
        )
    return None


def _fails(readings: list[DnsReading], end: float, rules: Dns) -> bool:
    queries, failed = _window(readings, end, rules)
    return failed >= rules.failed_lookups and failed >= rules.failed_ratio * queries


def _run(failures: list[DnsReading], end: float, rules: Dns) -> list[DnsReading]:
    """The unbroken run of failing readings up to `end`: no gap longer than the window."""
    run: list[DnsReading] = []
    for reading in reversed([r for r in failures if r.end <= end]):
        if run and run[-1].end - reading.end > rules.window_seconds / 2:
            break
        run.append(reading)
    return run[::-1]


def _logged(view: View) -> Failing | None:
    """Failed lookups in the log, while hardly any request goes well and no count says otherwise."""
    lines = [
        line
        for line in view.dns_lines
        if line.second >= view.now - view.rules.dns.window_seconds - LOG_LAG_SECONDS
    ]
    count = sum(line.count for line in lines)
    unanswered = sum(line.count for line in lines if line.kind is SymptomKind.DNS_TIMEOUT)
    if count < view.rules.dns.failed_lines:
        return None
    if 2 * unanswered >= count and _answered(view, lines[0].second):
        return None  # a server that refuses counts that as answered, so its count tells of timeouts only
    lookups = view.lookup_requests(view.now - view.rules.dns.window_seconds - LOG_LAG_SECONDS)
    start = min([float(lines[0].second)] + [request.start for request in lookups])
    last = float(lines[-1].second)
    ok = view.ok(lines[0].second, last + 1)
    if count < view.rules.dns.failed_ratio * (count + ok):
        return None
    upstream = next((line.upstream for line in lines if line.upstream), "")
    return Failing(
        start,
        last,
        upstream,
        0.88,
        Evidence(
            fact="lookups_logged_failing",
            instance=view.instance,
            text=f"{amount(count, 'failed lookup')}{' at ' + upstream if upstream else ''} logged from "
            f"{clock(lines[0].second)}, beside {amount(ok, 'request')} that went well",
            values={"failed": float(count), "requests_ok": float(ok)},
            at=start,
            origins=view.lines(DNS_KINDS, lines[0].second),
        ),
    )


def _answered(view: View, since: float) -> bool:
    """Whether the DNS servers counted enough answered lookups since then to refute an outage."""
    inside = [r for readings in view.dns.values() for r in readings if r.end >= since]
    queries, failed = sum(r.queries for r in inside), sum(r.failed for r in inside)
    return queries >= 5 and failed < view.rules.dns.failed_ratio * queries


def _silenced(view: View) -> Failing | None:
    """Storage traffic stopped while requests fail, and at least one sign points at lookups."""
    if len(view.requests) < view.rules.burst.requests or not view.storage:
        return None
    busy = [r for r in view.storage if r.requests or r.in_flight or r.new_connections]
    recent = [r for r in view.storage if r.end >= view.onset]
    if not busy or not recent or recent[-1].end - max(busy[-1].end, view.onset) < view.rules.dns.idle_seconds:
        return None
    signs, origins = _signs(view, busy[-1].end - 10)
    if not signs or _answered(view, busy[-1].end):
        return None
    since = busy[-1].end
    return Failing(
        since,
        view.requests[-1].end,
        "",
        0.8,
        Evidence(
            fact="storage_traffic_stopped",
            instance=view.instance,
            text=f"no request of {view.instance} reached the storage from {clock(since)}, and {signs}",
            values={"idle_seconds": round(recent[-1].end - since, 1)},
            at=since,
            origins=(busy[-1].origin, recent[-1].origin, *origins[:1]),
        ),
    )


def _signs(view: View, since: float) -> tuple[str, list[Origin]]:
    """Any sign of failed lookups since then, in words, with its records."""
    lines = sum(line.count for line in view.dns_lines if line.second >= since)
    failed = [r for readings in view.dns.values() for r in readings if r.failed and r.end >= since]
    parts = []
    if lines:
        parts.append(f"{amount(lines, 'failed lookup')} logged")
    if failed:
        parts.append(f"{amount(int(sum(r.failed for r in failed)), 'lookup')} lost at the DNS server")
    return " and ".join(parts), [r.origin for r in failed]


def examine_stalls(view: View) -> Finding | None:
    """Lost lookups too few to call the resolver down, yet every failed request hung in one of them.

    A lost query stalls all requests that wait for that lookup (Go merges them), about four seconds
    each time. To be asked only where CPU and storage are measured to be normal.
    """
    stalls = _stalls(view)
    if len(stalls) < STALLS_MIN or len(view.requests) < view.rules.burst.requests:
        return None
    hung = sum(
        any(min(r.end, end) - max(r.start, start) >= HUNG_SECONDS for start, end in stalls)
        for r in view.requests
    )
    if hung < view.rules.dns.hung_ratio * len(view.requests):
        return None
    start = stalls[0][0]
    evidence = Evidence(
        fact="lookups_stall_requests",
        instance=view.instance,
        text=f"{hung} of {amount(len(view.requests), 'failed request')} hung while one of "
        f"{amount(len(stalls), 'lookup')} went unanswered, with CPU and storage measured as normal",
        values={"requests": float(hung), "failed": float(len(stalls))},
        at=start,
        origins=view.lines(DNS_KINDS, start),
    )
    return Finding(
        Cause.DNS_OUTAGE,
        Standing.PROVEN,
        since=start,
        strength=0.75,
        evidence=(evidence,),
        explains=Explains(start - 1),
        level="lookups",
    )


def _stalls(view: View) -> list[tuple[float, float]]:
    """When lookups hung, overlapping ones united: four seconds before a logged timeout, or "
    "after a lost query."""
    since = view.onset - view.rules.dns.lookup_seconds
    found = [
        (line.second - view.rules.dns.lookup_seconds, line.second + 1.0)
        for line in view.dns_lines
        if line.second >= since
    ]
    if not found:
        found = [
            (r.end - 1.0, r.end + view.rules.dns.lookup_seconds)
            for readings in view.dns.values()
            for r in readings
            if r.failed and r.end >= since
        ]
    return sorted(found)


def _judge(view: View) -> Finding:
    since, until = view.onset - 5, view.last_end + 1
    inside = [r for readings in view.dns.values() for r in readings if since <= r.end <= until]
    queries, failed = sum(r.queries for r in inside), sum(r.failed for r in inside)
    values = {"queries": queries, "failed": failed}
    refused = [r for r in view.requests if r.kinds & {SymptomKind.DNS_SERVFAIL, SymptomKind.DNS_NXDOMAIN}]
    told = 2 * len(refused) >= len(view.requests) > 0
    if queries >= 3 and failed < view.rules.dns.failed_ratio * queries and not told:
        return Finding(
            Cause.DNS_OUTAGE,
            Standing.REFUTED,
            f"{int(queries - failed):,} of {amount(int(queries), 'lookup')} were answered",
            values=values,
            seen=inside,
        )
    storage = [r for r in view.storage if since <= r.end <= until]
    connected = sum(r.new_connections for r in storage)
    if connected >= 3 and failed < view.rules.dns.failed_lookups and not told:
        return Finding(
            Cause.DNS_OUTAGE,
            Standing.REFUTED,
            f"{amount(int(connected), 'new connection')} to the storage were made meanwhile, "
            "each after a lookup",
            values={"new_connections": connected},
            seen=storage,
        )
    lines = sum(line.count for line in view.dns_lines if line.second >= since)
    if not lines and view.ok(view.onset, until) >= 10:
        return Finding(
            Cause.DNS_OUTAGE, Standing.REFUTED, "no failed lookup was logged, and other requests went well"
        )
    return Finding(
        Cause.DNS_OUTAGE,
        Standing.UNDECIDED,
        (
            f"{amount(lines, 'failed lookup')} logged, too few to prove it; "
            if lines
            else "no DNS-side measurement; "
        )
        + "lookups asked and failed, as counted at the DNS server, would decide",
        values=values,
        seen=inside,
    )
