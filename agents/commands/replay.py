"""`undercurrent replay`: a recording, files or a span of Kafka through the intake and the core."""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console
from rich.table import Table

from agents.commands.backfill import check_prefix, fill_there
from agents.commands.history import (
    Origin,
    exit_codes,
    open_history,
    origin_of,
    span_of,
    span_options,
    watched,
)
from agents.commands.notify import open_channel, tell_there
from agents.commands.options import (
    config_option,
    groups,
    is_split,
    load_recording,
    settings_from,
    shipper_option,
    split_option,
)
from agents.history.play import Player
from agents.history.signals import signals_player
from agents.history.span import Span
from agents.recordings.arrivals import lay_out, layout_of
from agents.recordings.envelopes import ENVELOPES
from agents.recordings.recording import Group, is_recording
from agents.recordings.replay import Outcome, Perturbation, json_lines, perturb, run
from agents.settings import Settings
from pipeline.intake import IntakeConfig
from pipeline.render.clean import visible
from pipeline.render.console import WIDTH_MAX, change_line, incident_panel
from pipeline.render.words import catalogue
from pipeline.telling import Reply


@click.command("replay")
@span_options
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
@click.option(
    "--jobs",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Processes that read Kafka. [default: one, or one per CPU where there is much to read]",
)
@click.option("--domain", metavar="NAME", help="The domain the recording is of. [default: default]")
@click.option("--notify", metavar="CHANNEL", help="Tell the incidents in this Slack channel, each marked.")
@click.option(
    "--into", "prefix", metavar="PREFIX", help="Write what is said to PREFIX.changes and PREFIX.decisions."
)
@config_option
@shipper_option
@split_option
def replay(
    files: tuple[Path, ...],
    start: str | None,
    end: str,
    topics: tuple[str, ...],
    as_json: bool,
    with_changes: bool,
    jobs: int,
    domain: str | None,
    notify: str | None,
    prefix: str | None,
    config: Path | None,
    **options: Any,
) -> None:
    """Replay history and print its incidents: a recording, files, or a span of Kafka with --from and --to.

    A recording is a folder or tar archive of one. Any other FILES are saved records (`undercurrent
    record`), JSON Lines or plain logs, packed with gzip or zstd or not, folders of them, or `-`. Kafka is
    only read: no group, no state and nobody is disturbed. With --notify the incidents are told in that Slack
    channel as well, every message marked as a replay; SLACK_BOT_TOKEN is needed for it. With --into they are
    written to topics beside the live ones; `undercurrent page --topics PREFIX` shows them.

    Exit code 0: replayed to the end, with or without an incident; 2: wrong usage, settings that cannot be
    used, or no recording there; 1 and 3 to 7: history cannot be read (docs/replay.md); 9: not all of it could
    be told in Slack; 130: interrupted, with what was found until then, and nobody told. For files the
    environment does not count, but for Slack and --into: equal options give equal output anywhere.
    """
    settings = settings_from(config, {} if files else os.environ)
    intake = settings.intake_config()
    live = settings if notify is None and prefix is None else settings_from(config, os.environ)
    channel = None if notify is None else open_channel(live, notify)
    if prefix is not None:
        check_prefix(live, prefix)
    if len(files) == 1 and start is None and is_recording(files[0]):
        if domain is not None:
            intake = replace(intake, default_domain=domain)
        found = _of_recording(files[0], settings, intake, options)
    else:
        _refuse_perturbations()
        origin = origin_of(files, start, end, topics)
        found, whole = _of_history(settings, origin, jobs)
        if domain is not None:
            found = found.of_domain(domain)
        if not whole:
            _print(found, as_json, with_changes)
            raise SystemExit(INTERRUPTED)
    _print(found, as_json, with_changes)
    if prefix is not None:
        fill_there(live, prefix, found, _described(files, start, end))
    if channel is not None:
        tell_there(channel, found.changes)


def _of_history(settings: Settings, origin: Origin, jobs: int) -> tuple[Outcome, bool]:
    """What history says, and whether all of it was replayed."""
    if origin.span is not None and settings.topics.signals in origin.topics:
        return _of_signals(settings, origin.span, origin.topics)
    with open_history(settings, origin) as history:
        player = Player(history, settings.intake_config(), settings.rules, jobs)
        whole = watched(player, history.records_max)
    return player.outcome(), whole


def _of_signals(settings: Settings, span: Span, topics: tuple[str, ...]) -> tuple[Outcome, bool]:
    if set(topics) != {settings.topics.signals}:
        raise click.UsageError("signals are replayed alone: they hold what the raw topics say once more")
    with exit_codes(), signals_player(settings, span) as player:
        for note in player.notes:
            click.echo(f"note: {visible(note)}", err=True)
        whole = watched(player, player.records_max)
    if player.unread:
        click.echo(f"note: {player.unread} signals cannot be read; live set them aside as well", err=True)
    return player.outcome(), whole


def _described(files: tuple[Path, ...], start: str | None, end: str) -> str:
    """What is replayed, in words."""
    return ", ".join(map(str, files)) if start is None else str(span_of(start, end))


INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

_OF_RECORDINGS = ("metrics_interval", "metrics_delay", "shuffle", "duplicate", "sources", "split")


def _refuse_perturbations() -> None:
    """Real history is replayed as it is."""
    context = click.get_current_context()
    for name in _OF_RECORDINGS:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"--{name.replace('_', '-')} is for recordings: history is replayed as it is"
            )


def _of_recording(path: Path, settings: Settings, intake: IntakeConfig, options: dict[str, Any]) -> Outcome:
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
    return run(perturb(lay_out(load_recording(path), layout), perturbation), intake, settings.rules)


def _print(outcome: Outcome, as_json: bool, with_changes: bool) -> None:
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
