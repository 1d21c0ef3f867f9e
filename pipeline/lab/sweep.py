"""Sweeps over thresholds: which sets of rules to try, and which of them are worth a thought.

A variant is better than another only if it is worse in nothing. What remains when every variant that
has a better one is taken away is the *front*: between those, a person has to choose what matters more.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import product
from typing import Any

import yaml
from pydantic import ValidationError

from schemas import Rules

VARIANTS_MAX = 64


class SweepError(ValueError):
    """What is to be varied cannot be; the message says which key or value."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One threshold by its dotted key, and the values to try."""

    key: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """One set of rules. `changes`: dotted key and value; none for the rules as they are."""

    changes: tuple[tuple[str, Any], ...]
    rules: Rules

    @property
    def name(self) -> str:
        """The changes in one line."""
        return ", ".join(f"{key}={value}" for key, value in self.changes) or "as it is"


@dataclass(frozen=True, slots=True)
class Tally:
    """What one variant gets wrong; fewer is better in all. Ordered by how bad it is.

    `hidden`: failed lookups of a real outage that were suppressed. `wrong`: reports with a wrong cause.
    `missed`: troubles nobody reported. `unproven`: troubles reported without the cause they have.
    `noise`: reports of nothing, or of what was reported already. `told`: harmless lookups told.
    """

    hidden: int
    wrong: int
    missed: int
    unproven: int
    noise: int
    told: int

    def counts(self) -> tuple[int, ...]:
        """The counts in their order."""
        return tuple(getattr(self, field.name) for field in fields(self))

    def better_than(self, other: "Tally") -> bool:
        """Whether it is worse in nothing and better in something."""
        mine, theirs = self.counts(), other.counts()
        return mine != theirs and all(own <= its for own, its in zip(mine, theirs, strict=True))


def read_axis(text: str) -> Axis:
    """Read `burst.requests=3,5,8`.

    Raises:
        SweepError: it is not of this form.
    """
    key, equals, values = text.partition("=")
    given = tuple(yaml.safe_load(value) for value in values.split(",") if value.strip())
    if not equals or not key.strip() or not given:
        raise SweepError(f"expected KEY=VALUE,VALUE,… such as burst.requests=3,5,8; found {text!r}")
    return Axis(key.strip(), given)


def variants(base: Rules, axes: Sequence[Axis], together: bool) -> list[Variant]:
    """The rules as they are, then each value of each axis by itself, or every combination.

    Raises:
        SweepError: a key or a value is none, or there are more than VARIANTS_MAX.
    """
    if together:
        combined = [
            tuple(zip((axis.key for axis in axes), values, strict=True))
            for values in product(*(axis.values for axis in axes))
        ]
    else:
        combined = [((axis.key, value),) for axis in axes for value in axis.values]
    if len(combined) > VARIANTS_MAX:
        raise SweepError(
            f"{len(combined)} variants are more than {VARIANTS_MAX}: vary fewer values at a time"
        )
    found = [Variant((), base)]
    for changes in combined:
        rules = changed(base, changes)
        if all(rules != one.rules for one in found):
            found.append(Variant(tuple(changes), rules))
    return found


def changed(rules: Rules, changes: Iterable[tuple[str, Any]]) -> Rules:
    """The rules with other values.

    Raises:
        SweepError: there is no such key, or the rules do not allow the value.
    """
    body = rules.model_dump()
    for key, value in changes:
        *sections, name = key.split(".")
        place: Any = body
        for section in sections:
            place = place.get(section) if isinstance(place, dict) else None
        if not isinstance(place, dict) or isinstance(place.get(name, {}), dict | list | tuple):
            raise SweepError(f"there is no threshold {key} (`undercurrent rules` lists them)")
        place[name] = value
    try:
        return Rules.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        told = ", ".join(f"{key}={value}" for key, value in changes)
        raise SweepError(f"{told}: {first['msg'].removeprefix('Value error, ')}") from error


def value_of(rules: Rules, key: str) -> Any:
    """The value of a threshold by its dotted key."""
    found: Any = rules
    for name in key.split("."):
        found = getattr(found, name)
    return found


def front(tallies: Sequence[Tally]) -> list[bool]:
    """For each, whether no other is better."""
    return [not any(other.better_than(one) for other in tallies) for one in tallies]


def proposal(tallies: Sequence[Tally]) -> int | None:
    """Which variant to propose instead of the first, the rules as they are; None: keep them.

    Of those that are better than the first, the one with the least of the worst fault; of equals the
    first, which stands nearest to what was asked for.
    """
    better = [number for number, one in enumerate(tallies) if one.better_than(tallies[0])]
    return min(better, key=lambda number: tallies[number].counts(), default=None)


def as_yaml(variant: Variant) -> str:
    """The changes as the `rules:` section of a settings file."""
    body: dict[str, Any] = {}
    for key, value in variant.changes:
        *sections, name = key.split(".")
        place = body
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = value
    return yaml.safe_dump({"rules": body}, sort_keys=False)
