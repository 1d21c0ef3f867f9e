"""How a noun becomes bytes and comes back: one JSON object with its type and wire version.

A record of a newer version is refused with `UnknownVersionError`, so that the reader dead-letters
it instead of misreading it.
"""

from typing import Any, TypeVar

import orjson
from pydantic import ValidationError

from schemas.base import Noun

WIRE_VERSION = 1
"""Version of every record Undercurrent writes. Raised when a field changes its meaning."""

N = TypeVar("N", bound=Noun)


class UnknownVersionError(ValueError):
    """The record was written by a newer Undercurrent than this one."""


def encode(noun: Noun) -> bytes:
    """Serialise `noun` to compact JSON with its wire version as `v`; keys keep model order.

    A field that is None is left out (None is its default), a None inside `values` stays.
    """
    return orjson.dumps({"v": WIRE_VERSION, **noun.model_dump(mode="json", exclude_none=True)})


def decode(model: type[N], value: bytes) -> N:
    """Read one record of type `model`.

    Raises:
        UnknownVersionError: the record's `v` is newer than `WIRE_VERSION`.
        ValueError: the bytes are no JSON object of this model (pydantic's and orjson's errors
            are both subclasses of it).
    """
    body: Any = orjson.loads(value)
    if not isinstance(body, dict):
        raise ValueError(f"expected a JSON object, found {type(body).__name__}")
    version = body.pop("v", None)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ValueError(f"record has no wire version: v={version!r}")
    if version > WIRE_VERSION:
        raise UnknownVersionError(
            f"record has wire version {version}, this program reads up to {WIRE_VERSION}: "
            "upgrade the workers before the shippers"
        )
    try:
        return model.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "record"
        raise ValueError(f"{model.__name__}.{place}: {first['msg']}") from error
