"""The option `--notify CHANNEL` of a replay: told in one Slack channel, with its own exit code."""

import asyncio
from collections.abc import Sequence

import click

from agents.settings import Settings
from agents.tell.retell import RetellError, Retelling
from pipeline.render.clean import visible
from schemas import Change

UNTOLD = 9
"""Exit code when Slack did not take all of it."""


def open_channel(settings: Settings, channel: str) -> Retelling:
    """The channel, before anything is replayed; what may stand in the way is said on stderr.

    Raises:
        click.UsageError: there is no token.
    """
    if settings.slack.token is None:
        raise click.UsageError("--notify needs SLACK_BOT_TOKEN (docs/messages.md)")
    retelling = Retelling(settings, channel)
    for problem in asyncio.run(retelling.look()):
        click.echo(f"note: {visible(problem)}", err=True)
    return retelling


def tell_there(retelling: Retelling, changes: Sequence[Change]) -> None:
    """Tell the incidents of these changes, at Slack's pace of about a message a second.

    Raises:
        click.ClickException: Slack did not take all of it.
    """
    try:
        count = asyncio.run(retelling.tell(changes))
    except RetellError as error:
        failure = click.ClickException(visible(str(error)))
        failure.exit_code = UNTOLD
        raise failure from error
    click.echo(f"{count} incident{'s' if count != 1 else ''} told in Slack, marked as a replay", err=True)
