"""The ledger → how each source is, and what is worth a word: pure, against event time.

A reading is expected at its usual interval, and as late as it usually comes. Logs have none: a registry
that nobody asks logs nothing. A container of which nothing at all is heard is either gone or its
shippers are: that is told for a while, and then taken for gone.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from pipeline.hearing import REPORT_SECONDS
from pipeline.page.ledger import Id, Ledger
from pipeline.render.clean import cut
from pipeline.render.words import Words
from schemas.page import DomainSources, SourceLine, SourceProblem, SourceState
from schemas.sources import CONTAINER_KINDS, LOG_KINDS, Heard, SourceKind

MISSED_MAX = 3
"""So many readings may be missing before their source is silent."""

SILENT_SECONDS_MIN = 60.0
"""No silence is shorter than this, nor one of a source whose interval is not known yet."""

QUIET_SECONDS = 600.0
"""After so long without a line a log is called quiet, which is no fault."""

GONE_SECONDS = 3600.0
"""A container that has been wholly silent for so long, while others of its domain are not, is gone."""

DROPPED_SECONDS = 86_400.0
"""What has been gone for so long is not shown any more."""

NEEDED = (SourceKind.CPU, SourceKind.THROTTLING, SourceKind.MEMORY)
"""Kinds without which a container that logs cannot be judged."""

NAMES_MAX = 3
NAME_LENGTH = 60
ORDER = {kind: number for number, kind in enumerate(SourceKind)}


@dataclass(frozen=True, slots=True)
class Silence:
    """Sources that fell silent together. `places`: containers, or their host where it lost them all."""

    kinds: tuple[SourceKind, ...]
    places: tuple[str, ...]
    heard_at: float


def limit_seconds(one: Heard) -> float:
    """Silence after which a source is called silent, or a log quiet."""
    if one.kind in LOG_KINDS:
        return QUIET_SECONDS
    usual = MISSED_MAX * (one.interval_seconds or 0.0)
    return max(SILENT_SECONDS_MIN, usual) + (one.behind_seconds or 0.0) + REPORT_SECONDS


def domain_of(ledger: Ledger, domain: str, words: Words) -> DomainSources:
    """How the sources of one domain are."""
    event_time = ledger.event_time(domain)
    heard = ledger.domains[domain]
    states = _states(heard, event_time)
    lines = [_line(heard[name], state, event_time) for name, state in states.items()]
    missing = list(_missing(lines))
    silent = [heard[name] for name, state in states.items() if state is SourceState.SILENT]
    found = [_told(one, event_time, words) for one in silences(silent, heard.values())]
    return DomainSources(
        domain=domain,
        event_time=event_time,
        problems=tuple(sorted(found, key=lambda one: (one.heard_at or 0.0, one.text))),
        missing=tuple(_lacking(missing, words)),
        sources=tuple(sorted([*lines, *missing], key=lambda one: (one.place, ORDER[one.kind]))),
    )


def is_silent(ledger: Ledger, domain: str) -> bool:
    """Whether anything of a domain fell silent."""
    heard, event_time = ledger.domains[domain], ledger.event_time(domain)
    if all(event_time - one.at <= limit_seconds(one) for one in heard.values()):
        return False
    return SourceState.SILENT in _states(heard, event_time).values()


def _states(heard: Mapping[Id, Heard], event_time: float) -> dict[Id, SourceState]:
    """The state of each source; those that are not worth showing any more are left out."""
    late = {name for name, one in heard.items() if event_time - one.at > limit_seconds(one)}
    alive = [name for name in heard if name not in late]
    places = {place for kind, place in alive if kind in CONTAINER_KINDS}
    kinds = {kind for kind, _ in alive}
    last_at: dict[str, float] = {}
    for (_, place), one in heard.items():
        last_at[place] = max(last_at.get(place, one.at), one.at)
    found = {}
    for name, one in heard.items():
        kind, place = name
        if name not in late:
            found[name] = SourceState.HEALTHY
            continue
        is_container = kind in CONTAINER_KINDS
        silence = event_time - (last_at[place] if is_container else one.at)
        has_others = places - {place} if is_container else kind in kinds
        if has_others and silence > DROPPED_SECONDS:
            continue
        if has_others and silence > GONE_SECONDS:
            found[name] = SourceState.GONE
        else:
            found[name] = SourceState.QUIET if kind in LOG_KINDS else SourceState.SILENT
    return found


def silences(silent: Iterable[Heard], heard: Collection[Heard]) -> Iterator[Silence]:
    """What fell silent, together where one host or one set of containers lost the same kinds."""
    hosts = {one.place: one.host for one in heard if one.host}
    of_host: dict[str, set[str]] = defaultdict(set)
    for place, host in hosts.items():
        of_host[host].add(place)
    lost: dict[str, list[Heard]] = defaultdict(list)
    for one in silent:
        lost[one.place].append(one)
    groups: dict[tuple[str, tuple[SourceKind, ...]], list[str]] = defaultdict(list)
    for place, sources in lost.items():
        kinds = tuple(sorted((one.kind for one in sources), key=ORDER.__getitem__))
        groups[hosts.get(place, ""), kinds].append(place)
    for (host, kinds), places in sorted(groups.items()):
        whole = len(places) > 1 and of_host[host] == set(places)
        heard_at = max(one.at for place in places for one in lost[place])
        yield Silence(kinds, (host,) if whole else tuple(sorted(places)), heard_at)


def _told(one: Silence, event_time: float, words: Words) -> SourceProblem:
    age = event_time - one.heard_at
    text = words(
        "source.silent" if any(one.places) else "source.silent.nowhere",
        what=_what(one.kinds, words),
        where=_named(one.places, words),
        age=words.duration(age),
    )
    return SourceProblem(
        text=text, kinds=one.kinds, places=one.places, heard_at=one.heard_at, age_seconds=age
    )


def _what(kinds: tuple[SourceKind, ...], words: Words) -> str:
    measured = [words(f"source.short.{kind}") for kind in kinds if kind is not SourceKind.REQUESTS]
    told = [words("source.metrics", what=words.listed(measured))] if measured else []
    own = [words(f"source.{kind}") for kind in kinds if kind is SourceKind.REQUESTS]
    return words.listed([*told, *own])


def _missing(lines: list[SourceLine]) -> Iterator[SourceLine]:
    """What was never heard and would be needed."""
    live = [one for one in lines if one.state is not SourceState.GONE]
    known = {(one.kind, one.place) for one in lines}
    logged = sorted({one.place for one in live if one.kind is SourceKind.REGISTRY_LOG})
    for place in logged:
        host = next((one.host for one in live if one.place == place and one.host), None)
        for kind in NEEDED:
            if (kind, place) not in known:
                yield _never(kind, place, host)
    kinds = {kind for kind, _ in known}
    for kind in (SourceKind.REGISTRY_LOG, SourceKind.STORAGE, SourceKind.DNS):
        if live and kind not in kinds:
            yield _never(kind, "", None)


def _lacking(missing: list[SourceLine], words: Words) -> Iterator[SourceProblem]:
    """What was never heard, kind by kind, and what it costs."""
    places: dict[SourceKind, list[str]] = defaultdict(list)
    for one in missing:
        places[one.kind].append(one.place)
    for kind, where in places.items():
        named = tuple(where) if any(where) else ()
        text = words(
            "source.never" if named else "source.never.nowhere",
            what=words(f"source.{kind}"),
            where=_named(named, words),
            cost=words(f"source.cost.{kind}"),
        )
        yield SourceProblem(text=text, kinds=(kind,), places=named, heard_at=None, age_seconds=None)


def _named(places: tuple[str, ...], words: Words) -> str:
    shown = words.listed([cut(place, NAME_LENGTH) for place in places[:NAMES_MAX]])
    return shown if len(places) <= NAMES_MAX else f"{shown} {words('more', n=len(places) - NAMES_MAX)}"


def _line(one: Heard, state: SourceState, event_time: float) -> SourceLine:
    return SourceLine(
        kind=one.kind,
        place=one.place,
        host=one.host,
        exporter=one.exporter,
        state=state,
        heard_at=one.at,
        age_seconds=max(0.0, event_time - one.at),
        interval_seconds=one.interval_seconds,
    )


def _never(kind: SourceKind, place: str, host: str | None) -> SourceLine:
    return SourceLine(
        kind=kind,
        place=place,
        host=host,
        exporter=None,
        state=SourceState.NEVER,
        heard_at=None,
        age_seconds=None,
        interval_seconds=None,
    )
