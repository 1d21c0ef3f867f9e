"""Where the corpus is."""

from pathlib import Path

CORPUS = Path(__file__).resolve().parents[2] / "corpus"
SCENARIOS = CORPUS / "scenarios"
