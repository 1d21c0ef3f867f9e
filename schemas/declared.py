"""What a user adds without touching the core: signatures of error texts, and causes made of them."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, field_validator
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

from schemas.base import Noun
from schemas.outputs import Cause, DeclaredName
from schemas.patterns import checked
from schemas.signals import DNS_KINDS, REQUEST_KINDS, SymptomKind

SIGNATURES_MAX = 64
CAUSES_MAX = 32
PATTERNS_MAX = 4

FAILURE_KINDS = REQUEST_KINDS | DNS_KINDS
"""Kinds a signature may give a line: those that say that something failed."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.-]{0,47}$")]
Pattern = Annotated[str, AfterValidator(checked)]
Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]


def _several(value: Any) -> Any:
    """One pattern may stand without the brackets of a list."""
    if value in ((), []):
        raise ValueError("it needs a pattern")
    return (value,) if isinstance(value, str) else value


class Signature(Noun):
    """An error text of your own. The first that fits a line names its kind, before any built-in class."""

    name: Name = Field(description="How causes, evidence and `explain` call it")
    match: Annotated[
        tuple[Pattern, ...], BeforeValidator(_several, json_schema_input_type=str | tuple[str, ...])
    ] = Field(
        max_length=PATTERNS_MAX,
        description="Regular expression found in the error's text, or several that must all be found",
    )
    kind: SymptomKind = Field(SymptomKind.REQUEST_FAILED, description="Kind of symptom such a line is")

    def fits(self, text: str) -> bool:
        """Whether all its patterns are found in `text`, which `looked_at` has bounded."""
        return all(re.search(pattern, text) is not None for pattern in self.match)

    @field_validator("kind")
    @classmethod
    def _is_a_failure(cls, kind: SymptomKind) -> SymptomKind:
        if kind not in FAILURE_KINDS:
            known = ", ".join(sorted(FAILURE_KINDS))
            raise ValueError(f"a signature is about a failure: one of {known}")
        return kind


class DeclaredCause(Noun):
    """A cause of your own, carried by the share of failed requests that bear its marks."""

    name: DeclaredName = Field(description="Stands wherever a built-in cause stands")
    signatures: tuple[Name, ...] = Field((), description="Its marks: signatures of the lines of a request")
    kinds: tuple[SymptomKind, ...] = Field((), description="Its marks as well: kinds of such lines")
    requests: int = Field(3, ge=1, description="So many failed requests must bear a mark of it")
    ratio: float = Field(0.5, gt=0, le=1, description="And this share of the failed requests in question")
    strength: float = Field(0.8, gt=0, le=0.95, description="Confidence where every rival is rejected")
    text: Sentence = Field(description="The evidence in words; the numbers are put behind it")
    advice: Sentence | None = Field(None, description="What to do about it")
    unless: tuple[str, ...] = Field((), description="Causes that win over it where they are proven")

    @property
    def marks(self) -> frozenset[str]:
        """Names of the signatures and kinds one of which a request must bear."""
        return frozenset(self.signatures) | {kind.value for kind in self.kinds}


def check_declared(signatures: tuple[Signature, ...], causes: tuple[DeclaredCause, ...]) -> None:
    """See that names are unique and whatever is named exists.

    Raises:
        ValidationError: with every mistake and its place below `signatures` or `causes`.
    """
    mistakes: list[InitErrorDetails] = []

    def mistake(place: tuple[int | str, ...], found: object, message: str) -> None:
        error = PydanticCustomError("declared", "{message}", {"message": message})
        mistakes.append(InitErrorDetails(type=error, loc=place, input=found))

    for key, items in (("signatures", signatures), ("causes", causes)):
        names = [item.name for item in items]
        for number, name in enumerate(names):
            if name in names[:number]:
                mistake((key, number, "name"), name, f"{name} is there already")
    known = {signature.name for signature in signatures}
    rivals = {cause.value for cause in Cause} - {Cause.UNPROVEN.value} | {cause.name for cause in causes}
    for number, cause in enumerate(causes):
        here = ("causes", number)
        for at, name in enumerate(cause.signatures):
            if name not in known:
                mistake((*here, "signatures", at), name, f"there is no signature {name}")
        for at, kind in enumerate(cause.kinds):
            if kind not in FAILURE_KINDS:
                mistake((*here, "kinds", at), kind, f"{kind.value} is no failure of a request")
        for at, name in enumerate(cause.unless):
            if name not in rivals or name == cause.name:
                mistake(
                    (*here, "unless", at), name, f"{name} is no other cause; there are: {_listed(rivals)}"
                )
        if not cause.marks:
            mistake(here, cause.name, "it needs signatures, kinds or both")
    if mistakes:
        raise ValidationError.from_exception_data("Rules", mistakes)


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))
