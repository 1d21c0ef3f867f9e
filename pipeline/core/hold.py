"""Held DNS symptoms: what becomes of each (law 4).

A DNS symptom is held, never dropped. It is suppressed only when starvation of *its own* instance
covers it, few of that instance's lookups fail around it, and no instance that is not starved fails at
the same upstream. Whatever else it may be, it is released and told, or counted as a stray.
"""

from dataclasses import dataclass

from pipeline.diagnosis import View
from schemas import Outcome, SymptomKind

AROUND_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Held:
    """One held roll-up: where and when; its count and origins are read from the event store."""

    place: str
    second: int
    kind: str
    upstream: str
    question: str


@dataclass(frozen=True, slots=True)
class Ruling:
    """What becomes of a held symptom, and why."""

    outcome: Outcome
    reason: str


def starved_at(view: View, second: int, level: str | None = None) -> bool:
    """Whether a CPU episode of the view's instance, of `level` if given, covers the whole second."""
    return any(
        episode.covers(second) and episode.covers(second + 1, 1.0)
        for episode in view.episodes
        if level is None or episode.level == level
    )


def starved_since(view: View, held: Held, level: str | None = None) -> int | None:
    """The second of the lookup's own at which the instance was starved; None if it was at neither.

    A timeout is logged when the resolver gives up: the query was lost that much earlier.
    """
    sent = held.second - round(view.rules.dns.lookup_seconds)
    seconds = (held.second, sent) if held.kind == SymptomKind.DNS_TIMEOUT else (held.second,)
    return next((second for second in seconds if starved_at(view, second, level)), None)


def measured_late(view: View, held: Held) -> bool:
    """Whether readings that come for the view's instance have not reached the lookup yet.

    What was starved, and how many lookups failed, is measured; a source 45 s behind has not said it.
    """
    last = [reading.end for reading in view.cpu[-1:]]
    last += [reading.end for upstream in _asked(view, held) for reading in view.dns[upstream][-1:]]
    return any(end < held.second + 1 for end in last)


def _asked(view: View, held: Held) -> list[str]:
    """The measured upstreams that may have been asked: the lookup's own, or any where it names none."""
    return [
        upstream
        for upstream in view.dns
        if not held.upstream or not upstream or upstream == held.upstream or len(view.dns) == 1
    ]


def harmless(view: View, held: Held, healthy_peers: list[str]) -> str | None:
    """None if starvation may account for the symptom, else what stands against that."""
    if healthy_peers:
        names = ", ".join(healthy_peers[:3])
        return f"{held.upstream or 'the resolver'} also fails for {names}, which had CPU to spare"
    low, high = held.second - AROUND_SECONDS, held.second + AROUND_SECONDS
    inside = [r for upstream in _asked(view, held) for r in view.dns[upstream] if low <= r.end <= high]
    queries, failed = sum(r.queries for r in inside), sum(r.failed for r in inside)
    if queries:
        if failed > view.rules.dns.harmless_lookups and failed > view.rules.dns.harmless_ratio * queries:
            return f"{failed:.0f} of {queries:.0f} lookups around it failed, too many for a side effect"
        return None
    lines = sum(line.count for line in view.dns_lines if low <= line.second <= high)
    served = view.ok(low, high) + view.slow(low, high)
    if lines > view.rules.dns.harmless_lookups and lines > view.rules.dns.harmless_ratio * (lines + served):
        return f"{lines} lookups failed around it beside {served} requests that went through"
    return None
