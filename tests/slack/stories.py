"""What stands in the channel, in the terms of the tests."""

from typing import Any

from agents.tell.slack import SlackSpeaker
from pipeline.telling import Memory, intend
from schemas import Change
from tests.render.incidents import CASCADE
from tests.slack.server import FakeSlack

INCIDENT = CASCADE[0].incident.id
STEPS = [one.seq for one in CASCADE]
"""The changes of the cascade, each a reply in its thread."""
NAMES = ["Opened", "Cause named", "Recovering", "Resolved"]
"""How those replies begin."""


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


def steps_said(slack: FakeSlack, incident: str) -> list[str]:
    """The names of the steps in the incident's thread, in their order, those said as one reply included."""
    replies = [one for root in roots(slack, incident) for one in slack.channel.thread(root["ts"])]
    heads = [line for one in replies for line in one["text"].splitlines() if line.endswith(" UTC")]
    return [head.split(" · ")[0].split(":")[0] for head in heads]
