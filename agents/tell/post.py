"""A speaker that posts JSON to an address, in order, and keeps what could not be posted.

What it says cannot be taken back, changed or looked up: a post whose answer was lost is posted again.
So the other side is told what makes two posts the same, in the body or a header.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from agents import log
from agents.tell.slack_api import Clock, SystemClock
from agents.tell.speaker import Outcome, unheard
from pipeline.storm import Digest
from pipeline.telling import Memory, tell
from schemas import Change, Decision, Feedback

TIMEOUT_SECONDS = 10.0
PAUSE_SECONDS = 15.0
REFUSED_PAUSE_SECONDS = 60.0
POSTS_KEPT_MAX = 50
"""Of more posts owed for one incident the oldest are dropped: the newest say how it stands."""

UNFIT = frozenset({400, 409, 413, 415, 422})
"""Answers by which a body will never be taken: it is dropped, and counted."""


@dataclass(frozen=True, slots=True)
class Post:
    """One body to be posted. `identity`: equal for what says the same."""

    identity: str
    body: Any


Render = Callable[[Change, Memory], tuple[Sequence[Post], Memory]]
"""What to post about a change, and what to remember about it beside."""


class PostingSpeaker:
    """Posts what `render` makes of each change. `name` is the act in the metrics."""

    def __init__(
        self, name: str, url: str, render: Render, *, clock: Clock | None = None, heard: Outcome = unheard
    ) -> None:
        self._name = name
        self._url = url
        self._render = render
        self._clock = clock or SystemClock()
        self._heard = heard
        self._log = log.get(name)
        self._trouble: str | None = None
        self._resume_at = float("-inf")

    async def start(self) -> None:
        """Nothing can be asked without posting something."""

    async def say(self, change: Change, memory: Memory | None) -> Memory:
        """Post what `change` is worth, after whatever is owed from before."""
        return await self.flush(self.keep(change, memory))

    def keep(self, change: Change, memory: Memory | None) -> Memory:
        """Owe what `change` is worth."""
        acts, after = tell(memory, change)
        if not acts:
            return after
        posts, known = self._render(change, after.get("known", {}))
        owed = [*after.get("owed", []), *([one.identity, one.body] for one in posts)]
        return {**after, "known": known, "owed": owed[-POSTS_KEPT_MAX:]}

    async def announce(self, digest: Digest, memory: Memory | None) -> Memory:
        """A machine needs no digest: it gets every incident."""
        return {"incident": digest.storm, **(memory or {})}

    def hear(self, feedback: Feedback, memory: Memory, decisions: Sequence[Decision] | None) -> Memory:
        """What people say in Slack stays there."""
        return memory

    def remind(self, memory: Memory) -> Memory:
        """Nobody can answer what only posts."""
        return memory

    def owes(self, memory: Memory) -> bool:
        """Whether something could not be posted yet."""
        return bool(memory.get("owed"))

    async def flush(self, memory: Memory) -> Memory:
        """Post what is owed, oldest first, as far as the other side takes it."""
        owed = list(memory.get("owed", []))
        while owed and self._clock.now() >= self._resume_at and await self._posted(*owed[0]):
            owed.pop(0)
        return {**memory, "owed": owed}

    async def _posted(self, identity: str, body: Any) -> bool:
        """Whether this one is done with."""
        try:
            status = await post(self._url, body, identity)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._pause("unreachable", type(error).__name__, PAUSE_SECONDS)
            return False
        if status < 300:
            self._heard(self._name, "posted")
            if self._trouble is not None:
                self._log.info("works again", after=self._trouble)
                self._trouble = None
            return True
        if status in UNFIT:
            self._heard(self._name, "dropped")
            self._log.error("the other side cannot use what it was told, it is dropped", status=status)
            return True
        known = status in (401, 403, 404, 405, 410)
        self._pause("refused" if known else "unreachable", f"http_{status}", REFUSED_PAUSE_SECONDS)
        return False

    def _pause(self, outcome: str, reason: str, seconds: float) -> None:
        self._heard(self._name, outcome)
        self._resume_at = self._clock.now() + seconds
        if self._trouble != reason:  # once, and without the address: it may hold a secret
            self._log.error("nothing can be posted, it is kept", reason=reason, again_in_seconds=seconds)
        self._trouble = reason


async def post(url: str, body: Any, identity: str) -> int:
    """Post JSON; returns the status of the answer, 404 for one that leads elsewhere.

    Raises:
        aiohttp.ClientError, TimeoutError, OSError: no answer came.
    """
    headers = {"Idempotency-Key": identity, "User-Agent": "undercurrent"}
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    async with (
        aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
        session.post(url, json=body, headers=headers, allow_redirects=False) as answer,
    ):
        await answer.read()
        return 404 if 300 <= answer.status < 400 else answer.status
