"""docs/messages.md knows every error, outcome and kind of change there is."""

import re
from pathlib import Path

from agents.tell.slack_api import FIXES
from schemas import ChangeKind

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "messages.md").read_text(encoding="utf-8")


def test_every_fix_is_documented() -> None:
    """Whoever searches the page for Slack's error finds the same fix as in the log."""
    assert [code for code, fix in FIXES.items() if f"| `{code}` | {fix} |" not in PAGE] == []


def test_every_outcome_is_documented() -> None:
    """Every outcome the speakers count by name is in the table of metrics."""
    sources = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "agents" / "tell").glob("slack*.py")
    )
    named = re.findall(r'_heard\("(\w+)", "(\w+)"\)', sources)
    waits = [("slack", outcome) for outcome in re.findall(r'_heard\("(\w+)"\)', sources)]
    assert len(named) > 8
    assert len(waits) == 2
    assert [pair for pair in (*named, *waits) if f"| `{pair[0]}` | `{pair[1]}` |" not in PAGE] == []


def test_every_change_is_documented() -> None:
    """The page says of each kind of change what is told about it."""
    assert [kind for kind in ChangeKind if f"`{kind}`" not in PAGE] == []
