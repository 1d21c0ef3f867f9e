"""A replay tells nobody; with `--notify` one channel, every message marked, beside what live says there."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agents.cli import main
from agents.settings import load_settings
from agents.tell.retell import Retelling
from agents.tell.slack import SlackSpeaker
from pipeline.render.mark import REPLAY_EVENT_TYPE
from tests.slack.blockkit import mentions, refusal
from tests.slack.conftest import TOKEN
from tests.slack.recordings import replayed
from tests.slack.server import Channel, FakeSlack
from tests.slack.stories import payload, tell_all

MIXED = Path(__file__).parents[2] / "samples" / "mixed"
PAST = "C0PAST"
FIRST_LINE = "⏪ Replay: this is the past"


@pytest.fixture
def past(slack: FakeSlack) -> Channel:
    """A channel for replays. The server's clock stands still, so its limit on the rate is off."""
    slack.channels[PAST] = Channel(PAST, "replays")
    slack.gap_seconds = 0.0
    return slack.channels[PAST]


def environ(slack: FakeSlack, tmp_path: Path) -> dict[str, str]:
    """All that live could be told by: routes, calls, escalation, buttons, another receiver."""
    settings = tmp_path / "live.yaml"
    settings.write_text(
        json.dumps(
            {
                "slack": {
                    "routes": [{"to": ["C0TEAM"]}],
                    "mention": ["here"],
                    "mention_from": "minor",
                    "escalate_to": ["channel"],
                }
            }
        )
    )
    return {
        "SLACK_BOT_TOKEN": TOKEN,
        "SLACK_APP_TOKEN": "xapp-1",
        "UNDERCURRENT_SLACK_ESCALATE_AFTER_SECONDS": "60",
        "UNDERCURRENT_OUTPUTS_WEBHOOK_URL": f"http://127.0.0.1:{slack.port}/upload/webhook",
        "UNDERCURRENT_SLACK_CHANNEL": "C0REGISTRY",
        "UNDERCURRENT_SLACK_BASE_URL": slack.url,
    }


async def replay(*options: str, environ: Mapping[str, str | None]) -> Result:
    arguments = ["replay", str(MIXED), "--json", *options]
    return await asyncio.to_thread(CliRunner().invoke, main, arguments, env=environ)


def wrong(message: dict[str, Any]) -> list[str]:
    """Why a message could be taken for one about now."""
    blocks, metadata = message["blocks"], message["metadata"]
    checks = {
        "the text's first line": message["text"].splitlines()[0].startswith(FIRST_LINE),
        "the first block": FIRST_LINE in blocks[0]["text"]["text"],
        "the metadata's name": metadata["event_type"] == REPLAY_EVENT_TYPE,
        "the metadata's mark": metadata["event_payload"]["replay"] is True,
        "what Slack takes": refusal({k: message[k] for k in ("text", "blocks", "metadata")}) is None,
        "nobody called": mentions(message) == [],
        "no buttons": all(block["type"] != "actions" for block in blocks),
    }
    return [name for name, is_right in checks.items() if not is_right]


async def test_a_replay_touches_slack_only_if_asked(slack: FakeSlack, past: Channel, tmp_path: Path) -> None:
    """Not one request goes out, whatever the settings say about whom to tell."""
    done = await replay(environ=environ(slack, tmp_path))
    assert done.exit_code == 0, done.output
    assert slack.requests == []


async def test_a_replay_is_told_in_one_channel_and_marked(
    slack: FakeSlack, past: Channel, tmp_path: Path
) -> None:
    """Each incident once, root and steps; a second replay finds them there and adds nothing."""
    variables = environ(slack, tmp_path)
    silent = await replay(environ=variables)
    config = ("--config", str(tmp_path / "live.yaml"))
    told = await replay("--notify", PAST, *config, environ=variables)
    assert told.exit_code == 0, told.output
    assert told.stdout == silent.stdout
    incidents = [json.loads(line)["id"] for line in told.stdout.splitlines() if '"incident"' in line[:30]]
    assert len(incidents) == 2
    assert [payload(one)["incident"] for one in past.top()] == incidents
    assert all(past.thread(one["ts"]) for one in past.top())
    assert [problem for one in past.messages for problem in wrong(one)] == []
    assert slack.channel.messages == []
    assert {request.arguments.get("channel", PAST) for request in slack.requests} == {PAST}
    assert {one.method for one in slack.requests}.isdisjoint({"apps.connections.open", "upload"})

    before = [dict(one) for one in past.messages]
    again = await replay("--notify", PAST, *config, environ=variables)
    assert again.exit_code == 0, again.output
    assert past.messages == before


async def test_live_and_replay_in_one_channel_keep_apart(slack: FakeSlack, clock: Any, speaker: Any) -> None:
    """Both derive the same ids, and neither takes the other's messages for its own."""
    changes = replayed("cpu_cascade").changes
    settings = load_settings(None, {"SLACK_BOT_TOKEN": TOKEN, "UNDERCURRENT_SLACK_BASE_URL": slack.url})
    assert await Retelling(settings, "C0REGISTRY", clock).tell(changes) == 1
    live: SlackSpeaker = speaker()
    await tell_all(live, changes[:1])
    (past, now) = slack.channel.top()
    assert wrong(past) == []
    assert "replay" not in payload(now)
    assert FIRST_LINE not in now["text"]
    shown = dict(now)
    assert await Retelling(settings, "C0REGISTRY", clock).tell(changes) == 1
    assert slack.channel.top()[1] == shown
    assert len(slack.channel.top()) == 2


async def test_what_slack_refuses_has_an_exit_code(slack: FakeSlack, past: Channel, tmp_path: Path) -> None:
    """9 and the fix; what was found is printed all the same. Without a token it is wrong usage."""
    past.archived = True
    variables = environ(slack, tmp_path)
    refused = await replay("--notify", PAST, "--config", str(tmp_path / "live.yaml"), environ=variables)
    assert refused.exit_code == 9
    assert "0 of 2 incidents are told: Slack answers is_archived: unarchive the channel" in refused.stderr
    assert len(refused.stdout.splitlines()) > 2
    assert TOKEN not in refused.output
    assert (await replay("--notify", PAST, environ={"SLACK_BOT_TOKEN": None})).exit_code == 2
