"""Every word a person reads in a message, keyed by code: one catalogue per language.

A catalogue maps a code to a template with named fields. Counted things have two forms, `….one` and
`….other`. Sentences of evidence, rivals, steps and advice come ready in English from the core; a
catalogue of another language renders them from their code and values (`fact.<code>`, `step.<code>`,
`advice.<code>`, `rival.<cause>`) and falls back to the English sentence where it has no template.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

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
    "impact.total": "{parts}, {share} of {total}",
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
    "noise.late.one": "{n} event came after its second was settled, and was counted late",
    "noise.late.other": "{n} events came after their second was settled, and were counted late",
    "later": "+{duration}",
    "more": "… and {n} more",
    "footer": "undercurrent · {incident}",
    # a message that tests the way to Slack
    "test.headline": "Test: undercurrent can post here",
    "test.text": "This is a test message. Nothing is wrong and nothing needs to be done.",
    # numbers and times
    "time": "{time} UTC",
    "time.local": "{local} local",
    "duration.seconds": "{s} s",
    "duration.minutes": "{m} min {s} s",
    "duration.hours": "{h} h {m} min",
    "duration.days": "{d} d {h} h",
    "percent": "{n} %",
    "percent.little": "under 1 %",
    "thousands": ",",
    "between": ", ",
}

CATALOGUES: Mapping[str, Mapping[str, str]] = {"en": ENGLISH}


@dataclass(frozen=True, slots=True)
class Words:
    """One language: looks up codes and writes numbers, shares, durations and times its way."""

    texts: Mapping[str, str]

    def __call__(self, code: str, **fields: object) -> str:
        """The text of `code` with its fields filled in. Raises KeyError for an unknown code."""
        return self.texts[code].format(**fields)

    def sentence(self, code: str, ready: str, values: Mapping[str, float]) -> str:
        """The catalogue's own sentence for `code`, or the ready English one where it has none."""
        template = self.texts.get(code)
        return ready if template is None else template.format(**values)

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

    def percent(self, ratio: float) -> str:
        """A ratio from 0 to 1 in whole percent; never 0 for something, nor 100 for less than all."""
        if 0 < ratio < 0.01:
            return self("percent.little")
        return self("percent", n=math.floor(ratio * 100 + 0.5) if ratio < 0.99 else math.floor(ratio * 100))

    def duration(self, seconds: float) -> str:
        """A duration in its two largest units, so that it can be read at a glance."""
        whole = max(0, round(seconds))
        minutes, s = divmod(whole, 60)
        hours, m = divmod(minutes, 60)
        days, h = divmod(hours, 24)
        if days:
            return self("duration.days", d=days, h=h)
        if hours:
            return self("duration.hours", h=h, m=m)
        return self("duration.minutes", m=m, s=s) if minutes else self("duration.seconds", s=s)

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
    return Words(CATALOGUES[language])
