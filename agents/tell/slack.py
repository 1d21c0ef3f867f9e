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

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from slack_sdk.web.async_client import AsyncWebClient

from agents import log
from agents.tell.slack_api import Clock, Refused, SlackApi, SystemClock, Unknown, Unsent
from agents.tell.slack_channel import GONE, SlackChannel, client_msg_id, order_of
from agents.tell.slack_check import Check, check
from agents.tell.slack_pictures import SlackPictures, worth_a_picture
from agents.tell.slack_thread import Thread
from agents.tell.speaker import Outcome, unheard
from pipeline.render.buttons import buttons, escalation_reply, feedback_reply, with_call, with_status
from pipeline.render.chart import Theme
from pipeline.render.mark import NOW, Mark
from pipeline.render.slack import (
    PLAIN,
    Look,
    Message,
    folded,
    reply_message,
    root_message,
    storm_message,
    test_message,
)
from pipeline.render.words import catalogue
from pipeline.storm import Digest
from pipeline.telling import Memory, PostRoot, Reply, tell, unsure
from schemas import Change, Decision, Feedback, FeedbackKind, IncidentState

SLACK_URL = "https://slack.com/api/"
TIMEOUT_SECONDS = 10
REFUSED_PAUSE_SECONDS = 60.0
OUTAGE_PAUSE_SECONDS = 15.0
REPLIES_IN_A_ROW_MAX = 5
"""More replies owed than this are said as one."""
REPLIES_KEPT_MAX = 20
"""More replies owed than this are kept as one."""
PRESSES_MAX = 6
"""So many people's latest words stand in the root; all of them stand in the thread."""
PICTURE_TRIES_MAX = 5
"""How often an upload is begun before the story goes on without its picture."""
ROOTS_IN_A_ROW_MAX = 3
"""How often a deleted root is replaced within one delivery, before it waits for the next."""

_log = log.get("slack")


@dataclass(frozen=True, slots=True)
class Manners:
    """Whom messages call. `mention`: those of the first message about an incident; `may_call`: whether
    anybody may be called; `escalate_to`: who is called after `escalate_after_seconds` without an answer.
    `now`: the wall clock, for how long people have been silent is no event.
    """

    mention: Callable[[Change], tuple[str, ...]] = lambda change: ()
    may_call: Callable[[Change], bool] = lambda change: True
    escalate_after_seconds: float | None = None
    escalate_to: tuple[str, ...] = ()
    now: Callable[[], float] = time.time  # noqa: TID251  people keep their own time


class SlackSpeaker:
    """A speaker for one channel. `heard` is told of each outcome, see docs/messages.md."""

    def __init__(
        self,
        token: str,
        channel: str,
        *,
        language: str = "en",
        look: Look = PLAIN,
        mark: Mark = NOW,
        pictures: Theme | None = None,
        with_buttons: bool = False,
        manners: Manners | None = None,
        base_url: str = SLACK_URL,
        timeout_seconds: int = TIMEOUT_SECONDS,
        clock: Clock | None = None,
        heard: Outcome = unheard,
    ) -> None:
        self._clock = clock or SystemClock()
        self._heard = heard
        self._words = catalogue(language)
        self._look = look
        self._buttons = with_buttons
        self._manners = manners or Manners()
        self._client = AsyncWebClient(token, base_url, timeout=timeout_seconds, retry_handlers=[])
        self._api = SlackApi(self._client, self._clock, lambda outcome: heard("slack", outcome))
        self._channel = SlackChannel(self._client, self._api, channel, heard, mark)
        self._pictures = (
            SlackPictures(self._client, self._api, self._channel, self._words, pictures, heard)
            if pictures
            else None
        )
        self._trouble: dict[str, str] | None = None
        self._resume_at = float("-inf")

    async def start(self) -> None:
        """Log what stands in the way of messages, before the first one is due."""
        for problem in (await self.check()).problems:
            _log.warning("slack is not ready", problem=problem)

    async def say(self, change: Change, memory: Memory | None) -> Memory:
        """Say what `change` is worth saying, after whatever is owed from before."""
        return await self.flush(self.keep(change, memory))

    def keep(self, change: Change, memory: Memory | None) -> Memory:
        """Owe what `change` is worth saying, and say nothing yet."""
        acts, after = tell(memory, change)
        thread = Thread.of(after)
        thread.unsure = thread.unsure or unsure(memory)
        if acts:
            replies = [reply_message(act, self._words) for act in acts if isinstance(act, Reply)]
            self._call(change, thread, replies, first=any(isinstance(act, PostRoot) for act in acts))
            tail = buttons(change.incident, self._words) if self._buttons else []
            root = root_message(change, self._words, self._look, tail)
            thread.last = root if self._buttons else None
            thread.root, thread.shown = self._with_status(root, thread), False
            thread.replies += replies
            if self._pictures and change.incident.series and worth_a_picture(change, thread.pictured):
                thread.picture, thread.pictured = change.model_dump(mode="json"), True
                thread.picture_tries = int(thread.unsure)  # it may stand there already
        if len(thread.replies) > REPLIES_KEPT_MAX and not thread.unsure:
            thread.replies = [folded(thread.replies, self._words)]  # what is kept stays small
        return thread.within(after)

    async def announce(self, digest: Digest, memory: Memory | None) -> Memory:
        """Say that many incidents wait, in one message that is kept up to date."""
        after = {"incident": digest.storm, **(memory or {})}
        thread = Thread.of(after)
        thread.unsure = thread.unsure or (memory is not None and thread.ts is None)
        thread.root, thread.shown = storm_message(digest, self._words), False
        return await self._delivered(thread, after)

    def hear(self, feedback: Feedback, memory: Memory, decisions: Sequence[Decision] | None) -> Memory:
        """Note a press of a button: a step of the thread, and a line in the root."""
        thread = Thread.of(memory)
        known = thread.presses()
        if thread.last is None or _said_already(feedback, known):
            return memory
        kept = [one for one in known if (one.kind, one.by) != (feedback.kind, feedback.by)]
        thread.pressed = [one.model_dump(mode="json") for one in (*kept, feedback)][-PRESSES_MAX:]
        thread.notes += 1
        reply = feedback_reply(feedback, int(memory["seq"]), thread.notes, self._words, decisions)
        thread.replies.append(reply)
        thread.root, thread.shown = self._with_status(thread.last, thread), False
        thread.unsure = True  # from here on a crash leaves open whether it was said
        return thread.within(memory)

    def _with_status(self, root: Message, thread: Thread) -> Message:
        return with_status(root, thread.presses(), self._words, thread.mentions)

    def _call(self, change: Change, thread: Thread, replies: list[Message], first: bool) -> None:
        """Call whom the manners name, once: in the root when it is first told, else in the reply."""
        after_seconds = self._manners.escalate_after_seconds
        if after_seconds is not None:
            thread.since = thread.since or self._manners.now()
            over = change.incident.state is IncidentState.RESOLVED
            thread.waiting = not over and self._manners.may_call(change)
        called = () if thread.called else self._manners.mention(change)
        if called and first:
            thread.mentions = list(called)
        elif called and replies:
            replies[-1] = with_call(replies[-1], called)
        else:
            return
        thread.called = True

    def remind(self, memory: Memory) -> Memory:
        """The memory that owes a louder call, once nobody has answered for the incident long enough."""
        thread, manners = Thread.of(memory), self._manners
        after_seconds = manners.escalate_after_seconds
        if after_seconds is None or not thread.waiting or thread.escalated or thread.since is None:
            return memory
        now = manners.now()
        if now < thread.since + after_seconds or thread.answered(now) or thread.last is None:
            return memory
        thread.escalated, thread.unsure = True, True
        thread.notes += 1
        thread.replies.append(
            escalation_reply(
                str(memory["incident"]), int(memory["seq"]), thread.notes, after_seconds,
                manners.escalate_to, self._words,
            )
        )  # fmt: skip
        thread.root, thread.shown = self._with_status(thread.last, thread), False
        return thread.within(memory)

    async def flush(self, memory: Memory) -> Memory:
        """Try again what `memory` still owes."""
        return await self._delivered(Thread.of(memory), memory)

    def owes(self, memory: Memory) -> bool:
        """Whether a message of this incident could not be said yet."""
        thread = Thread.of(memory)
        return thread.root is not None or thread.picture is not None

    async def test(self) -> tuple[str, str]:
        """Post one message marked as a test; returns channel id and `ts`. Raises SlackError."""
        message = test_message(self._words)
        identity = client_msg_id("test", self._clock.now())
        answer = await self._channel.post(message, identity)
        return str(answer["channel"]), str(answer["ts"])

    async def check(self) -> Check:
        """Ask Slack who we are, what we may do, and whether the channel can be read."""
        with_pictures = self._pictures is not None
        return await check(self._client, self._api, self._channel, with_pictures=with_pictures)

    async def _delivered(self, thread: Thread, memory: Memory) -> Memory:
        """Say all that is owed, as far as Slack lets us, and write down what is left."""
        if thread.root is not None or thread.picture is not None:
            try:
                if thread.root is not None:
                    await self._deliver(thread, str(memory["incident"]), thread.root)
                await self._show(thread)
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
        if thread.ts is None and len(thread.replies) > 1 and not thread.unsure:
            thread.replies = [folded(thread.replies, self._words)]  # told late: its steps as one
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

    async def _show(self, thread: Thread) -> None:
        """Upload the picture owed, after the words and without keeping any back."""
        if thread.picture is None or thread.ts is None or self._clock.now() < self._resume_at:
            return
        if self._pictures is not None and thread.picture_tries < PICTURE_TRIES_MAX:
            unsure, thread.picture_tries = thread.picture_tries > 0, thread.picture_tries + 1
            try:
                await self._pictures.show(Change.model_validate(thread.picture), thread.ts, unsure=unsure)
            except (Unsent, Unknown) as failure:
                self._heard("picture", "pending")
                _log.warning("the timeline picture could not be uploaded", reason=failure.code)
                return
        thread.picture, thread.picture_tries = None, 0

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
                seq, part = order_of(message)
                identity = client_msg_id("reply", incident, thread.generation, seq, *([part] if part else []))
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
        owed = [one for one in thread.replies if order_of(one) > said]
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


def _said_already(feedback: Feedback, known: Sequence[Feedback]) -> bool:
    """Whether a press says nothing new: delivered twice, or the same person's same word."""
    content = {"at", "id", "name"}
    return any(
        one.id == feedback.id
        or (
            feedback.kind in (FeedbackKind.ACKNOWLEDGED, FeedbackKind.WRONG_CAUSE)
            and one.model_dump(exclude=content) == feedback.model_dump(exclude=content)
        )
        for one in known
    )
