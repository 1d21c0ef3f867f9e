"""`undercurrent check-config`: everything that is wrong with the settings, at once."""

import os
from pathlib import Path

import click

from agents.settings import SettingsError, load_settings, warnings


@click.command("check-config")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check_config(file: Path | None) -> None:
    """Check FILE, if given, together with the environment of this shell.

    Exit code 0: the settings can be used; 2: they cannot, one line `file:line: key: message` each.
    """
    try:
        settings = load_settings(file, os.environ)
    except SettingsError as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        raise SystemExit(2) from None
    for warning in warnings(settings, os.environ):
        click.echo(f"warning: {warning}", err=True)
    click.echo("The settings can be used.")
