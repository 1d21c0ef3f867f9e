"""A YAML file together with the line on which each key stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Where = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """`values`: the mapping in the file. `lines`: line number of each path in it."""

    name: str
    values: dict[str, Any]
    lines: Mapping[Where, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def place(self, path: Where) -> str:
        """Return `file:line` of `path`, or of the nearest of its parents that stands in the file."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return f"{self.name}:{self.lines[path[:length]]}"
        return f"{self.name}:1" if self.lines else self.name


EMPTY = Document("defaults", {})


def read(path: Path) -> Document:
    """Read `path`; what is wrong with it as YAML stands in the document's problems."""
    name = str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        return Document(name, {}, problems=(f"{name}: cannot be read: {reason}",))
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        return Document(name, {}, problems=(f"{name}:{line}: not YAML: {error.problem}",))
    except (yaml.YAMLError, ValueError) as error:
        return Document(name, {}, problems=(f"{name}: not YAML: {error}",))
    if values is None:
        return Document(name, {})
    if not isinstance(values, dict):
        return Document(name, {}, problems=(f"{name}:1: settings are `key: value` lines",))
    lines: dict[Where, int] = {}
    problems: list[str] = []
    _walk(name, root, (), lines, problems)
    return Document(name, values, lines, tuple(problems))


def scalar(text: str) -> Any:
    """Read the text of one variable as YAML would read it in a file; text that is no YAML stays text."""
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return text


def _walk(name: str, node: Any, path: Where, lines: dict[Where, int], problems: list[str]) -> None:
    if isinstance(node, yaml.SequenceNode):
        for number, child in enumerate(node.value):
            lines[(*path, number)] = child.start_mark.line + 1
            _walk(name, child, (*path, number), lines, problems)
    if not isinstance(node, yaml.MappingNode):
        return
    for key, child in node.value:
        here = (*path, str(key.value))
        line = key.start_mark.line + 1
        if here in lines:
            shown = ".".join(str(part) for part in here)
            problems.append(f"{name}:{line}: {shown}: stands twice, first on line {lines[here]}")
        lines[here] = line
        _walk(name, child, here, lines, problems)
