"""Options that the shippers share, and what stands around their loops."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

import click

from agents import log
from agents.commands.options import settings_from
from agents.settings import Settings
from agents.shippers.link import Link
from agents.shippers.loop import run, until_told
from agents.shippers.page import Figures, address, page
from agents.shippers.places import State, StateError
from agents.shippers.source import Source

STATE_HELP = (
    "Where it keeps how far it is, and its buffer. "
    "[default: $STATE_DIRECTORY, else ~/.local/state/undercurrent/…]"
)
EXIT_UNSENT = 3


def _address(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[str, int] | None:
    if value is None:
        return None
    try:
        return address(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


class Megabytes(click.ParamType):
    """A whole number of MiB, as bytes."""

    name = "mib"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Turn MiB into bytes."""
        if isinstance(value, int):
            return value
        if not str(value).isdecimal() or int(str(value)) < 1:
            self.fail(f"expected a whole number of MiB above 0, found {value!r}", param, ctx)
        return int(str(value)) << 20


OPTIONS = (
    click.option("--brokers", metavar="HOST:PORT,…", help="Where Kafka is. [default: as the settings say]"),
    click.option("--state", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help=STATE_HELP),
    click.option("--host", default=socket.gethostname, help="Name of this machine. [default: its own]"),
    click.option(
        "--listen",
        metavar="HOST:PORT",
        callback=_address,
        help="Serve /metrics, /healthz and /readyz there.",
    ),
    click.option(
        "--buffer",
        "buffer_bytes_max",
        type=Megabytes(),
        default=str(1024),
        show_default=True,
        metavar="MIB",
        help="Bound of the buffer on disk.",
    ),
)


def shared(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options every shipper has."""
    for option in OPTIONS:
        command = option(command)
    return command


def interval_option(default_seconds: float) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """How often to take readings."""
    return click.option(
        "--interval",
        "interval_seconds",
        type=click.FloatRange(min=0.1, max=300),
        default=default_seconds,
        show_default=True,
        metavar="SECONDS",
        help="How often readings are taken.",
    )


def pair_of(
    form: str, check: Callable[[str], str] = str
) -> Callable[[click.Context, click.Parameter, tuple[str, ...]], dict[str, str]]:
    """A callback that reads an option of the `form` NAME=…, given any number of times; `check` the value."""

    def read(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
        found: dict[str, str] = {}
        for text in values:
            name, _, value = text.partition("=")
            if not name or not value:
                raise click.BadParameter(f"expected {form}, found {text!r}")
            if name in found:
                raise click.BadParameter(f"{name} is given twice")
            try:
                found[name] = check(value)
            except ValueError as error:
                raise click.BadParameter(f"{name}: {error}") from error
        return found

    return read


def state_folder(state: Path | None, kind: str) -> Path:
    """The folder of a shipper: as said, as systemd says, or in the user's own."""
    if state is not None:
        return state
    if given := os.environ.get("STATE_DIRECTORY"):
        return Path(given.partition(":")[0]) / kind
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "undercurrent" / kind


class Running(NamedTuple):
    """What a shipper's command has at hand while it runs."""

    settings: Settings
    state: State
    figures: Figures
    stop: Event

    def ship(self, source: Source, topic: str, at_end: Callable[[], bool] = lambda: False) -> None:
        """Run the loop to its end, which is the end of the process. `at_end`: nothing more will come.

        Raises:
            SystemExit: 3, where the last round may not have reached Kafka: it is sent again.
        """
        link = Link(self.settings, topic, self.figures)
        log.get("ship").info("shipping", topic=topic, brokers=self.settings.brokers)
        if not run(source, link, self.stop, at_end, self.figures):
            log.get("ship").warning("stopped with records that Kafka has not taken; they go first next time")
            raise SystemExit(EXIT_UNSENT)


@contextmanager
def running(
    kind: str, config: Path | None, brokers: str | None, state: Path | None, listen: tuple[str, int] | None
) -> Iterator[Running]:
    """Settings, state, figures, page and signals of one shipper.

    Raises:
        click.UsageError: the settings cannot be used.
        click.ClickException: the state cannot, or the port is taken.
    """
    settings = settings_from(config, os.environ)
    if brokers is not None:
        settings = settings.model_copy(update={"brokers": brokers})
    log.configure(settings.log)
    figures = Figures()
    try:
        with until_told() as stop, page(listen, figures):
            yield Running(settings, State(state_folder(state, kind)), figures, stop)
    except StateError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename or 'the page'}: {error.strerror or error}") from error
