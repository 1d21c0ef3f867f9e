"""Symptoms by place and second, merged like sets, and the requests they tell of.

A bucket keeps the `k` smallest observation ids (bottom-k sketch): the union of two bottom-k sketches
cut to `k` is the sketch of the union, so duplicates, order and framing leave no trace. While fewer
than `k` were seen the count is exact; beyond, (k - 1) / u_k estimates it, u_k being the k-th smallest
id as a fraction of the id space (Beyer et al., SIGMOD 2007), and whoever shows it says "about".
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, astuple, dataclass, field
from typing import Any, Self

from pipeline.history.samples import place_of
from schemas import DNS_KINDS, REQUEST_KINDS, Exemplar, Observation, Origin, Symptom, SymptomKind

OBSERVATIONS_MAX = 256
"""k of the sketch. Its relative error is about 1/sqrt(k - 2): 6 %."""

COALESCED_MIN = 8
"""Observations of each bucket that a full second keeps at least. The relative error of its count is 40 %."""

EXEMPLARS_MAX = 2
_ID_SPACE = float(1 << 64)


@dataclass(frozen=True, slots=True)
class Request:
    """One failed or slow request, all its log lines taken together.

    `start` and `end` are unix seconds; `start` equals `end` where no line told the duration. `weight`: how
    many requests it stands for, more than one where a bound let go of others of its second.
    """

    key: str
    place: str
    kinds: frozenset[SymptomKind]
    start: float
    end: float
    duration_seconds: float | None
    client: str | None
    route: str | None
    first_id: str
    signatures: frozenset[str] = frozenset()
    weight: float = 1.0

    @property
    def marks(self) -> frozenset[str]:
        """What declared causes know it by: the signatures and the kinds of its lines."""
        return self.signatures | self.kinds

    @property
    def cancelled(self) -> bool:
        """Whether its context was cancelled: the client left or gave up."""
        return SymptomKind.REQUEST_CANCELLED in self.kinds


@dataclass(frozen=True, slots=True)
class Seen:
    """An observation as it is kept: the noun's fields in an eighth of its memory."""

    id: str
    time: float
    duration_seconds: float | None = None
    request: str | None = None
    client: str | None = None
    route: str | None = None
    status: int | None = None
    signature: str | None = None

    @classmethod
    def of(cls, one: Observation) -> Self:
        """What `one` says."""
        return cls(
            one.id,
            one.time,
            one.duration_seconds,
            one.request,
            one.client,
            one.route,
            one.status,
            one.signature,
        )


@dataclass(slots=True)
class Bucket:
    """Observations of one kind at one place in one second.

    `bound`: how many of the smallest ids it keeps once anything was cut, here or in a roll-up it took
    in: the smallest bound of them all, or its sketch would be denser below than above. None: exact.
    `exemplars`: where each of its earliest lines was first read. A line that comes again shows once.
    `ruled`: how many of its lookups a decision has spoken of.
    """

    observations: dict[str, Seen] = field(default_factory=dict)
    bound: int | None = None
    partial: int = 0
    exemplars: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    ruled: int = 0
    _requests: list[Request] | None = None

    def merge(self, symptom: Symptom) -> tuple[Observation, ...]:
        """Unite with `symptom`; returns what of it was new."""
        self._requests = None
        known = self.observations
        fresh = [one for one in symptom.observations if one.id not in known]
        for one in symptom.observations:
            known[one.id] = _fuller(Seen.of(one), known.get(one.id))
        if symptom.count > len(symptom.observations):
            self.bound = min(self.bound or OBSERVATIONS_MAX, len(symptom.observations))
        elif len(known) > OBSERVATIONS_MAX:
            self.bound = min(self.bound or OBSERVATIONS_MAX, OBSERVATIONS_MAX)
        if self.bound is not None:
            self.cut_to(self.bound)
        self.partial = max(self.partial, symptom.partial)
        for exemplar in symptom.exemplars:
            origin = (exemplar.origin.topic, exemplar.origin.partition, exemplar.origin.offset)
            self.exemplars[exemplar.text] = min(origin, self.exemplars.get(exemplar.text, origin))
        earliest = sorted(self.exemplars.items(), key=lambda item: (item[1], item[0]))
        self.exemplars = dict(earliest[:EXEMPLARS_MAX])
        return tuple(one for one in fresh if one.id in self.observations)

    def cut_to(self, bound: int) -> None:
        """Keep the observations with the `bound` smallest ids; the others are counted from now on."""
        if len(self.observations) > bound:
            self._requests = None
            self.bound = min(self.bound or bound, bound)
            self.observations = {one: self.observations[one] for one in sorted(self.observations)[:bound]}

    def examples(self) -> list[Exemplar]:
        """Its raw lines kept as examples, the first read first."""
        return [
            Exemplar(origin=Origin(topic=topic, partition=partition, offset=offset), text=text)
            for text, (topic, partition, offset) in self.exemplars.items()
        ]

    def requests(self, place: str, kind: SymptomKind) -> list[Request]:
        """One request for each line that names it, in the order of `observations`. Worked out once."""
        if self._requests is None:
            weight = self.weight()
            self._requests = [
                _request(place, kind, one, one.request, weight)
                for one in self.observations.values()
                if one.request is not None
            ]
        return self._requests

    @property
    def cut(self) -> bool:
        """Whether the count is an estimate."""
        return self.bound is not None

    def weight(self) -> float:
        """How many events each one kept stands for."""
        return self.count() / len(self.observations) if self.cut and self.observations else 1.0

    def count(self) -> int:
        """Distinct events: exact below the bound, an estimate beyond it."""
        if not self.cut or len(self.observations) < 2:
            return len(self.observations)
        largest = int(max(self.observations)[:16].ljust(16, "0"), 16)
        return max(len(self.observations), round((len(self.observations) - 1) * _ID_SPACE / (largest + 1)))


Tag = tuple[str, str, str]
"""(symptom kind, upstream, question) of a bucket."""

_NO_TAGS: dict[Tag, Bucket] = {}
_FAILED_KINDS = REQUEST_KINDS | DNS_KINDS
_WELL = frozenset({SymptomKind.REQUEST_OK})


class EventStore:
    """Buckets by place and second."""

    def __init__(self) -> None:
        self._places: dict[str, dict[int, dict[Tag, Bucket]]] = {}  # tags in their order
        self._kinds: dict[str, set[str]] = {}  # by place, of what is remembered: most lack the rare ones

    def add(self, symptom: Symptom) -> tuple[Observation, ...]:
        """Merge `symptom` in; returns what of it was new."""
        place = place_of(symptom.instance, symptom.host)
        tag = (symptom.kind.value, symptom.upstream or "", symptom.question or "")
        return self._bucket(place, symptom.second, tag).merge(symptom)

    def _bucket(self, place: str, second: int, tag: Tag) -> Bucket:
        """The bucket of this name, a new one the first time."""
        seconds = self._places.setdefault(place, {})
        tags = seconds.setdefault(second, {})
        bucket = tags.get(tag)
        if bucket is None:
            bucket = tags[tag] = Bucket()
            self._kinds.setdefault(place, set()).add(tag[0])
            if len(tags) > 1:
                seconds[second] = dict(sorted(tags.items()))
        return bucket

    def places(self, until: int) -> list[str]:
        """Every place a symptom was seen at in second `until` or before, sorted."""
        return sorted(
            place for place, seconds in self._places.items() if any(second <= until for second in seconds)
        )

    def next_from(self, second: int) -> int | None:
        """The first second at or after `second` with a symptom at any place, None if there is none."""
        found = (one for seconds in self._places.values() for one in seconds if one >= second)
        return min(found, default=None)

    def buckets(
        self, place: str, first: int, last: int, kinds: Iterable[SymptomKind]
    ) -> Iterator[tuple[int, Tag, Bucket]]:
        """(second, tag, bucket) of `kinds` in seconds `first..last` inclusive, in order."""
        seconds = self._places.get(place)
        if not seconds:
            return
        wanted = self._kinds[place].intersection(kinds)
        if not wanted:
            return
        inside = (
            range(first, last + 1)
            if last - first < len(seconds)
            else sorted(s for s in seconds if first <= s <= last)
        )
        for second in inside:
            for tag, bucket in seconds.get(second, _NO_TAGS).items():
                if tag[0] in wanted:
                    yield second, tag, bucket

    def count(self, place: str, first: int, last: int, kinds: Iterable[SymptomKind]) -> int:
        """Distinct events of `kinds` in seconds `first..last`."""
        return sum(bucket.count() for _, _, bucket in self.buckets(place, first, last, kinds))

    def cut(self, place: str, first: int, last: int) -> bool:
        """Whether failures in the range were cut to the bound, so that their count is an estimate."""
        kinds = _FAILED_KINDS | {SymptomKind.REQUEST_SLOW}
        return any(bucket.cut for _, _, bucket in self.buckets(place, first, last, kinds))

    def failed_requests(self, place: str, first: int, last: int) -> list[Request]:
        """Distinct failed requests whose lines lie in seconds `first..last`, by end and key."""
        found: dict[str, Request] = {}
        inside = self.buckets(place, first, last, _FAILED_KINDS)
        buckets = [(SymptomKind(tag[0]), bucket) for _, tag, bucket in inside]
        keys: dict[str, str] | None = None
        for kind, bucket in buckets:
            requests = bucket.requests(place, kind)
            if kind in DNS_KINDS or len(requests) == len(bucket.observations):
                for request in requests:
                    _unite(found, request)
                continue
            if keys is None:  # half a line does not name its request, its whole copy does
                keys = {
                    one.id: one.request
                    for _, other in buckets
                    for one in other.observations.values()
                    if one.request is not None
                }
            for one in bucket.observations.values():
                key = keys.get(one.id, one.request or one.id)
                _unite(found, _request(place, kind, one, key, bucket.weight()))
        return sorted(found.values(), key=lambda request: (request.end, request.key))

    def slow_requests(self, place: str, first: int, last: int) -> list[Request]:
        """Requests logged as a slow success in seconds `first..last`, by end and key."""
        found: dict[str, Request] = {}
        for _, _, bucket in self.buckets(place, first, last, (SymptomKind.REQUEST_SLOW,)):
            weight = bucket.weight()
            for one in bucket.observations.values():
                key = one.request or one.id
                _unite(found, _request(place, SymptomKind.REQUEST_SLOW, one, key, weight))
        return sorted(found.values(), key=lambda request: (request.end, request.key))

    def exemplars(self, place: str, first: int, last: int, kinds: Iterable[SymptomKind]) -> list[Exemplar]:
        """Raw lines kept as examples, earliest first."""
        return [one for _, _, bucket in self.buckets(place, first, last, kinds) for one in bucket.examples()]

    def coalesce(self, second: int, most: int) -> int:
        """Let go of observations of `second` until `most` are left, or a few of each bucket: they are counted
        on by estimate. Successes go first, then failures. Returns how many went.
        """
        tagged = [item for seconds in self._places.values() for item in seconds.get(second, _NO_TAGS).items()]
        before = left = sum(len(bucket.observations) for _, bucket in tagged)
        if left <= most:
            return 0
        well = [bucket for tag, bucket in tagged if tag[0] in _WELL]
        ill = [bucket for tag, bucket in tagged if tag[0] not in _WELL]
        for buckets in (well, ill):
            bound = OBSERVATIONS_MAX
            while left > most and bound > COALESCED_MIN:
                bound //= 2
                for bucket in buckets:
                    bucket.cut_to(bound)
                left = sum(len(bucket.observations) for _, bucket in tagged)
        return before - left

    def sizes(self, until: int) -> Counter[int]:
        """Observations kept, by second, up to second `until`."""
        sizes = Counter[int]()
        for seconds in self._places.values():
            for second, tags in seconds.items():
                if second <= until:
                    sizes[second] += sum(len(bucket.observations) for bucket in tags.values())
        return sizes

    def forget(self, before: int) -> None:
        """Drop seconds older than `before`."""
        for place in list(self._places):
            seconds = self._places[place]
            old = [second for second in seconds if second < before]
            for second in old:
                del seconds[second]
            if not seconds:
                del self._places[place], self._kinds[place]
            elif old:
                self._kinds[place] = {kind for tags in seconds.values() for kind, _, _ in tags}

    def snapshot(self) -> list[Any]:
        """JSON-able form, in a stable order."""
        return [
            [place, second, *tag, *_pack(bucket)]
            for place in sorted(self._places)
            for second in sorted(self._places[place])
            for tag, bucket in self._places[place][second].items()
        ]

    @classmethod
    def restore(cls, snapshot: list[Any]) -> "EventStore":
        """The store that gave `snapshot`."""
        store = cls()
        for place, second, kind, upstream, question, *packed in snapshot:
            tags = store._places.setdefault(place, {}).setdefault(second, {})
            tags[kind, upstream, question] = _unpack(*packed)
            store._kinds.setdefault(place, set()).add(kind)
        return store


def _fuller(one: Seen, other: Seen | None) -> Seen:
    """Of two tellings of one event, the one that tells more; a tie is settled by content, not by order."""
    if other is None or other == one:
        return one
    return max((one, other), key=_telling)


def _telling(one: Seen) -> tuple[int, str]:
    fields = asdict(one)
    told = sum(value is not None for value in fields.values())
    return told, Observation.model_construct(**fields).model_dump_json()


def _pack(bucket: Bucket) -> list[Any]:
    observations = [list(astuple(bucket.observations[one_id])) for one_id in sorted(bucket.observations)]
    exemplars = [[*origin, text] for text, origin in bucket.exemplars.items()]
    return [bucket.bound, bucket.partial, observations, exemplars, bucket.ruled]


# Rows of an older program end before a field that was added since: it keeps its default.
def _unpack(
    bound: int | None,
    partial: int,
    observations: list[list[Any]],
    exemplars: list[tuple[str, int, int, str]],
    ruled: int = 0,
) -> Bucket:
    known = {row[0]: Seen(*row) for row in observations}
    lines = {text: (topic, partition, offset) for topic, partition, offset, text in exemplars}
    return Bucket(known, bound, partial, lines, ruled)


_ALONE = {kind: frozenset({kind}) for kind in SymptomKind}


def _request(place: str, kind: SymptomKind, one: Seen, key: str, weight: float) -> Request:
    duration = one.duration_seconds
    return Request(
        key=key,
        place=place,
        kinds=_ALONE[kind],
        start=one.time - (duration or 0.0),
        end=one.time,
        duration_seconds=duration,
        client=one.client,
        route=one.route,
        first_id=one.id,
        signatures=frozenset({one.signature} if one.signature else ()),
        weight=weight,
    )


def _unite(found: dict[str, Request], new: Request) -> None:
    """Several lines of one request are one request: the earliest start, the latest end, every kind."""
    old = found.get(new.key)
    if old is None:
        found[new.key] = new
        return
    durations = [d for d in (old.duration_seconds, new.duration_seconds) if d is not None]
    found[new.key] = Request(
        key=new.key,
        place=new.place,
        kinds=old.kinds | new.kinds,
        start=min(old.start, new.start),
        end=max(old.end, new.end),
        duration_seconds=max(durations) if durations else None,
        client=min((c for c in (old.client, new.client) if c is not None), default=None),
        route=min((r for r in (old.route, new.route) if r is not None), default=None),
        first_id=min(old.first_id, new.first_id),
        signatures=old.signatures | new.signatures,
        weight=max(old.weight, new.weight),
    )
