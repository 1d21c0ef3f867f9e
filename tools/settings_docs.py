"""Writes docs/settings.md's table, docs/rules.md's tables and the example's rules from the models.

`python -m tools.settings_docs`; a test says when it is due.
"""

from pathlib import Path

from agents.rulesdoc import documented_yaml, tables
from agents.settings import PREFIX, SECRETS, Settings
from agents.settingsdoc import rows
from schemas import Rules

ROOT = Path(__file__).resolve().parents[1]
TABLE = "| key | variable | default | meaning |\n|---|---|---|---|\n"
TABLES = "<!-- What follows is written by python -m tools.settings_docs. -->\n\n"
RULES = "# Thresholds and windows of the core.\n"


def main() -> None:
    """Write both files anew, leaving alone what stands around the generated parts."""
    docs = ROOT / "docs" / "settings.md"
    before, _, after = docs.read_text(encoding="utf-8").partition(TABLE)
    _, _, rest = after.partition("\n\n")
    table = "\n".join(rows(Settings, PREFIX, SECRETS))
    docs.write_text(f"{before}{TABLE}{table}\n\n{rest}", encoding="utf-8")
    example = ROOT / "undercurrent.example.yaml"
    before, _, _ = example.read_text(encoding="utf-8").partition(RULES)
    example.write_text(f"{before}{RULES}{documented_yaml(Rules())}", encoding="utf-8")
    page = ROOT / "docs" / "rules.md"
    page.write_text(
        f"{page.read_text(encoding='utf-8').partition(TABLES)[0]}{TABLES}{tables()}", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
