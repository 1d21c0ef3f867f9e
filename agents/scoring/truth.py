"""The truth about a case of the corpus: what was wrong, where and when, and which lookups mattered."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class TruthError(ValueError):
    """A truth cannot be read; the message names the case and what is wrong."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One real incident. `instances`: any of them may be named. Times are unix seconds.

    `acceptable`: further answers that are right, `unproven` where the decisive evidence is absent.
    """

    cause: str
    instances: tuple[str, ...]
    start: float
    end: float
    acceptable: tuple[str, ...] = ()

    @property
    def right(self) -> frozenset[str]:
        """The causes that are a right answer."""
        return frozenset({self.cause, *self.acceptable})


@dataclass(frozen=True, slots=True)
class Window:
    """A place and time; `instances` empty: everywhere."""

    instances: tuple[str, ...]
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Tolerance:
    """A cause that may be reported besides, and is neither right nor wrong."""

    cause: str
    where: Window


@dataclass(frozen=True, slots=True)
class Truth:
    """All that is true about a case."""

    troubles: tuple[Trouble, ...] = ()
    suppressible: tuple[Window, ...] = ()
    genuine: tuple[Window, ...] = ()
    tolerated: tuple[Tolerance, ...] = ()


def read_truth(name: str, given: Mapping[str, Any], offset: float = 0.0) -> Truth:
    """Read the form of truth.json; its times are `offset` seconds after the epoch's zero.

    Raises:
        TruthError: a key or a value is not as it must be.
    """
    try:
        ambiguous = {item["cause"] for item in given.get("ambiguous", ())}
        return Truth(
            troubles=tuple(_trouble(item, offset) for item in given.get("incidents", ())),
            suppressible=tuple(_window(item, offset) for item in given.get("dns_suppressible", ())),
            genuine=tuple(_window(item, offset) for item in given.get("dns_genuine", ())),
            tolerated=(
                *(Tolerance(item["cause"], _window(item, offset)) for item in given.get("ambiguous", ())),
                *(
                    Tolerance(cause, Window((), -math.inf, math.inf))
                    for cause in given.get("tolerated", ())
                    if cause not in ambiguous
                ),
            ),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise TruthError(f"{name}: the truth cannot be read ({error!r})") from error


def _trouble(item: Mapping[str, Any], offset: float) -> Trouble:
    low, high = item["start"], item["end"]
    accepted = item.get("acceptable_end", (high,))
    return Trouble(
        item["cause"], _instances(item), low + offset, max(high, *accepted, high) + offset,
        tuple(item.get("acceptable", ())),
    )  # fmt: skip


def _window(item: Mapping[str, Any], offset: float) -> Window:
    return Window(_instances(item), item["start"] + offset, item["end"] + offset)


def _instances(item: Mapping[str, Any]) -> tuple[str, ...]:
    if "instances" in item:
        return tuple(item["instances"])
    return (item["instance"],) if item.get("instance") else ()
