"""The answers of the API as pages: templates, escaped by default, whole without JavaScript."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipeline.render.clean import cut, visible
from pipeline.render.words import Words

MARKS = {"open": "●", "recovering": "◐", "resolved": "✓"}
"""Every state has a shape and a word beside its colour."""


SCRIPT_WORDS = (
    *(f"duration.{unit}" for unit in ("seconds", "minutes", "hours", "days")),
    *(f"page.{code}" for code in ("for", "choose", "live", "fresh", "silent_server", "lost")),
)
"""What page.js says, in the language of the page."""


def environment(words: Words) -> Environment:
    """The templates. Whatever is not markup of ours is escaped, and what would act is made visible."""
    made = Environment(
        loader=PackageLoader("agents.page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "ago": lambda seconds: words.duration(seconds),
        "interval": _interval,
        "number": words.number,
        "percent": words.percent,
        "iso": iso,
        "stamp": stamp,
        "cut": cut,
        "cause": lambda cause: words.named("cause", cause),
        "capital": lambda text: text[:1].upper() + text[1:],
    }
    script_words = json.dumps({code: words.texts[code] for code in SCRIPT_WORDS}, ensure_ascii=False)
    made.globals |= {"marks": MARKS, "link": link, "words": words, "script_words": script_words}
    return made


def iso(at: float) -> str:
    """An instant for machines, to the millisecond."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stamp(at: float) -> str:
    """An instant for people, with its day."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _interval(seconds: float) -> str:
    """A short time with its unit, as exact as it matters."""
    return f"{seconds:.1f} s" if seconds < 10 and seconds % 1 else f"{seconds:.0f} s"


def link(path: str, **query: str | None) -> str:
    """An address with those parameters that have a value."""
    chosen = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(chosen)}" if chosen else path


def _finalize(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
