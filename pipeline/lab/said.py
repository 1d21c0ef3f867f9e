"""What one version of the rules or of the program said of a history: the sides that are compared.

A side is read from what `undercurrent replay --json` prints (docs/replay.md). Only the keys that are
compared are read, and unknown ones are ignored, so outputs of different versions can be compared.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import ValidationError

from pipeline.telling import Memory, PostRoot, Reply, tell
from schemas import Change, ChangeKind, Decision, Incident

VERSION = 1
"""`v` of the lines that can be read."""

_INCIDENT = (
    "id", "domain", "instances", "cause", "level", "confidence", "state", "first_symptom_at", "opened_at",
    "verdict_at", "resolved_at",
)  # fmt: skip
_IMPACT = ("requests_failed", "requests_slow")
_DECISION = (
    "id", "domain", "instance", "host", "kind", "upstream", "question", "symptom_at", "decided_at", "count",
    "outcome", "incident_id", "reason",
)  # fmt: skip
_CHANGE = ("id", "seq", "kind", "at", "reason")


class SaidError(ValueError):
    """A line is not what `undercurrent replay --json` prints. `line`: its number, from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Message:
    """A message that wakes people: a new root (`post`) or a reply in a thread. Updates are silent."""

    incident_id: str
    act: str
    kind: ChangeKind
    at: float


@dataclass(frozen=True, slots=True)
class Side:
    """What was said: incidents in their final form, decisions, and the messages that follow from changes.

    `messages` is None where the changes are not known (`replay --json` without `--changes`).
    """

    incidents: tuple[Incident, ...]
    decisions: tuple[Decision, ...]
    messages: tuple[Message, ...] | None


def messages_of(changes: Iterable[Change]) -> tuple[Message, ...]:
    """What notify would post of these changes, in their order (pipeline/telling.py decides)."""
    memories: dict[str, Memory] = {}
    messages = []
    for change in changes:
        name = change.incident.id
        acts, memories[name] = tell(memories.get(name), change)
        for act in acts:
            if isinstance(act, PostRoot):
                messages.append(Message(name, "post", change.kind, change.at))
            elif isinstance(act, Reply):
                messages.append(Message(name, "reply", change.kind, change.at))
    return tuple(messages)


def read_side(lines: Iterable[bytes]) -> Side:
    """Read what `undercurrent replay --json [--changes]` has printed.

    Raises:
        SaidError: a line is none of its lines.
    """
    incidents: list[Incident] = []
    decisions: list[Decision] = []
    changes: list[Change] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            body = orjson.loads(line)
            match _kind(body):
                case "incident":
                    incidents.append(_incident(body))
                case "decision":
                    decisions.append(Decision.model_validate(_only(body, _DECISION)))
                case _:
                    incident = _incident(body["incident"])
                    changes.append(Change.model_validate({**_only(body, _CHANGE), "incident": incident}))
        except orjson.JSONDecodeError as error:
            raise SaidError(number, f"it is no JSON ({error})") from error
        except KeyError as error:
            raise SaidError(number, f"it has no key {error}") from error
        except ValidationError as error:
            first = error.errors()[0]
            raise SaidError(number, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
        except ValueError as error:
            raise SaidError(number, str(error)) from error
    known = bool(changes) or not incidents
    return Side(tuple(incidents), tuple(decisions), messages_of(changes) if known else None)


def _kind(body: Any) -> str:
    if not isinstance(body, dict) or body.get("type") not in ("incident", "decision", "change"):
        raise ValueError("it is no incident, decision or change of `undercurrent replay --json`")
    if body.get("v") != VERSION:
        raise ValueError(f"it is of format version {body.get('v')!r}, version {VERSION} can be read")
    return str(body["type"])


def _incident(body: Mapping[str, Any]) -> Incident:
    return Incident.model_validate({**_only(body, _INCIDENT), "impact": _only(body["impact"], _IMPACT)})


def _only(body: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    return {key: body[key] for key in keys}
