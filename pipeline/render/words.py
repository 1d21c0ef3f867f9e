"""Every word a person reads in a message, keyed by code: one catalogue per language.

A catalogue maps a code to a template with named fields. Counted things have two forms, `….one` and
`….other`. Sentences of evidence, rivals, steps and advice come ready in English from the core; another
language knows their forms and says them its own way (pipeline/render/sentences.py).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline.render import chinese
from pipeline.render.chinese import CHINESE
from pipeline.render.chinese_page import CHINESE_PAGE
from pipeline.render.pagewords import ENGLISH_PAGE
from pipeline.render.sentences import Sentences
from schemas import Cause

ENGLISH: Mapping[str, str] = {
    # what the incident is
    "cause.cpu_saturation": "CPU saturation",
    "cause.cpu_saturation.container": "CPU saturation (container limit)",
    "cause.cpu_saturation.host": "CPU saturation (whole host)",
    "cause.memory_pressure": "memory pressure",
    "cause.storage_latency": "slow storage",
    "cause.client_timeout": "client timeouts",
    "cause.dns_outage": "DNS outage",
    "cause.dns_outage.lookups": "lost DNS lookups",
    "cause.unproven": "no cause proven",
    "cause.open": "cause not known yet",
    "cause.declared": "{cause}",
    "state.open": "Open",
    "state.recovering": "Recovering",
    "state.resolved": "Resolved",
    "headline": "{state}: {cause} · {domain} · {instances}",
    "headline.cause": "{cause}, {confidence} confidence",
    # what happened to it
    "change.opened": "Opened",
    "change.joined": "Spread",
    "change.diagnosed": "Cause named",
    "change.escalated": "Escalated",
    "change.recovering": "Recovering",
    "change.resolved": "Resolved",
    "change.reopened": "Reopened",
    "change.late": "Late events",
    "change.undiagnosed": "Verdict",
    "change.opened_named": "Opened, cause named",
    "change.verdict": "{change}: {cause}",
    "meanwhile": "Meanwhile, {change}: {reason}",
    "meanwhile.counted": "Meanwhile, {change} ({count} times): {reason}",
    # section names
    "label.since": "Since",
    "label.impact": "Impact",
    "label.routes": "Routes",
    "label.clients": "Clients",
    "label.note": "Note",
    "label.facts": "Why",
    "label.rivals": "What it is not",
    "label.timeline": "How it went",
    "label.advice": "What to do",
    "label.noise": "Noise",
    # sentences
    "since.open": "{start}, for {duration} so far",
    "since.over": "{start} to {end}, {duration}",
    "impact": "{parts}",
    "impact.estimated": "about {parts}",
    "impact.none": "no failed request counted",
    "impact.failed.one": "{n} request failed",
    "impact.failed.other": "{n} requests failed",
    "impact.slow.one": "{n} slow",
    "impact.slow.other": "{n} slow",
    "impact.slowed.one": "no request failed, {n} slow",
    "impact.slowed.other": "no request failed, {n} slow",
    "impact.total": "{parts}: {share} of {total} requests",
    "rejected.cpu_saturation": "Not CPU saturation",
    "rejected.memory_pressure": "Not memory pressure",
    "rejected.storage_latency": "Not slow storage",
    "rejected.client_timeout": "Not client timeouts",
    "rejected.dns_outage": "Not a DNS outage",
    "rejected.unproven": "Not without a cause",
    "rejected.declared": "Not {cause}",
    "undecided.cpu_saturation": "CPU saturation, undecided",
    "undecided.memory_pressure": "Memory pressure, undecided",
    "undecided.storage_latency": "Slow storage, undecided",
    "undecided.client_timeout": "Client timeouts, undecided",
    "undecided.dns_outage": "DNS outage, undecided",
    "undecided.unproven": "No cause, undecided",
    "undecided.declared": "{cause}, undecided",
    "noise.suppressed.one": "{n} DNS error suppressed: this incident explains it",
    "noise.suppressed.other": "{n} DNS errors suppressed: this incident explains them",
    "noise.released.one": "{n} DNS error held, then released: nothing harmless explains it",
    "noise.released.other": "{n} DNS errors held, then released: nothing harmless explains them",
    "newly.suppressed.one": "{n} DNS error newly suppressed: this incident explains it",
    "newly.suppressed.other": "{n} DNS errors newly suppressed: this incident explains them",
    "newly.released.one": "{n} DNS error newly released: nothing harmless explains it",
    "newly.released.other": "{n} DNS errors newly released: nothing harmless explains them",
    "noise.late.one": "{n} event came after its second was settled, and was counted late",
    "noise.late.other": "{n} events came after their second was settled, and were counted late",
    # buttons, and what they say in the thread
    "button.acknowledge": "Acknowledge",
    "button.snooze": "Snooze…",
    "button.snooze_for": "for {duration}",
    "button.wrong_cause": "Wrong cause? It was…",
    "button.no_trouble": "no trouble at all",
    "button.suppressed": "Show {n} suppressed",
    "call.first": "🔔 {who}",
    "call.again": "⏰ Nobody has taken this for {duration}: {who}",
    "feedback.acknowledged": "👀 {who} looks after it since {time}",
    "feedback.snoozed": "💤 {who} wants no calls until {until}",
    "feedback.wrong_cause": "✍️ {who} says at {time}: not {said}, but {right}",
    "feedback.asked_suppressed": "🔇 {who} asks what was suppressed",
    "feedback.unread": "the decisions could not be read now: `undercurrent explain {incident}` shows them",
    # the timeline picture
    "panel.cpu": "CPU",
    "panel.memory": "Memory",
    "panel.requests": "Requests",
    "panel.storage": "Storage, p95 at its own side",
    "panel.dns": "DNS errors",
    "curve.cpu": "use, of its limit",
    "curve.limit": "limit",
    "curve.throttled": "periods throttled",
    "curve.unthrottled": "no periods throttled",
    "curve.pressure": "time spent waiting for CPU",
    "curve.memory": "working set, of its limit",
    "curve.failed": "failed",
    "curve.slow": "slow",
    "curve.storage": "p95",
    "curve.dns_suppressed": "suppressed",
    "curve.dns_released": "released",
    "curve.dns_held": "held",
    "mark.verdict": "cause named",
    "mark.over": "last sign of trouble",
    "alt.title": "Timeline from {start} to {end}. {headline}",
    "alt.cpu_ratio": "CPU use up to {share} of its limit",
    "alt.throttled_ratio": "up to {share} of periods throttled",
    "alt.storage_seconds": "storage p95 up to {p95}",
    "alt.dns_failed": "{n} DNS errors",
    "alt.dns_suppressed": "{n} of them suppressed",
    "alt.between": "; ",
    "link.page": "Incident page",
    "link.runbook": "Runbook",
    "later": "+{duration}",
    "colon": ": ",
    "more": "… and {n} more",
    "footer": "undercurrent · {incident}",
    # many incidents at once
    "storm.headline.one": "{n} incident waits to be told",
    "storm.headline.other": "{n} incidents wait to be told",
    "storm.domains.one": "in {n} domain",
    "storm.domains.other": "in {n} domains",
    "storm.text": "They began {domains} at about the same time. Each gets its own message, the worst first,"
    " as fast as Slack takes them: the last in about {duration}. None is left out.",
    "storm.over": "All incidents are told",
    "storm.over.text": "{told} incidents had to wait; each has its own message now.",
    # the first line of every message of a replay
    "replay.mark": "⏪ Replay: this is the past, told again on request. Nobody needs to act.",
    # a message that tests the way to Slack
    "test.headline": "Test: undercurrent can post here",
    "test.text": "This is a test message. Nothing is wrong and nothing needs to be done.",
    # numbers and times
    "time": "{time} UTC",
    "time.local": "{local} local",
    "duration.days": "{n} d",
    "duration.hours": "{n} h",
    "duration.minutes": "{n} min",
    "duration.seconds": "{n} s",
    "latency.ms": "{n} ms",
    "latency.s": "{n} s",
    "percent": "{n} %",
    "percent.little": "under 1 %",
    "thousands": ",",
    "between": ", ",
}

ENGLISH_FORMS: Mapping[str, str] = {
    "cause: {cause} ({ratio}): {part}": "{cause}, {ratio} confidence: {part}",
    "cause: {cause} ({ratio})": "{cause}, {ratio} confidence",
    "{part}; cause: {cause} ({ratio})": "{part}; cause: {cause}, {ratio} confidence",
    "{name} is in the same trouble again, {cause}, since {time}": (
        "{name} is in the same trouble again, {cause}, since {time}"
    ),
    "follows {name} ({cause}) on {name:instance}": "follows {name} ({cause}) on {instance}",
    "was taken for {cause} at first": "was taken for {cause} at first",
    "its marks are seen, but {cause} is proven, and that wins over it": (
        "its marks are seen, but {cause} is proven, and that wins over it"
    ),
    "{part}; told {age} after it happened, because Undercurrent is behind": (
        "{part}; told {age} after it happened, because Undercurrent is behind"
    ),
}
"""The form of a sentence that holds a code, or another such sentence → how people say it."""

CATALOGUES: Mapping[str, Mapping[str, str]] = {
    "en": {**ENGLISH, **ENGLISH_PAGE},
    "zh": {**CHINESE, **CHINESE_PAGE},
}

_UNITS = (("days", 86_400), ("hours", 3600), ("minutes", 60), ("seconds", 1))


def _english(kind: str, value: str) -> str:
    """A value of a sentence as people say it: the core names causes by their codes."""
    if kind == "cause":
        return ENGLISH.get(f"cause.{value}", value.replace("_", " "))
    return f"{round(100 * float(value))} %" if kind == "ratio" else value


SENTENCES: Mapping[str, Sentences] = {
    "en": Sentences(ENGLISH_FORMS, _english),
    "zh": Sentences(chinese.FORMS, chinese.value),
}
"""How a language says the core's sentences; English says them as they are, but for the codes of causes."""


@dataclass(frozen=True, slots=True)
class Words:
    """One language: looks up codes and writes numbers, shares, durations and times its way."""

    texts: Mapping[str, str]
    sentences: Callable[[str], str] = str

    def __call__(self, code: str, **fields: object) -> str:
        """The text of `code` with its fields filled in. Raises KeyError for an unknown code."""
        return self.texts[code].format(**fields)

    def sentence(self, english: str) -> str:
        """A sentence of the core in this language."""
        return self.sentences(english)

    def named(self, code: str, cause: Cause | str) -> str:
        """What `code` (`cause`, `rejected`, `undecided`) says of a cause; a declared one goes by its name."""
        if isinstance(cause, Cause):
            return self(f"{code}.{cause}")
        text = self(f"{code}.declared", cause=cause.replace("_", " "))
        return text if code == "cause" else text[:1].upper() + text[1:]

    def counted(self, code: str, n: int) -> str:
        """The form of `code` for `n` things."""
        return self(f"{code}.{'one' if n == 1 else 'other'}", n=self.number(n))

    def number(self, n: int) -> str:
        """`n` with its thousands marked."""
        return f"{n:,}".replace(",", self.texts["thousands"])

    def listed(self, names: Sequence[str]) -> str:
        """Names one after the other, as a sentence lists them."""
        head, last = names[:-1], names[-1:]
        return self("and").join([*([self("between").join(head)] if head else []), *last])

    def percent(self, ratio: float) -> str:
        """A ratio from 0 to 1 in whole percent; never 0 for something, nor 100 for less than all."""
        if 0 < ratio < 0.01:
            return self("percent.little")
        return self("percent", n=math.floor(ratio * 100 + 0.5) if ratio < 0.99 else math.floor(ratio * 100))

    def duration(self, seconds: float) -> str:
        """A duration in its two largest units, or one, so that it can be read at a glance."""
        left = max(0, round(seconds))
        parts = []
        for unit, length in _UNITS:
            count, left = divmod(left, length)
            parts.append((unit, count))
        first = next((n for n, (_, count) in enumerate(parts) if count), len(parts) - 1)
        shown = [parts[first], *(one for one in parts[first + 1 : first + 2] if one[1])]
        return " ".join(self(f"duration.{unit}", n=count) for unit, count in shown)

    def time(self, at: float) -> str:
        """An instant as HH:MM:SS UTC."""
        return self("time", time=clock(at))


def clock(at: float) -> str:
    """Unix seconds as HH:MM:SS in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")


def catalogue(language: str) -> Words:
    """The words of `language`. Raises ValueError, naming the languages there are, for any other."""
    if language not in CATALOGUES:
        raise ValueError(f"no messages in language {language!r}; there are: {', '.join(sorted(CATALOGUES))}")
    return Words(CATALOGUES[language], SENTENCES.get(language, str))
