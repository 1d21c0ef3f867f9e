"""Says incidents in Slack: one root message each, updated in place, its steps in the thread.

The laws:

1. One root per incident. A root is looked for in the channel before it is posted, and again whenever
   a post's outcome is unknown; so is a reply whose outcome is. `client_msg_id` is derived from the
   incident besides, for the case that Slack deduplicates by it, which nobody promises.
2. What could not be said stands in the memory, in order, and is said before anything newer.
3. A refusal becomes a state in the memory, one log line with the fix and an outcome for the metrics;
   Slack is then left alone for a minute, whatever else there is to say.
4. A root that was deleted is replaced by a new one. A reply to a deleted parent lands at top level,
   and Slack tells only by leaving out `thread_ts` (slack-go issue 1571): such a stray is deleted.
"""

import re
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from agents import log
from agents.slack_api import Clock, Refused, SlackApi, SlackError, SystemClock, Unknown, Unsent
from agents.slack_channel import GONE, HISTORY_SCOPES, SlackChannel, client_msg_id
from agents.speaker import Outcome, unheard
from pipeline.render.slack import Message, folded, reply_message, root_message, test_message
from pipeline.render.words import catalogue
from pipeline.telling import Memory, Reply, tell, unsure
from schemas import Change

SLACK_URL = "https://slack.com/api/"
TIMEOUT_SECONDS = 10
REFUSED_PAUSE_SECONDS = 60.0
OUTAGE_PAUSE_SECONDS = 15.0
REPLIES_IN_A_ROW_MAX = 5
"""More replies owed than this are said as one."""
ROOTS_IN_A_ROW_MAX = 3
"""How often a deleted root is replaced within one delivery, before it waits for the next."""

_log = log.get("slack")


@dataclass
class Thread:
    """One incident's messages: where they are and what is still owed. Stands in the memory as `slack`.

    `generation` counts roots: it grows when one was deleted. `root` is kept until all is said,
    `shown` says whether the channel has it. `unsure`: the outcome of a post is unknown.
    """

    ts: str | None = None
    generation: int = 0
    root: Message | None = None
    shown: bool = False
    replies: list[Message] = field(default_factory=list)
    unsure: bool = False
    trouble: dict[str, str] | None = None

    @classmethod
    def of(cls, memory: Memory) -> "Thread":
        """The thread as `memory` has it; `memory` itself is never written to."""
        known = memory.get("slack", {})
        thread = cls(**{one.name: known[one.name] for one in fields(cls) if one.name in known})
        thread.replies = list(thread.replies)
        return thread

    def within(self, memory: Memory) -> Memory:
        """`memory` with this thread in it, less what is empty."""
        kept = {name: value for name, value in asdict(self).items() if value or name == "generation"}
        return {**memory, "slack": kept}

    def lose_root(self) -> None:
        """The root was deleted: the next one is of a new generation."""
        self.ts, self.generation, self.shown = None, self.generation + 1, False


@dataclass(frozen=True, slots=True)
class Check:
    """What the check at start found. `problems`: one sentence each, with the fix; none if all is well."""

    team: str | None
    bot: str | None
    scopes: tuple[str, ...]
    problems: tuple[str, ...]


class SlackSpeaker:
    """A speaker for one channel. `heard` is told of each outcome, see docs/messages.md."""

    def __init__(
        self,
        token: str,
        channel: str,
        *,
        language: str = "en",
        base_url: str = SLACK_URL,
        timeout_seconds: int = TIMEOUT_SECONDS,
        clock: Clock | None = None,
        heard: Outcome = unheard,
    ) -> None:
        self._clock = clock or SystemClock()
        self._heard = heard
        self._words = catalogue(language)
        self._client = AsyncWebClient(token, base_url, timeout=timeout_seconds, retry_handlers=[])
        self._api = SlackApi(self._client, self._clock, lambda outcome: heard("slack", outcome))
        self._channel = SlackChannel(self._client, self._api, channel, heard)
        self._trouble: dict[str, str] | None = None
        self._resume_at = float("-inf")

    async def start(self) -> None:
        """Log what stands in the way of messages, before the first one is due."""
        for problem in (await self.check()).problems:
            _log.warning("slack is not ready", problem=problem)

    async def say(self, change: Change, memory: Memory | None) -> Memory:
        """Say what `change` is worth saying, after whatever is owed from before."""
        acts, after = tell(memory, change)
        thread = Thread.of(after)
        thread.unsure = thread.unsure or unsure(memory)
        if acts:
            thread.root, thread.shown = root_message(change, self._words), False
            thread.replies += [reply_message(act, self._words) for act in acts if isinstance(act, Reply)]
        return await self._delivered(thread, after)

    async def flush(self, memory: Memory) -> Memory:
        """Try again what `memory` still owes."""
        return await self._delivered(Thread.of(memory), memory)

    def owes(self, memory: Memory) -> bool:
        """Whether a message of this incident could not be said yet."""
        return Thread.of(memory).root is not None

    async def test(self) -> tuple[str, str]:
        """Post one message marked as a test; returns channel id and `ts`. Raises SlackError."""
        message = test_message(self._words)
        identity = client_msg_id("test", self._clock.now())
        answer = await self._channel.post(message, identity)
        return str(answer["channel"]), str(answer["ts"])

    async def check(self) -> Check:
        """Ask Slack who we are, what we may do, and whether the channel can be read."""
        who: dict[str, Any] = {}
        problems: list[str] = []
        try:
            who = await self._api.read(self._client.auth_test)
            self._channel.bot_id = who.get("bot_id")
        except SlackError as error:
            problems.append(sentence(error))
        scopes = tuple(sorted(filter(None, re.split(r"[,\s]+", who.get("scopes") or ""))))
        if who and scopes and "chat:write" not in scopes:
            problems.append("no message can be posted: add the scope chat:write to the app and reinstall it")
        if who:
            try:
                await self._channel.history(pages=1, limit=1)
            except Refused as refusal:
                fix = f"add the scope {refusal.needed or HISTORY_SCOPES} to the app and reinstall it"
                problems.append(
                    f"messages cannot be looked up after a crash: {fix}"
                    if refusal.code == "missing_scope"
                    else sentence(refusal)
                )
            except SlackError as error:
                problems.append(sentence(error))
        return Check(who.get("team"), who.get("user"), scopes, tuple(problems))

    async def _delivered(self, thread: Thread, memory: Memory) -> Memory:
        """Say all that is owed, as far as Slack lets us, and write down what is left."""
        if thread.root is not None:
            try:
                await self._deliver(thread, str(memory["incident"]), thread.root)
            except Refused as refusal:
                self._stand_back(refusal)
                thread.trouble = self._trouble
            except (Unsent, Unknown) as failure:
                self._wait_out(failure)
                thread.trouble = self._trouble
        return thread.within(memory)

    async def _deliver(self, thread: Thread, incident: str, root: Message) -> None:
        if self._clock.now() < self._resume_at:
            raise Unsent("paused")
        last_generation = thread.generation + ROOTS_IN_A_ROW_MAX
        while thread.ts is None or not thread.shown or thread.replies:
            if thread.generation > last_generation:
                raise Unsent("root_keeps_vanishing")
            if thread.ts is None:
                await self._post_root(thread, incident, root)
            elif not thread.shown:
                await self._update_root(thread, thread.ts, root)
            else:
                await self._say_next(thread, thread.ts, incident)
        thread.root, thread.unsure, thread.trouble = None, False, None
        if self._trouble is not None:
            _log.info("slack works again", after=self._trouble["error"])
            self._trouble = None

    async def _post_root(self, thread: Thread, incident: str, root: Message) -> None:
        """Post the root, unless it stands there: after a crash, a lost answer or a lost memory."""
        attempt = 0
        while True:
            thread.ts = await self._channel.find_root(incident, far_back=thread.unsure)
            if thread.ts is not None:
                self._heard("root", "found")
                return
            try:
                identity = client_msg_id("root", incident, thread.generation)
                answer = await self._channel.post(root, identity)
            except Unknown:
                thread.unsure = True
                if not await self._api.rest(attempt):
                    raise
                attempt += 1
            except Refused as refusal:
                if refusal.code != "duplicate_message_not_found":
                    raise
                thread.lose_root()
                return
            else:
                self._heard("root", "posted")
                thread.ts, thread.shown = str(answer["ts"]), True
                return

    async def _update_root(self, thread: Thread, ts: str, root: Message) -> None:
        try:
            await self._channel.update(ts, root)
            self._heard("root", "updated")
        except Refused as refusal:
            if refusal.code in GONE:
                self._heard("root", "replaced")
                _log.warning("the root message was deleted, a new one is posted", error=refusal.code)
                thread.lose_root()
                return
            if refusal.code != "edit_window_closed":
                raise
            self._heard("root", refusal.code)
            _log.warning("slack lets us edit no longer", error=refusal.code, fix=refusal.fix)
        thread.shown = True

    async def _say_next(self, thread: Thread, ts: str, incident: str) -> None:
        """Say the replies owed, in order, many of them as one; skip those that turn out to be said."""
        attempt = 0
        while thread.replies:
            if thread.unsure:
                await self._skip_said(thread, ts, incident)
                continue
            if len(thread.replies) > REPLIES_IN_A_ROW_MAX:
                thread.replies = [folded(thread.replies, self._words)]
            message = thread.replies[0]
            try:
                identity = client_msg_id("reply", incident, thread.generation, _seq(message))
                answer = await self._channel.post(message, identity, ts)
            except Unknown:
                thread.unsure = True
                if not await self._api.rest(attempt):
                    raise
                attempt += 1
                continue
            if answer.get("message", {}).get("thread_ts") != ts:
                await self._channel.delete(str(answer["ts"]))
                self._heard("reply", "stray_deleted")
                thread.lose_root()
                return
            self._heard("reply", "posted")
            thread.replies.pop(0)

    async def _skip_said(self, thread: Thread, ts: str, incident: str) -> None:
        """Replies are said in order, so everything up to the last one that stands there is said."""
        said = await self._channel.last_reply(incident, ts)
        owed = [one for one in thread.replies if _seq(one) > said]
        for _ in range(len(thread.replies) - len(owed)):
            self._heard("reply", "found")
        thread.replies, thread.unsure = owed, False

    def _stand_back(self, refusal: Refused) -> None:
        """A person has to act: say so once, and leave Slack alone for a while."""
        fix = refusal.fix or f"look up {refusal.code} at docs.slack.dev/reference/methods/chat.postMessage"
        if self._trouble is None or self._trouble["error"] != refusal.code:
            _log.error("slack refuses our messages, they are kept", error=refusal.code, fix=fix)
        self._trouble = {"error": refusal.code, "fix": fix}
        self._resume_at = self._clock.now() + REFUSED_PAUSE_SECONDS
        self._heard("slack", refusal.code)

    def _wait_out(self, failure: Unsent | Unknown) -> None:
        """Slack is out of reach: keep the message, and let the next ones wait too."""
        self._heard("slack", "pending")
        if failure.code == "paused":
            return
        again_seconds = max(OUTAGE_PAUSE_SECONDS, getattr(failure, "again_seconds", 0.0))
        self._resume_at = self._clock.now() + again_seconds
        _log.warning(
            "slack is out of reach, the message is kept", reason=failure.code, again_in_seconds=again_seconds
        )


def sentence(error: SlackError) -> str:
    """An error as one sentence with its fix, free of anything secret."""
    if isinstance(error, Refused):
        return f"Slack answers {error.code}" + (f": {error.fix}" if error.fix else "")
    return f"Slack cannot be reached: {getattr(error, 'code', 'unknown')}"


def _seq(message: Message) -> int:
    return int(message["metadata"]["event_payload"]["seq"])
