"""What every speaker is to the rest of the shell: Slack, the console, later others.

How notify uses one, after `await speaker.start()` (law 7: persist before speaking):

    acts, _ = tell(memory, change)            # nothing to say: stop here
    await store(intend(memory, change))       # durable: a crash from here on leaves `saying` behind
    memory = await speaker.say(change, memory)
    await store(memory)

After a crash the stored memory still says `saying`; given that memory, a speaker looks up what became
of the message before it sends anything again. A memory for which `owes` is true holds messages that
could not be delivered; `flush` tries them again, on a timer and without a new change.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from pipeline.storm import Digest
from pipeline.telling import Memory
from schemas import Change, Decision, Feedback

Outcome = Callable[[str, str], None]
"""Told of each outcome as (act, outcome), both from docs/messages.md: a hook for metrics."""


def unheard(act: str, outcome: str) -> None:
    """The hook that listens to nothing."""


class Speaker(Protocol):
    """Says changes of incidents to people."""

    async def start(self) -> None:
        """Look once whether people can be reached, and log what stands in the way. Never raises."""
        ...

    async def say(self, change: Change, memory: Memory | None) -> Memory:
        """Say what `change` is worth saying. Returns the memory to store; never raises for a
        refusal or an outage of the other side, which stand in the memory instead."""
        ...

    def keep(self, change: Change, memory: Memory | None) -> Memory:
        """Owe what `change` is worth saying: `flush` says it later. Returns the memory to store."""
        ...

    async def announce(self, digest: Digest, memory: Memory | None) -> Memory:
        """Say that many incidents wait; again, with the memory returned, as that changes."""
        ...

    def hear(self, feedback: Feedback, memory: Memory, decisions: Sequence[Decision] | None) -> Memory:
        """Take note of what a person said by a button: the memory that owes the showing of it.

        `memory` itself where there is nothing to show. `decisions`: what was suppressed, if asked for.
        """
        ...

    def remind(self, memory: Memory) -> Memory:
        """What `memory` becomes as time goes by and nobody answers; `memory` itself, most of the time."""
        ...

    async def flush(self, memory: Memory) -> Memory:
        """Try again what `memory` still owes. Returns the memory to store."""
        ...

    def owes(self, memory: Memory) -> bool:
        """Whether `memory` holds something that could not be said yet."""
        ...
