"""The core's English sentences in another language: by their form, not by their words.

The core says each fact once, in English, with its numbers, and that sentence is what is stored. A
catalogue of another language therefore maps the *form* of an English sentence to a sentence of its
own, as gettext does with message ids, and the numbers and names are read out of it:

    "{name} used {share} of its limit of {cores}{tail}"  →  "{name} 用到 {cores}上限的 {share}{tail}"

A field is `{kind}` or `{kind:label}`; kinds are in `KINDS`. `[s]` stands for an optional ending. A
`part` is translated by the same catalogue, as are each `; `-separated item of a `list` and a `tail`, which
begins with a comma or a space or is not there. A sentence of no known form stays English: a person
reads it all the same.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

KINDS: Mapping[str, str] = {
    "n": r"[\d,]+",
    "share": r"\d+ %",
    "ratio": r"\d\.\d+",
    "time": r"\d\d:\d\d:\d\d",
    "age": r"\d+ (?:d|h|min|s)(?: \d+ (?:h|min|s))?",
    "span": r"\d[\d.]* ms|\d[\d.]* s|\d+ min \d+ s",
    "cores": r"[\d.e+-]+ cores?",
    "mib": r"\d+ MiB",
    "cause": r"[a-z][a-z0-9_]*",
    "name": r"(?:(?!: ).)+?",
    "part": r".+?",
    "tail": r"(?:[, ].*)?",
    "list": r".+?",
}
"""What the value of each kind of field looks like in English."""

Values = Callable[[str, str], str]
"""Says a value in the other language: (kind, English value) → text; for all kinds but part and list."""

_FIELD = re.compile(r"\{(\w+)(?::(\w+))?\}|\[(\w+)\]")


@dataclass(frozen=True, slots=True)
class Form:
    """One form of sentence: how to know it, its fields (label → kind), and what it is in the language."""

    pattern: re.Pattern[str]
    kinds: Mapping[str, str]
    template: str
    literal: int


def form_of(english: str, template: str) -> Form:
    """Read one line of a catalogue. Raises KeyError for an unknown kind of field."""
    kinds: dict[str, str] = {}
    pieces, after, literal = [], 0, 0
    for found in _FIELD.finditer(english):
        text = english[after : found.start()]
        pieces.append(re.escape(text))
        literal += len(text)
        kind, label, ending = found.groups()
        if ending:
            pieces.append(f"(?:{ending})?")
        else:
            kinds[label or kind] = kind
            pieces.append(f"(?P<{label or kind}>{KINDS[kind]})")
        after = found.end()
    pieces.append(re.escape(english[after:]))
    return Form(re.compile("".join(pieces), re.DOTALL), kinds, template, literal + len(english) - after)


class Sentences:
    """All forms of one language. What several forms fit is said by the one with most words of its own."""

    def __init__(self, forms: Mapping[str, str], values: Values) -> None:
        read = [form_of(english, template) for english, template in forms.items()]
        self._forms = sorted(read, key=lambda form: -form.literal)
        self._values = values

    def __call__(self, english: str) -> str:
        """`english` in this language, or itself where its form is not known."""
        return self.known(english) or english

    def known(self, english: str) -> str | None:
        """`english` in this language, None where its form is not known."""
        for form in self._forms:
            found = form.pattern.fullmatch(english)
            if found is not None:
                return form.template.format(
                    **{label: self._said(kind, found[label]) for label, kind in form.kinds.items()}
                )
        return None

    def _said(self, kind: str, value: str) -> str:
        if kind in ("part", "tail"):
            return self(value) if value else ""
        if kind == "list":
            return "；".join(self(item) for item in value.split("; "))
        return self._values(kind, value)
