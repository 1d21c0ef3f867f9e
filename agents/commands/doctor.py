"""`undercurrent doctor`: what do the raw topics hold, and which causes could be proven with it?"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from time import time  # noqa: TID251  the last minutes end now
from typing import Any

import click
import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from agents.commands.history import exit_codes
from agents.commands.options import (
    config_option,
    is_split,
    load_recording,
    settings_from,
    shipper_option,
    split_option,
)
from agents.history import kafka_history, read_span
from agents.recordings.arrivals import lay_out, layout_of
from agents.recordings.envelopes import ENVELOPES
from agents.settings import Settings
from pipeline.doctor import Diagnosis, Look, Outlook, diagnose
from pipeline.intake import RawRecord
from pipeline.render.clean import visible

RECORDS_MAX = 200_000
MARKS = {Outlook.PROVABLE: ("✓", "green"), Outlook.WEAK: ("?", "yellow"), Outlook.NEVER: ("✗", "red")}
WORDS = {
    Outlook.PROVABLE: "can be proven",
    Outlook.WEAK: "can be told, less surely",
    Outlook.NEVER: "can never be proven",
}


@click.command("doctor")
@click.argument(
    "recording", required=False, metavar="[RECORDING]", type=click.Path(exists=True, path_type=Path)
)
@click.option(
    "--from", "start", default="-5m", show_default=True, metavar="TIME", help="Look at Kafka from here on."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@config_option
@shipper_option
@split_option
def doctor(
    recording: Path | None,
    start: str,
    as_json: bool,
    config: Path | None,
    shipper_name: str,
    split: bool | None,
) -> None:
    """Look at the last minutes of the raw topics, or at RECORDING, and say what they are good for.

    Which shippers write them, for which instances and domains, how much, how late and by which clock; how
    often readings come; and for each cause whether it could be proven, and else the line that adds what is
    missing. No group is joined and no position moves.

    Exit code 0: every cause can be proven; 1: something is missing, or Kafka does not answer; 2: wrong
    usage; 3: nothing was written in that time; 5: a raw topic is not there; 6: this user may not read one.
    """
    settings = settings_from(config, os.environ)
    look = Look(settings.intake_config())
    with _records(
        settings, recording, start, ENVELOPES[shipper_name], is_split(shipper_name, split)
    ) as records:
        for record in islice(records, RECORDS_MAX):
            look.receive(record)
    look.close()
    causes, remarks = diagnose(look, settings.brokers)
    if as_json:
        click.echo(orjson.dumps(report(look, causes, remarks)))
    else:
        show(look, causes, remarks, Console())
    if any(one.outlook is not Outlook.PROVABLE for one in causes):
        raise SystemExit(1)


@contextmanager
def _records(
    settings: Settings, recording: Path | None, start: str, envelope: Any, split: bool
) -> Iterator[Iterator[RawRecord]]:
    """The records to look at, of a recording or of Kafka."""
    if recording is not None:
        layout = layout_of(envelope, split, settings.topics)
        yield (arrival.record for arrival in lay_out(load_recording(recording), layout))
        return
    try:
        span = read_span(start, "now", time())
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    with exit_codes(), kafka_history(settings, span, settings.topics.raw) as history:
        yield (arrival.record for arrival in history.arrivals())


def report(look: Look, causes: list[Diagnosis], remarks: list[str]) -> dict[str, Any]:
    """Everything as one JSON object (docs/shipping.md)."""
    return {
        "v": 1,
        "type": "doctor",
        "records": look.records,
        "inputs": [
            {
                "topic": one.topic,
                "shipper": one.decoder,
                "records": one.records,
                "bytes": one.bytes,
                "records_per_second": one.per_second,
                "delay_seconds": one.delay_seconds,
                "instances": sorted(one.instances),
                "domains": sorted(one.domains),
                "told": dict(sorted(one.told.items())),
            }
            for one in look.inputs.values()
        ],
        "readings": [
            {
                "kind": one.kind,
                "place": one.place,
                "source": one.source,
                "samples": len(one.times),
                "interval_seconds": one.interval_seconds,
                "values": sorted(one.names),
            }
            for one in look.readings.values()
        ],
        "causes": [
            {
                "cause": one.cause,
                "outlook": one.outlook,
                "why": one.why,
                "needs": [{"text": need.text, "snippet": need.snippet} for need in one.needs],
            }
            for one in causes
        ],
        "remarks": remarks,
    }


def show(look: Look, causes: list[Diagnosis], remarks: list[str], console: Console) -> None:
    """Print it for people."""
    console.print(f"{look.records} records", style="bold")
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("topic", "shipper", "records", "a second", "delay", "instances", "domains"):
        table.add_column(name)
    for one in look.inputs.values():
        rate, delay = one.per_second, one.delay_seconds
        cells = (
            one.topic,
            one.decoder,
            str(one.records),
            "" if rate is None else f"{rate:.1f}",
            "" if delay is None else f"{abs(delay) if abs(delay) < 0.05 else delay:.1f} s",
            _few(one.instances),
            _few(one.domains),
        )
        table.add_row(*(escape(visible(cell)) for cell in cells))
    console.print(table)
    console.print()
    for reading in look.readings.values():
        every = reading.interval_seconds
        often = "once" if every is None else f"every {every:.1f} s"
        where = f" of {reading.place}" if reading.place else ""
        console.print(escape(visible(f"{reading.kind.value}{where}, by {reading.source}, {often}")))
    console.print()
    for cause in causes:
        mark, colour = MARKS[cause.outlook]
        words = f"{cause.cause.value} {WORDS[cause.outlook]}: {cause.why}"
        console.print(f"[{colour}]{mark}[/] {escape(visible(words))}")
        for need in cause.needs:
            console.print(f"    missing: {escape(visible(need.text))}")
            for line in need.snippet.splitlines():
                console.print(f"      {escape(visible(line))}", style="cyan", soft_wrap=True)
    for remark in remarks:
        console.print(f"! {escape(visible(remark))}", style="yellow")


def _few(names: set[str]) -> str:
    shown = sorted(names)
    return ", ".join(shown[:3]) + (f" +{len(shown) - 3}" if len(shown) > 3 else "")
