"""Writes a difference as a page: one file, no scripts, nothing fetched, everything escaped."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.lab.report import Compared, rows, summary
from pipeline.render.clean import visible

_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("pages")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def difference_page(compared: list[Compared], old: str, new: str) -> str:
    """Return the page. `old`, `new`: what the sides are called."""
    histories = [
        (visible(one.name), [(row.mark, row.what, visible(row.text)) for row in rows(one.difference)])
        for one in compared
        if not one.difference.same
    ]
    counted = [(name, count) for name, count in summary(compared).items() if count]
    return _PAGES.get_template("difference.html").render(
        old=visible(old), new=visible(new), histories=histories, counted=counted, total=len(compared)
    )
