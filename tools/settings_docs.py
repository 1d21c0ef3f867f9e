"""Writes the tables of docs/settings.md, docs/metrics.md and docs/rules.md and the example's rules.

`python -m tools.settings_docs`; a test says when it is due.
"""

from pathlib import Path

from agents import telemetry
from agents.rulesdoc import documented_yaml, tables
from agents.settings import PREFIX, SECRETS, Settings
from agents.settingsdoc import rows
from agents.shippers import page as shipper
from schemas import Rules

ROOT = Path(__file__).resolve().parents[1]
TABLE = "| key | variable | default | meaning |\n|---|---|---|---|\n"
TABLES = "<!-- What follows is written by python -m tools.settings_docs. -->\n\n"
METRICS_TABLE = "| metric | type | labels | meaning |\n|---|---|---|---|\n"
SHIPPER_TABLE = "| metric | type | meaning |\n|---|---|---|\n"
RULES = "# Thresholds and windows of the core.\n"


def metric_rows() -> list[str]:
    """One line of a Markdown table per metric: name, type, labels, meaning."""
    return [
        f"| `{telemetry.PREFIX}{name}` | {kind.__name__.lower()} | {', '.join(labels) or '—'} | {meaning} |"
        for name, (kind, labels, meaning) in telemetry.METRICS.items()
    ]


def shipper_rows() -> list[str]:
    """The same for the metrics of the shippers, which have no labels."""
    return [
        f"| `{shipper.PREFIX}{name}` | {kind.__name__.lower()} | {meaning} |"
        for name, (kind, meaning) in shipper.METRICS.items()
    ]


def main() -> None:
    """Write the files anew, leaving alone what stands around the generated parts."""
    _replace_table(ROOT / "docs" / "settings.md", TABLE, rows(Settings, PREFIX, SECRETS))
    _replace_table(ROOT / "docs" / "metrics.md", METRICS_TABLE, metric_rows())
    _replace_table(ROOT / "docs" / "metrics.md", SHIPPER_TABLE, shipper_rows())
    example = ROOT / "undercurrent.example.yaml"
    before, _, _ = example.read_text(encoding="utf-8").partition(RULES)
    example.write_text(f"{before}{RULES}{documented_yaml(Rules())}", encoding="utf-8")
    page = ROOT / "docs" / "rules.md"
    page.write_text(
        f"{page.read_text(encoding='utf-8').partition(TABLES)[0]}{TABLES}{tables()}", encoding="utf-8"
    )


def _replace_table(page: Path, head: str, lines: list[str]) -> None:
    before, _, after = page.read_text(encoding="utf-8").partition(head)
    rest = after.partition("\n\n")[2] if after.startswith("|") else after.lstrip("\n")
    text = f"{before}{head}" + "\n".join(lines) + f"\n\n{rest}"
    page.write_text(f"{text.rstrip()}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
