"""The steps of a cascade, read from one instance's view: what came first, and what followed from it."""

from collections.abc import Iterator

from pipeline.diagnosis.view import View
from pipeline.diagnosis.words import amount, cores, percent, seconds
from schemas import Cause, Incident, Step


def steps(incident: Incident, view: View) -> Iterator[Step]:
    """Steps seen so far on the view's instance; the caller keeps the earliest of each kind."""
    yield from _cause_steps(incident, view)
    yield from _request_steps(incident, view)
    yield from _dns_steps(incident, view)


def _cause_steps(incident: Incident, view: View) -> Iterator[Step]:
    name = view.instance
    if incident.cause is Cause.CPU_SATURATION:
        for episode in view.episodes:
            if episode.end < incident.first_symptom_at - 120:
                continue
            limit = next((r.limit_cores for r in episode.readings if r.limit_cores), None)
            text = (
                f"{name} reaches its CPU limit" + (f" of {cores(limit)}" if limit else "")
                if episode.level == "container"
                else f"{name}'s host runs out of CPU"
            )
            yield Step(at=episode.start, step="limit_reached", text=text, instance=name)
            if not episode.open and episode.end >= incident.first_symptom_at:
                yield Step(
                    at=episode.end, step="cause_over", text=f"{name} has CPU to spare again", instance=name
                )
            return
    marks = {
        "killed_for_memory": "memory_full",
        "storage_slow": "storage_slow",
        "storage_said_so": "storage_slow",
        "lookups_fail": "lookups_fail",
        "lookups_logged_failing": "lookups_fail",
        "storage_traffic_stopped": "lookups_fail",
    }
    for evidence in incident.evidence:
        if evidence.fact in marks and evidence.at is not None:
            yield Step(at=evidence.at, step=marks[evidence.fact], text=evidence.text, instance=name)


def _request_steps(incident: Incident, view: View) -> Iterator[Step]:
    start = min((step.at for step in _cause_steps(incident, view)), default=incident.first_symptom_at)
    slow = next((r for r in view.slow_list(start) if r.end >= start), None)
    if slow is not None and incident.cause is not Cause.CLIENT_TIMEOUT:
        took = f" after {seconds(slow.duration_seconds)}" if slow.duration_seconds else ""
        yield Step(
            at=slow.end,
            step="latency_up",
            text=f"first slow success: {slow.route or 'a request'}{took}",
            instance=view.instance,
        )
    if not view.requests:
        return
    first = view.requests[0]
    what = "cancelled" if first.cancelled else "failed"
    yield Step(
        at=first.end,
        step="first_cancellation" if first.cancelled else "first_failure",
        text=f"first {what} request: {first.route or 'unknown route'}"
        + (f" of {first.client}" if first.client else ""),
        instance=view.instance,
    )
    yield from _retries(view)


def _retries(view: View) -> Iterator[Step]:
    """The fifth failure of one client within a minute: it keeps coming back."""
    ends: dict[str, list[float]] = {}
    for request in view.requests:
        if request.client is None:
            continue
        mine = ends.setdefault(request.client, [])
        mine.append(request.end)
        if len(mine) >= 5 and mine[-1] - mine[-5] <= 60:
            yield Step(
                at=request.end,
                step="retries",
                text=_again(request.client, mine[-1] - mine[-5]),
                instance=view.instance,
            )
            return


def _again(client: str, span_seconds: float) -> str:
    if span_seconds < 1.0:  # nobody comes back within that
        return f"5 requests of {client} fail at once"
    return f"{client} keeps coming back: 5 failed requests in {seconds(span_seconds)}"


def _dns_steps(incident: Incident, view: View) -> Iterator[Step]:
    lines = [line for line in view.dns_lines if line.second >= incident.first_symptom_at - 60]
    if not lines:
        return
    count = sum(line.count for line in lines)
    share = ""
    readings = [r for found in view.dns.values() for r in found if r.end >= incident.first_symptom_at - 60]
    queries = sum(r.queries for r in readings)
    if queries:
        share = f", {percent(sum(r.failed for r in readings) / queries)} of all lookups failed"
    what = "first DNS timeout" if count == 1 else f"first of {amount(count, 'DNS timeout')}"
    yield Step(
        at=float(lines[0].second),
        step="dns_timeouts",
        text=f"{what} on {view.instance}{share}",
        instance=view.instance,
    )
