"""Each law as a story: what sources say, second by second, and what the core answers."""

import os
from pathlib import Path

import pytest

from tests.scenarios.words import Teller

TRANSCRIPTS = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))


def answered(text: str) -> str:
    """The transcript with the core's answers of today behind the lines that caused them."""
    teller, lines = Teller(), []
    for line in text.splitlines():
        if line.startswith("->"):
            continue
        lines.append(line)
        if line.strip() and not line.startswith("#"):
            lines += teller.answers(line.strip())
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_the_core_answers_as_the_transcript_says(path: Path) -> None:
    """What is written behind `->` is what the core says; UNDERCURRENT_REWRITE=1 writes it anew."""
    if os.environ.get("UNDERCURRENT_REWRITE") == "1":
        path.write_text(answered(path.read_text()))
    text = path.read_text()
    assert answered(text) == text
    assert "->" in text or "says nothing" in text, "a transcript without an answer shows nothing"
