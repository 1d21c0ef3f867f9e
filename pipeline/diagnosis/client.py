"""client_timeout: one or two impatient clients give up, and nothing else is wrong.

Needs: cancellations at one constant duration from few clients, while CPU and storage are measured to
be normal and the same instance serves the others well. Without those measurements only a very short
timeout (a second at most) on an instance that otherwise serves fast carries the verdict.
Refuted by: many clients, smeared durations, or anything else being wrong.
"""

from collections import Counter

from pipeline.diagnosis.durations import Spread
from pipeline.diagnosis.finding import Explains, Finding, Standing
from pipeline.diagnosis.view import View
from pipeline.diagnosis.words import amount, percent, seconds
from schemas import Cause, Evidence, SymptomKind


def examine(view: View, others_refuted: bool, others_unknown: bool) -> Finding:
    """How client_timeout stands, given how cpu, memory, storage and dns stand for the same instance.

    `others_refuted`: every one of them is refuted or at least not supported, and CPU and storage
    are refuted by measurement. `others_unknown`: none is proven, some lack their measurement.
    """
    cancelled = [r for r in view.requests if r.cancelled]
    if not view.requests:
        return _refuted("no request failed, so none was given up on")
    if len(cancelled) < 0.8 * len(view.requests):
        return _refuted("most failures are no cancellations: " + _kinds(view))
    clients = Counter(r.client or "unknown" for r in cancelled).most_common()
    leading = clients[: view.rules.client.clients]
    share = sum(count for _, count in leading) / len(cancelled)
    found = view.spread
    one_duration = found is not None and (found.sharp or (others_refuted and found.near))
    if found is not None and not one_duration and found.requests >= view.rules.durations.sharp_requests:
        return _refuted(
            f"durations are smeared: only {percent(found.sharp_ratio)} end at the client's timeout"
        )
    if share < view.rules.client.share_ratio:
        return _refuted(f"{amount(len(clients), 'client')} gave up, not one or two")
    if found is None or not one_duration:
        return Finding(
            Cause.CLIENT_TIMEOUT,
            Standing.UNDECIDED,
            "too few cancelled requests of one client and route to see whether they share one duration",
        )
    served = _served_well(view)
    if served is None:
        return _refuted(
            "hardly any other request went well meanwhile, so it is more than one impatient client"
        )
    names = tuple(name for name, _ in leading)
    if others_refuted:
        return _proven(view, found, names, share, served, 0.92 if found.sharp else 0.85)
    if others_unknown and found.typical_seconds <= view.rules.client.short_timeout_seconds:
        return _proven(view, found, names, share, served, 0.65)
    return Finding(
        Cause.CLIENT_TIMEOUT,
        Standing.UNDECIDED,
        f"cancellations sit at {seconds(found.typical_seconds)}, as a client's timeout would; "
        "CPU and storage measured as normal would prove it",
        values={"typical_seconds": round(found.typical_seconds, 4)},
    )


def _refuted(reason: str) -> Finding:
    return Finding(Cause.CLIENT_TIMEOUT, Standing.REFUTED, reason)


def _kinds(view: View) -> str:
    kinds = Counter(min(kind.value for kind in request.kinds) for request in view.requests)
    return ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(3)) or "none"


def _served_well(view: View) -> int | None:
    """Requests that went well meanwhile, None when too few did or too many were slow."""
    ok, slow = view.ok(view.onset, view.last_end + 1), view.slow(view.onset, view.last_end + 1)
    if ok < max(
        view.rules.durations.sharp_requests, 0.5 * len(view.requests)
    ) or slow > view.rules.client.slow_ratio * (ok + slow):
        return None
    return ok


def _proven(
    view: View, found: Spread, names: tuple[str, ...], share: float, served: int, strength: float
) -> Finding:
    who = " and ".join(names)
    return Finding(
        Cause.CLIENT_TIMEOUT,
        Standing.PROVEN,
        since=view.onset,
        strength=strength,
        evidence=(
            Evidence(
                fact="durations_sharp",
                instance=view.instance,
                text=f"{percent(found.sharp_ratio if found.sharp else found.near_ratio)} of "
                f"{amount(found.requests, 'cancelled request')} end at"
                f"{'' if found.sharp else ' about'} the same {seconds(found.typical_seconds)}: "
                f"the timeout of {who}",
                values={
                    "sharp_ratio": round(found.sharp_ratio, 4),
                    "near_ratio": round(found.near_ratio, 4),
                    "typical_seconds": round(found.typical_seconds, 4),
                    "requests": float(found.requests),
                },
                at=view.first_end,
                origins=view.lines((SymptomKind.REQUEST_CANCELLED,), view.first_end),
            ),
            Evidence(
                fact="others_served",
                instance=view.instance,
                text=f"{percent(share)} of the cancellations come from {who}, while "
                f"{amount(served, 'other request')} went well and fast",
                values={"share_ratio": round(share, 4), "requests_ok": float(served)},
                at=view.first_end,
            ),
        ),
        explains=Explains(view.onset, clients=names),
    )


def still_impatient(view: View, names: tuple[str, ...], typical_seconds: float) -> bool:
    """Whether these clients go on giving up near their known timeout, whatever has become of the rest.

    They did so before anything else was wrong, so no other trouble is needed to explain them.
    """
    theirs = [
        r.duration_seconds
        for r in view.requests
        if r.cancelled and r.client in names and r.duration_seconds is not None
    ]
    near = [d for d in theirs if abs(d - typical_seconds) <= view.rules.durations.near_window_seconds]
    return len(theirs) >= 3 and len(near) >= 0.6 * len(theirs)
