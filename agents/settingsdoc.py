"""The settings, listed: for suggestions, for docs/settings.md, and for the test that keeps it true."""

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

Leaf = tuple[tuple[str, ...], FieldInfo]


def leaves(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Yield the path of each setting of `model` and its field, in order."""
    for name, info in model.model_fields.items():
        kind: Any = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from leaves(kind, (*above, name))
        else:
            yield (*above, name), info


def is_text(kind: Any) -> bool:
    """Whether a variable's text is the value as it stands, instead of YAML for it."""
    if get_origin(kind) is Literal:
        return True
    if get_origin(kind) in (dict, tuple):
        return False
    return kind in (str, Path, SecretStr) or any(
        is_text(inner) for inner in get_args(kind) if inner is not type(None)
    )


def suggestion(name: str, known: Iterable[str], *, cutoff: float = 0.6, prefix: str = "") -> str:
    """Return `, did you mean …?` when a known name is close, else nothing."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return f", did you mean {prefix}{close[0]}?" if close else ""


def rows(model: type[BaseModel], prefix: str, secrets: Iterable[tuple[str, ...]]) -> list[str]:
    """One line of a Markdown table per setting: key, variable, default, meaning."""
    hidden = set(secrets)
    lines = []
    for path, info in leaves(model):
        key = "—" if path in hidden else f"`{'.'.join(path)}`"
        variable = prefix + "_".join(path).upper()
        meaning = info.description or ""
        lines.append(f"| {key} | `{variable}` | {_default(info)} | {meaning} |")
    return lines


def _default(info: FieldInfo) -> str:
    value = info.default
    if value is None or value in ((), {}):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
