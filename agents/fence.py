"""Who reads a raw partition now: so that a reader who was frozen and woke up too late is not believed.

Each time an intake gets its partitions it takes a *term*, higher than that of any reader before it, and
commits it with its positions before it writes anything. Frames and progress carry the term and the
partitions of their reader as a header. Kafka refuses the commits of a reader once its group has gone on
without it, so what it had not committed is read again by its successors; whatever it writes after they
have spoken is therefore a repetition, and too old, perhaps, to be recognised by its content.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import orjson

HEADER = "undercurrent-reader"


@dataclass(frozen=True, slots=True)
class Reader:
    """One intake between two assignments. `sources`: its raw partitions, as `topic/partition`."""

    term: int
    sources: tuple[str, ...]

    def header(self) -> tuple[str, bytes]:
        """This reader as a record header."""
        return HEADER, orjson.dumps({"term": self.term, "sources": self.sources})

    @classmethod
    def of(cls, headers: Any) -> Self | None:
        """The reader that wrote a record; None where it does not say, as before there were terms."""
        found = dict(headers or ()).get(HEADER)
        if found is None:
            return None
        try:
            body = orjson.loads(found)
            return cls(int(body["term"]), tuple(map(str, body["sources"])))
        except (ValueError, KeyError, TypeError):
            return None


@dataclass(slots=True)
class Fence:
    """The highest term heard of each raw partition."""

    terms: dict[str, int] = field(default_factory=dict)

    def admits(self, reader: Reader | None) -> bool:
        """Whether nobody has taken over from `reader` yet; remembers its term if so."""
        if reader is None:
            return True
        if any(self.terms.get(source, 0) > reader.term for source in reader.sources):
            return False
        self.terms |= dict.fromkeys(reader.sources, reader.term)
        return True

    def learn(self, terms: Mapping[str, int]) -> None:
        """Take over what was stored."""
        for source, term in terms.items():
            self.terms[source] = max(term, self.terms.get(source, 0))


def next_term(before: Iterable[int], clock_ms: int) -> int:
    """A term above all `before`. The clock makes it so even where what was committed is lost."""
    return max([clock_ms, *(term + 1 for term in before)])
