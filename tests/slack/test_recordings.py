"""The messages of every recording, kept as files: what people would have read that night."""

import json
from typing import Any

import pytest

from pipeline.render.slack import Look, root_message
from pipeline.render.words import CATALOGUES, catalogue
from schemas import Change
from tests.golden import Golden
from tests.slack.blockkit import mentions, refusal
from tests.slack.conftest import Speakers
from tests.slack.recordings import RECORDINGS, replayed
from tests.slack.server import FakeSlack
from tests.slack.stories import roots, tell_all

LOOK = Look(
    links={
        "page": "https://undercurrent.example/incidents/{incident}",
        "Grafana": "https://grafana.example/d/registry?var-instance={instance}&from={since_ms}&to={until_ms}",
        "runbook": "https://wiki.example/registry/{cause}",
    }
)
LINKS = tuple(f"https://{host}.example/" for host in ("undercurrent", "grafana", "wiki"))
QUIET = {"cpu_busy_no_errors", "dns_noise_only", "healthy"}
"""Recordings in which nothing happened that anyone has to be told."""


@pytest.mark.parametrize("language", CATALOGUES)
@pytest.mark.parametrize("name", RECORDINGS)
async def test_the_messages_of_a_recording(
    name: str, language: str, golden: Golden, slack: FakeSlack, speaker: Speakers
) -> None:
    """What stands in Slack at the end, with its buttons, is what it was; Slack took all of it."""
    outcome = replayed(name)
    one = speaker(with_buttons=True, look=LOOK, language=language)
    told = []
    for final in outcome.final_changes():
        changes = tuple(change for change in outcome.changes if change.incident.id == final.incident.id)
        memory = await tell_all(one, changes)
        assert not one.owes(memory)
        told.append(standing(slack, final, language))
    assert (not told) == (name in QUIET)
    suffix = "" if language == "en" else f".{language}"
    golden(f"recordings/{name}{suffix}.json", json.dumps(told, ensure_ascii=False, indent=1) + "\n")
    for message in slack.channel.messages:
        assert mentions(message, LINKS) == []


def standing(slack: FakeSlack, final: Change, language: str) -> dict[str, Any]:
    """The incident's root and thread as they stand in the channel."""
    (root,) = roots(slack, final.incident.id)
    actions = [block for block in root["blocks"] if block["type"] == "actions"]
    assert len(actions) == 1
    plain = root_message(final, catalogue(language), LOOK)  # as it is without an app token
    assert [block for block in root["blocks"] if block["type"] != "actions"] == plain["blocks"]
    assert refusal(plain) is None
    thread = slack.channel.thread(root["ts"])
    return {"root": said(root), "thread": [said(reply) for reply in thread]}


def said(message: dict[str, Any]) -> dict[str, Any]:
    """What of a message is ours."""
    return {name: message[name] for name in ("text", "blocks", "metadata")}
