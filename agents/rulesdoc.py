"""The rules, written out with what each of them means: as YAML to copy, and as tables for docs/rules.md."""

import textwrap
from collections.abc import Iterator
from typing import Any, get_args

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from schemas import Rules

WIDTH = 100
_SIGNS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤", "max_length": "at most"}


def documented_yaml(rules: Rules) -> str:
    """`rules` as the `rules:` section of a settings file, each key under its meaning."""
    return "\n".join(["rules:", *_section(rules, "  ")]) + "\n"


def tables(model: type[BaseModel] = Rules) -> str:
    """Markdown: one table for the rules themselves, one for each of their sections and lists."""
    sections = [("", model, "")]
    for name, info in model.model_fields.items():
        inner = _model_of(info)
        if inner is not None:
            listed = f"a list; {bounds}" if (bounds := _bounds(info)) else ""
            sections.append((name, inner, listed))
    return "\n\n".join(_table(*section) for section in sections) + "\n"


def _section(noun: BaseModel, indent: str) -> Iterator[str]:
    for name, info in type(noun).model_fields.items():
        value = getattr(noun, name)
        inner = _model_of(info)
        if inner is not None:
            yield ""
        yield from _comment(info.description or (_purpose(inner) if inner else ""), indent)
        if isinstance(value, BaseModel):
            yield f"{indent}{name}:"
            yield from _section(value, indent + "  ")
        else:
            if inner is not None and not value:
                yield from _outline(inner, indent)
            shown = [one.model_dump(mode="json") for one in value] if inner is not None else value
            dumped = yaml.safe_dump({name: shown}, sort_keys=False, allow_unicode=True, width=WIDTH)
            yield from (f"{indent}{line}" for line in dumped.splitlines())


def _comment(text: str, indent: str) -> Iterator[str]:
    width = WIDTH - len(indent) - 2
    return (f"{indent}# {line}" for line in textwrap.wrap(text, width, break_on_hyphens=False))


def _outline(model: type[BaseModel], indent: str) -> Iterator[str]:
    """What an entry of a list that is still empty may hold."""
    yield f"{indent}# Each entry has"
    for name, info in model.model_fields.items():
        yield from _comment(f"- {name} ({_default(info).strip('`')}): {info.description}", indent)


def _table(name: str, model: type[BaseModel], listed: str) -> str:
    heading = f"### `{name}`: {listed or 'a section'}\n\n{_purpose(model)}\n\n" if name else ""
    rows = [
        f"| `{field}` | {_default(info)} | {_bounds(info) or '—'} | {_cell(info)} |"
        for field, info in model.model_fields.items()
        if name or _model_of(info) is None
    ]
    return heading + "\n".join(["| key | default | bounds | meaning |", "|---|---|---|---|", *rows])


def _cell(info: FieldInfo) -> str:
    return (info.description or "").replace("|", "\\|")


def _purpose(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").split("\n\n")[0].replace("\n", " ").strip()


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "needed"
    return "none" if info.default in (None, ()) else f"`{info.default}`"


def _bounds(info: FieldInfo) -> str:
    return ", ".join(
        f"{sign} {getattr(constraint, name)}"
        for constraint in info.metadata
        for name, sign in _SIGNS.items()
        if hasattr(constraint, name)
    )


def _model_of(info: FieldInfo) -> type[BaseModel] | None:
    """The model of a section, or of the entries of a list."""
    kinds: tuple[Any, ...] = (info.annotation, *get_args(info.annotation))
    return next((one for one in kinds if isinstance(one, type) and issubclass(one, BaseModel)), None)
