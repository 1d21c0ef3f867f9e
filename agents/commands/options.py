"""Options and arguments that several commands share, and the recording they name."""

import logging
from collections.abc import Mapping
from pathlib import Path

import click

from agents.recordings.envelopes import ENVELOPES
from agents.recordings.recording import Group, NotARecordingError, Recording, read_recording
from agents.recordings.ship import MAX_SPEED
from agents.settings import Settings, SettingsError, load_settings
from pipeline.render.clean import visible

recording_argument = click.argument(
    "recording", metavar="RECORDING", type=click.Path(exists=True, path_type=Path)
)
config_option = click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Settings in YAML (docs/settings.md).",
)
shipper_option = click.option(
    "--as",
    "shipper_name",
    type=click.Choice(list(ENVELOPES)),
    default="fluent-bit",
    show_default=True,
    help="Whose envelope the log lines are in.",
)
split_option = click.option(
    "--split/--no-split",
    default=None,
    help="Break error texts over two records, as runtimes do to the 2.8 images. "
    "Default: for fluent-bit only.",
)


def groups(_context: click.Context, _option: click.Parameter, value: str) -> frozenset[Group]:
    """Read a list of groups of telemetry, as an option's callback."""
    known = [group.value for group in Group]
    chosen = [name.strip() for name in value.split(",") if name.strip()]
    unknown = [name for name in chosen if name not in known]
    if unknown or not chosen:
        raise click.BadParameter(f"expected any of {', '.join(known)}; found {value!r}")
    return frozenset(Group(name) for name in chosen)


def is_split(shipper_name: str, split: bool | None) -> bool:
    """Settle whether lines are split: as chosen, or else for Fluent Bit, where the field has seen it."""
    return shipper_name == "fluent-bit" if split is None else split


def load_recording(path: Path) -> Recording:
    """Read a recording for a command, and say on stderr what it lacks.

    Raises:
        click.UsageError: there is none at `path`.
    """
    try:
        recording = read_recording(path)
    except NotARecordingError as error:
        raise click.UsageError(str(error)) from error
    for note in recording.notes:
        click.echo(f"note: {visible(note)}", err=True)
    return recording


def settings_from(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Load the settings for a command.

    Raises:
        click.UsageError: with every problem in them.
    """
    try:
        return load_settings(path, environ)
    except SettingsError as error:
        raise click.UsageError(f"the settings cannot be used:\n{error}") from error


def quiet_kafka() -> None:
    """Keep kafka-python's own log off the terminal: what fails is reported by the command, once."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)


class Speed(click.ParamType):
    """How many times faster than real time: a number above 0, or `max`."""

    name = "speed"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Turn the word into a factor, infinite for `max`."""
        if value == "max":
            return MAX_SPEED
        try:
            speed = float(str(value))
        except ValueError:
            speed = -1.0
        if not 0 < speed < MAX_SPEED:
            self.fail(f"expected a number above 0 or max, found {value!r}", param, ctx)
        return speed


class ApiVersion(click.ParamType):
    """A broker's version as numbers with points, such as 0.10.2."""

    name = "version"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Turn `0.10.2` into `(0, 10, 2)`."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(int(part) for part in str(value).split("."))
        except ValueError:
            self.fail(f"expected numbers with points, such as 0.10.2, found {value!r}", param, ctx)


api_version_option = click.option(
    "--api-version",
    type=ApiVersion(),
    default=None,
    help="The broker's version, where it cannot be asked (0.10.2 for an embedded broker).",
)
