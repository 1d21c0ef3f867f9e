"""Several speakers as one: each with a memory of its own, none of them waiting for another's outage."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from agents.tell.speaker import Speaker
from pipeline.storm import Digest
from pipeline.telling import Memory, intend, tell, unsure
from schemas import Change, Decision, Feedback


class SeveralSpeakers:
    """Says everything through each of `speakers`. In the memory `outputs` holds theirs, by name."""

    def __init__(
        self,
        speakers: Mapping[str, Speaker],
        *,
        route: Callable[[Change], Iterable[str]] | None = None,
        digests: Iterable[str] | None = None,
    ) -> None:
        """Of `speakers`, `route` names those who are to hear of a change's incident from now on, and
        `digests` those who are told of storms; without them it is all."""
        self._speakers = dict(speakers)
        self._route = route
        self._digests = tuple(speakers if digests is None else digests)

    async def start(self) -> None:
        """Let each look whether it can be heard."""
        await asyncio.gather(*(one.start() for one in self._speakers.values()))

    async def say(self, change: Change, memory: Memory | None) -> Memory:
        """Say `change` through all of them at once."""
        return await self.flush(self.keep(change, memory))

    def keep(self, change: Change, memory: Memory | None) -> Memory:
        """Owe `change` to all of them."""
        _, after = tell(memory, change)
        known = self._known(memory)
        crashed = unsure(memory)
        wanted = self._speakers if self._route is None else {*known, *self._route(change)}
        outputs = dict(known)
        for name, speaker in self._speakers.items():
            if name not in wanted:
                continue
            own = known.get(name)
            outputs[name] = speaker.keep(change, intend(own, change) if crashed else own)
        return {**after, "outputs": outputs}

    async def announce(self, digest: Digest, memory: Memory | None) -> Memory:
        """Let each say that many incidents wait."""
        known = self._known(memory)
        told = await asyncio.gather(
            *(self._speakers[name].announce(digest, known.get(name)) for name in self._digests)
        )
        return {
            "incident": digest.storm,
            **(memory or {}),
            "outputs": dict(zip(self._digests, told, strict=True)),
        }

    def hear(self, feedback: Feedback, memory: Memory, decisions: Sequence[Decision] | None) -> Memory:
        """Let each take note of a press."""
        known = self._known(memory)
        heard = {
            name: speaker.hear(feedback, known[name], decisions)
            for name, speaker in self._speakers.items()
            if name in known
        }
        return {**memory, "outputs": {**known, **heard}}

    def remind(self, memory: Memory) -> Memory:
        """Let each remind."""
        known = self._known(memory)
        told = {name: one.remind(known[name]) for name, one in self._speakers.items() if name in known}
        return memory if told.items() <= known.items() else {**memory, "outputs": {**known, **told}}

    async def flush(self, memory: Memory) -> Memory:
        """Let each try again what it owes."""
        known = self._known(memory)
        owing = [name for name in self._speakers if name in known and self._speakers[name].owes(known[name])]
        paid = await asyncio.gather(*(self._speakers[name].flush(known[name]) for name in owing))
        return {**memory, "outputs": {**known, **dict(zip(owing, paid, strict=True))}}

    def owes(self, memory: Memory) -> bool:
        """Whether any of them owes anything; what an output that is gone owed is forgotten."""
        known = self._known(memory)
        return any(name in known and one.owes(known[name]) for name, one in self._speakers.items())

    def _known(self, memory: Memory | None) -> dict[str, Memory]:
        """The memories by name. One speaker alone keeps no such map: what it said, people were told."""
        if memory is not None and "outputs" not in memory:
            return {"people": memory}
        return dict((memory or {}).get("outputs", {}))
