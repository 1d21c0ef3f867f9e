"""What people and their workspace do to messages, and what they may not: the story goes on."""

import pytest

from tests.render.incidents import CASCADE
from tests.slack.conftest import Speakers
from tests.slack.server import FakeSlack
from tests.slack.stories import INCIDENT, STEPS, payload, roots, tell_all, thread


async def test_without_history_messages_are_still_said(
    slack: FakeSlack, speaker: Speakers, logged: list[str]
) -> None:
    """A token that may not read posts all the same, and one line says which scope is missing."""
    slack.scopes.discard("channels:history")
    await tell_all(speaker(), CASCADE)

    assert thread(slack, INCIDENT) == STEPS
    assert sum("channels:history" in line for line in logged if "looked up" in line) == 1


async def test_a_deleted_root_is_replaced(
    slack: FakeSlack, speaker: Speakers, heard: list[tuple[str, str]]
) -> None:
    """Somebody deletes the message: the next change posts it anew, with its step in the new thread."""
    memory = await tell_all(speaker(), CASCADE[:1])
    slack.delete(roots(slack, INCIDENT)[0]["ts"])
    await tell_all(speaker(), CASCADE[1:], memory)

    assert len(roots(slack, INCIDENT)) == 1
    assert thread(slack, INCIDENT) == STEPS[1:]
    assert ("root", "replaced") in heard


@pytest.mark.parametrize("deduplicates", [False, True], ids=["", "slack-deduplicates"])
async def test_a_root_deleted_under_its_thread_is_replaced(
    slack: FakeSlack, speaker: Speakers, deduplicates: bool
) -> None:
    """A parent deleted with replies under it leaves a tombstone; the story goes on under a new root."""
    slack.deduplicates = deduplicates
    memory = await tell_all(speaker(), CASCADE[:2])
    slack.delete(roots(slack, INCIDENT)[0]["ts"])
    await tell_all(speaker(), CASCADE[2:], memory)

    (root,) = roots(slack, INCIDENT)
    assert payload(root)["seq"] == 3
    assert thread(slack, INCIDENT) == STEPS[2:]


async def test_a_stray_reply_is_taken_back(
    slack: FakeSlack, speaker: Speakers, heard: list[tuple[str, str]]
) -> None:
    """The root vanishes between update and reply: no reply is left standing at top level."""
    one = speaker()
    memory = await tell_all(one, CASCADE[:1])
    first = roots(slack, INCIDENT)[0]["ts"]
    slack.before["chat.postMessage"] = lambda: slack.channel.find(first) and slack.delete(first)
    await one.say(CASCADE[1], memory)

    (root,) = roots(slack, INCIDENT)
    assert payload(root)["message"] == "root"
    assert root["ts"] != first
    assert thread(slack, INCIDENT) == [1]
    assert ("reply", "stray_deleted") in heard


async def test_a_root_that_keeps_vanishing_ends(slack: FakeSlack, speaker: Speakers) -> None:
    """Somebody deletes every root at once: there is an end to posting new ones."""
    one = speaker()
    memory = await one.say(CASCADE[0], None)

    def sweep() -> None:
        for message in list(slack.channel.top()):
            slack.delete(message["ts"])

    slack.before["chat.postMessage"] = sweep
    memory = await one.say(CASCADE[1], memory)
    assert one.owes(memory)
    assert len(slack.calls("chat.postMessage")) < 12


async def test_an_edit_window_does_not_silence_the_thread(
    slack: FakeSlack, speaker: Speakers, heard: list[tuple[str, str]]
) -> None:
    """Where the workspace forbids late edits the root stays as it is, and the steps still come."""
    one = speaker()
    memory = await tell_all(one, CASCADE[:1])
    slack.edit_window_open = False
    await tell_all(one, CASCADE[1:], memory)

    assert thread(slack, INCIDENT) == STEPS
    assert ("root", "edit_window_closed") in heard


@pytest.mark.parametrize("code", ["invalid_blocks", "msg_blocks_too_long"])
async def test_refused_blocks_fall_back_to_text(
    slack: FakeSlack, speaker: Speakers, heard: list[tuple[str, str]], code: str
) -> None:
    """Should Slack ever dislike the blocks, the text that says the same goes out alone."""
    slack.fail("chat.postMessage", code)
    await speaker().say(CASCADE[0], None)

    (root,) = roots(slack, INCIDENT)
    assert "blocks" not in root
    assert root["text"].startswith("🔴 Open: cause not known yet")
    assert ("slack", "plain") in heard
