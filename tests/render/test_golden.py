"""How the messages look, kept as files that a person can read."""

import json
from collections.abc import Callable

import pytest

from pipeline.render.console import change_line, incident_panel, plain
from pipeline.render.slack import reply_message, root_message
from pipeline.render.words import catalogue
from pipeline.telling import Reply, tell
from tests.render.conftest import GOLDEN
from tests.render.incidents import ALL, CASCADE
from tests.slack.blockkit import mentions, refusal

WORDS = catalogue("en")
Golden = Callable[[str, str], None]


@pytest.mark.parametrize("name", ALL)
def test_the_root_message_in_slack(name: str, golden: Golden) -> None:
    """The message is what it was, Slack accepts it, and it mentions nobody."""
    message = root_message(ALL[name], WORDS)
    golden(f"{name}.json", json.dumps(message, ensure_ascii=False, indent=1) + "\n")
    assert refusal(message) is None
    assert mentions(message) == []


@pytest.mark.parametrize("name", ALL)
def test_the_incident_on_the_console(name: str, golden: Golden) -> None:
    """The terminal shows the same story, within 100 columns and without any control character."""
    text = plain(incident_panel(ALL[name], WORDS))
    golden(f"{name}.txt", text)
    assert max(len(line) for line in text.splitlines()) <= 100
    assert all(character.isprintable() for character in text.replace("\n", ""))


def test_the_thread_of_a_cascade(golden: Golden) -> None:
    """The thread tells each step once, in Slack and on the console."""
    memory, slack, console = None, [], []
    for change in CASCADE:
        acts, memory = tell(memory, change)
        replies = [act for act in acts if isinstance(act, Reply)]
        slack += [reply_message(reply, WORDS) for reply in replies]
        console += [plain(change_line(reply, WORDS)) for reply in replies]
    golden("cascade_thread.json", json.dumps(slack, ensure_ascii=False, indent=1) + "\n")
    golden("cascade_thread.txt", "".join(console))
    assert [refusal(message) for message in slack] == [None] * 3


def test_no_golden_file_is_left_over() -> None:
    """A file that no test writes any more would only pretend to guard something."""
    written = {f"{name}.{kind}" for name in [*ALL, "cascade_thread"] for kind in ("json", "txt")}
    assert {path.name for path in GOLDEN.iterdir()} == written
