"""`undercurrent tune`: what other thresholds would get right and wrong on labelled history."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console
from rich.table import Table

from agents.commands.options import config_option, settings_from
from agents.lab.histories import labelled
from agents.lab.picture import SUFFIXES
from agents.lab.tuning import Tried, sweep
from agents.scoring.score import CorpusError
from pipeline.lab.sweep import SweepError, as_yaml, front, proposal, read_axis, variants
from pipeline.render.clean import visible

FEW_CASES = 5
WIDTH_MIN = 120
"""A table narrower than this would break the names of thresholds."""
NAMES_SHOWN = 6


@click.command("tune")
@click.argument("folders", metavar="[DIR]...", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--vary", "varied", multiple=True, required=True, metavar="KEY=VALUE,…",
    help="A threshold and the values to try, such as burst.requests=3,5,8; repeatable.",
)  # fmt: skip
@click.option("--together", is_flag=True, help="Try every combination, not one threshold at a time.")
@click.option("--only", metavar="TEXT", default="", help="Only cases whose name contains this.")
@click.option(
    "--every", type=click.IntRange(1), default=1, metavar="N", help="Only each N-th case, for a first look."
)
@click.option("--jobs", type=click.IntRange(0), default=2, show_default=True, metavar="N", help="Processes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (docs/lab.md) instead of text.")
@click.option(
    "--picture", type=click.Path(dir_okay=False, writable=True, path_type=Path), metavar="FILE",
    help="Draw the trade into this .svg or .png.",
)  # fmt: skip
@config_option
def tune(
    folders: tuple[Path, ...],
    varied: tuple[str, ...],
    together: bool,
    only: str,
    every: int,
    jobs: int,
    as_json: bool,
    picture: Path | None,
    config: Path | None,
) -> None:
    """Sweep thresholds over the labelled corpora in DIR (default: corpus), and show the trade.

    It proposes, you decide: no file is changed. Exit code 0: tried; 2: wrong usage, or no corpus there.
    """
    if picture is not None and picture.suffix not in SUFFIXES:
        raise click.UsageError(f"{picture}: a picture ends in {' or '.join(SUFFIXES)}")
    settings = settings_from(config, {})
    try:
        axes = [read_axis(text) for text in varied]
        chosen = variants(settings.rules, axes, together)
        cases = labelled(folders, only)[::every]
        click.echo(
            f"{len(chosen)} variants on {len(cases)} cases: {len(chosen) * len(cases):,} replays", err=True
        )
        tried = sweep(cases, settings, chosen, jobs)
    except (SweepError, CorpusError) as error:
        raise click.UsageError(visible(str(error))) from error
    if as_json:
        click.echo(orjson.dumps(_object(tried, len(cases)), option=orjson.OPT_INDENT_2))
    else:
        Console(width=max(Console().width, WIDTH_MIN)).print(_table(tried))
        click.echo(_advice(tried, len(cases)))
    if picture is not None:
        from agents.lab.tuning_picture import draw_trade  # matplotlib takes a second to import

        draw_trade(picture, tried, axes, together)


def _table(tried: Sequence[Tried]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    table.add_column("", no_wrap=True)
    for name in ("#", "hidden", "wrong", "missed", "unproven", "noise", "told", "verdict", "better", "worse"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("rules", overflow="fold")
    best = front([one.tally for one in tried])
    for number, (one, is_best) in enumerate(zip(tried, best, strict=True)):
        seconds = one.verdict_median_seconds
        verdict = "-" if seconds is None else f"{seconds:.0f} s"
        counts = [number, *one.tally.counts(), verdict, len(one.better), len(one.worse)]
        table.add_row("*" if is_best else "", *map(str, counts), one.variant.name)
    return table


def _advice(tried: Sequence[Tried], cases: int) -> str:
    """What the sweep proposes, and on what it rests."""
    legend = "* nothing tried is better in all. better, worse: cases, against the rules as they are.\n"
    number = proposal([one.tally for one in tried])
    if number is None:
        return (
            f"{legend}Nothing tried is better without being worse in something: keep the rules as they are."
        )
    best = tried[number]
    affected = len(best.better) + len(best.worse)
    few = f" That is few: {best.variant.name} may only fit these cases." if affected < FEW_CASES else ""
    told = [f"{legend}Proposed: {best.variant.name}. It rests on {affected} of {cases} cases.{few}"]
    told += [
        f"  {word}: {_listed(names)}"
        for word, names in (("better", best.better), ("worse", best.worse))
        if names
    ]
    told += [
        "Look at them (`undercurrent score --worst`, `undercurrent diff`) before you change your settings:",
        as_yaml(best.variant),
    ]
    return "\n".join(told).rstrip()


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return visible(", ".join(names[:NAMES_SHOWN]) + more)


def _object(tried: Sequence[Tried], cases: int) -> dict[str, Any]:
    best = front([one.tally for one in tried])
    return {
        "v": 1,
        "cases": cases,
        "variants": [
            {
                "changes": dict(one.variant.changes),
                "front": is_best,
                **{name: getattr(one.tally, name) for name in one.tally.__slots__},
                "verdict_median_seconds": one.verdict_median_seconds,
                "better": list(one.better),
                "worse": list(one.worse),
            }
            for one, is_best in zip(tried, best, strict=True)
        ],
        "proposal": proposal([one.tally for one in tried]),
    }
