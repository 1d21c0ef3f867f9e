"""Says incidents on the terminal: in full when they open, get their cause and end; else one line."""

import io
import sys
from collections.abc import Sequence

from rich.console import Console

from agents.tell.speaker import Outcome, unheard
from pipeline.render.console import WIDTH_MAX, change_line, incident_panel
from pipeline.render.words import catalogue
from pipeline.storm import Digest
from pipeline.telling import Memory, Reply, tell
from schemas import Change, ChangeKind, Decision, Feedback

IN_FULL = frozenset({ChangeKind.OPENED, ChangeKind.DIAGNOSED, ChangeKind.RESOLVED})


class ConsoleSpeaker:
    """A speaker for people in front of a terminal, or of whatever stdout leads to."""

    def __init__(
        self, console: Console | None = None, *, language: str = "en", heard: Outcome = unheard
    ) -> None:
        if console is None and isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # a terminal without Unicode must not end the worker
        self._console = console or Console()
        self._words = catalogue(language)
        self._heard = heard

    async def start(self) -> None:
        """A terminal is there or it is not."""

    async def say(self, change: Change, memory: Memory | None) -> Memory:
        """Print what `change` is worth saying."""
        return self.keep(change, memory)

    async def announce(self, digest: Digest, memory: Memory | None) -> Memory:
        """Nothing waits for a terminal."""
        return dict(memory or {})

    def keep(self, change: Change, memory: Memory | None) -> Memory:
        """Print it now: a terminal takes what it is given."""
        acts, after = tell(memory, change)
        if not acts:
            return after
        if "seq" not in (memory or {}) or change.kind in IN_FULL:
            self._console.print(
                incident_panel(change, self._words), width=min(self._console.width, WIDTH_MAX)
            )
            self._heard("root", "posted")
            return after
        for reply in (act for act in acts if isinstance(act, Reply)):
            self._console.print(change_line(reply, self._words), soft_wrap=True)
            self._heard("reply", "posted")
        return after

    def hear(self, feedback: Feedback, memory: Memory, decisions: Sequence[Decision] | None) -> Memory:
        """A terminal has no buttons."""
        return memory

    def remind(self, memory: Memory) -> Memory:
        """Nobody can answer a terminal."""
        return memory

    async def flush(self, memory: Memory) -> Memory:
        """Nothing is ever owed: a terminal takes what it is given."""
        return memory

    def owes(self, memory: Memory) -> bool:
        """Nothing is ever owed."""
        return False
