"""`undercurrent score`: how often the diagnosis is right, over recordings and scenarios with known truth."""

import time
from pathlib import Path

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from agents.commands.options import config_option, groups, settings_from
from agents.recordings.recording import Group
from agents.recordings.replay import Perturbation
from agents.scoring.judge import Judged
from agents.scoring.score import Case, CorpusError, judge_all, read_corpus, reseeded
from agents.scoring.sum import Score, as_object, below_floors, sum_up
from agents.scoring.table import as_text, replace_marked
from agents.settings import Settings
from pipeline.render.clean import visible

WRITTEN = (Path("README.md"), Path("docs/score.md"))
"""Pages that bear the table between its markers."""


@click.command("score")
@click.argument("folders", metavar="[DIR]...", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the score and every case as one JSON object.")
@click.option("--floors", is_flag=True, help="Exit with 1 if a figure is below its floor.")
@click.option("--worst", is_flag=True, help="List what went wrong, case by case, and what really happened.")
@click.option("--write", is_flag=True, help="Write the table into README.md and docs/score.md.")
@click.option("--only", metavar="TEXT", default="", help="Only cases whose name contains this.")
@click.option(
    "--jobs", type=click.IntRange(0), default=0, metavar="N", help="Processes. [default: one per CPU]"
)
@click.option(
    "--sources",
    default=",".join(Group),
    show_default=True,
    callback=groups,
    help="Which telemetry takes part.",
)
@click.option(
    "--metrics-delay", type=click.FloatRange(min=0), default=0.0, metavar="SECONDS",
    help="Let every reading arrive so much later.",
)  # fmt: skip
@click.option(
    "--shuffle", type=click.FloatRange(min=0), default=0.0, metavar="SECONDS",
    help="Let every record arrive up to so much later.",
)  # fmt: skip
@click.option(
    "--duplicate", type=click.FloatRange(0, 1), default=0.0, metavar="SHARE",
    help="Let this share of the records arrive twice.",
)  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="For what is random in these.")
@click.option(
    "--reseed", type=int, default=0, metavar="N", help="Play the scenarios with other seeds: by N higher."
)
@config_option
def score(
    folders: tuple[Path, ...],
    as_json: bool,
    floors: bool,
    worst: bool,
    write: bool,
    only: str,
    jobs: int,
    sources: frozenset[Group],
    metrics_delay: float,
    shuffle: float,
    duplicate: float,
    seed: int,
    reseed: int,
    config: Path | None,
) -> None:
    """Score the diagnosis on the corpora in DIR (default: corpus).

    A corpus is a folder with truth.json and the recordings it names, or with scenarios/*.yaml, or
    both. Exit code 0: scored; 1: below a floor (with --floors); 2: wrong usage, or no corpus there.
    """
    settings = settings_from(config, {})
    perturbation = Perturbation(
        sources=sources,
        metrics_delay_seconds=metrics_delay,
        duplicate_share=duplicate,
        shuffle_seconds=shuffle,
        seed=seed,
    )
    began = time.perf_counter()
    try:
        found = [case for folder in folders or (Path("corpus"),) for case in read_corpus(folder)]
        cases = [reseeded(case, reseed) for case in found if only in case.name]
        judged = _judged(cases, settings, perturbation, jobs)
    except CorpusError as error:
        raise click.UsageError(str(error)) from error
    total = sum_up(judged)
    if as_json:
        body = {**as_object(total), "judged": judged}
        click.echo(orjson.dumps(body, option=orjson.OPT_INDENT_2))
    else:
        click.echo(as_text(total))
        click.echo(f"{len(cases)} cases in {time.perf_counter() - began:.0f} s")
    if worst and not as_json:
        _print_worst(judged)
    if write:
        _write(total)
    _hold(below_floors(total, metrics_delay) if floors else [])


def _judged(cases: list[Case], settings: Settings, perturbation: Perturbation, jobs: int) -> list[Judged]:
    columns = (TextColumn("Scoring"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=len(cases))

        def advance(judged: Judged) -> None:
            progress.update(task, advance=1, description=visible(judged.name))

        return judge_all(cases, settings, perturbation, jobs, advance)


def _print_worst(judged: list[Judged]) -> None:
    for case in judged:
        if case.problems:
            story = f" — {case.story}" if case.story else ""
            click.echo(visible(f"{case.name}: {'; '.join(case.problems)}{story}"))


def _write(total: Score) -> None:
    for page in WRITTEN:
        if page.exists():
            page.write_text(
                replace_marked(page.read_text(encoding="utf-8"), as_text(total)), encoding="utf-8"
            )


def _hold(below: list[str]) -> None:
    """Say which figures are below their floors, and exit with 1 if any is."""
    for line in below:
        click.echo(line, err=True)
    if below:
        raise SystemExit(1)
