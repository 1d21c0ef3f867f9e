"""`undercurrent decode FILE|-`: one raw record in, what is understood of it out."""

import os
import time
from pathlib import Path
from typing import BinaryIO

import click
import orjson
from rich.console import Console

from agents.commands.explain import show
from agents.commands.options import config_option, settings_from
from pipeline.explain import explain_decoded, trace
from pipeline.explain.trace import DROPPED, MARKER, TOLD
from pipeline.intake import RawRecord
from pipeline.intake.instants import from_written

FILE_BYTES_MAX = 67_108_864
NOT_UNDERSTOOD, TELLS_NOTHING = 1, 3


class Moment(click.ParamType):
    """A time: unix seconds, or RFC 3339."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Turn it into unix milliseconds."""
        if isinstance(value, int):
            return value
        nanoseconds = from_written(value)
        if nanoseconds is None:
            self.fail(f"expected unix seconds or 2026-11-23T09:10:30Z, found {value!r}", param, ctx)
        return nanoseconds // 1_000_000


@click.command("decode")
@click.argument("file", type=click.File("rb"), metavar="FILE|-")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with the canonical signals.")
@click.option("--topic", default=None, metavar="NAME", help="The topic it would be in. [default: the logs']")
@click.option(
    "--at",
    "at_ms",
    type=Moment(),
    default=None,
    metavar="TIME",
    help="Its Kafka timestamp, which dates what bears no time of its own. [default: now]",
)
@config_option
def decode(file: BinaryIO, as_json: bool, topic: str | None, at_ms: int | None, config: Path | None) -> None:
    """Say what is understood of one raw record, as its shipper wrote it.

    FILE holds the value of one Kafka record, byte by byte; - reads it from standard input. Domains and
    signatures are those of the settings.

    Exit code 0: it tells something; 1: it is not understood, and it is said why; 2: wrong usage;
    3: it is understood and tells nothing, and it is said why.
    """
    value = file.read(FILE_BYTES_MAX + 1)
    if len(value) > FILE_BYTES_MAX:
        raise click.UsageError(f"more than {FILE_BYTES_MAX} bytes are no record: give one, not a whole log")
    settings = settings_from(config, os.environ)
    if at_ms is None:
        at_ms = round(time.time() * 1000)  # noqa: TID251 - as if it had been written to Kafka just now
    record = RawRecord(topic or settings.topics.logs, 0, 0, at_ms, None, value)
    found = trace(record, (), settings.intake_config())
    answer = explain_decoded(found)
    if as_json:
        click.echo(orjson.dumps(answer.as_json()))
    else:
        show(answer, Console())
    if found.fate not in (TOLD, MARKER):
        raise SystemExit(TELLS_NOTHING if found.fate == DROPPED else NOT_UNDERSTOOD)
