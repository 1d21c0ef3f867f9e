"""`undercurrent rules`: every threshold, window, signature and cause, as YAML that says what it means."""

import os
from pathlib import Path

import click

from agents.commands.options import config_option, settings_from
from agents.rulesdoc import documented_yaml
from schemas import Rules


@click.command("rules")
@click.option(
    "--effective/--defaults",
    default=True,
    show_default=True,
    help="The rules in force with this file and environment, or those that hold where nothing is set.",
)
@config_option
def rules(effective: bool, config: Path | None) -> None:
    """Print the rules as the `rules:` section of a settings file; docs/rules.md explains them.

    What is printed can be copied into such a file, whole or in part, and changed there.

    Exit code 0: printed; 2: the settings cannot be used.
    """
    click.echo(documented_yaml(settings_from(config, os.environ).rules if effective else Rules()), nl=False)
