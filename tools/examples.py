"""Writes what the program says of the samples into docs/examples.md, and the demo's end into README.md.

Run by `make examples`; a test compares. Each block stands behind a comment that names its command.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "docs" / "examples.md", ROOT / "README.md")
_BLOCK = re.compile(r"<!-- \$ (?P<command>undercurrent replay [^\n>]*?) -->\n```text\n.*?```\n", re.DOTALL)


def said(command: str) -> str:
    """What `command` prints on a terminal without colour, 80 columns wide; the incidents only."""
    words = [sys.executable, "-m", "agents", *command.split()[1:]]
    environ = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"}
    done = subprocess.run(words, cwd=ROOT, env=environ, capture_output=True, text=True, check=True)  # noqa: S603  # the commands stand on our own pages
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    ends = [at for at, line in enumerate(lines) if line.startswith("╰")]
    return "\n".join(lines[: ends[-1] + 1]) + "\n"


def written(page: str) -> str:
    """`page` with every block replaced by what its command says today."""

    def block(found: re.Match[str]) -> str:
        command = found["command"]
        return f"<!-- $ {command} -->\n```text\n{said(command)}```\n"

    return _BLOCK.sub(block, page)


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(written(path.read_text()))
