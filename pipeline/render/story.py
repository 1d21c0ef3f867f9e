"""Change → content: what a message says, in which order, before anyone decides how it looks.

The structure knows nothing of Slack or terminals and holds no words of its own: texts come from the
core or, through `pipeline/render/words.py`, from the language's catalogue. Nothing is escaped here.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pipeline.render.clean import cut
from pipeline.render.links import Link, links_of
from pipeline.render.words import Words
from pipeline.telling import Reply
from schemas import Cause, Change, ChangeKind, Impact, Incident, IncidentState, Rival, RivalStanding

T = TypeVar("T")

FACTS_SHOWN = 3
NAMES_SHOWN = 3
NAME_LENGTH = 40
COUNTS_SHOWN = 4
LINES_SHOWN = 6
STEPS_SHOWN = 8

_PRODUCT = re.compile(r"([^\s/()]+/[^\s()]+(?: \([^()]*\))?)(?: \S.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Some(Generic[T]):
    """The first of many, most important first, and how many were left out."""

    shown: tuple[T, ...]
    more: int

    def __bool__(self) -> bool:
        return bool(self.shown)


Counts = Some[tuple[str, int]]
"""Names from logs with how often each was hit."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A rival cause: `rejected` or still open, what to call it, and the reason."""

    rejected: bool
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Moment:
    """One step of the timeline; `at` in unix seconds. `skipped` steps were left out just before it."""

    at: float
    text: str
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Story:
    """Everything the message of one incident says, in reading order.

    `since`, `until`: unix seconds of event time; `until` is the end of the trouble when `over`, else
    how far the story has got. `changed`, `reason`, `at`: the change it was last told for.
    """

    incident_id: str
    seq: int
    kind: ChangeKind
    state: IncidentState
    verdict: str
    headline: str
    domain: str
    instances: Some[str]
    changed: str
    reason: str
    at: float
    since: float
    until: float
    over: bool
    duration: str
    impact: str
    routes: Counts
    clients: Counts
    note: str | None
    facts: Some[str]
    rivals: Some[Standing]
    advice: Some[str]
    timeline: tuple[Moment, ...]
    noise: tuple[str, ...]
    links: tuple[Link, ...]
    footer: str


def story(change: Change, words: Words, links: Mapping[str, str] | None = None) -> Story:
    """The content of the incident's root message as it stands after `change`.

    `links`: label to template; a label that is a code of the catalogue (`page`, `runbook`) is worded by it.
    """
    incident = change.incident
    over = incident.state is IncidentState.RESOLVED and incident.resolved_at is not None
    until = incident.resolved_at if over and incident.resolved_at is not None else change.at
    facts = [_placed(words.sentence(one.text), one.instance, incident) for one in incident.evidence]
    rivals = [_standing(one, incident, words) for one in incident.rejected]
    advice = [_placed(words.sentence(one.text), None, incident) for one in incident.advice]
    return Story(
        incident_id=incident.id,
        seq=change.seq,
        kind=change.kind,
        state=incident.state,
        verdict=verdict(incident, words),
        headline=headline(incident, words),
        domain=incident.domain,
        instances=_first(incident.instances, NAMES_SHOWN),
        changed=_changed(change, words),
        reason=words.sentence(change.reason),
        at=change.at,
        since=incident.first_symptom_at,
        until=until,
        over=over,
        duration=words.duration(until - incident.first_symptom_at),
        impact=impact(incident.impact, words),
        routes=_counts(incident.impact.routes),
        clients=_counts(_by_product(incident.impact.clients)),
        note=words.sentence(incident.trigger) if incident.trigger else None,
        facts=_first(facts, FACTS_SHOWN),
        rivals=_first(sorted(rivals, key=lambda one: not one.rejected), LINES_SHOWN),
        advice=_first(advice, LINES_SHOWN),
        timeline=_shown_steps(steps_of(incident, words)),
        noise=_noise(incident, words),
        links=links_of(
            {_label(label, words): template for label, template in (links or {}).items()}, incident, change.at
        ),
        footer=words("footer", incident=incident.id),
    )


def verdict(incident: Incident, words: Words) -> str:
    """The cause with its confidence, or that there is none: yet, or for good."""
    if incident.cause is Cause.UNPROVEN:
        return words("cause.open" if incident.verdict_at is None else "cause.unproven")
    named = f"cause.{incident.cause}.{incident.level}"
    cause = words(named) if named in words.texts else words.named("cause", incident.cause)
    return words("headline.cause", cause=cause, confidence=words.percent(incident.confidence))


def headline(incident: Incident, words: Words) -> str:
    """The first line: state, cause and confidence, domain, instances."""
    return words(
        "headline",
        state=words(f"state.{incident.state}"),
        cause=verdict(incident, words),
        domain=cut(incident.domain, NAME_LENGTH),
        instances=joined(_first([cut(name, NAME_LENGTH) for name in incident.instances], NAMES_SHOWN), words),
    )


def impact(loss: Impact, words: Words) -> str:
    """What users lost, in requests: failed, slow, and their share of all where that is known."""
    slow = "slow" if loss.requests_failed else "slowed"
    parts = [
        words.counted(f"impact.{name}", n)
        for name, n in (("failed", loss.requests_failed), (slow, loss.requests_slow))
        if n
    ]
    if not parts:
        return words("impact.none")
    text = words("between").join(parts)
    lost = loss.requests_failed + loss.requests_slow
    if loss.requests_total is not None and loss.requests_total >= lost:
        share, total = words.percent(lost / loss.requests_total), words.number(loss.requests_total)
        text = words("impact.total", parts=text, share=share, total=total)
    return words("impact.estimated" if loss.estimated else "impact", parts=text)


def reply(told: Reply, words: Words) -> tuple[str, str, tuple[str, ...]]:
    """One step of the thread: what changed, its reason, and what else happened since the last one."""
    change = told.change
    changed = _changed(change, words)
    if change.kind is ChangeKind.OPENED and change.incident.cause is not Cause.UNPROVEN:
        changed = words("change.opened_named")
    if change.kind in (ChangeKind.OPENED, ChangeKind.DIAGNOSED, ChangeKind.ESCALATED):
        changed = words("change.verdict", change=changed, cause=verdict(change.incident, words))
    ruled = (("suppressed", told.suppressed), ("released", told.released))
    noise = tuple(words.counted(f"newly.{name}", n) for name, n in ruled if n)
    others = tuple(
        words(
            "meanwhile" if one.count == 1 else "meanwhile.counted",
            change=words(f"change.{one.kind}").lower(),
            count=one.count,
            reason=words.sentence(one.reason),
        )
        for one in told.meanwhile
    )
    return changed, _placed(words.sentence(change.reason), None, change.incident), (*noise, *others)


def product(client: str) -> str:
    """A client by its product and comment: what a user agent says of libraries and kernels helps nobody."""
    found = _PRODUCT.fullmatch(client)
    return found[1] if found else client


def _by_product(clients: Mapping[str, int]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for client, n in clients.items():
        counts[product(client)] = counts.get(product(client), 0) + n
    return counts


def _label(label: str, words: Words) -> str:
    return words.texts.get(f"link.{label}", label)


def joined(names: Some[str], words: Words) -> str:
    """Names in a row, with how many more there are."""
    return words("between").join([*names.shown, *([words("more", n=names.more)] if names.more else [])])


def _changed(change: Change, words: Words) -> str:
    named = change.kind is not ChangeKind.DIAGNOSED or change.incident.cause is not Cause.UNPROVEN
    return words(f"change.{change.kind}" if named else "change.undiagnosed")


def _first(all_of_them: Sequence[T], limit: int) -> Some[T]:
    return Some(tuple(all_of_them[:limit]), max(0, len(all_of_them) - limit))


def _counts(by_name: Mapping[str, int]) -> Counts:
    return _first(sorted(by_name.items(), key=lambda item: (-item[1], item[0])), COUNTS_SHOWN)


def _placed(text: str, instance: str | None, incident: Incident) -> str:
    """Name clients by their product, and the instance where there are several and the sentence does not."""
    for client in incident.impact.clients:
        text = text.replace(client, product(client))
    if instance is None or len(incident.instances) < 2 or instance in text:
        return text
    return f"{instance}: {text}"


def _standing(rival: Rival, incident: Incident, words: Words) -> Standing:
    name = words.named(rival.standing, rival.cause)
    reason = words.sentence(rival.reason)
    return Standing(rival.standing is RivalStanding.REJECTED, name, _placed(reason, None, incident))


def steps_of(incident: Incident, words: Words) -> list[Moment]:
    """The steps of the cascade in order of time."""
    steps = sorted(incident.timeline, key=lambda step: (step.at, step.step, step.instance or ""))
    return [Moment(step.at, _placed(words.sentence(step.text), step.instance, incident)) for step in steps]


def _shown_steps(moments: list[Moment]) -> tuple[Moment, ...]:
    """Of too many steps the middle is left out: how it began and ended stays."""
    skipped = len(moments) - STEPS_SHOWN
    if skipped <= 0:
        return tuple(moments)
    head = STEPS_SHOWN * 2 // 3
    first, *tail = moments[head + skipped :]
    return (*moments[:head], Moment(first.at, first.text, skipped), *tail)


def _noise(incident: Incident, words: Words) -> tuple[str, ...]:
    counts = (("suppressed", incident.suppressed), ("released", incident.released), ("late", incident.late))
    return tuple(words.counted(f"noise.{name}", n) for name, n in counts if n)
