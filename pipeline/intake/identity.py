"""Whose line is it: labels → instance, host and domain."""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from pipeline.intake.entry import NO_LABELS, Labels
from pipeline.intake.record import DomainRule
from pipeline.redact import Redactor, redact

_PLACES_MAX = 50_000
"""A fleet of ten thousand instances, each with a place per topic, is remembered whole."""

_SHORT_ID = 12
_GLOB = re.compile(r"[*?[]")


class Place(NamedTuple):
    """`instance`: the container as its shipper names it, None if it names none."""

    instance: str | None
    host: str | None
    domain: str


class Places:
    """Finds the place of labels; what was found is remembered, for there are few places and many lines."""

    def __init__(self, rules: tuple[DomainRule, ...], default_domain: str, hide: Redactor = redact) -> None:
        self._hide = hide
        self._rules = _Rules(rules)
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
        domain = self._rules.domain({**wanted, **named, "topic": topic})
        return Place(instance, host, self._default if domain is None else domain)


class _Rules:
    """Finds the first rule that matches without trying all of them: a large fleet has a thousand.

    A rule is looked up by what one of its patterns begins with, up to the first sign of a glob.
    """

    def __init__(self, rules: tuple[DomainRule, ...]) -> None:
        self._rules = rules
        self._always: list[int] = []
        self._by_head: dict[str, dict[str, list[int]]] = {}
        heads = [
            {name: _GLOB.split(one, maxsplit=1)[0] for name, one in rule.match.items()} for rule in rules
        ]
        kinds: dict[str, set[str]] = {}
        for of_rule in heads:
            for name, head in of_rule.items():
                kinds.setdefault(name, set()).add(head)
        for at, of_rule in enumerate(heads):
            if of_rule:
                # The label with the most heads tells most: of rules for one namespace, each names other pods.
                name = max(of_rule, key=lambda name: len(kinds[name]))
                self._by_head.setdefault(name, {}).setdefault(of_rule[name], []).append(at)
            else:
                self._always.append(at)
        self._lengths = {name: sorted({len(head) for head in found}) for name, found in self._by_head.items()}

    def domain(self, labels: Mapping[str, str]) -> str | None:
        """That of the first rule all of whose labels match; None where none does."""
        likely = list(self._always)
        for name, by_head in self._by_head.items():
            value = labels.get(name, "")
            for length in self._lengths[name]:
                likely += by_head.get(value[:length], ())
        for at in sorted(set(likely)):
            rule = self._rules[at]
            if all(fnmatchcase(labels.get(name, ""), pattern) for name, pattern in rule.match.items()):
                return rule.domain
        return None
