"""Chinese: every sentence the core says is known by its form, with every number and name kept."""

import re
import string

import pytest

from pipeline.render.chinese import FORMS
from pipeline.render.sentences import form_of
from pipeline.render.words import SENTENCES, catalogue
from schemas import Incident
from tests.render.incidents import CASCADE
from tests.slack.recordings import RECORDINGS, replayed

SAY = SENTENCES["zh"]
VALUES = {
    "n": "1,552", "share": "97 %", "ratio": "0.90", "time": "09:10:41", "span": "1 min 57 s",
    "age": "2 h 5 min",
    "cores": "0.12 cores", "mib": "96 MiB", "cause": "dns_outage", "name": "registry-a", "part": "also seen",
    "tail": "", "list": "normally 3 ms; it answered errors",
}  # fmt: skip
SAID = {
    "n": "1,552", "share": "97%", "ratio": "0.90", "time": "09:10:41", "span": "1 分 57 秒",
    "age": "2 小时 5 分",
    "cores": "0.12 核", "mib": "96 MiB", "cause": "DNS 故障", "name": "registry-a", "part": "同样出现",
    "tail": "", "list": "平时 3 毫秒；应答为错误",
}  # fmt: skip


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


@pytest.mark.parametrize("english", FORMS)
def test_a_form_is_said_with_all_its_values(english: str) -> None:
    """No number is lost, and no other form takes the sentence for its own."""
    form = form_of(english, FORMS[english])
    assert fields(form.template) == form.kinds.keys()
    bare = re.sub(r"\[\w+\]", "", english)
    sentence = re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: VALUES[found[1]], bare)
    assert SAY(sentence) == form.template.format(**{label: SAID[kind] for label, kind in form.kinds.items()})


def sentences(incident: Incident) -> list[str]:
    """Everything the core says of an incident in words."""
    return [
        *(one.text for one in (*incident.evidence, *incident.timeline, *incident.advice)),
        *(one.reason for one in incident.rejected),
        *([incident.trigger] if incident.trigger else []),
    ]


@pytest.mark.parametrize("name", RECORDINGS)
def test_every_sentence_of_a_recording_is_known(name: str) -> None:
    """Nothing a reader of Chinese sees of a real incident is left in English."""
    changes = replayed(name).changes
    said = {text for one in changes for text in (one.reason, *sentences(one.incident))}
    assert [text for text in sorted(said) if SAY.known(text) is None] == []
    english = {word for text in said for word in re.findall(r"\b(?:the|of|was|no|and|from)\b", SAY(text))}
    assert english == set()


def test_what_is_not_known_stays_as_it_is() -> None:
    """A sentence of the user's own rules, or of a newer core, is shown rather than lost."""
    assert SAY("Ask Alice, she knows.") == "Ask Alice, she knows."
    words = catalogue("zh")
    assert words.sentence(CASCADE[1].incident.advice[0].text) == CASCADE[1].incident.advice[0].text
