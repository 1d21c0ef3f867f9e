"""The option `--into PREFIX` of a replay: what it said, in topics beside the live ones."""

import re

import click

from agents.commands.history import exit_codes
from agents.commands.options import quiet_kafka
from agents.history.shadow import LiveTopicError, fill, shadow_topics
from agents.recordings.replay import Outcome
from agents.settings import Settings

_PREFIX = re.compile(r"[A-Za-z0-9._-]{1,200}")


def check_prefix(settings: Settings, prefix: str) -> Settings:
    """The settings with the shadow topics in place of the live ones.

    Raises:
        click.UsageError: it is no beginning of a topic's name, or of a live one's.
    """
    if not _PREFIX.fullmatch(prefix):
        raise click.UsageError(f"{prefix!r} is no name for topics: letters, digits, '.', '_' and '-' are")
    try:
        return settings.model_copy(update={"topics": shadow_topics(settings.topics, prefix)})
    except LiveTopicError as error:
        raise click.UsageError(str(error)) from error


def fill_there(settings: Settings, prefix: str, found: Outcome, source: str) -> None:
    """Write it, and say on stderr what was.

    Raises:
        click.ClickException: a live topic, or Kafka does not take it (docs/replay.md).
    """
    quiet_kafka()
    try:
        with exit_codes():
            filled = fill(settings, prefix, found, source)
    except LiveTopicError as error:
        raise click.UsageError(str(error)) from error
    changed = f", {filled.changed} of them in place of another word on the same" if filled.changed else ""
    click.echo(f"{filled.written} records written to {prefix}.*{changed}; {filled.known} lay there", err=True)
