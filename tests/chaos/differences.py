"""What differs between what was said and what should have been, in a form a person can read."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

SHOWN = 12


def differences(said: Mapping[str, bytes], wanted: Mapping[str, bytes]) -> list[str]:
    """One line for each missing, unwanted or different output, the latter with the fields that differ."""
    lines = [f"{one}: never said" for one in sorted(wanted.keys() - said.keys())]
    lines += [f"{one}: not in the replay: {said[one][:300]!r}" for one in sorted(said.keys() - wanted.keys())]
    for one in sorted(wanted.keys() & said.keys()):
        if said[one] != wanted[one]:
            lines += [f"{one}: {line}" for line in _paths(orjson.loads(said[one]), orjson.loads(wanted[one]))]
    return lines[:SHOWN]


def _paths(said: Any, wanted: Any, path: str = "") -> Iterator[str]:
    if isinstance(said, dict) and isinstance(wanted, dict):
        for key in sorted(said.keys() | wanted.keys()):
            yield from _paths(said.get(key), wanted.get(key), f"{path}.{key}")
    elif isinstance(said, list) and isinstance(wanted, list) and len(said) == len(wanted):
        for number, (left, right) in enumerate(zip(said, wanted, strict=True)):
            yield from _paths(left, right, f"{path}[{number}]")
    elif said != wanted:
        yield f"{path} is {str(said)[:200]}, not {str(wanted)[:200]}"
