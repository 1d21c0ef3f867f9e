"""Links: what the settings may say, and what no name in a log can make of them."""

import pytest

from agents.settings import SettingsError, load_settings
from pipeline.render.links import checked, filled, links_of
from pipeline.render.slack import Look, root_message
from pipeline.render.words import catalogue
from tests.render.incidents import CASCADE, HOSTILE
from tests.slack.blockkit import mentions, refusal


def test_a_link_is_filled_in_with_the_incident() -> None:
    """Every field has its value, times with five minutes around the incident."""
    change = CASCADE[3]
    url = filled("https://g/{domain}/{incident}?i={instance}&from={since_ms}&c={cause}", change.incident, 0)
    since_ms = (int(change.incident.first_symptom_at) - 300) * 1000
    assert url == f"https://g/registry-prod/7c1e09b2d4f6a835?i=registry-a&from={since_ms}&c=cpu_saturation"


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("ftp://x", "begins with http"),
        ("javascript:alert(1)", "begins with http"),
        ("https://x/{nothing}", r"unknown field \{nothing\}.*\{incident\}"),
        ("https://x/a b", "no spaces"),
        ("https://x/|<!channel>", "none of"),
        ("https://x/{", "Single"),
    ],
)
def test_a_bad_template_is_an_error(template: str, complaint: str) -> None:
    """What would give a broken link is refused at start, with a reason."""
    with pytest.raises(ValueError, match=complaint):
        checked(template)


def test_all_bad_templates_are_reported(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every wrong link stands in the list of problems, with its line."""
    path = tmp_path_factory.mktemp("links") / "u.yaml"
    path.write_text("links:\n  page: wiki\n  dashboards:\n    Grafana: https://g/{host}\n")
    with pytest.raises(SettingsError) as raised:
        load_settings(path, {})
    assert [problem.split(":")[1] for problem in raised.value.problems] == ["2", "4"]


def test_links_stand_in_blocks_and_text() -> None:
    """The reader of either finds them, and hostile names stay inside their link."""
    look = Look(links={"page": "https://u/{incident}", "Grafana": "https://g/?i={instance}&d={domain}"})
    for change in (CASCADE[3], HOSTILE):
        message = root_message(change, catalogue("en"), look)
        assert refusal(message) is None
        assert mentions(message, ("https://u/", "https://g/")) == []
        assert "|Incident page> · <https://g/?i=" in "".join(str(block) for block in message["blocks"])
        assert "Incident page: https://u/" in message["text"]


def test_names_are_encoded() -> None:
    """A name with a slash, a quote or a pipe cannot leave its place in the address."""
    incident = CASCADE[3].incident.model_copy(update={"domain": "a/b|c>&x=1"})
    (link,) = links_of({"d": "https://x/{domain}/end"}, incident, 0)
    assert link.url == "https://x/a%2Fb%7Cc%3E%26x%3D1/end"
