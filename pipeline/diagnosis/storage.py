"""storage_latency: the storage is slow, failing or throttling as seen from its own side.

Needs: server-side latency, errors or stuck requests while requests fail, or the storage's own words
relayed by the service (`SlowDown`, `RequestTimeout`). The service's own storage histogram is never
taken for the storage's: it rises under CPU starvation (213 ms against 3.3 ms in a recording).
Refuted by: server-side readings that cover the failures and are normal.
"""

from statistics import median

from pipeline.diagnosis.finding import Explains, Finding, Standing
from pipeline.diagnosis.view import View
from pipeline.diagnosis.words import amount, clock, percent, seconds
from pipeline.history import Request, StorageReading
from schemas import Cause, Evidence, SymptomKind
from schemas.rules import Storage

COVERED_RATIO = 0.6
OWN_WORDS = frozenset({SymptomKind.STORAGE_THROTTLED, SymptomKind.STORAGE_TIMEOUT})
WAITING_READINGS = 3
WAITING_TIMES = 4.0
"""Requests in flight at the storage, over their usual number, from which on its answers do not tell all."""
OVERDUE_SECONDS = 20.0
"""Slowness that was not over at the last sample is taken to go on until the next one is this overdue."""
CARRY_OVER_SECONDS = 5.0
"""A request that begins this soon after the last slow answer may still have met the slowness."""


def examine(view: View) -> Finding:
    """How storage_latency stands for this instance."""
    told = [r for r in view.requests if r.kinds & OWN_WORDS]
    troubled = _troubled(view)
    ranges = _ranges(troubled, view.rules.storage.window_seconds)
    covered = view.overlap(ranges, slack_seconds=CARRY_OVER_SECONDS)
    if troubled and (covered >= COVERED_RATIO if view.requests else len(troubled) >= 5):
        return _proven_by_readings(view, troubled, ranges)
    if len(told) >= view.rules.storage.said_requests and len(told) >= 0.5 * len(view.requests):
        return _proven_by_words(view, told)
    if not view.storage:
        return Finding(
            Cause.STORAGE_LATENCY,
            Standing.UNDECIDED,
            "no storage-side metric reaches the topic; latency and errors measured at the "
            "storage would decide",
        )
    if view.awaits(view.storage[-1].end, view.rules.rival_grace_seconds):
        return Finding(
            Cause.STORAGE_LATENCY,
            Standing.PENDING,
            "the storage-side sample that covers the first failure has not arrived",
        )
    return _judge(view)


def _normal(view: View) -> float | None:
    """Median of the storage's median latency before the trouble, seconds."""
    calm = [r.p50_seconds for r in view.storage if r.p50_seconds is not None and r.end < view.onset - 5]
    return median(calm) if len(calm) >= 3 else None


def _troubled(view: View) -> list[StorageReading]:
    """Readings in whose surrounding window the storage was slow, failing or stuck."""
    normal = _normal(view)
    recent = [r for r in view.storage if r.end >= view.onset - view.rules.storage.window_seconds]
    troubled, low = [], 0
    for index, reading in enumerate(recent):
        while recent[low].end < reading.end - view.rules.storage.window_seconds:
            low += 1
        if _in_trouble(recent[low : index + 1], normal, view.rules.storage):
            troubled.append(reading)
    return troubled


def _in_trouble(window: list[StorageReading], normal_seconds: float | None, rules: Storage) -> bool:
    requests = sum(r.requests for r in window)
    if requests < 3:
        stuck = [r for r in window if r.in_flight >= rules.stuck_requests]
        return len(stuck) >= 3 and len(stuck) == len(window)
    if sum(r.errors_5xx for r in window) >= max(3.0, rules.failing_ratio * requests):
        return True
    p95 = _weighted(window, "p95_seconds")
    p50 = _weighted(window, "p50_seconds")
    slower = (
        normal_seconds is not None
        and requests >= rules.slower_requests
        and p50 >= max(rules.slower_p50_seconds, rules.slower_times * normal_seconds)
    )
    return p95 >= rules.slow_p95_seconds or slower


def _weighted(readings: list[StorageReading], name: str) -> float:
    """Median of a latency over readings, each weighing as many as its requests; 0 without any.

    A median, because one second with a few slow listings is no slow storage.
    """
    pairs = sorted((value, r.requests) for r in readings if (value := getattr(r, name)) is not None)
    half = sum(weight for _, weight in pairs) / 2
    for value, weight in pairs:
        half -= weight
        if half <= 0:
            return float(value)
    return 0.0


def _ranges(troubled: list[StorageReading], window_seconds: float) -> list[tuple[float, float]]:
    """Stretches of trouble; a request answered at `end` was slow since up to a window before."""
    ranges: list[tuple[float, float]] = []
    for reading in troubled:
        start = reading.start - window_seconds / 2
        if ranges and start <= ranges[-1][1] + window_seconds:
            ranges[-1] = (ranges[-1][0], reading.end)
        else:
            ranges.append((start, reading.end))
    return ranges


def _proven_by_readings(
    view: View, troubled: list[StorageReading], ranges: list[tuple[float, float]]
) -> Finding:
    p95, p50 = _weighted(troubled, "p95_seconds"), _weighted(troubled, "p50_seconds")
    errors, requests = sum(r.errors_5xx for r in troubled), sum(r.requests for r in troubled)
    normal = _normal(view)
    since = troubled[0].start
    parts = [f"p95 to first byte {seconds(p95)}, median {seconds(p50)}"] if p95 else []
    if normal:
        parts.append(f"normally {seconds(normal)}")
    if errors:
        parts.append(
            f"{percent(errors / requests)} of its answers were errors" if requests else "it answered errors"
        )
    if not requests:
        parts.append(f"{amount(int(max(r.in_flight for r in troubled)), 'request')} stuck, none answered")
    values = {"p95_seconds": round(p95, 4), "p50_seconds": round(p50, 4), "errors_5xx": errors}
    if normal:
        values["normal_p50_seconds"] = round(normal, 5)
    evidence = Evidence(
        fact="storage_slow",
        instance=view.instance,
        text=f"the storage, measured at its own side, was in trouble from {clock(since)}: {'; '.join(parts)}",
        values=values,
        at=since,
        origins=(troubled[0].origin, troubled[-1].origin),
    )
    over = (
        view.storage[-1].end - troubled[-1].end > view.rules.storage.window_seconds
    )  # measured time: samples may lag
    return Finding(
        Cause.STORAGE_LATENCY,
        Standing.PROVEN,
        since=since,
        strength=0.92,
        evidence=(evidence,),
        explains=Explains(ranges[0][0], ranges[-1][1] + (CARRY_OVER_SECONDS if over else OVERDUE_SECONDS)),
    )


def _proven_by_words(view: View, told: list[Request]) -> Finding:
    since = min(request.start for request in told)
    return Finding(
        Cause.STORAGE_LATENCY,
        Standing.PROVEN,
        since=since,
        strength=0.85,
        evidence=(
            Evidence(
                fact="storage_said_so",
                instance=view.instance,
                text="the storage itself answered SlowDown or RequestTimeout to "
                f"{amount(len(told), 'request')} "
                f"from {clock(min(request.end for request in told))}",
                values={"requests": float(len(told))},
                at=since,
                origins=view.lines(OWN_WORDS, view.first_end),
            ),
        ),
        explains=Explains(since),
    )


def _judge(view: View) -> Finding:
    during = [r for r in view.storage if r.end >= view.onset and r.start <= view.last_end]
    answered = [r for r in during if r.requests]
    if not during:
        return Finding(
            Cause.STORAGE_LATENCY,
            Standing.UNDECIDED,
            f"the last storage-side sample is from {clock(view.storage[-1].end)}, before the trouble",
        )
    if not answered:
        return Finding(
            Cause.STORAGE_LATENCY,
            Standing.UNDECIDED,
            "no request reached the storage while requests failed, so its latency says nothing",
        )
    waiting = _waiting(view, during)
    if waiting:
        return Finding(
            Cause.STORAGE_LATENCY,
            Standing.UNDECIDED,
            f"{amount(waiting, 'request')} had no answer from the storage yet; "
            "how long those take would decide",
            values={"in_flight": float(waiting)},
            seen=during,
        )
    p95 = _weighted(answered, "p95_seconds")
    known = f"p95 {seconds(p95)}" if p95 else f"median {seconds(_weighted(answered, 'p50_seconds'))}"
    errors = sum(r.errors_5xx for r in answered)
    return Finding(
        Cause.STORAGE_LATENCY,
        Standing.REFUTED,
        f"storage was normal as measured at the server: {known}"
        + (f", {amount(int(errors), 'error')}" if errors else ", no errors")
        + _own_view(view, p95),
        values={"p95_seconds": round(p95, 4), "errors_5xx": errors},
        seen=answered,
    )


def _waiting(view: View, during: list[StorageReading]) -> int:
    """Requests that lie unanswered at the storage, far more than before the trouble; 0 where it keeps up.

    Its latency counts answers: of a call that takes longer than its client waits it tells last of all.
    """
    calm = [r.in_flight for r in view.storage if r.end < view.onset - 5]
    usual = median(calm) if calm else 0.0
    lowest = min(r.in_flight for r in during[-WAITING_READINGS:])
    return int(lowest) if lowest >= max(view.rules.storage.stuck_requests, WAITING_TIMES * usual) else 0


def _own_view(view: View, p95_seconds: float) -> str:
    """What the service itself counted, where it blames the storage wrongly: its own symptom."""
    means = [
        r.storage_mean_seconds
        for r in view.service
        if r.storage_mean_seconds is not None and r.end >= view.onset
    ]
    own = max(means, default=0.0)
    if own < 5 * p95_seconds or own < 0.05:
        return ""
    return f" ({view.instance} itself counted up to {seconds(own)} a call, which is its own slowness)"
