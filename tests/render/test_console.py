"""The terminal: calm, complete, and never steered by what a log says."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from agents.tell.console import ConsoleSpeaker
from pipeline.render.console import change_line, incident_panel, plain
from pipeline.render.words import catalogue
from pipeline.telling import Reply
from tests.render.incidents import ALL, CASCADE, HOSTILE, huge

WORDS = catalogue("en")


def terminal(width: int = 100) -> Console:
    return Console(
        file=io.StringIO(), width=width, force_terminal=True, color_system="truecolor", _environ={}
    )


def shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_it_keeps_to_the_width(name: str, width: int) -> None:
    """On a narrow terminal nothing runs over, on a wide one lines stay readable."""
    lines = plain(incident_panel(ALL[name], WORDS), width).splitlines()
    assert max(len(line) for line in lines) <= min(width, 100)


@given(st.text(min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
def test_no_log_steers_the_terminal(word: str) -> None:
    """Control characters and markup of a log are shown, on a colour terminal as in a file."""
    change = huge(f"{word}\x1b]0;owned\x07[red]", 3)
    text = plain(incident_panel(change, WORDS)) + plain(change_line(Reply(change), WORDS))
    assert all(character.isprintable() for character in text.replace("\n", ""))
    console = terminal()
    console.print(incident_panel(HOSTILE, WORDS))
    assert "\x1b[31mred" not in shown(console)
    assert "\\x1b[31mred\\x1b[0m" in shown(console)


def test_state_needs_no_colour() -> None:
    """Without colour the state is a word and a shape of its own."""
    tops = [plain(incident_panel(change, WORDS)).splitlines()[0] for change in CASCADE]
    assert [top.split()[1:3] for top in tops] == [
        ["●", "Open"],
        ["●", "Open"],
        ["◐", "Recovering"],
        ["✓", "Resolved"],
    ]


async def test_the_speaker_prints_in_full_what_matters() -> None:
    """Opened, cause named and resolved are told in full, what lies between on one line, nothing twice."""
    console = terminal()
    speaker, memory = ConsoleSpeaker(console), None
    for change in CASCADE:
        before = len(shown(console))
        memory = await speaker.say(change, memory)
        told = shown(console)[before:]
        assert ("╭" in told) == (change.kind.value != "recovering")
        assert change.reason.split()[0] in told
    before = len(shown(console))
    assert await speaker.say(CASCADE[3], memory) == memory
    assert len(shown(console)) == before
    assert not speaker.owes(memory)


async def test_a_terminal_without_unicode_does_not_end_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where stdout cannot carry a character it is replaced."""
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    await ConsoleSpeaker().say(CASCADE[1], None)
    assert b"96 % confidence" in raw.getvalue()
