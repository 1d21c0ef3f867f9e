"""Tells the incidents of a replay in one Slack channel, each message marked, and nowhere else.

Nothing of live takes part: no routes, no calls, no buttons, no pictures, no table. Each incident gets its
root message as it stands at the end, and its steps. What stands there from an earlier replay is looked up
and brought up to date: telling the same replay twice tells nothing twice.
"""

from collections.abc import Sequence

from agents.settings import Settings
from agents.tell.slack import SlackSpeaker
from agents.tell.slack_api import Clock
from pipeline.render.mark import replay_mark
from pipeline.render.slack import Look
from pipeline.render.words import catalogue
from pipeline.telling import Memory
from schemas import Change


class RetellError(Exception):
    """Slack does not take it; the message says why and what helps."""


class Retelling:
    """A Slack channel for the past. `settings.slack.token` is set."""

    def __init__(self, settings: Settings, channel: str, clock: Clock | None = None) -> None:
        token = settings.slack.token
        assert token is not None
        self._speaker = SlackSpeaker(
            token.get_secret_value(),
            channel,
            language=settings.language,
            look=Look(links=settings.links.templates()),
            mark=replay_mark(catalogue(settings.language)),
            base_url=settings.slack.base_url,
            clock=clock,
        )

    async def look(self) -> tuple[str, ...]:
        """What stands in the way, before anything is replayed: one sentence each, with the fix."""
        return (await self._speaker.check()).problems

    async def tell(self, changes: Sequence[Change]) -> int:
        """Tell all incidents that `changes` are about, in the order of their first changes; returns how many.

        Raises:
            RetellError: one of them could not be told; those before it are.
        """
        by_incident: dict[str, list[Change]] = {}
        for change in changes:
            by_incident.setdefault(change.incident.id, []).append(change)
        for number, steps in enumerate(by_incident.values()):
            await self._one(sorted(steps, key=lambda change: change.seq), number, len(by_incident))
        return len(by_incident)

    async def _one(self, steps: Sequence[Change], number: int, count: int) -> None:
        memory: Memory = {"saying": steps[0].seq}  # an earlier replay may have said it: look before posting
        for change in steps:
            memory = self._speaker.keep(change, memory)
        memory = await self._speaker.flush(memory)
        if self._speaker.owes(memory):
            trouble = memory["slack"].get("trouble")
            why = (
                f"Slack answers {trouble['error']}: {trouble['fix']}" if trouble else "Slack is out of reach"
            )
            raise RetellError(f"{number} of {count} incidents are told: {why}")
