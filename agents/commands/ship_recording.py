"""`undercurrent ship recording`: a recording's logs and metrics into the raw topics of a Kafka."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from agents.commands.options import (
    Speed,
    api_version_option,
    config_option,
    is_split,
    load_recording,
    quiet_kafka,
    recording_argument,
    settings_from,
    shipper_option,
    split_option,
)
from agents.connection import security_options
from agents.recordings.envelopes import ENVELOPES
from agents.recordings.ship import Pacer, ShipError, Shipment, shipper
from pipeline.render.words import clock
from pipeline.replay import Arrival


@click.command("recording")
@recording_argument
@click.option("--brokers", metavar="HOST:PORT,…", help="Where Kafka is. [default: as the settings say]")
@config_option
@shipper_option
@split_option
@click.option("--speed", type=Speed(), default="20", show_default=True, help="Times real time, or max.")
@click.option(
    "--markers/--no-markers",
    "with_markers",
    default=True,
    show_default=True,
    help="Say in every partition how far event time has come, and when the recording ends.",
)
@click.option(
    "--duplicate",
    type=click.FloatRange(0, 1),
    default=0.0,
    metavar="SHARE",
    help="Send this share of the records twice.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Chooses the duplicates.")
@click.option(
    "--timeout",
    "timeout_seconds",
    type=click.FloatRange(min=1),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to retry a record.",
)
@api_version_option
def ship_recording(
    recording: Path,
    brokers: str | None,
    config: Path | None,
    shipper_name: str,
    split: bool | None,
    speed: float,
    with_markers: bool,
    duplicate: float,
    seed: int,
    timeout_seconds: float,
    api_version: tuple[int, ...] | None,
) -> None:
    """Ship RECORDING, a folder or tar archive, into the raw topics, at least once.

    Exit code 0: Kafka has acknowledged everything; 1: something was not delivered, and what it was is
    said; 2: wrong usage, or no recording there.
    """
    quiet_kafka()
    read = load_recording(recording)
    shipment = Shipment(
        read, ENVELOPES[shipper_name], is_split(shipper_name, split), with_markers, duplicate, seed
    )
    settings = settings_from(config, os.environ)
    try:
        security = security_options(settings)
        with shipper(brokers or settings.brokers, timeout_seconds, api_version, security) as connected:
            partitions = connected.partitions(settings.topics)
            arrivals = shipment.arrivals(settings.topics, partitions, settings.rules)
            with progress_bar(read.name, arrivals, Console(stderr=True)) as on_progress:
                connected.ship(arrivals, Pacer(speed), on_progress)
            click.echo(f"{connected.delivery.acknowledged.total()} records acknowledged by Kafka", err=True)
    except ShipError as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def progress_bar(name: str, arrivals: list[Arrival], console: Console) -> Iterator[Callable[[Arrival], None]]:
    """Show how far shipping has come, in records and in event time; gives what to call per record."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.completed} of {task.total} records, event time {task.fields[clock]}"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(f"Shipping {name}", total=len(arrivals), clock="")

        def advance(arrival: Arrival) -> None:
            progress.update(task, advance=1, clock=clock(arrival.at))

        yield advance
