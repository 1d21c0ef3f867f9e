"""The options with which commands name history: a span of Kafka's topics, or files. One spelling for all.

@click.command()
@history_options
def command(origin: Origin, …) -> None:
    with open_history(settings, origin) as history: …
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, time  # noqa: TID251  `now` in a span is the wall clock's
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from agents.history import FileHistory, History, HistoryError, Span, groups, kafka_history, read_span
from agents.history.play import Player
from agents.history.signals import SignalsPlayer
from agents.history.span import written
from agents.settings import Settings
from pipeline.render.clean import visible


@dataclass(frozen=True, slots=True)
class Origin:
    """What was asked for: a span of topics (none: all raw ones), or files. One of the two is given."""

    span: Span | None
    topics: tuple[str, ...]
    files: tuple[Path, ...]


def span_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument FILES and `--from`, `--to`, `--topic`, as `files`, `start`, `end` and `topics`."""
    options = (
        click.argument(
            "files",
            metavar="[FILES]...",
            nargs=-1,
            type=click.Path(exists=True, allow_dash=True, path_type=Path),
        ),
        click.option(
            "--from", "start", metavar="TIME", help="Read Kafka from here on: 2026-11-20T08:00, -2h."
        ),
        click.option(
            "--to", "end", metavar="TIME", default="now", show_default=True, help="Up to here; +2h too."
        ),
        click.option(
            "--topic", "topics", metavar="NAME", multiple=True, help="Read only this topic; repeatable."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def origin_of(files: tuple[Path, ...], start: str | None, end: str, topics: tuple[str, ...]) -> Origin:
    """Settle what is meant.

    Raises:
        click.UsageError: files and a span, neither, or a time that is none.
    """
    if bool(files) == (start is not None):
        raise click.UsageError("name either files to read, or a span of Kafka with --from and --to")
    return Origin(None if start is None else span_of(start, end), topics, files)


def span_of(start: str, end: str) -> Span:
    """Read a span.

    Raises:
        click.UsageError: it is none.
    """
    try:
        return read_span(start, end, time())
    except ValueError as error:
        raise click.UsageError(str(error)) from error


@contextmanager
def open_history(settings: Settings, origin: Origin) -> Iterator[History]:
    """Open it and say on stderr what is missing.

    Raises:
        click.ClickException: it cannot be read; with the exit code of docs/replay.md.
    """
    with exit_codes():
        if origin.span is None:
            topic = origin.topics[0] if origin.topics else settings.topics.logs
            yield FileHistory(origin.files, topic, groups(settings), time())
            return
        with kafka_history(settings, origin.span, origin.topics or settings.topics.raw) as history:
            for note in history.notes:
                click.echo(f"note: {visible(note)}", err=True)
            yield history


@contextmanager
def exit_codes() -> Iterator[None]:
    """End a command with the exit code and the words of a `HistoryError`."""
    try:
        yield
    except HistoryError as error:
        failure = click.ClickException(visible(str(error)))
        failure.exit_code = error.exit_code
        raise failure from error


def watched(player: Player | SignalsPlayer, records_max: int | None) -> bool:
    """Play to the end under a progress bar on stderr; False: Ctrl-C came, and it was said how far it got."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.fields[reached]}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} records, {task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(),
    )
    began = monotonic()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=records_max, reached="", rate=0.0)
        try:
            with closing(player.steps()) as steps:
                for _ in steps:
                    rate = player.records / max(monotonic() - began, 0.001)
                    bar.update(task, completed=player.records, reached=_reached(player), rate=rate)
        except KeyboardInterrupt:
            share = f" of at most {records_max:,}" if records_max else ""
            click.echo(
                f"interrupted at {_reached(player) or 'the beginning'}, after {player.records:,}{share} "
                "records: what follows was found until then",
                err=True,
            )
            return False
    return True


def _reached(player: Player | SignalsPlayer) -> str:
    return "" if player.event_time is None else written(player.event_time)
