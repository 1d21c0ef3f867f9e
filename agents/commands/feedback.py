"""`undercurrent feedback`: what people said of incidents by buttons."""

import os
from pathlib import Path

import click
from kafka.errors import KafkaError

from agents.commands.history import exit_codes
from agents.commands.options import config_option, settings_from
from agents.past import PastError
from agents.scoring.labelled import add_truth, disputed, write_case
from agents.tell.feedback import everything_said
from pipeline.render.clean import visible
from schemas import encode

timeout_option = click.option(
    "--timeout",
    "timeout_seconds",
    type=click.FloatRange(min=1),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long reading Kafka may take.",
)


@click.group()
def feedback() -> None:
    """Read what people said of incidents by the buttons in Slack."""


@feedback.command("list")
@config_option
@timeout_option
def show(config: Path | None, timeout_seconds: float) -> None:
    """Print each person's last word of each kind on each incident, as JSON Lines, oldest first."""
    settings = settings_from(config, os.environ)
    try:
        for one in everything_said(settings, timeout_seconds):
            click.echo(encode(one))
    except (PastError, KafkaError) as error:
        raise click.ClickException(visible(str(error))) from None


@feedback.command("export")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@config_option
@timeout_option
def export(folder: Path, config: Path | None, timeout_seconds: float) -> None:
    """Write every incident whose cause was called wrong into DIR, as a case for `undercurrent score DIR`.

    A case is what the raw topics still hold from five minutes before the first symptom to five minutes
    after the last sign, with secrets taken out, and in DIR/truth.json the cause that person named.
    Look at each before you trust it: a person may be wrong as well.

    Exit code 0: written, or there is nothing to write; 1: Kafka does not answer, or not in time.
    """
    settings = settings_from(config, os.environ)
    try:
        cases = disputed(settings, timeout_seconds)
    except (PastError, KafkaError) as error:
        raise click.ClickException(visible(str(error))) from None
    if not cases:
        click.echo("Nobody called a cause wrong.")
        return
    folder.mkdir(parents=True, exist_ok=True)
    for case in cases:
        with exit_codes():
            saved = write_case(settings, case, folder)
        said, right = case.feedback.said, case.feedback.right_cause
        left_out = f" ({saved.binaries} that are no text left out)" if saved.binaries else ""
        count = f"{saved.written} records{left_out}"
        click.echo(visible(f"{case.incident.id}: {count}, told as {said}, said to be {right}"))
    add_truth(folder, cases)
