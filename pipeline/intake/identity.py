"""Whose line is it: labels → instance, host and domain."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from pipeline.intake.entry import NO_LABELS, Labels
from pipeline.intake.record import DomainRule
from pipeline.redact import Redactor, redact

_PLACES_MAX = 10_000
_SHORT_ID = 12


class Place(NamedTuple):
    """`instance`: the container as its shipper names it, None if it names none."""

    instance: str | None
    host: str | None
    domain: str


class Places:
    """Finds the place of labels; what was found is remembered, for there are few places and many lines."""

    def __init__(self, rules: tuple[DomainRule, ...], default_domain: str, hide: Redactor = redact) -> None:
        self._hide = hide
        self._rules = rules
        self._default = default_domain
        names = {name for rule in rules for name in rule.match}
        self._extra = tuple(
            sorted(name.removeprefix("label.") for name in names if name.startswith("label."))
        )
        self._known: dict[tuple[object, ...], Place] = {}

    def find(self, labels: Labels, topic: str, extra: Mapping[str, Any] = NO_LABELS) -> Place:
        """The instance is the pod, else the container, else the first 12 digits of the container id."""
        key: tuple[object, ...] = (labels, topic)
        if self._extra:
            key += tuple(str(extra.get(name, "")) for name in self._extra)
        place = self._known.get(key)
        if place is None:
            if len(self._known) >= _PLACES_MAX:
                self._known.clear()
            place = self._known[key] = self._find(labels, topic, extra)
        return place

    def _find(self, labels: Labels, topic: str, extra: Mapping[str, Any]) -> Place:
        instance = labels.pod or labels.container or (labels.container_id or "")[:_SHORT_ID] or None
        instance, host = (name and self._hide(name) for name in (instance, labels.host))
        named = {name: value or "" for name, value in labels._asdict().items()}
        wanted = {f"label.{name}": str(extra.get(name, "")) for name in self._extra}
        return Place(instance, host, self._domain({**wanted, **named, "topic": topic}))

    def _domain(self, labels: Mapping[str, str]) -> str:
        for rule in self._rules:
            if all(fnmatchcase(labels.get(name, ""), pattern) for name, pattern in rule.match.items()):
                return rule.domain
        return self._default
