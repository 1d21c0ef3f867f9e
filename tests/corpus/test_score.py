from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from agents.cli import main
from agents.scoring.table import BEGIN, END, replace_marked
from tests.corpus.places import CORPUS
from tools.likeness import pairs


def score(*arguments: str):  # type: ignore[no-untyped-def]
    return CliRunner().invoke(main, ["score", str(CORPUS), "--jobs", "1", *arguments])


def test_a_scenario_is_scored_from_end_to_end() -> None:
    """A starved instance is found, its cause named, and the score says so."""
    result = score("--only", "cpu_cascade/v2-json", "--json")
    assert result.exit_code == 0, result.output
    body = orjson.loads(result.stdout)
    assert body["cases"] == 1
    assert body["causes"][0]["cause"] == "cpu_saturation"
    assert body["judged"][0]["findings"][0]["verdict"] == "right"
    assert "clients saw" in body["judged"][0]["story"]


def test_floors_settle_the_exit_code(tmp_path: Path) -> None:
    """Below a floor the command fails and says which; the truth decides, so a false one must fail."""
    family = (CORPUS / "scenarios" / "healthy.yaml").read_text()
    lie = family.replace(
        "incidents: []", "incidents: [{instance: registry-a, cause: dns_outage, start: 40, end: 90}]"
    )
    assert lie != family
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "healthy.yaml").write_text(lie.replace("kind: none", "kind: incident"))
    arguments = ["score", str(tmp_path), "--only", "healthy/v2-json", "--floors", "--worst", "--jobs", "1"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert "recall is 0, its floor is ≥ 97 %" in result.stderr
    assert "healthy/v2-json: dns_outage missed" in result.stdout
    assert score("--only", "healthy/v2-json", "--floors").exit_code == 0


def test_no_corpus_is_wrong_usage(tmp_path: Path) -> None:
    """A folder without truth and scenarios is refused with what was looked for."""
    result = CliRunner().invoke(main, ["score", str(tmp_path)])
    assert result.exit_code == 2
    assert "looked for truth.json and scenarios" in result.stderr


def test_the_table_goes_between_its_markers() -> None:
    """Writing a table replaces what was between the markers and nothing else, any number of times."""
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = replace_marked(page, "new")
    assert once == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    assert replace_marked(once, "new") == once
    assert replace_marked("no markers", "new") == "no markers"


@pytest.mark.parametrize("name", ["cpu_cascade_catalog_only", "client_timeout", "dns_outage_direct"])
def test_a_twin_resembles_its_recording(name: str) -> None:
    """Played with a recording's settings, the simulation shows the figures that recording shows."""
    _, recorded, simulated = next(pair for pair in pairs(name) if pair[0] == name)
    assert simulated.use == pytest.approx(recorded.use, abs=0.06)
    assert simulated.throttled == pytest.approx(recorded.throttled, abs=0.05)
    assert 0.6 * recorded.cancelled <= simulated.cancelled <= 1.5 * recorded.cancelled
    assert simulated.sharp == pytest.approx(recorded.sharp, abs=0.15)
    assert simulated.queries_dropped == pytest.approx(recorded.queries_dropped, rel=0.3, abs=2)
