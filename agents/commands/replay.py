"""`undercurrent replay`: a recording through the intake and the core, without Kafka."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from agents.arrivals import lay_out, layout_of
from agents.commands.options import (
    config_option,
    groups,
    is_split,
    load_recording,
    recording_argument,
    settings_from,
    shipper_option,
    split_option,
)
from agents.envelopes import ENVELOPES
from agents.recording import Group
from agents.replay import Outcome, Perturbation, json_lines, perturb, run
from pipeline.render.console import WIDTH_MAX, change_line, incident_panel
from pipeline.render.words import catalogue
from pipeline.telling import Reply


@click.command("replay")
@recording_argument
@click.option(
    "--json", "as_json", is_flag=True, help="Print JSON Lines (docs/replay.md) instead of a picture."
)
@click.option("--changes", "with_changes", is_flag=True, help="Print every change as well, as it happened.")
@click.option(
    "--sources",
    default=",".join(Group),
    show_default=True,
    callback=groups,
    help="Which telemetry takes part.",
)
@click.option(
    "--metrics-interval",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Keep one reading per interval, instance and exporter.",
)
@click.option(
    "--metrics-delay",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    help="Let every reading arrive so much later.",
)
@click.option(
    "--shuffle",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    help="Let every record arrive up to so much later.",
)
@click.option(
    "--duplicate",
    type=click.FloatRange(0, 1),
    default=0.0,
    metavar="SHARE",
    help="Let this share of the records arrive twice.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="For what is random in these.")
@click.option("--domain", metavar="NAME", help="The domain the recording is of. [default: default]")
@config_option
@shipper_option
@split_option
def replay(
    recording: Path,
    as_json: bool,
    with_changes: bool,
    domain: str | None,
    config: Path | None,
    **options: Any,
) -> None:
    """Replay RECORDING, a folder or tar archive, and print its incidents.

    Only telemetry files are read. Exit code 0: replayed to the end, whether or not there was an
    incident; 2: wrong usage, settings that cannot be used, or no recording there. The environment does
    not count: equal options give equal output anywhere.
    """
    settings = settings_from(config, {})
    read = load_recording(recording)
    shipper_name = options["shipper_name"]
    layout = layout_of(ENVELOPES[shipper_name], is_split(shipper_name, options["split"]), settings.topics)
    perturbation = Perturbation(
        sources=options["sources"],
        metrics_interval_seconds=options["metrics_interval"],
        metrics_delay_seconds=options["metrics_delay"],
        duplicate_share=options["duplicate"],
        shuffle_seconds=options["shuffle"],
        seed=options["seed"],
    )
    intake = settings.intake_config()
    if domain is not None:
        intake = replace(intake, default_domain=domain)
    outcome = run(perturb(lay_out(read, layout), perturbation), intake, settings.rules)
    if as_json:
        for line in json_lines(outcome, with_changes):
            click.echo(line)
    else:
        show(outcome, with_changes, Console())


def show(outcome: Outcome, with_changes: bool, console: Console) -> None:
    """Print an outcome for people: the incidents as Slack would show them, and what went in."""
    words = catalogue("en")
    if with_changes:
        for change in outcome.changes:
            console.print(change_line(Reply(change, ()), words))
    for change in outcome.final_changes():
        console.print(incident_panel(change, words), width=min(console.width, WIDTH_MAX))
    if not outcome.incidents:
        console.print("No incident.")
    console.print(_summary(outcome))


def _summary(outcome: Outcome) -> Table:
    counts = outcome.counts
    decided = Counter[str]()
    for decision in outcome.decisions:
        decided[decision.outcome] += decision.count
    rows = {
        "records": str(counts.received),
        "symptoms": _listed(counts.symptoms),
        "samples": _listed(counts.samples),
        "split lines rejoined": f"{counts.rejoined}, {counts.partial} told by half a line",
        "held DNS symptoms": _listed(decided),
        "dead letters": _listed(counts.dead_letters),
    }
    table = Table.grid(padding=(0, 2))
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"
