"""`undercurrent worker`: the one long-running process."""

import os
from pathlib import Path

import click

from agents.commands.options import config_option, settings_from
from agents.roles import ALL_ROLES, Role


@click.command("worker")
@config_option
@click.option(
    "--only",
    "roles",
    type=click.Choice([role.value for role in Role]),
    multiple=True,
    help="Do this part of the work alone; may be given twice. Default: all of it.",
)
def worker(config: Path | None, roles: tuple[str, ...]) -> None:
    """Read the raw topics, find causes, tell people. Runs until SIGTERM or Ctrl-C.

    Any number of workers with the same app_id share the work. With --only, workers of each
    role share that role's work, and every role needs at least one worker.

    Exit code 0: stopped as asked; 1: something failed; 2: the settings cannot be used.
    """
    settings = settings_from(config, os.environ)
    from agents import app  # Faust takes a while to import: not before the settings are known to be good

    raise SystemExit(app.main(settings, os.environ, {Role(role) for role in roles} or ALL_ROLES))
