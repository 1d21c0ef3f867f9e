"""What the pages show is what the program says."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("page", ["README.md", "docs/examples.md"])
def test_the_runs_that_pages_show_are_real(page: str) -> None:
    """Every run on a page is what its command prints today; `make examples` writes it anew."""
    spec = importlib.util.spec_from_file_location("examples", ROOT / "tools" / "examples.py")
    assert spec is not None
    assert spec.loader is not None
    examples = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(examples)
    text = (ROOT / page).read_text()
    assert "undercurrent replay samples/" in text
    assert examples.written(text) == text
