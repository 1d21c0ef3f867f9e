"""A shelf: things in the order of a key, at most so many of them; the lowest fall off.

The key comes from the things themselves, so two workers that have read the same in another order hold
the same, and a cursor of one is understood by the other.
"""

import math
from bisect import bisect_left, insort
from collections.abc import Callable
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")
Key = tuple[float, str]
"""Event time in unix seconds, and an id."""


class Shelf(Generic[T]):
    """Bounded and sorted. Law: what is on it depends on what was put, not on the order of putting."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._keys: list[Key] = []
        self._things: dict[Key, T] = {}
        self.fallen = 0

    def __len__(self) -> int:
        return len(self._keys)

    def put(self, key: Key, thing: T) -> list[T] | None:
        """Put a thing; returns what fell off for it, or None when that key is there already.

        A thing that would be the lowest on a full shelf falls off itself.
        """
        if key in self._things:
            return None
        insort(self._keys, key)
        self._things[key] = thing
        if len(self._keys) <= self._limit:
            return []
        return [self.drop_lowest()]

    def drop_lowest(self) -> T:
        """Take the lowest thing off. Raises IndexError when there is none."""
        self.fallen += 1
        return self._things.pop(self._keys.pop(0))

    def page(
        self, before: Key | None, limit: int, wanted: Callable[[T], bool] = lambda _: True
    ) -> tuple[list[T], Key | None]:
        """The highest `limit` wanted things below `before`, highest first, and the next page's cursor."""
        end = len(self._keys) if before is None else bisect_left(self._keys, before)
        below = (self._keys[number] for number in range(end - 1, -1, -1))
        found = list(islice((key for key in below if wanted(self._things[key])), limit + 1))
        shown = found[:limit]
        return [self._things[key] for key in shown], shown[-1] if len(found) > limit else None

    def all(self) -> list[tuple[Key, T]]:
        """Everything, lowest first."""
        return [(key, self._things[key]) for key in self._keys]


def cursor(key: Key) -> str:
    """A key as text that `key_of` reads."""
    return f"{key[0]!r}~{key[1]}"


def key_of(text: str) -> Key:
    """The key a cursor stands for.

    Raises:
        ValueError: it is no cursor.
    """
    at, separator, name = text.partition("~")
    if not separator or not math.isfinite(float(at)):
        raise ValueError("no cursor")
    return float(at), name
