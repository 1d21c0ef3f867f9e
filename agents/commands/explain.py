"""`undercurrent explain ID`: why an incident, a decision or a raw record became what it is."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
import orjson
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from agents.commands.options import (
    api_version_option,
    config_option,
    is_split,
    load_recording,
    settings_from,
    shipper_option,
    split_option,
)
from agents.explain import Asked, UnknownError, asked, explain_kafka, explain_recording
from agents.past import PastError, past
from agents.recordings.arrivals import lay_out, layout_of
from agents.recordings.envelopes import ENVELOPES
from agents.recordings.replay import Perturbation, perturb
from pipeline.explain import Answer, Line, where
from pipeline.render.clean import visible
from pipeline.render.console import WIDTH_MAX
from pipeline.render.words import catalogue

TEXT_MAX = 600


@click.command("explain")
@click.argument("identity", metavar="ID")
@click.option(
    "--recording",
    type=click.Path(exists=True, path_type=Path),
    metavar="DIR",
    help="Ask a replay of this recording instead of Kafka.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (docs/explain.md).")
@click.option("--domain", metavar="NAME", help="With --recording: its domain. [default: default]")
@config_option
@shipper_option
@split_option
@click.option(
    "--timeout",
    "timeout_seconds",
    type=click.FloatRange(min=1),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long reading Kafka may take.",
)
@api_version_option
def explain(
    identity: str,
    recording: Path | None,
    as_json: bool,
    domain: str | None,
    config: Path | None,
    shipper_name: str,
    split: bool | None,
    timeout_seconds: float,
    api_version: tuple[int, ...] | None,
) -> None:
    """Say why, with the records it can be checked against.

    ID is an incident's, a decision's, a change's (`<incident>:<number>`), or a raw record as
    topic:partition:offset. Kafka's topics are read without joining a group: nothing moves.

    Exit code 0: explained; 1: there is nothing by that id, or Kafka cannot be read in time, and it is
    said what was looked at; 2: wrong usage.
    """
    try:
        question = asked(identity)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if recording is not None:
        answer = _answered(lambda: _of_recording(question, recording, domain, config, (shipper_name, split)))
    else:
        answer = _answered(lambda: _of_kafka(question, config, timeout_seconds, api_version))
    if as_json:
        click.echo(orjson.dumps(answer.as_json()))
    else:
        show(answer, Console())


def _answered(ask: Callable[[], Answer]) -> Answer:
    try:
        return ask()
    except (UnknownError, PastError) as error:
        raise click.ClickException(visible(str(error.args[0]))) from error


def _of_recording(
    question: Asked, path: Path, domain: str | None, config: Path | None, shipper: tuple[str, bool | None]
) -> Answer:
    """As `replay` does it: the environment does not count."""
    settings = settings_from(config, {})
    name, split = shipper
    layout = layout_of(ENVELOPES[name], is_split(name, split), settings.topics)
    arrivals = perturb(lay_out(load_recording(path), layout), Perturbation())
    intake = settings.intake_config()
    if domain is not None:
        intake = replace(intake, default_domain=domain)
    return explain_recording(question, arrivals, intake, settings.rules, catalogue(settings.language))


def _of_kafka(
    question: Asked, config: Path | None, timeout_seconds: float, api_version: tuple[int, ...] | None
) -> Answer:
    settings = settings_from(config, os.environ)
    with past(settings, timeout_seconds, api_version) as reader:
        answer, unreadable = explain_kafka(question, settings, reader, catalogue(settings.language))
    if unreadable:
        click.echo(f"note: {unreadable} records of our own topics could not be read", err=True)
    return answer


def show(answer: Answer, console: Console) -> None:
    """Print an answer for people. Text from logs is shown, never obeyed."""
    width = min(console.width, WIDTH_MAX)
    console.print(Text(visible(answer.answer), "bold"), width=width)
    for section in answer.sections:
        console.print()
        console.print(Text(section.title, "bold cyan"))
        for line in section.lines:
            console.print(Padding(_line(line), (0, 0, 0, 2), expand=False), width=width)


def _line(line: Line) -> Text:
    text = Text(visible(line.text[:TEXT_MAX]))
    for origin in line.origins:
        text.append(f"  [{visible(where(origin))}]", "dim")
    return text
