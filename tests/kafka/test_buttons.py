"""A press from Slack's socket, through Kafka and a real worker, into the thread."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.cli import main
from agents.recordings.recording import read_recording
from agents.recordings.replay import Perturbation
from agents.scoring.score import judge_case, read_corpus
from agents.tell.feedback import everything_said
from schemas import FeedbackKind
from tests.kafka.workers import END_SECONDS, Cluster
from tests.slack.conftest import TOKEN
from tests.slack.server import FakeSlack
from tests.slack.socket import APP_TOKEN, press

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.mark.slow
async def test_a_press_reaches_the_thread_and_the_topic(
    kafka: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Pictures and words stand in Slack; who presses a button is shown, and the press is kept in Kafka."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with FakeSlack(time.monotonic, TOKEN) as slack:
        slack.gap_seconds = 0.5
        variables = {
            "SLACK_BOT_TOKEN": TOKEN,
            "SLACK_APP_TOKEN": APP_TOKEN,
            "UNDERCURRENT_SLACK_CHANNEL": "C0REGISTRY",
            "UNDERCURRENT_SLACK_BASE_URL": slack.url,
        }
        with Cluster(kafka, "buttons", **variables) as cluster:
            cluster.worker()
            await asyncio.to_thread(cluster.ship, read_recording(SAMPLES / "cpu_cascade"))
            await until(lambda: any(one["text"].startswith("✅") for one in slack.channel.top()))
            (root,) = slack.channel.top()
            assert slack.socket.connections
            assert await slack.socket.send(press(root, "show_suppressed"))
            assert await slack.socket.send(press(root, "wrong_cause", "storage_latency"))
            await until(lambda: len(asked(slack, root["ts"])) == 2)
            shown, disputed = asked(slack, root["ts"])
            assert shown.count("was starved of CPU") == 10
            assert disputed.endswith("not CPU saturation, but slow storage")
            await until(lambda: len(slack.uploads.files) == 2)
            said = await asyncio.to_thread(lambda: list(everything_said(cluster.settings, 30.0)))
            kinds = [FeedbackKind.ASKED_SUPPRESSED, FeedbackKind.WRONG_CAUSE]
            assert [(one.kind, one.by) for one in said] == [(kind, "U0ALICE") for kind in kinds]

            command = ["feedback", "export", str(tmp_path / "cases")]
            done = await asyncio.to_thread(CliRunner().invoke, main, command, env=cluster.environ)
            assert done.exit_code == 0, done.output
            (case,) = read_corpus(tmp_path / "cases")
            judged = judge_case(case, cluster.settings, Perturbation())
            assert [(one.cause, one.verdict) for one in judged.reports] == [("cpu_saturation", "wrong")]


def asked(slack: FakeSlack, ts: str) -> list[str]:
    """What was said by buttons in the thread."""
    return [one["text"] for one in slack.channel.thread(ts) if "U0ALICE" in one["text"]]


async def until(happened: Callable[[], bool]) -> None:
    """Return when it has happened."""
    deadline = time.monotonic() + END_SECONDS
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.2)
