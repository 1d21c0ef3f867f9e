"""What Slack is given: within its limits, and whatever a log says shows as text."""

import json

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.render.clean import visible
from pipeline.render.slack import BLOCKS_JSON_MAX, FALLBACK_MAX, code, mrkdwn, reply_message, root_message
from pipeline.render.words import catalogue
from pipeline.telling import Meanwhile, Reply
from schemas import ChangeKind
from tests.render.incidents import CASCADE, HARM, UNPROVEN, huge
from tests.slack.blockkit import mentions, refusal
from tests.slack.reader import seen

WORDS = catalogue("en")
NASTY = st.text(
    st.one_of(st.sampled_from("*_~`:<>&!@#|\"'() \n\x1b\u202eab1é漢"), st.characters()), max_size=80
)


@given(NASTY)
@example("<!channel> *bold* _it_ ~no~ `code` ```pre``` :skull: &amp; <https://x|y> <@U1> <!subteam^S1>")
@example("a*b*c :a: (*x*) \"_y_\" '`' `")
@settings(max_examples=400)
def test_a_sentence_shows_as_it_is(text: str) -> None:
    """A reader of mrkdwn sees every character of a log's text, formatted by none of them."""
    assert seen(mrkdwn(text, 10_000)) == visible(text).replace("`", "ˋ")  # noqa: RUF001  the look-alike


@given(NASTY)
@settings(max_examples=400)
def test_a_name_shows_as_it_is(name: str) -> None:
    """A name from a log stands in a code span, whatever it is made of."""
    assert seen(code(name, 1000)) == (visible(name).replace("`", "ˋ") or "-")  # noqa: RUF001


@given(NASTY, st.integers(10, 60))
@settings(max_examples=400)
def test_a_cut_sentence_keeps_its_limit(text: str, limit: int) -> None:
    """Cutting counts what is sent, after escaping, and never cuts through an escape."""
    shown = mrkdwn(text, limit)
    assert len(shown) <= limit
    whole = visible(text).replace("`", "ˋ")  # noqa: RUF001
    assert seen(shown) == whole or whole.startswith(seen(shown).removesuffix("…").removesuffix(" "))


@given(st.text(min_size=1, max_size=12), st.integers(1, 40))
@example("&", 40)
@example("`", 40)
@example("\ud800", 40)
@settings(max_examples=40, deadline=None)
def test_no_incident_is_too_much(word: str, count: int) -> None:
    """However long, many and hostile an incident's parts are: Slack accepts it, and nobody is mentioned."""
    change = huge(word, count)
    message = root_message(change, WORDS)
    assert refusal(message) is None
    assert mentions(message) == []
    assert len(json.dumps(message["blocks"], ensure_ascii=False)) <= BLOCKS_JSON_MAX
    assert len(message["text"]) <= FALLBACK_MAX
    assert refusal(reply_message(Reply(change), WORDS)) is None


def test_the_first_line_says_it_all() -> None:
    """State, cause and confidence, domain and instances stand first, in the blocks and in the fallback."""
    message = root_message(CASCADE[1], WORDS)
    first = "🔴 Open: CPU saturation (container limit), 96 % confidence · registry-prod · registry-a"
    assert message["text"].splitlines()[0] == first
    assert message["blocks"][0]["text"]["text"] == first


def test_the_fallback_says_what_the_blocks_say() -> None:
    """A screen reader, which reads the text only, hears cause, loss, facts, rivals, advice and noise."""
    text = root_message(CASCADE[3], WORDS)["text"]
    incident = CASCADE[3].incident
    for sentence in (
        "270 requests failed, 118 slow: 32 % of 1,204 requests",
        *(one.text for one in incident.evidence[:3]),
        *(one.reason for one in incident.rejected),
        incident.advice[0].text,
        "16 DNS errors suppressed",
        incident.id,
    ):
        assert sentence in text


def test_what_is_left_out_is_counted() -> None:
    """A cut list says how much more there is; a timeline keeps its beginning and its end."""
    blocks = root_message(huge("x"), WORDS)["blocks"]
    texts = "\n".join(block["text"]["text"] for block in blocks if block["type"] in ("section", "header"))
    for more in ("… and 57 more", "… and 4 more", "… and 12 more", "… and 54 more", "… and 52 more"):
        assert more in texts
    assert "`09:10:41`" in texts
    assert "`09:11:40`" in texts


def test_no_cause_is_not_called_a_cause() -> None:
    """An incident whose verdict is that nothing is proven says so, without a confidence."""
    message = root_message(UNPROVEN, WORDS)
    assert message["text"].startswith("🔴 Open: no cause proven · default · registry-a\nVerdict ·")
    assert "confidence" not in message["text"]


def test_a_reply_says_what_changed_first() -> None:
    """A reply begins with what changed; what waited for it follows, counted."""
    waiting = (Meanwhile(ChangeKind.LATE, 12, HARM), Meanwhile(ChangeKind.JOINED, 1, "registry-b joined."))
    lines = seen(reply_message(Reply(CASCADE[2], waiting), WORDS)["blocks"][0]["text"]["text"]).splitlines()
    assert lines[0].startswith("Recovering · 09:13:06 UTC")
    assert lines[1] == "No new sign of trouble for 20 s."
    assert lines[2].startswith("Meanwhile, late events (12 times): <!channel> *bold*")
    assert lines[3] == "Meanwhile, spread: registry-b joined."
