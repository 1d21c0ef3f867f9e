r"""Patterns that people write and text from logs runs through: none may be able to stall the reader.

Python's matcher tries one way after the other, so what a pattern can cost is the number of ways in
which it can match from one place, times the places. The ways are counted here from the pattern:
a choice adds, a sequence multiplies, a repeat raises to a power. `(a+)+` has more ways than there are
stars, `\d+ of \d+` has four million, `x509: .* expired` two thousand; only the last is taken.
"""

import re

TEXT_CHARACTERS_MAX = 2_048
"""Characters of a text that a pattern is looked for in; an open-ended repeat has at most so many ways."""

WAYS_MAX = 4 * TEXT_CHARACTERS_MAX + 4
"""One open-ended repeat and a choice of four beside it: 0.1 s or so for the worst of texts."""

REPEATS_MAX = 6
"""How often a group may be repeated that itself can match in several ways."""

PATTERN_CHARACTERS_MAX = 256

_QUANTIFIER = re.compile(r"(?:([*+?])|\{(\d{1,6})?(,)?(\d{1,6})?\})[?+]?")
_IGNORE_CASE = "(?i)"


def looked_at(text: str) -> str:
    """What patterns are looked for in: the begin of `text`, its white space made single spaces.

    An error may go over several lines.
    """
    return " ".join(text[: 2 * TEXT_CHARACTERS_MAX].split())[:TEXT_CHARACTERS_MAX]


def checked(pattern: str) -> str:
    """`pattern` as it is, once it is known to be usable.

    Raises:
        ValueError: it is no regular expression, can cost too much, or is found in every text.
    """
    if len(pattern) > PATTERN_CHARACTERS_MAX:
        raise ValueError(
            f"a pattern has at most {PATTERN_CHARACTERS_MAX} characters, this one {len(pattern)}"
        )
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"no regular expression: {error}") from error
    if ways(pattern) > WAYS_MAX:
        raise ValueError(
            "it can take too long: at most one open-ended repeat (*, +, {2,}), none inside another repeat; "
            r"bound the others, as in \d{1,9}, or give a list of patterns that must all be found"
        )
    if compiled.search("") is not None:
        raise ValueError("it is found in every text")
    return pattern


def ways(pattern: str) -> int:
    """In how many ways `pattern`, a valid regular expression, can match from one place of a text.

    Raises:
        ValueError: it has a construct whose cost is not counted: a look-around, a back-reference, a flag.
    """
    reader = _Reader(pattern.removeprefix(_IGNORE_CASE))
    return reader.choice()


class _Reader:
    """Reads a pattern from left to right; `choice`, `sequence` and `atom` return their ways."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    def choice(self) -> int:
        total = self.sequence()
        while self._next() == "|":
            self._at += 1
            total += self.sequence()
        return total

    def sequence(self) -> int:
        product = 1
        while self._next() not in ("", "|", ")"):
            product = min(product * self._repeated(self.atom()), WAYS_MAX + 1)
        return product

    def atom(self) -> int:
        character = self._next()
        if character == "(":
            return self._group()
        if character == "[":
            self._at = self._end_of_class()
        elif character == "\\":
            if self._pattern[self._at + 1] in "123456789":
                raise ValueError("it has a back-reference")
            self._at += 2
        else:
            self._at += 1
        return 1

    def _group(self) -> int:
        if self._pattern.startswith("(?:", self._at):
            self._at += 3
        elif self._pattern.startswith("(?", self._at):
            shown = self._pattern[self._at : self._at + 4]
            raise ValueError(f"it has {shown}…: groups are plain or (?:…), (?i) may stand in front")
        else:
            self._at += 1
        inner = self.choice()
        self._at += 1
        return inner

    def _end_of_class(self) -> int:
        """Where the class that begins here has ended; a bracket that comes first is one of its members."""
        at = self._at + 1
        at += self._pattern.startswith("^", at)
        at += self._pattern.startswith("]", at)
        while self._pattern[at] != "]":
            at += 2 if self._pattern[at] == "\\" else 1
        return at + 1

    def _repeated(self, inner: int) -> int:
        """The ways of what was just read, with the quantifier that follows it, if any."""
        found = _QUANTIFIER.match(self._pattern, self._at)
        if found is None or found[0].strip("?+") == "{}":
            return inner
        self._at = found.end()
        least, most = _bounds(found)
        if inner == 1:
            return most - least + 1
        if most > REPEATS_MAX:
            return WAYS_MAX + 1
        return sum(inner**times for times in range(least, most + 1))

    def _next(self) -> str:
        return self._pattern[self._at : self._at + 1]


def _bounds(quantifier: re.Match[str]) -> tuple[int, int]:
    sign, least, comma, most = quantifier.groups()
    if sign is not None:
        return {"*": (0, TEXT_CHARACTERS_MAX), "+": (1, TEXT_CHARACTERS_MAX), "?": (0, 1)}[sign]
    low = int(least or 0)
    if comma is None:
        return low, low
    return low, min(int(most), TEXT_CHARACTERS_MAX) if most else TEXT_CHARACTERS_MAX
