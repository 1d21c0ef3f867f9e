"""Each law as a story: what sources say, second by second, and what the core answers."""

import os
from pathlib import Path

import pytest

from pipeline.stories import answered
from tests.scenarios.words import Teller

TRANSCRIPTS = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_the_core_answers_as_the_transcript_says(path: Path) -> None:
    """What is written behind `->` is what the core says; UNDERCURRENT_REWRITE=1 writes it anew."""
    text = path.read_text()
    answers = answered(text, Teller())
    if os.environ.get("UNDERCURRENT_REWRITE") == "1":
        path.write_text(answers)
        text = answers
    assert answers == text
    assert "->" in text or "says nothing" in text, "a transcript without an answer shows nothing"
