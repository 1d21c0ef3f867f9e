"""`undercurrent slack`: what the messages look like, and whether they can get there."""

import asyncio
import os
from pathlib import Path

import click
import orjson
from rich.console import Console

from agents.arrivals import lay_out, layout_of
from agents.commands.options import (
    config_option,
    is_split,
    load_recording,
    recording_argument,
    settings_from,
    shipper_option,
    split_option,
)
from agents.envelopes import ENVELOPES
from agents.replay import run
from agents.settings import Settings
from agents.slack import SlackSpeaker, sentence
from agents.slack_api import SlackError
from pipeline.render.clean import visible
from pipeline.render.console import WIDTH_MAX, incident_panel
from pipeline.render.slack import root_message
from pipeline.render.words import catalogue
from schemas import Change


@click.group()
def slack() -> None:
    """Preview the messages for Slack, and test the way there."""


@slack.command("preview")
@recording_argument
@click.option("--json", "as_json", is_flag=True, help="Print the arguments of Slack's chat.postMessage.")
@click.option("--all", "every", is_flag=True, help="With --json: an array of all incidents' messages.")
@config_option
@shipper_option
@split_option
def preview(
    recording: Path, as_json: bool, every: bool, config: Path | None, shipper_name: str, split: bool | None
) -> None:
    """Show the final message of each incident in RECORDING, the worst first. Nothing is sent.

    With --json: one object with `text`, `blocks` and `metadata`, that of the worst incident, or `null`
    if there is none; with --all an array. Worst is what lost most requests, then what came first.
    """
    settings = settings_from(config, {})
    layout = layout_of(ENVELOPES[shipper_name], is_split(shipper_name, split), settings.topics)
    arrivals = lay_out(load_recording(recording), layout)
    outcome = run(arrivals, settings.intake_config(), settings.rules)
    changes = sorted(outcome.final_changes(), key=_severity)
    words = catalogue(settings.language)
    if as_json:
        messages = [root_message(change, words) for change in changes]
        shown = messages if every else next(iter(messages), None)
        click.echo(orjson.dumps(shown, option=orjson.OPT_INDENT_2))
        return
    console = Console()
    for change in changes:
        console.print(incident_panel(change, words), width=min(console.width, WIDTH_MAX))
    if not changes:
        console.print("No incident.")


@slack.command("test")
@config_option
def test(config: Path | None) -> None:
    """Check token, scopes and channel, and post one message marked as a test.

    Exit code 0: it is posted; 1: Slack refuses or is out of reach, with the fix; 2: no token or channel.
    """
    settings = settings_from(config, os.environ)
    speaker = _speaker(settings)
    try:
        lines = asyncio.run(_tested(speaker))
    except SlackError as error:
        raise click.ClickException(sentence(error)) from None
    for line in lines:
        click.echo(visible(line))


async def _tested(speaker: SlackSpeaker) -> list[str]:
    """Raises SlackError if the message cannot be posted."""
    check = await speaker.check()
    channel, ts = await speaker.test()
    warnings = [f"but: {problem}" for problem in check.problems]
    return [f"posted to {channel} as {check.bot} of {check.team}, message {ts}", *warnings]


def _speaker(settings: Settings) -> SlackSpeaker:
    given = settings.slack
    if given.token is None or given.channel is None:
        raise click.UsageError("set SLACK_BOT_TOKEN and UNDERCURRENT_SLACK_CHANNEL (docs/messages.md)")
    return SlackSpeaker(
        given.token.get_secret_value(),
        given.channel,
        language=settings.language,
        base_url=given.base_url,
    )


def _severity(change: Change) -> tuple[int, float, str]:
    """Sorts the worst incident first."""
    incident = change.incident
    lost = incident.impact.requests_failed + incident.impact.requests_slow
    return -lost, incident.first_symptom_at, incident.id
