"""What happened to a registry: log events and readings, and how a flush of the intake ships them."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby
from typing import Any

from schemas import Exemplar, Observation, Origin, Sample, Signal, Symptom, SymptomKind

BASE = 1_795_392_000
"""Midnight, so that second 75 is told as 00:01:15."""
SECONDS = 120
OBSERVATIONS_PER_ROLLUP = 256
EXEMPLARS_PER_ROLLUP = 2

HOSTS = {"registry-a": "node-1", "registry-b": "node-1", "registry-c": None}
"""Where each instance runs; of the last one no record says it."""
UPSTREAMS = ("10.0.0.2", "10.0.0.3")
CLIENTS = ("registry-ui/1.0", "docker/24.0", "crane/0.19")


@dataclass(frozen=True)
class Event:
    """One log line's meaning, before it is rolled up. `copy` tells a repeated line from its original."""

    kind: SymptomKind
    time: float
    instance: str | None = None
    host: str | None = None
    duration_seconds: float | None = None
    request: str | None = None
    client: str | None = None
    route: str | None = None
    status: int | None = None
    upstream: str | None = None
    question: str | None = None
    number: int = 0
    copy: int = 0

    @property
    def id(self) -> str:
        """Made of its own content, so that every copy has the same."""
        content = repr([getattr(self, name) for name in self.__dataclass_fields__ if name != "copy"])
        return blake2b(content.encode(), digest_size=8).hexdigest()

    def __repr__(self) -> str:
        place = self.instance or f"@{self.host}"
        return (
            f"<{self.time - BASE:g} {place} {self.kind} {self.request or self.number} {self.upstream or ''}>"
        )

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    @property
    def second(self) -> int:
        return int(self.time)

    @property
    def slot(self) -> tuple[str, ...]:
        place = (self.instance or "", self.host or "")
        return (str(self.second), self.kind.value, *place, self.upstream or "", self.question or "")

    @property
    def observation(self) -> Observation:
        return Observation(
            id=self.id,
            time=self.time,
            duration_seconds=self.duration_seconds,
            request=self.request,
            client=self.client,
            route=self.route,
            status=self.status,
        )

    @property
    def exemplar(self) -> Exemplar:
        """A copy lies at a later offset."""
        offset = int(self.id[:8], 16) + (self.copy << 32)
        return Exemplar(
            origin=Origin(topic="registry.logs", partition=0, offset=offset),
            text=f"{self.kind} {self.id}",
        )


class Reading(Sample):
    """A sample that a failing example shows in few words."""

    def __repr__(self) -> str:
        return f"<{self.time - BASE:g} {self.instance or ''} {self.kind} {self.upstream or ''} {self.values}>"


Fact = Event | Reading
History = tuple[Fact, ...]


def roll_up(events: Iterable[Event], bound: int = OBSERVATIONS_PER_ROLLUP) -> list[Symptom]:
    """Events as the intake ships them in one flush: one symptom for each kind, place and second."""
    symptoms = []
    for _, group in groupby(sorted(events, key=lambda e: (e.slot, e.id, e.copy)), key=lambda e: e.slot):
        distinct = {event.id: event for event in reversed(list(group))}  # of the copies the first
        kept = [distinct[one] for one in sorted(distinct)][:bound]
        examples = sorted((event.exemplar for event in distinct.values()), key=lambda one: one.origin.offset)
        first = kept[0]
        symptoms.append(
            Symptom(
                kind=first.kind,
                instance=first.instance,
                host=first.host,
                second=first.second,
                upstream=first.upstream,
                question=first.question,
                count=len(distinct),
                observations=tuple(event.observation for event in kept),
                exemplars=tuple(examples[:EXEMPLARS_PER_ROLLUP]),
            )
        )
    return symptoms


def signals(facts: Iterable[Fact]) -> list[Signal]:
    """The facts as one flush ships them: samples first, then symptoms by second."""
    facts = list(facts)
    samples = [fact for fact in facts if isinstance(fact, Reading)]
    return [*samples, *roll_up(fact for fact in facts if isinstance(fact, Event))]
