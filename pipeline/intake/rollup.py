"""Events of one kind, place and second become one symptom; samples pass through; both become frames.

A roll-up keeps the events with the smallest ids (bottom-k): the union of two roll-ups cut to k is the
roll-up of the union, so duplicates, order and the moment of a flush leave no trace. Up to k its count
is exact; beyond, it is estimated from the k-th smallest id, (k - 1) / u_k with u_k the id as a fraction
of the id space (Beyer et al., "On synopses for distinct-value estimation", SIGMOD 2007).
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.intake.identity import Place
from pipeline.redact import Redactor, redact
from schemas import Exemplar, Frame, Observation, Origin, Sample, Signal, Symptom, SymptomKind

EXEMPLARS_MAX = 2
EXEMPLAR_CHARACTERS_MAX = 500
_EXEMPLAR_READ_MAX = 4_096
"""Characters looked at when an example is redacted; the rest of the line is cut before."""

GOOD_REQUESTS_MAX = 64
"""k of `request_ok`, which is only counted: its relative error is about 13 %."""

FRAME_OBSERVATIONS_MAX = 2_000
"""A frame with more is cut in two, so that a record stays well below Kafka's megabyte."""

Raw = tuple[str, int, int]
"""Topic, partition, offset."""


class Event(NamedTuple):
    """One observation before it is a model."""

    id: str
    time: float
    duration_seconds: float | None = None
    request: str | None = None
    client: str | None = None
    route: str | None = None
    status: int | None = None
    signature: str | None = None


class Slot(NamedTuple):
    """What a roll-up is one of: everything that is told apart."""

    domain: str
    kind: SymptomKind
    instance: str | None
    host: str | None
    second: int
    upstream: str | None
    question: str | None


def event_id(place: str | None, kind: str, ns: int, request: str | None, text: str) -> str:
    """16 hex digits over what makes an event that event: equal for its copies, evenly spread otherwise.

    One process writes no two lines in the same nanosecond, so place and time are enough where the time
    is that fine; then half a line, which lacks its request and its cause, has the id of the whole.
    """
    whole = f"{place or ''}\0{ns}"
    if ns % 1000 == 0:
        whole += f"\0{kind}\0{request or ''}\0{text}"
    return hashlib.blake2b(whole.encode("utf-8", "replace"), digest_size=8).hexdigest()


def good_id(place: str | None, ns: int, request: str | None) -> str:
    """8 hex digits of a request that went well: enough to count by, for that is all it is used for."""
    whole = f"{place or ''}\0{ns}\0{request or ''}"
    return hashlib.blake2b(whole.encode("utf-8", "replace"), digest_size=4).hexdigest()


def estimated_count(ids: list[str], cut: bool) -> int:
    """Distinct events behind the k smallest `ids`, ascending: their number, or an estimate where `cut`."""
    if not cut:
        return len(ids)
    last = ids[-1]
    share = (int(last, 16) + 1) / float(1 << 4 * len(last))
    return max(len(ids) + 1, round((len(ids) - 1) / share))


@dataclass(slots=True)
class _Rollup:
    """Events by id; cut down to the bound when twice as many have come together."""

    bound: int
    events: dict[str, Event] = field(default_factory=dict)
    partial: set[str] = field(default_factory=set)
    examples: dict[str, Raw] = field(default_factory=dict)
    limit: str = ""

    def add(self, event: Event, raw: Raw, text: str | None, partial: bool) -> None:
        if text is not None:
            self._exemplify(raw, text)
        identity = event.id
        if self.limit and identity > self.limit:
            return
        known = self.events.get(identity)
        if known is None:
            self.events[identity] = event
            if partial:
                self.partial.add(identity)
        else:
            self.events[identity] = max(event, known, key=_fullness)
            if not partial:
                self.partial.discard(identity)
        if len(self.events) > 2 * self.bound:
            self._cut()

    def _exemplify(self, raw: Raw, text: str) -> None:
        """Keep the lines with the smallest origins, each line once, as the core does: so roll-ups of one
        second merge into the one of their union, however the records were shared out or repeated."""
        examples, text = self.examples, text[:_EXEMPLAR_READ_MAX]
        if text in examples:
            examples[text] = min(raw, examples[text])
        elif len(examples) < EXEMPLARS_MAX or raw < max(examples.values()):
            examples[text] = raw
            if len(examples) > EXEMPLARS_MAX:
                del examples[max(examples, key=examples.__getitem__)]

    def _cut(self) -> None:
        """Keep one more than the bound, so that it still shows that there were more."""
        kept = sorted(self.events)[: self.bound + 1]
        self.events = {identity: self.events[identity] for identity in kept}
        self.partial &= self.events.keys()
        self.limit = kept[-1]

    def symptom(self, slot: Slot, hide: Redactor) -> Symptom:
        ids = sorted(self.events)
        cut = len(ids) > self.bound
        kept = ids[: self.bound]
        fields = {
            **dict(zip(Slot._fields[1:], slot[1:], strict=True)),
            "count": estimated_count(kept, cut),
            "observations": [dict(zip(Event._fields, self.events[i], strict=True)) for i in kept],
            "exemplars": [
                Exemplar(origin=_origin(raw), text=_example(text, hide))
                for text, raw in sorted(self.examples.items(), key=lambda item: item[1])
            ],
            "partial": sum(identity in self.partial for identity in kept),
        }
        return Symptom.model_validate(fields)


@dataclass(slots=True)
class _GoodRequests:
    """The smallest ids of one place and second, kept like those of a roll-up."""

    ids: set[str] = field(default_factory=set)

    def add(self, identity: str) -> None:
        self.ids.add(identity)
        if len(self.ids) > 4 * GOOD_REQUESTS_MAX:
            self.ids = set(sorted(self.ids)[: GOOD_REQUESTS_MAX + 1])

    def symptom(self, place: Place, second: int) -> Symptom:
        ids = sorted(self.ids)
        cut = len(ids) > GOOD_REQUESTS_MAX
        kept = ids[:GOOD_REQUESTS_MAX]
        return Symptom(
            kind=SymptomKind.REQUEST_OK,
            instance=place.instance,
            host=place.host,
            second=second,
            count=estimated_count(kept, cut),
            observations=tuple(Observation(id=identity, time=float(second)) for identity in kept),
        )


def _fullness(event: Event) -> tuple[object, ...]:
    """Of two tellings of one event the fuller is kept, whichever came first: half a line tells less."""
    return (sum(part is not None for part in event), [str(part) for part in event])


def _origin(raw: Raw) -> Origin:
    return Origin(topic=raw[0], partition=raw[1], offset=raw[2])


def _example(text: str, hide: Redactor) -> str:
    """Redacted before it is cut: half a secret is no longer recognised as one."""
    if len(text) == _EXEMPLAR_READ_MAX:
        text = text.rpartition(" ")[0]
    return hide(text)[:EXEMPLAR_CHARACTERS_MAX]


class Rollups:
    """Everything found since the last flush."""

    def __init__(self, observations_per_rollup: int, hide: Redactor = redact) -> None:
        self._hide = hide
        self._bound = observations_per_rollup
        self._rollups: dict[Slot, _Rollup] = {}
        self._good: dict[tuple[Place, int], _GoodRequests] = {}
        self._samples: dict[tuple[str, bytes], Sample] = {}

    def add(self, slot: Slot, event: Event, raw: Raw, text: str | None, partial: bool = False) -> None:
        """Count `event` in its roll-up, once however often it comes; `text` may serve as its example."""
        rollup = self._rollups.get(slot)
        if rollup is None:
            rollup = self._rollups[slot] = _Rollup(self._bound)
        rollup.add(event, raw, text, partial)

    def add_good(self, place: Place, second: int, identity: str) -> None:
        """Count a request that went well; `place` is where it was served, with its instance filled in."""
        good = self._good.get((place, second))
        if good is None:
            good = self._good[place, second] = _GoodRequests()
        good.add(identity)

    def add_sample(self, domain: str, sample: Sample) -> None:
        """Keep `sample`; of several that differ in their origin only, the earliest."""
        body = sample.model_dump_json(exclude={"origin"}).encode()
        known = self._samples.get((domain, body))
        if known is None or _where(sample) < _where(known):
            self._samples[domain, body] = sample

    def take(self) -> tuple[tuple[Frame, ...], dict[str, int], dict[str, int]]:
        """Frames sorted by domain, events by kind, samples by kind; then forget them all."""
        signals: dict[str, list[Signal]] = {}
        symptoms: dict[str, int] = {}
        samples: dict[str, int] = {}
        for (domain, _), sample in sorted(self._samples.items()):
            signals.setdefault(domain, []).append(sample)
            samples[sample.kind.value] = samples.get(sample.kind.value, 0) + 1
        for domain, symptom in self._symptoms():
            signals.setdefault(domain, []).append(symptom)
            symptoms[symptom.kind.value] = symptoms.get(symptom.kind.value, 0) + symptom.count
        self._rollups = {}
        self._good = {}
        self._samples = {}
        frames = tuple(frame for domain in sorted(signals) for frame in _framed(domain, signals[domain]))
        return frames, symptoms, samples

    def _symptoms(self) -> Iterator[tuple[str, Symptom]]:
        """(domain, symptom) of every roll-up, by second, kind and place."""
        found = [(slot.domain, rollup.symptom(slot, self._hide)) for slot, rollup in self._rollups.items()]
        found += [(place.domain, good.symptom(place, second)) for (place, second), good in self._good.items()]
        return iter(sorted(found, key=_order))


def _where(sample: Sample) -> Raw:
    return (sample.origin.topic, sample.origin.partition, sample.origin.offset)


def _order(found: tuple[str, Symptom]) -> tuple[object, ...]:
    symptom = found[1]
    return (
        symptom.second,
        symptom.kind.value,
        symptom.instance or "",
        symptom.host or "",
        symptom.upstream or "",
        symptom.question or "",
        symptom.instance is None,
    )


def _framed(domain: str, signals: list[Signal]) -> Iterator[Frame]:
    part: list[Signal] = []
    size = 0
    for signal in signals:
        weight = len(signal.observations) if isinstance(signal, Symptom) else 1
        if part and size + weight > FRAME_OBSERVATIONS_MAX:
            yield Frame(domain=domain, signals=tuple(part))
            part, size = [], 0
        part.append(signal)
        size += weight
    yield Frame(domain=domain, signals=tuple(part))
