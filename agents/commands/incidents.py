"""`undercurrent incidents`: what a running worker's page knows, in the terminal, by the same API."""

import asyncio
import os
from urllib.parse import quote, urlencode

import click
from rich.console import Console
from rich.text import Text

from agents.commands.asking import api_of, ask, json_option, url_option
from agents.commands.options import config_option, settings_from
from pipeline.page.answers import STATES
from pipeline.page.safejson import as_json
from pipeline.render.clean import cut, visible
from pipeline.render.console import WIDTH_MAX, incident_panel
from pipeline.render.words import Words, catalogue
from schemas import Change
from schemas.page import IncidentLine, IncidentList, IncidentView

MARKS = {"open": ("●", "bold red"), "recovering": ("◐", "bold yellow"), "resolved": ("✓", "bold green")}


@click.command("incidents")
@click.argument("identity", metavar="[ID]", required=False)
@url_option
@click.option("--state", type=click.Choice([str(one) for one in STATES]), default="active", show_default=True)
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="At most so many.")
@json_option
@config_option
def incidents(
    identity: str | None, url: str | None, state: str, limit: int, as_text: bool, config: object
) -> None:
    """List the incidents a running worker knows, or show one. Any worker answers for all.

    Exit code 0: answered; 1: nobody answers, or there is no such incident; 2: wrong usage.
    """
    settings = settings_from(config, os.environ)  # type: ignore[arg-type]  # click gives a path or None
    api = api_of(settings, url)
    words = catalogue(settings.language)
    if identity is None:
        query = urlencode({"state": state, "limit": limit})
        listed = asyncio.run(ask(f"{api}/incidents?{query}", settings.page, IncidentList))
        click.echo(as_json(listed)) if as_text else _list(listed, words)
    else:
        view = asyncio.run(ask(f"{api}/incidents/{quote(identity, '')}", settings.page, IncidentView))
        click.echo(as_json(view)) if as_text else _one(view, words)


def _list(listed: IncidentList, words: Words) -> None:
    console = Console(soft_wrap=True)
    for one in listed.incidents:
        console.print(_row(one, listed.as_of, words))
    more = listed.total - len(listed.incidents)
    if more:
        console.print(f"… and {more} more (--limit)")
    if not listed.incidents:
        console.print("No incident.")


def _row(one: IncidentLine, now: float, words: Words) -> Text:
    mark, style = MARKS[one.state.value]
    age = words.duration((one.resolved_at or now) - one.first_symptom_at)
    places = visible(cut(f"{one.domain} · {', '.join(one.instances)}", 80))
    return Text.assemble(
        (f"{mark} {words(f'state.{one.state}')} ", style),
        (visible(one.verdict), "bold"),
        f" · {places} · {age} · {visible(one.impact)} ",
        (visible(one.id), "dim"),
    )


def _one(view: IncidentView, words: Words) -> None:
    console = Console()
    last = view.line.last_change
    change = Change(
        id=f"{view.incident.id}:{last.seq}",
        seq=last.seq,
        kind=last.kind,
        at=last.at,
        reason=last.reason,
        incident=view.incident,
    )
    console.print(incident_panel(change, words), width=min(console.width, WIDTH_MAX))
