"""Writes the table in docs/settings.md and the rules in undercurrent.example.yaml from the models.

`python -m tools.settings_docs`; a test says when it is due.
"""

from pathlib import Path

import yaml

from agents.settings import PREFIX, SECRETS, Settings
from agents.settingsdoc import rows
from schemas import Rules

ROOT = Path(__file__).resolve().parents[1]
TABLE = "| key | variable | default | meaning |\n|---|---|---|---|\n"
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
    rules = yaml.safe_dump({"rules": Rules().model_dump(mode="json")}, sort_keys=False)
    example.write_text(f"{before}{RULES}{rules}", encoding="utf-8")


if __name__ == "__main__":
    main()
