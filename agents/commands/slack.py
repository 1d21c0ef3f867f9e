"""`undercurrent slack`: what the messages look like, and whether they can get there."""

import asyncio
import os
from pathlib import Path

import aiohttp
import click
import orjson
from rich.console import Console

from agents.commands.options import (
    config_option,
    is_split,
    load_recording,
    recording_argument,
    settings_from,
    shipper_option,
    split_option,
)
from agents.recordings.arrivals import lay_out, layout_of
from agents.recordings.envelopes import ENVELOPES
from agents.recordings.replay import run
from agents.settings import Settings
from agents.tell.post import post
from agents.tell.slack import SlackSpeaker
from agents.tell.slack_api import SlackError
from agents.tell.slack_check import sentence
from pipeline.render.clean import visible
from pipeline.render.console import WIDTH_MAX, incident_panel
from pipeline.render.slack import Look, root_message, test_message
from pipeline.render.words import CATALOGUES, Words, catalogue
from schemas import Change


@click.group()
def slack() -> None:
    """Preview the messages for Slack, and test the way there."""


@slack.command("preview")
@recording_argument
@click.option("--json", "as_json", is_flag=True, help="Print the arguments of Slack's chat.postMessage.")
@click.option("--all", "every", is_flag=True, help="With --json: an array of all incidents' messages.")
@click.option(
    "--picture",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the worst incident's picture here (PNG).",
)
@click.option("--language", type=click.Choice(sorted(CATALOGUES)), help="Instead of the settings' language.")
@config_option
@shipper_option
@split_option
def preview(
    recording: Path,
    as_json: bool,
    every: bool,
    picture: Path | None,
    language: str | None,
    config: Path | None,
    shipper_name: str,
    split: bool | None,
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
    words = catalogue(language or settings.language)
    if picture is not None and changes:
        from agents.tell.picture import drawable, png  # matplotlib takes a second to import

        theme = "dark" if settings.slack.pictures == "off" else settings.slack.pictures
        if (drawn := drawable(changes[0], words)) is not None:
            picture.write_bytes(png(drawn, theme))
    if as_json:
        look = Look(links=settings.links.templates())
        messages = [root_message(change, words, look) for change in changes]
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
    webhook = settings.slack.webhook_url
    if webhook is not None and settings.slack.token is None:
        _test_webhook(webhook.get_secret_value(), catalogue(settings.language))
        return
    speaker = _speaker(settings)
    try:
        lines = asyncio.run(_tested(speaker))
    except SlackError as error:
        raise click.ClickException(sentence(error)) from None
    for line in lines:
        click.echo(visible(line))


def _test_webhook(url: str, words: Words) -> None:
    message = test_message(words)
    body = {"text": message["text"], "blocks": message["blocks"]}
    try:
        status = asyncio.run(post(url, body, "test"))
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise click.ClickException(f"the webhook cannot be reached: {type(error).__name__}") from None
    if status >= 300:
        fix = "make a new one, or unarchive its channel" if status in (403, 404, 410) else "try again later"
        raise click.ClickException(f"the webhook answers {status}: {fix}")
    click.echo("posted to the incoming webhook; it can post only (docs/messages.md)")


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
        pictures=None if given.pictures == "off" else given.pictures,
        base_url=given.base_url,
    )


def _severity(change: Change) -> tuple[int, float, str]:
    """Sorts the worst incident first."""
    incident = change.incident
    lost = incident.impact.requests_failed + incident.impact.requests_slow
    return -lost, incident.first_symptom_at, incident.id
