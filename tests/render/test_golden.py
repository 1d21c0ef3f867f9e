"""How the messages look, kept as files that a person can read."""

import json

import pytest

from pipeline.render.buttons import escalation_reply, feedback_reply
from pipeline.render.console import change_line, incident_panel, plain
from pipeline.render.slack import reply_message, root_message
from pipeline.render.words import CATALOGUES, catalogue
from pipeline.telling import Reply, tell
from schemas import Cause, ChangeKind, Feedback, FeedbackKind
from tests.golden import GOLDEN, Golden
from tests.render.incidents import ALL, CASCADE, change
from tests.slack.blockkit import mentions, refusal
from tests.slack.recordings import RECORDINGS

WORDS = catalogue("en")


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
    for step in CASCADE:
        acts, memory = tell(memory, step)
        replies = [act for act in acts if isinstance(act, Reply)]
        slack += [reply_message(reply, WORDS) for reply in replies]
        console += [plain(change_line(reply, WORDS)) for reply in replies]
    golden("cascade_thread.json", json.dumps(slack, ensure_ascii=False, indent=1) + "\n")
    golden("cascade_thread.txt", "".join(console))
    assert [refusal(message) for message in slack] == [None] * 4


@pytest.mark.parametrize("language", CATALOGUES)
def test_what_is_rare_in_a_thread(language: str, golden: Golden) -> None:
    """Reopened, escalated, a cause called wrong, and nobody answering: each said once, in every language."""
    words = catalogue(language)
    incident = CASCADE[1].incident
    at = CASCADE[1].at
    reopened = "registry-a is in the same trouble again, cpu_saturation, since 09:12:03"
    changes = (
        change(2, ChangeKind.ESCALATED, at + 30, "100 requests failed so far", incident),
        change(3, ChangeKind.REOPENED, at + 60, reopened, incident),
    )
    feedback = Feedback(
        id="1", incident=incident.id, domain=incident.domain, kind=FeedbackKind.WRONG_CAUSE, by="U0ALICE",
        at=at + 90, said=incident.cause, right_cause=Cause.STORAGE_LATENCY,
    )  # fmt: skip
    messages = [
        *(reply_message(Reply(one), words) for one in changes),
        feedback_reply(feedback, 3, 1, words),
        escalation_reply(incident.id, 3, 2, 900.0, ("<!subteam^S0BOSS>",), words),
    ]
    golden(f"rare.{language}.json", json.dumps(messages, ensure_ascii=False, indent=1) + "\n")
    assert [refusal(message) for message in messages] == [None] * 4


def test_no_golden_file_is_left_over() -> None:
    """A file that no test writes any more would only pretend to guard something."""
    written = {f"{name}.{kind}" for name in [*ALL, "cascade_thread"] for kind in ("json", "txt")}
    written |= {f"rare.{language}.json" for language in CATALOGUES}
    written |= {f"recordings/{name}{end}.json" for name in RECORDINGS for end in ("", ".zh")}
    assert {str(path.relative_to(GOLDEN)) for path in GOLDEN.rglob("*.*")} == written
