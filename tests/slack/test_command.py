"""`undercurrent slack`: what people see before the first incident."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agents.commands.slack import slack as command
from tests.slack.blockkit import mentions, refusal
from tests.slack.conftest import TOKEN
from tests.slack.server import FakeSlack

SAMPLES = Path(__file__).parents[2] / "samples"


def run(*arguments: str, **environ: str | None) -> Result:
    return CliRunner().invoke(command, list(arguments), env=environ)


def test_preview_as_json_is_the_arguments_of_the_call() -> None:
    """One object with text, blocks and metadata, which Slack accepts."""
    done = run("preview", str(SAMPLES / "cpu_cascade"), "--json")
    message = json.loads(done.stdout)
    assert set(message) == {"text", "blocks", "metadata"}
    assert refusal(message) is None
    assert mentions(message) == []
    assert "CPU saturation" in message["text"].splitlines()[0]


def test_preview_of_several_incidents_begins_with_the_worst() -> None:
    """With --all there is one message per incident, the one that lost most requests first."""
    every = json.loads(run("preview", str(SAMPLES / "mixed"), "--json", "--all").stdout)
    assert [refusal(one) for one in every] == [None, None]
    assert ["DNS outage" in one["text"].splitlines()[0] for one in every] == [False, True]


def test_preview_for_people_shows_every_incident() -> None:
    """Without --json the terminal shows the same, incident after incident."""
    done = run("preview", str(SAMPLES / "mixed"), COLUMNS="100")
    assert done.exit_code == 0
    assert [line.split()[2] for line in done.stdout.splitlines() if line.startswith("╭")] == ["Resolved"] * 2


def test_preview_of_a_quiet_recording(tmp_path: Path) -> None:
    """Where nothing happened there is nothing to show, and that is no error."""
    (tmp_path / "plan_registry-a.json").write_text("{}")
    (tmp_path / "registry.log").write_text('time="2026-11-23T09:09:58Z" level=info msg="listening"\n')
    assert json.loads(run("preview", str(tmp_path), "--json").stdout) is None
    assert json.loads(run("preview", str(tmp_path), "--json", "--all").stdout) == []
    assert run("preview", str(tmp_path)).stdout == "No incident.\n"


def environ(slack: FakeSlack) -> dict[str, str | None]:
    return {
        "SLACK_BOT_TOKEN": TOKEN,
        "UNDERCURRENT_SLACK_CHANNEL": "C0REGISTRY",
        "UNDERCURRENT_SLACK_BASE_URL": slack.url,
    }


async def test_test_posts_one_message(slack: FakeSlack) -> None:
    """`slack test` posts a message marked as a test and says where; the token stays unsaid."""
    slack.scopes.discard("channels:history")
    done = await asyncio.to_thread(run, "test", **environ(slack))
    assert done.exit_code == 0
    assert [one["text"].startswith("🧪 Test") for one in slack.channel.messages] == [True]
    said, warned = done.stdout.splitlines()
    assert said.startswith("posted to C0REGISTRY as undercurrent of Night Watch")
    assert "channels:history" in warned
    assert TOKEN not in done.output


@pytest.mark.parametrize(
    ("wrong", "fix"), [("is_archived", "unarchive"), ("invalid_auth", "SLACK_BOT_TOKEN")]
)
async def test_test_says_the_fix(slack: FakeSlack, wrong: str, fix: str) -> None:
    """What stands in the way is said with its fix, and the exit code tells scripts."""
    if wrong == "is_archived":
        slack.channel.archived = True
    else:
        slack.token = "xoxb-another"
    done = await asyncio.to_thread(run, "test", **environ(slack))
    assert done.exit_code == 1
    assert wrong in done.output
    assert fix in done.output
    assert TOKEN not in done.output


def test_test_without_a_token_says_what_to_set() -> None:
    """Missing settings are wrong usage, not a failure of Slack."""
    done = run("test", SLACK_BOT_TOKEN=None, UNDERCURRENT_SLACK_CHANNEL=None)
    assert done.exit_code == 2
    assert "SLACK_BOT_TOKEN" in done.output
