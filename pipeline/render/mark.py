"""What tells a message about the past from one about now: its first line, and the name it is found by."""

from dataclasses import dataclass

from pipeline.render.slack import EVENT_TYPE, Message, mrkdwn, section
from pipeline.render.words import Words

REPLAY_EVENT_TYPE = "undercurrent_replay"
"""A replay derives the same ids as live: by this name neither takes the other's messages for its own."""
LINE_MAX = 300


@dataclass(frozen=True, slots=True)
class Mark:
    """`event_type`: the name of the metadata. `line`: what stands above everything else, if anything does."""

    event_type: str
    line: str | None = None

    def on(self, message: Message) -> Message:
        """The same message with the mark on it."""
        if self.line is None:
            return message
        line = mrkdwn(self.line, LINE_MAX)
        payload = {**message["metadata"]["event_payload"], "replay": True}
        return {
            "text": f"{line}\n{message['text']}",
            "blocks": [section(f"*{line}*"), *message["blocks"]],
            "metadata": {"event_type": self.event_type, "event_payload": payload},
        }


NOW = Mark(EVENT_TYPE)
"""No mark: what is said happens now."""


def replay_mark(words: Words) -> Mark:
    """Says that this is the past, and that nobody needs to act."""
    return Mark(REPLAY_EVENT_TYPE, words("replay.mark"))
