"""`undercurrent diff`: what other rules, or another version of the program, would have said of a history."""

import os
import traceback
from pathlib import Path

import click
import orjson
from rich.console import Console
from rich.text import Text

from agents.commands.history import Origin, open_history, origin_of
from agents.commands.options import settings_from
from agents.lab.differ import compare_under, differ, saved_side
from agents.lab.histories import find_histories
from agents.lab.page import difference_page
from agents.lab.parallel import each
from agents.scoring.score import CorpusError
from agents.settings import Settings
from pipeline.lab.difference import compare
from pipeline.lab.report import Compared, as_object, rows, summary
from pipeline.lab.said import SaidError
from pipeline.render.clean import visible

_STYLES = {"+": "green", "-": "red", "!": "bold yellow", ">": "yellow", "<": "yellow", "~": "cyan"}

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


class DiffCommand(click.Command):
    """Exit code 1 says "different", so whatever goes wrong has to end with 2, a bug included."""

    def invoke(self, ctx: click.Context) -> object:
        """Run, and turn what a file system or a source refuses into a usage error."""
        try:
            return super().invoke(ctx)
        except (CorpusError, SaidError, OSError) as error:
            raise click.UsageError(visible(str(error)), ctx) from error
        except click.ClickException as error:
            error.exit_code = 2
            raise
        except click.Abort as error:
            raise SystemExit(2) from error
        except Exception as error:
            traceback.print_exc()
            raise SystemExit(2) from error


@click.command("diff", cls=DiffCommand)
@click.argument(
    "histories", metavar="[HISTORY]...", nargs=-1,
    type=click.Path(exists=True, allow_dash=True, path_type=Path),
)  # fmt: skip
@click.option("--from", "start", metavar="TIME", help="Read Kafka from here on: 2026-11-20T08:00, -2h.")
@click.option("--to", "end", metavar="TIME", default="now", show_default=True, help="Up to here; +2h too.")
@click.option("--topic", "topics", metavar="NAME", multiple=True, help="Read only this topic; repeatable.")
@click.option(
    "--rules", "rules", multiple=True, type=_file, metavar="FILE",
    help="Settings file; give it twice, first the old one. Once: the defaults are the old ones.",
)  # fmt: skip
@click.option(
    "--said", "said", multiple=True, type=_file, metavar="FILE",
    help="Saved output of `replay --json --changes`; give it twice, first the old one.",
)  # fmt: skip
@click.option("--only", metavar="TEXT", default="", help="Only histories whose name contains this.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (docs/lab.md) instead of text.")
@click.option(
    "--html", type=click.Path(dir_okay=False, writable=True, path_type=Path), metavar="FILE",
    help="Write a page as well, in one file that needs nothing else.",
)  # fmt: skip
@click.option(
    "--jobs", type=click.IntRange(0), default=0, metavar="N", help="Processes. [default: one per CPU]"
)
def diff(
    histories: tuple[Path, ...],
    start: str | None,
    end: str,
    topics: tuple[str, ...],
    rules: tuple[Path, ...],
    said: tuple[Path, ...],
    only: str,
    as_json: bool,
    html: Path | None,
    jobs: int,
) -> None:
    """Show what changes between two sets of rules, or between two saved outputs.

    HISTORY is a recording, a corpus (default: corpus) or files as `replay` reads them; with --from it is
    a span of Kafka, of the brokers in the new settings or the environment. Nothing is sent to anyone.
    With --said, two versions of the program are compared by what each of them printed.

    Exit code 0: the same; 1: different; 2: wrong usage, or something cannot be read.
    """
    if bool(rules) == bool(said):
        raise click.UsageError("give --rules (twice, or once against the defaults) or --said twice")
    if said:
        titles, compared = said, _of_files(said, histories, start)
    else:
        if len(rules) > 2:
            raise click.UsageError("two --rules are compared: the old and the new ones")
        old, new = (rules[0] if len(rules) == 2 else None), rules[-1]
        titles = (old or Path("defaults"), new)
        settings = settings_from(old, {}), settings_from(new, {})
        if start is not None:
            origin = origin_of(histories, start, end, topics)
            compared = [_of_origin(str(origin.span), origin, settings, settings_from(new, os.environ))]
        else:
            compared = _of_rules(histories, only, settings, jobs)
    if html is not None:
        html.write_text(difference_page(compared, *map(str, titles[:2])), encoding="utf-8")
    if as_json:
        click.echo(orjson.dumps(as_object(compared), option=orjson.OPT_INDENT_2))
    else:
        _show(compared, Console(soft_wrap=True))
    if any(not one.difference.same for one in compared):
        raise SystemExit(1)


def _of_rules(
    histories: tuple[Path, ...], only: str, settings: tuple[Settings, Settings], jobs: int
) -> list[Compared]:
    cases, files = find_histories(histories, only)
    found = list(each(differ, [(case, *settings) for case in cases], jobs, "Comparing")) if cases else []
    if files:
        origin = Origin(None, (), tuple(files))
        found.append(_of_origin(", ".join(map(str, files)), origin, settings, settings[1]))
    return found


def _of_origin(name: str, origin: Origin, pair: tuple[Settings, Settings], kafka: Settings) -> Compared:
    with open_history(kafka, origin) as history:
        return compare_under(name, history.arrivals(), *pair)


def _of_files(said: tuple[Path, ...], histories: tuple[Path, ...], start: str | None) -> list[Compared]:
    if len(said) != 2 or histories or start is not None:
        raise click.UsageError("--said compares two files, and needs no history beside them")
    return [Compared(said[1].name, compare(saved_side(said[0]), saved_side(said[1])))]


def _show(compared: list[Compared], console: Console) -> None:
    for one in compared:
        if one.difference.same:
            continue
        console.print(Text(visible(one.name), "bold"))
        for row in rows(one.difference):
            line = f"  {row.mark} {row.what}: {visible(row.text)}"
            console.print(Text(line, _STYLES.get(row.mark, "")))
    different = sum(not one.difference.same for one in compared)
    histories = "history" if len(compared) == 1 else "histories"
    console.print(Text(f"{different} of {len(compared)} {histories} differ"))
    for name, count in summary(compared).items():
        if count:
            console.print(Text(f"  {count:6,} {name}"))
    if any(one.difference.messages is None for one in compared):
        console.print(
            Text("Messages were not compared: save the outputs with --changes to have them compared.")
        )
