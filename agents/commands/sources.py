"""`undercurrent sources`: what a running worker heard last when, in the terminal, by the page's API."""

import asyncio
import os
from pathlib import Path
from urllib.parse import urlencode

import click
from rich.console import Console
from rich.text import Text

from agents.commands.asking import api_of, ask, json_option, url_option
from agents.commands.options import config_option, settings_from
from pipeline.page.safejson import as_json
from pipeline.render.clean import cut, visible
from pipeline.render.words import Words, catalogue
from schemas.page import DomainSources, SourceLine, SourceList, SourceState

MARKS = {
    SourceState.HEALTHY: ("✓", "green"),
    SourceState.SILENT: ("!", "bold yellow"),
    SourceState.QUIET: ("·", "dim"),
    SourceState.NEVER: ("?", "dim"),
    SourceState.GONE: ("-", "dim"),
}


@click.command("sources")
@click.option("--domain", metavar="NAME", help="Only of this domain.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="Domains at most.")
@url_option
@json_option
@config_option
def sources(domain: str | None, limit: int, url: str | None, as_text: bool, config: Path | None) -> None:
    """Say which sources are heard, which fell silent, and what that costs. Any worker answers for all.

    Exit code 0: answered; 1: nobody answers; 2: wrong usage.
    """
    settings = settings_from(config, os.environ)
    query = urlencode({"limit": limit, **({"domain": domain} if domain else {})})
    answer = asyncio.run(ask(f"{api_of(settings, url)}/sources?{query}", settings.page, SourceList))
    click.echo(as_json(answer)) if as_text else _print(answer, catalogue(settings.language))


def _print(answer: SourceList, words: Words) -> None:
    console = Console(soft_wrap=True, highlight=False)
    for domain in answer.domains:
        console.print(Text(visible(domain.domain), "bold"))
        for line in _lines(domain, words):
            console.print(Text("  ").append_text(line))
    if answer.total > len(answer.domains):
        console.print(f"… and {answer.total - len(answer.domains)} more domains (--limit)")
    if not answer.domains:
        console.print("Nothing has been heard yet.")


def _lines(domain: DomainSources, words: Words) -> list[Text]:
    places: dict[str, list[SourceLine]] = {}
    for one in domain.sources:
        places.setdefault(one.place, []).append(one)
    told = [Text(f"! {visible(one.text)}", "bold yellow") for one in domain.problems]
    rows = [_row(place, found, words) for place, found in places.items()]
    return [*told, *rows, *(Text(f"? {visible(one.text)}", "dim") for one in domain.missing)]


def _row(place: str, found: list[SourceLine], words: Words) -> Text:
    row = Text(visible(cut(place or "(whole domain)", 40)) + ": ")
    for number, one in enumerate(found):
        mark, style = MARKS[one.state]
        age = "" if one.age_seconds is None else f" {words.duration(one.age_seconds)}"
        row.append("  " if number else "").append(f"{mark} {words(f'source.short.{one.kind}')}{age}", style)
    return row
