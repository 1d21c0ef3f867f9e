"""The form every envelope's decoder has."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pipeline.intake.entry import Entry

Fields = Mapping[str, Any]


class Decoder(NamedTuple):
    """`matches`: whether a JSON object is of this shipper, by its keys alone. `decode`: what it holds.

    `decode` raises `RefusedError` where the object is of this shipper and broken, and returns
    nothing where it holds nothing of interest.
    """

    matches: Callable[[Fields], bool]
    decode: Callable[[Fields], Sequence[Entry]]
