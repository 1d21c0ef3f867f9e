"""`undercurrent verify`: does a replay say what the live system said?"""

import os
from pathlib import Path

import click

from agents.commands.history import exit_codes, span_of
from agents.commands.options import config_option, quiet_kafka, settings_from
from agents.history.verify import verify as compare
from agents.history.verify_raw import verify_raw
from pipeline.diagnosis.words import amount
from pipeline.render.clean import visible

DIFFERENT = 8
"""Exit code when they differ."""


@click.command("verify")
@click.option("--from", "start", metavar="TIME", required=True, help="Compare what was said from here on.")
@click.option("--to", "end", metavar="TIME", default="now", show_default=True, help="Up to here; +2h too.")
@click.option("--raw", is_flag=True, help="Replay the raw topics instead, and compare incidents.")
@config_option
def verify(start: str, end: str, raw: bool, config: Path | None) -> None:
    """Replay the signals topic and compare changes and decisions with what lies in Kafka, byte for byte.

    Times are those at which things were said. With --raw the raw records are replayed, through intake as
    well, and the incidents that began and ended between these times of theirs are compared in full. Use the
    settings of the live system: other rules say other things. Kafka is only read.

    Exit code 0: no difference; 8: there is one, and the first is shown; 1 and 3 to 7: Kafka cannot be
    read (docs/replay.md); 2: wrong usage.
    """
    settings = settings_from(config, os.environ)
    span = span_of(start, end)
    quiet_kafka()
    with exit_codes():
        found = verify_raw(settings, span) if raw else compare(settings, span)
    for note in found.notes:
        click.echo(f"note: {visible(note)}", err=True)
    if found.unread:
        records = "changes" if raw else "signals"
        click.echo(f"note: {found.unread} {records} cannot be read; live set them aside as well", err=True)
    if found.before:
        why = "not over by then" if raw else "the signals of their beginning are gone"
        click.echo(f"note: not compared: {_named(found.before, raw)}, {why}", err=True)
    compared = f"{_named(found.judged, raw)} compared"
    if not found.differences:
        click.echo(f"{compared}: no difference")
        return
    click.echo(f"{compared}, different: {len(found.differences)}. The first:")
    click.echo(visible(found.differences[0]))
    raise SystemExit(DIFFERENT)


def _named(count: int, raw: bool) -> str:
    return amount(count, "incident") if raw else amount(count, "change or decision", "changes and decisions")
