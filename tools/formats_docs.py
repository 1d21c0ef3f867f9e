"""Writes the tables of docs/formats.md from the fixtures' expectations: `python -m tools.formats_docs`.

What the table says is what tests/formats holds the program to; a test says when the page is due.
"""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "formats.md"
EXPECTED = ROOT / "tests" / "formats" / "expected.yaml"
CAPTURED = ROOT / "tests" / "formats" / "captured.yaml"
BEGIN = "<!-- What follows is written by python -m tools.formats_docs. -->\n"
END = "<!-- End of what is written. -->\n"
HEAD = "| fixture | written by | decoder | what it tells |\n|---|---|---|---|\n"


def page() -> str:
    """The page as it should be: its hand-written parts with the table anew."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{captures()}\n{END}{after}"


def captures() -> str:
    """One row per captured log."""
    stated: dict[str, dict[str, int]] = yaml.safe_load(CAPTURED.read_text(encoding="utf-8"))
    head = "| log of a real registry, a record per line | what it tells |\n|---|---|\n"
    told = {
        name: ", ".join(f"{kind} {count}" for kind, count in kinds.items()) for name, kinds in stated.items()
    }
    return head + "".join(f"| `{name}` | {text or 'nothing: noise only'} |\n" for name, text in told.items())


def table() -> str:
    """One row per fixture."""
    stated: dict[str, dict[str, Any]] = yaml.safe_load(EXPECTED.read_text(encoding="utf-8"))
    return HEAD + "".join(
        f"| `{name}` | {_cell(one['from'])} | `{one['decoder']}` | {_cell(_told(one))} |\n"
        for name, one in stated.items()
    )


def _told(one: dict[str, Any]) -> str:
    if "dropped" in one:
        return f"left out as `{one['dropped']}`"
    if "marker" in one:
        return "how far its shipper has written"
    half = "half a line: " if one.get("partial") else ""
    return half + "<br>".join(dict.fromkeys(_signal(signal) for signal in one["tells"]))


def _signal(signal: dict[str, Any]) -> str:
    """Kind, place and every value; the time only by its being there, for it would say nothing."""
    place = " on ".join(str(signal[name]) for name in ("instance", "host") if name in signal)
    values = signal.get("values")
    if values is None:
        names = ("upstream", "question", "request", "client", "route", "status", "duration_seconds")
        values = {name: signal[name] for name in names if name in signal}
    shown = ", ".join(f"{name} {_number(value)}" for name, value in values.items())
    source = f" by {signal['source']}" if "source" in signal else ""
    return f"**{signal['kind']}**{source}{f' of {place}' if place else ''}{': ' if shown else ''}{shown}"


def _number(value: object) -> str:
    if value is None:
        return "unlimited"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
