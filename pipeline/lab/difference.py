"""What differs between two sides: incidents, noise and messages. Words are not compared, facts are.

Incidents are matched in three steps, each of which leaves the rest to the next:

1. equal ids: the same signal opened both;
2. same domain, a shared instance and overlapping time: the pair with the same cause first, then the
   one with the longest overlap;
3. one that is left over was *merged* (or *split* off, seen from the other side) if a matched incident
   at the same place and time took it over: it reaches into its time, which its own partner did not, or
   it counts more failed requests than its partner did. Otherwise it was *lost* (or *gained*).

Noise is matched by what was looked up, where, and when. Messages are compared by incident, so a
message that comes a few seconds later is no difference.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from pipeline.lab.said import Message, Side
from schemas import Decision, Incident, Outcome


class Kind(StrEnum):
    """What became of incidents."""

    GAINED = "gained"
    LOST = "lost"
    MERGED = "merged"
    SPLIT = "split"
    CAUSE = "cause changed"
    FIGURES = "figures changed"


Value = str | float | int | None


@dataclass(frozen=True, slots=True)
class Figure:
    """One fact of an incident that differs. Times are unix seconds."""

    name: str
    old: Value
    new: Value


@dataclass(frozen=True, slots=True)
class IncidentDifference:
    """Incidents that belong together and differ. `figures` where there is one on each side."""

    kind: Kind
    old: tuple[Incident, ...]
    new: tuple[Incident, ...]
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True, slots=True)
class NoiseDifference:
    """`count` failed lookups of one second that were decided on differently; None: not decided on."""

    decision: Decision
    count: int
    old: Outcome | None
    new: Outcome | None


@dataclass(frozen=True, slots=True)
class MessageDifference:
    """Messages of one kind about one incident. `by`: how many more the new side sends, below 0 fewer."""

    incident: Incident
    act: str
    kind: str
    by: int


@dataclass(frozen=True, slots=True)
class Difference:
    """All that differs. `messages` is None where a side does not tell its changes."""

    incidents: tuple[IncidentDifference, ...]
    noise: tuple[NoiseDifference, ...]
    messages: tuple[MessageDifference, ...] | None

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not (self.incidents or self.noise or self.messages)


@dataclass(slots=True)
class _Group:
    """Incidents of both sides that belong together."""

    old: list[Incident]
    new: list[Incident]


def compare(old: Side, new: Side) -> Difference:
    """Say what differs between two sides of the same history."""
    groups = _matched(old.incidents, new.incidents)
    incidents = [found for group in groups if (found := _of_group(group)) is not None]
    messages = None
    if old.messages is not None and new.messages is not None:
        messages = tuple(_messages(groups, old.messages, new.messages))
    return Difference(tuple(incidents), tuple(_noise(old.decisions, new.decisions)), messages)


def _matched(old: tuple[Incident, ...], new: tuple[Incident, ...]) -> list[_Group]:
    """Groups of one or more on each side, then those with an empty side; ordered by time."""
    left = {incident.id: incident for incident in old}
    right = {incident.id: incident for incident in new}
    groups = [_Group([left.pop(name)], [right.pop(name)]) for name in [*left] if name in right]
    candidates = sorted(
        ((one, other) for one in left.values() for other in right.values() if _meet(one, other)),
        key=lambda pair: (pair[0].cause != pair[1].cause, -_overlap(*pair), pair[0].id, pair[1].id),
    )
    for one, other in candidates:
        if one.id in left and other.id in right:
            groups.append(_Group([left.pop(one.id)], [right.pop(other.id)]))
    paired = [(group, group.old[0], group.new[0]) for group in groups]
    for rest, is_old in ((left, True), (right, False)):
        for incident in [*rest.values()]:
            for group, partner, taker in paired if is_old else ((g, n, o) for g, o, n in paired):
                if _takes_over(taker, partner, incident):
                    (group.old if is_old else group.new).append(rest.pop(incident.id))
                    break
    groups += [_Group([incident], []) for incident in left.values()]
    groups += [_Group([], [incident]) for incident in right.values()]
    return sorted(groups, key=lambda group: _order((*group.old, *group.new)))


def _order(incidents: Iterable[Incident]) -> tuple[float, str]:
    return min((incident.first_symptom_at, incident.id) for incident in incidents)


def _meet(one: Incident, other: Incident) -> bool:
    shared = set(one.instances) & set(other.instances)
    return one.domain == other.domain and bool(shared) and _overlap(one, other) >= 0


def _overlap(one: Incident, other: Incident) -> float:
    """Seconds both last; negative where they do not meet in time."""
    return min(_end(one), _end(other)) - max(one.first_symptom_at, other.first_symptom_at)


def _end(incident: Incident) -> float:
    return math.inf if incident.resolved_at is None else incident.resolved_at


def _takes_over(taker: Incident, partner: Incident, incident: Incident) -> bool:
    """Whether `taker`, which is `partner` on the other side, has taken in what was `incident` there."""
    if not _meet(taker, incident):
        return False
    grown = taker.impact.requests_failed > partner.impact.requests_failed
    return grown or _overlap(partner, incident) < 0


def _of_group(group: _Group) -> IncidentDifference | None:
    old, new = tuple(group.old), tuple(group.new)
    if not new:
        return IncidentDifference(Kind.LOST, old, new)
    if not old:
        return IncidentDifference(Kind.GAINED, old, new)
    figures = tuple(_figures(old[0], new[0]))
    if len(old) > 1:
        return IncidentDifference(Kind.MERGED, old, new, figures)
    if len(new) > 1:
        return IncidentDifference(Kind.SPLIT, old, new, figures)
    if old[0].cause != new[0].cause:
        return IncidentDifference(Kind.CAUSE, old, new, figures)
    return IncidentDifference(Kind.FIGURES, old, new, figures) if figures else None


def _figures(old: Incident, new: Incident) -> Iterator[Figure]:
    for (name, before), (_, after) in zip(_facts(old), _facts(new), strict=True):
        if before != after:
            yield Figure(name, before, after)


def _facts(incident: Incident) -> list[tuple[str, Value]]:
    return [
        ("cause", str(incident.cause)),
        ("level", incident.level),
        ("confidence", round(incident.confidence, 2)),
        ("instances", ", ".join(incident.instances)),
        ("state", incident.state.value),
        ("first_symptom_at", incident.first_symptom_at),
        ("opened_at", incident.opened_at),
        ("verdict_at", incident.verdict_at),
        ("resolved_at", incident.resolved_at),
        ("requests_failed", incident.impact.requests_failed),
        ("requests_slow", incident.impact.requests_slow),
    ]


_Looked = tuple[str, str, str, str, str, str, float]


def _noise(old: tuple[Decision, ...], new: tuple[Decision, ...]) -> Iterator[NoiseDifference]:
    before, after = _by_lookup(old), _by_lookup(new)
    examples = {_looked(decision): decision for decision in (*old, *new)}
    for key in sorted(examples, key=lambda key: (key[-1], key)):
        was, is_ = before.get(key, Counter()), after.get(key, Counter())
        for (one, other), count in _flows(was - is_, is_ - was):
            yield NoiseDifference(examples[key], count, one, other)


_Flow = tuple[tuple[Outcome | None, Outcome | None], int]


def _flows(old: Counter[Outcome], new: Counter[Outcome]) -> Iterator[_Flow]:
    """How many went from which outcome to which; what has no counterpart came from or went to None."""
    left, right = +old, +new
    for one in Outcome:
        for other in Outcome:
            count = min(left[one], right[other])
            if count:
                left[one] -= count
                right[other] -= count
                yield (one, other), count
    yield from (((one, None), count) for one, count in (+left).items())
    yield from (((None, other), count) for other, count in (+right).items())


def _by_lookup(decisions: Iterable[Decision]) -> dict[_Looked, Counter[Outcome]]:
    found: dict[_Looked, Counter[Outcome]] = {}
    for decision in decisions:
        found.setdefault(_looked(decision), Counter())[decision.outcome] += decision.count
    return found


def _looked(decision: Decision) -> _Looked:
    """What was looked up, where and when."""
    return (
        decision.domain, decision.instance or "", decision.host or "", decision.kind.value,
        decision.upstream or "", decision.question or "", decision.symptom_at,
    )  # fmt: skip


def _messages(
    groups: list[_Group], old: tuple[Message, ...], new: tuple[Message, ...]
) -> Iterator[MessageDifference]:
    for group in groups:
        before = _counted(old, {incident.id for incident in group.old})
        after = _counted(new, {incident.id for incident in group.new})
        incident = (group.new or group.old)[0]
        for act, kind in sorted({*before, *after}):
            by = after[act, kind] - before[act, kind]
            if by:
                yield MessageDifference(incident, act, kind, by)


def _counted(messages: Iterable[Message], ids: set[str]) -> Counter[tuple[str, str]]:
    return Counter((one.act, one.kind.value) for one in messages if one.incident_id in ids)
