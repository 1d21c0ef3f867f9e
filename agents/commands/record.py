"""`undercurrent record`: a span of Kafka as a file without secrets, for a bug report."""

import os
from pathlib import Path

import click

from agents.commands.history import Origin, exit_codes, open_history, span_of
from agents.commands.options import config_option, quiet_kafka, settings_from
from agents.history.saved import Head
from agents.history.saving import write_records
from pipeline.redact import redactor


@click.command("record")
@click.argument("file", type=click.Path(dir_okay=False, writable=True, path_type=Path))
@click.option("--from", "start", metavar="TIME", required=True, help="From here on: 2026-11-20T08:00, -2h.")
@click.option("--to", "end", metavar="TIME", default="now", show_default=True, help="Up to here; +2h too.")
@click.option("--topic", "topics", metavar="NAME", multiple=True, help="Only this topic; repeatable.")
@click.option("--with-binary", is_flag=True, help="Keep records that are no text, whatever they hold.")
@config_option
def record(
    file: Path, start: str, end: str, topics: tuple[str, ...], with_binary: bool, config: Path | None
) -> None:
    """Save what lies in the raw topics to FILE: JSON Lines packed with zstd, secrets taken out.

    Records that are no text (protobuf, msgpack) cannot be looked through: they are left out and counted,
    unless --with-binary keeps them. `undercurrent replay FILE` gives the same incidents anywhere. Look
    through it before you hand it on: addresses and names of images stay in it.

    Exit code 0: saved; 1 and 3 to 7: Kafka cannot be read (docs/replay.md); 2: wrong usage; 130: interrupted,
    and there is no file.
    """
    settings = settings_from(config, os.environ)
    names = topics or settings.topics.raw
    span = span_of(start, end)
    quiet_kafka()
    partial = file.with_name(f"{file.name}.partial")
    try:
        with open_history(settings, Origin(span, names, ())) as history, exit_codes():
            arrivals = (arrival.record for arrival in history.arrivals())
            hide = redactor(settings.intake.redact_emails)
            saved = write_records(partial, Head(span, names), arrivals, hide, with_binary=with_binary)
        partial.rename(file)
    except KeyboardInterrupt:
        click.echo("interrupted: nothing was saved", err=True)
        raise SystemExit(130) from None
    finally:
        partial.unlink(missing_ok=True)
    if saved.binaries:
        fate = (
            "kept as they are, with their secrets" if with_binary else "left out (--with-binary keeps them)"
        )
        click.echo(f"note: {saved.binaries:,} records are no text and were {fate}", err=True)
    click.echo(f"{saved.written:,} records of {span} saved to {file}")
