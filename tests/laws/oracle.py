"""What a person with pencil and paper would count in a history: dicts of sets, no windows, no clever bounds.

It knows nothing of causes and incidents. It says how many things there are of which the core may at
most, or must exactly, speak.
"""

from collections import defaultdict
from collections.abc import Iterable

from schemas import DNS_KINDS, REQUEST_KINDS, SampleKind, SymptomKind
from tests.laws.histories import HOSTS, Event, Fact

Lookup = tuple[str, int, str, str, str]
"""(place, second, kind, upstream, question): what one decision speaks of."""


def _events(history: Iterable[Fact]) -> list[Event]:
    return [fact for fact in history if isinstance(fact, Event)]


def failed_requests(history: Iterable[Fact]) -> dict[str, set[str]]:
    """Instance → names of the requests of which any line says that they failed."""
    found: dict[str, set[str]] = defaultdict(set)
    for event in _events(history):
        if event.instance is None:
            continue
        if event.kind in REQUEST_KINDS:
            found[event.instance].add(event.request or event.id)
        elif event.kind in DNS_KINDS and event.request is not None:
            found[event.instance].add(event.request)
    return found


def events_of(history: Iterable[Fact], kind: SymptomKind) -> dict[str, set[str]]:
    """Instance → ids of its events of `kind`."""
    found: dict[str, set[str]] = defaultdict(set)
    for event in _events(history):
        if event.kind is kind and event.instance is not None:
            found[event.instance].add(event.request or event.id)
    return found


def lookups(history: Iterable[Fact]) -> dict[Lookup, set[str]]:
    """What decisions must speak of → the failed lookups behind it, each counted once."""
    found: dict[Lookup, set[str]] = defaultdict(set)
    for event in _events(history):
        if event.kind in DNS_KINDS:
            place = event.instance if event.instance is not None else f"@{event.host}"
            about = (place, event.second, event.kind.value, event.upstream or "", event.question or "")
            found[about].add(event.request or event.id)
    return found


def never_starved(history: Iterable[Fact]) -> set[str]:
    """Instances whose CPU was measured, and of which no sample comes near to starvation."""
    measured: set[str] = set()
    strained: set[str] = set()
    for fact in history:
        if isinstance(fact, Event) or fact.kind is not SampleKind.CPU or fact.instance is None:
            continue
        measured.add(fact.instance)
        throttled, pressure = fact.values.get("throttled_ratio"), fact.values.get("pressure_ratio")
        if (throttled or 0.0) >= 0.6 or (pressure or 0.0) >= 0.3:
            strained.add(fact.instance)
    return measured - strained


def instances_at(place: str) -> set[str]:
    """The instances a place may stand for."""
    return {name for name, host in HOSTS.items() if place in (name, f"@{host}")}
