"""`undercurrent worker`: the one long-running process."""

import os
from pathlib import Path

import click

from agents.commands.options import config_option, settings_from


@click.command("worker")
@config_option
def worker(config: Path | None) -> None:
    """Read the raw topics, find causes, tell people. Runs until SIGTERM or Ctrl-C.

    Any number of workers with the same app_id share the work.

    Exit code 0: stopped as asked; 1: something failed; 2: the settings cannot be used.
    """
    settings = settings_from(config, os.environ)
    from agents import app  # Faust takes a while to import: not before the settings are known to be good

    raise SystemExit(app.main(settings, os.environ))
