"""`undercurrent capacity`: what requests cost in CPU, and which limit and how many instances hold more."""

import os
from pathlib import Path

import click
import orjson
from rich.console import Console
from rich.table import Table

from agents.commands.history import open_history, origin_of
from agents.commands.options import config_option, settings_from
from agents.lab.histories import find_histories
from agents.lab.picture import SUFFIXES
from agents.scoring.score import CorpusError, arrivals_of
from agents.settings import Settings
from pipeline.lab.capacity import FACTORS, CapacityError, examine, least_of
from pipeline.lab.capacity_words import HEADINGS, as_object, least_line, lines, row
from pipeline.lab.load import LoadReader, Window
from pipeline.render.clean import visible


@click.command("capacity")
@click.argument(
    "histories", metavar="[HISTORY]...", nargs=-1,
    type=click.Path(exists=True, allow_dash=True, path_type=Path),
)  # fmt: skip
@click.option("--from", "start", metavar="TIME", help="Read Kafka from here on: 2026-11-20T08:00, -2d.")
@click.option("--to", "end", metavar="TIME", default="now", show_default=True, help="Up to here; +2h too.")
@click.option("--topic", "topics", metavar="NAME", multiple=True, help="Read only this topic; repeatable.")
@click.option("--domain", metavar="NAME", help="Only this domain.")
@click.option(
    "--instance", "instances", metavar="NAME", multiple=True, help="Only this instance; repeatable."
)
@click.option(
    "--factor", "factors", type=click.FloatRange(min=0.1, max=100), multiple=True, default=FACTORS,
    show_default=True, metavar="N", help="How many times today's peak; repeatable.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON Lines (docs/capacity.md), one a domain.")
@click.option(
    "--picture", type=click.Path(dir_okay=False, writable=True, path_type=Path), metavar="FILE",
    help="Draw it into this .svg or .png; of one domain.",
)  # fmt: skip
@config_option
def capacity(
    histories: tuple[Path, ...],
    start: str | None,
    end: str,
    topics: tuple[str, ...],
    domain: str | None,
    instances: tuple[str, ...],
    factors: tuple[float, ...],
    as_json: bool,
    picture: Path | None,
    config: Path | None,
) -> None:
    """Fit CPU seconds a request from HISTORY, and say what holds 1, 1.5 and 2 times today's peak.

    HISTORY are recordings or files as `replay` reads them; with --from it is a span of Kafka. It must
    hold the registry's log of completed requests and CPU metrics of its containers. Exit code 0: answered,
    perhaps not all of it; 1: the data do not carry an answer, and it is said why; 2: wrong usage.
    """
    if picture is not None and picture.suffix not in SUFFIXES:
        raise click.UsageError(f"{picture}: a picture ends in {' or '.join(SUFFIXES)}")
    settings = settings_from(config, os.environ if start is not None else {})
    reader = LoadReader(settings.intake_config(), settings.rules.slow_request_seconds)
    if start is not None:
        _read_origin(reader, histories, start, end, topics, settings)
    else:
        _read(reader, histories, topics, settings)
    by_domain: dict[str, list[Window]] = {}
    for name, instance in reader.places():
        if domain in (None, name) and (not instances or instance in instances):
            by_domain.setdefault(name, []).extend(reader.windows(name, instance))
    if not by_domain:
        raise click.ClickException("no CPU use was measured here: metrics of the containers are needed")
    answered = [_tell(name, found, factors, as_json, picture) for name, found in by_domain.items()]
    if not all(answered):
        raise SystemExit(1)


def _read(reader: LoadReader, paths: tuple[Path, ...], topics: tuple[str, ...], settings: Settings) -> None:
    if not paths:
        raise click.UsageError("name recordings or files to read, or a span of Kafka with --from and --to")
    try:
        cases, files = find_histories(paths)
        for case in cases:
            for arrival in arrivals_of(case, settings)[0]:
                reader.receive(arrival.record)
    except CorpusError as error:
        raise click.UsageError(visible(str(error))) from error
    if files:
        _read_origin(reader, tuple(files), None, "now", topics, settings)


def _read_origin(
    reader: LoadReader,
    files: tuple[Path, ...],
    start: str | None,
    end: str,
    topics: tuple[str, ...],
    settings: Settings,
) -> None:
    with open_history(settings, origin_of(files, start, end, topics)) as history:
        for arrival in history.arrivals():
            reader.receive(arrival.record)


def _tell(
    domain: str, windows: list[Window], factors: tuple[float, ...], as_json: bool, picture: Path | None
) -> bool:
    """Say what there is to say of one domain; returns whether there was an answer."""
    try:
        found = examine(windows, factors)
    except CapacityError as error:
        click.echo(f"{visible(domain)}: {error}.", err=True)
        least = least_of(windows)
        if least is not None:
            click.echo(f"{visible(domain)}: {least_line(*least)}.", err=True)
        return False
    if as_json:
        click.echo(orjson.dumps(as_object(domain, found)))
    else:
        click.echo(visible(f"{domain}: {', '.join(found.instances)}"))
        for line in lines(found):
            click.echo(f"  {visible(line)}")
        table = Table(*HEADINGS, box=None, padding=(0, 1))
        for answer in found.answers:
            table.add_row(*row(answer))
        Console(width=max(Console().width, 110)).print(table)
    if picture is not None:
        from agents.lab.capacity_picture import draw_capacity  # matplotlib takes a second to import

        draw_capacity(picture, found, windows)
    return True
