"""What of a change is worth telling, and in which form. Pure: memory in, acts and memory out.

The laws:

1. An incident has one root message. The first change heard of it posts the root, every later one
   updates the root in place.
2. Each change adds at most one reply to the thread, with its reason: the root says how it stands, the
   thread how it came to that, from its beginning. A late event is worth no reply of its own, nor is a
   second instance joining right after the first: they are remembered and told with the next reply that
   is worth one. So is noise: a reply says how much was suppressed or released since the one before.
3. A change already told (`seq` not above the memory's) is told no more.
4. Memory is a JSON object, so that a table can keep it. Keys that are not ours pass through.

Memory here: `incident` (id), `seq` (last change told), `kind` (of the last reply or root), `meanwhile`
(what waits for the next reply, one entry per kind), `noise` (suppressed and released, as last told) and
`saying` (see `intend`).
"""

from dataclasses import dataclass
from typing import Any

from schemas import Change, ChangeKind, Incident

Memory = dict[str, Any]
"""What is known about what was said of one incident: a JSON object, kept by the shell."""


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """Changes of one kind that got no reply of their own: how many, and the reason of the last."""

    kind: ChangeKind
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class PostRoot:
    """Say the incident for the first time."""

    incident: Incident


@dataclass(frozen=True, slots=True)
class UpdateRoot:
    """Bring the root message up to date."""

    incident: Incident


@dataclass(frozen=True, slots=True)
class Reply:
    """Add one step to the thread: what changed, why, and what else happened since the last reply.

    `suppressed`, `released`: DNS errors ruled on since then.
    """

    change: Change
    meanwhile: tuple[Meanwhile, ...] = ()
    suppressed: int = 0
    released: int = 0


Act = PostRoot | UpdateRoot | Reply


def tell(memory: Memory | None, change: Change) -> tuple[list[Act], Memory]:
    """Decide what to say about `change`, given what was said before.

    Returns the acts in the order in which they are to be done, and the memory that holds once they
    are done. `memory` itself is left alone. No acts: the change was told before.
    """
    before = memory or {}
    if change.seq <= before.get("seq", -1):
        return [], dict(before)
    after = {key: value for key, value in before.items() if key != "saying"}
    after |= {"incident": change.incident.id, "seq": change.seq}
    first = "seq" not in before
    root = PostRoot(change.incident) if first else UpdateRoot(change.incident)
    waiting = [_meanwhile(entry) for entry in before.get("meanwhile", [])]
    if not first and not _worth_a_reply(change, before):
        after["meanwhile"] = [_entry(one) for one in _counted(waiting, change)]
        return [root], after
    noise = [change.incident.suppressed, change.incident.released]
    newly = (max(0, now - told) for now, told in zip(noise, before.get("noise", (0, 0)), strict=True))
    after |= {"kind": change.kind.value, "noise": noise}
    after.pop("meanwhile", None)
    return [root, Reply(change, tuple(waiting), *newly)], after


def intend(memory: Memory | None, change: Change) -> Memory:
    """The memory to store durably *before* `change` is said (law 7 of the design).

    A crash after it leaves `saying` behind, and whoever reads the memory then knows that the outcome
    of that message is unknown and has to be looked up. `seq` stays as it was: nothing is told yet.
    """
    return {**(memory or {}), "saying": change.seq}


def unsure(memory: Memory | None) -> bool:
    """Whether something was being said when this memory was stored, with no outcome known."""
    return (memory or {}).get("saying") is not None


def _worth_a_reply(change: Change, memory: Memory) -> bool:
    if change.kind is ChangeKind.LATE:
        return False
    return change.kind is not ChangeKind.JOINED or memory.get("kind") != ChangeKind.JOINED.value


def _counted(waiting: list[Meanwhile], change: Change) -> list[Meanwhile]:
    """One entry per kind, oldest kind first: bounded by the number of kinds, however many changes."""
    found = [one for one in waiting if one.kind is change.kind]
    count = (found[0].count if found else 0) + 1
    latest = Meanwhile(change.kind, count, change.reason)
    if not found:
        return [*waiting, latest]
    return [latest if one.kind is change.kind else one for one in waiting]


def _meanwhile(entry: Memory) -> Meanwhile:
    return Meanwhile(ChangeKind(entry["kind"]), entry["count"], entry["reason"])


def _entry(one: Meanwhile) -> Memory:
    return {"kind": one.kind.value, "count": one.count, "reason": one.reason}
