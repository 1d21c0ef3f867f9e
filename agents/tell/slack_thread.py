"""What is known of one incident's messages in one place, and what is still owed there."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from pipeline.render.slack import Message
from pipeline.telling import Memory
from schemas import Feedback, FeedbackKind


@dataclass
class Thread:
    """One incident's messages: where they are and what is still owed. Stands in the memory as `slack`.

    `generation` counts roots: it grows when one was deleted. `root` is kept until all is said,
    `shown` says whether the channel has it. `unsure`: the outcome of a post is unknown. `picture`: the
    change whose picture is owed, `picture_tries` how often it was begun; `pictured`: one was owed before.
    `last`: the root as it was told last, `pressed` what people said of it by buttons, `notes` how often
    somebody but the core spoke. `mentions`: whom the root calls; `called`: it, or a reply, called somebody.
    `since`: when it was first told, wall clock; `waiting`: nobody answers for it yet, and somebody should.
    """

    ts: str | None = None
    generation: int = 0
    root: Message | None = None
    shown: bool = False
    replies: list[Message] = field(default_factory=list)
    unsure: bool = False
    picture: dict[str, Any] | None = None
    picture_tries: int = 0
    pictured: bool = False
    last: Message | None = None
    pressed: list[dict[str, Any]] = field(default_factory=list)
    notes: int = 0
    mentions: list[str] = field(default_factory=list)
    called: bool = False
    since: float | None = None
    waiting: bool = False
    escalated: bool = False
    trouble: dict[str, str] | None = None

    @classmethod
    def of(cls, memory: Memory) -> "Thread":
        """The thread as `memory` has it; `memory` itself is never written to."""
        known = memory.get("slack", {})
        thread = cls(**{one.name: known[one.name] for one in fields(cls) if one.name in known})
        thread.replies, thread.pressed = list(thread.replies), list(thread.pressed)
        return thread

    def within(self, memory: Memory) -> Memory:
        """`memory` with this thread in it, less what is empty."""
        kept = {name: value for name, value in asdict(self).items() if value or name == "generation"}
        return {**memory, "slack": kept}

    def lose_root(self) -> None:
        """The root was deleted: the next one is of a new generation."""
        self.ts, self.generation, self.shown = None, self.generation + 1, False

    def presses(self) -> list[Feedback]:
        """What people said, oldest first."""
        return [Feedback.model_validate(one) for one in self.pressed]

    def answered(self, now: float) -> bool:
        """Whether somebody looks after it, or wants no calls at wall-clock time `now`."""
        return any(
            one.kind is FeedbackKind.ACKNOWLEDGED
            or (one.kind is FeedbackKind.SNOOZED and (one.until or 0.0) > now)
            for one in self.presses()
        )
