"""`undercurrent page`: the incident page over a recording without Kafka, or over a past that lies there."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

import click
from aiohttp import web

from agents.commands.backfill import check_prefix
from agents.commands.history import exit_codes
from agents.commands.options import Speed, config_option, load_recording, quiet_kafka, settings_from
from agents.history.kafka import partition_counts
from agents.page.reader import PageReader
from agents.page.site import Site
from agents.recordings.arrivals import lay_out, layout_of
from agents.recordings.envelopes import ENVELOPES
from agents.recordings.replay import Perturbation, perturb
from agents.recordings.ship import MAX_SPEED
from agents.settings import Settings
from agents.web import listen
from pipeline.hearing import Hearing
from pipeline.page import Book, Limits, Record
from pipeline.render.words import catalogue
from pipeline.replay import Arrival, Replayer
from schemas import Change, Decision

REPORTED_SECONDS = 1.0
"""Event time between two looks at who was heard."""


@click.command("page")
@click.argument("recording", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--topics", "prefix", metavar="PREFIX", help="Show what `replay --into PREFIX` has written.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=6067, show_default=True, help="0: any free one."
)
@click.option("--speed", type=Speed(), default="max", show_default=True, help="Times real time, or max.")
@config_option
def page(recording: Path | None, prefix: str | None, port: int, speed: float, config: Path | None) -> None:
    """Serve the incident page over a replay of RECORDING, a folder or tar archive, until Ctrl-C.

    It listens on 127.0.0.1. With --speed, incidents appear and change as they did. With --topics it shows
    the past that lies in Kafka, and what is added to it meanwhile.

    Exit code 0: ended by Ctrl-C; 1: the port is taken; 2: wrong usage; 1, 5 and 6: the topics cannot be read
    (docs/replay.md).
    """
    if (recording is None) == (prefix is None):
        raise click.UsageError("name either a recording, or with --topics what a replay has written")
    with suppress(KeyboardInterrupt):
        try:
            if recording is not None:
                _of_recording(recording, settings_from(config, {}), port, speed)
            elif prefix is not None:
                _of_topics(prefix, settings_from(config, os.environ), port)
        except OSError as error:
            raise click.ClickException(f"cannot listen on 127.0.0.1:{port}: {error.strerror}") from error


def _of_recording(recording: Path, settings: Settings, port: int, speed: float) -> None:
    layout = layout_of(ENVELOPES["fluent-bit"], True, settings.topics)
    arrivals = perturb(lay_out(load_recording(recording), layout), Perturbation())
    asyncio.run(_serve(settings, arrivals, port, speed))


def _of_topics(prefix: str, settings: Settings, port: int) -> None:
    quiet_kafka()
    shown = check_prefix(settings, prefix)
    with exit_codes():
        names = shown.topics
        partition_counts(shown, [names.changes, names.decisions, names.dead_letters])
    asyncio.run(_serve_topics(shown, prefix, port))


async def _serve_topics(settings: Settings, prefix: str, port: int) -> None:
    limits = Limits(settings.page.incidents_max, settings.page.decisions_max, settings.page.dead_letters_max)
    latest = 0.0

    def receive(record: Record) -> None:
        nonlocal latest
        if isinstance(record, Change):
            latest = max(latest, record.at)
        site.receive(record)

    site = Site(Book(limits), catalogue(settings.language), lambda: latest)
    reader = PageReader(settings, receive, with_sources=False)
    application = web.Application()
    site.attach(application)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    try:
        address = await listen(runner, "127.0.0.1", port)
        click.echo(f"{address}/ shows the past that lies in {prefix}.*; Ctrl-C ends it")
        reader.start()
        await asyncio.Event().wait()
    finally:
        await reader.stop()
        await runner.cleanup()


async def _serve(settings: Settings, arrivals: list[Arrival], port: int, speed: float) -> None:
    replay = Replay(settings, arrivals)
    application = web.Application()
    replay.site.attach(application)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    try:
        address = await listen(runner, "127.0.0.1", port)
        click.echo(f"{address}/ shows the incidents of the recording; Ctrl-C ends it")
        await replay.run(speed)
        click.echo("replayed to the end")
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


class Replay:
    """A recording that happens once more, and the page that shows it. Its time is the recording's."""

    def __init__(self, settings: Settings, arrivals: list[Arrival]) -> None:
        self._arrivals = arrivals
        self._hearing = Hearing(0)
        self._replayer = Replayer(settings.intake_config(), settings.rules, self._hearing.receive)
        self._letters = 0
        self._reported_at = 0.0
        book = Book(Limits())
        self.site = Site(book, catalogue(settings.language), lambda: self._reported_at)

    async def run(self, speed: float) -> None:
        """Replay to the end, as fast as it happened times `speed`."""
        before: float | None = None
        for number, arrival in enumerate(self._arrivals):
            if speed != MAX_SPEED and before is not None and arrival.at > before:
                await asyncio.sleep((arrival.at - before) / speed)
            elif number % 100 == 0:
                await asyncio.sleep(0)
            before = arrival.at
            self._show(self._replayer.receive(arrival))
            self._report()
        for outputs in self._replayer.closing():
            self._show(outputs)
            await asyncio.sleep(0)

    def _report(self) -> None:
        """Show who was heard. Only what the recording holds: its end is no silence."""
        event_time = self._replayer.event_time
        if event_time is not None and event_time - self._reported_at >= REPORTED_SECONDS:
            self._reported_at = event_time
            self._hearing.reach(event_time)
            for report in self._hearing.due(event_time):
                self.site.receive(report)

    def _show(self, outputs: list[Change | Decision]) -> None:
        for output in outputs:
            self.site.receive(output)
        for letter in self._replayer.dead_letters[self._letters :]:
            self.site.receive(letter)
        self._letters = len(self._replayer.dead_letters)
