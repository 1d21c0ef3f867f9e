"""What stands in the channel, in the terms of the tests."""

from typing import Any

from agents.slack import SlackSpeaker
from pipeline.telling import Memory, intend
from schemas import Change
from tests.slack.server import FakeSlack


async def tell_all(
    speaker: SlackSpeaker, changes: tuple[Change, ...], memory: Memory | None = None
) -> Memory:
    """Say changes one after the other, as notify does: the intent is stored before each."""
    for change in changes:
        memory = await speaker.say(change, memory)
    return memory or {}


def stored(memory: Memory | None, change: Change) -> Memory:
    """What the table holds if the process dies while it says `change`."""
    return intend(memory, change)


def payload(message: dict[str, Any]) -> dict[str, Any]:
    return dict(message.get("metadata", {}).get("event_payload", {}))


def roots(slack: FakeSlack, incident: str) -> list[dict[str, Any]]:
    """Every message at top level that is about the incident, strays included."""
    return [one for one in slack.channel.top() if payload(one).get("incident") == incident]


def thread(slack: FakeSlack, incident: str) -> list[int]:
    """The steps in the incident's thread, by `seq`, in their order."""
    return [
        payload(one)["seq"] for root in roots(slack, incident) for one in slack.channel.thread(root["ts"])
    ]
