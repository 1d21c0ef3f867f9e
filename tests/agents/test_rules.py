"""Rules are data: printed with their meaning, read back as they were, wrong ones told with their line."""

import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from agents.cli import main
from agents.rulesdoc import documented_yaml, tables
from agents.settings import SettingsError, load_settings
from agents.settingsdoc import leaves
from schemas import DeclaredCause, Rules, Signature, SymptomKind
from tools.settings_docs import TABLES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")

ADDED = Rules(
    hold_seconds=30,
    signatures=(
        Signature(name="tls_expired", match=("x509: certificate has expired",)),
        Signature(name="odd", match=(r"\[a-z\]: 'quoted'", "# no comment"), kind=SymptomKind.STORAGE_ERROR),
    ),
    causes=(
        DeclaredCause(
            name="tls_certificate_expired",
            signatures=("tls_expired",),
            kinds=(SymptomKind.CONNECT_TIMEOUT,),
            text="Zertifikat abgelaufen: für alle",
            unless=("cpu_saturation",),
        ),
    ),
)


def printed(*arguments: str, environ: dict[str, str] | None = None) -> str:
    result = CliRunner().invoke(main, ["rules", *arguments], env=environ)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("rules", [Rules(), ADDED], ids=["defaults", "with signatures and causes"])
def test_what_is_printed_is_a_settings_file(rules: Rules, tmp_path: Path) -> None:
    """The YAML reads back as the very rules it was made of."""
    file = tmp_path / "rules.yaml"
    file.write_text(documented_yaml(rules), encoding="utf-8")
    assert load_settings(file, {}).rules == rules


def comments(text: str) -> dict[tuple[str, ...], str]:
    """Path of each key → the comment that stands right above it."""
    found: dict[tuple[str, ...], str] = {}
    path: list[str] = []
    comment: list[str] = []
    for line in text.splitlines():
        bare = line.strip()
        if bare.startswith("#"):
            comment.append(bare.removeprefix("#").strip())
        elif bare:
            path = [*path[: (len(line) - len(line.lstrip())) // 2], bare.partition(":")[0]]
            found[tuple(path[1:])] = " ".join(comment)
            comment = []
    return found


def test_every_key_stands_under_its_meaning() -> None:
    """The comment above a key is what its model says of it."""
    found = comments(documented_yaml(Rules()))
    for path, info in leaves(Rules):
        assert info.description, path
        assert found[path].startswith(info.description), path


def test_defaults_and_effective_rules_are_told_apart(tmp_path: Path) -> None:
    """File and environment count for what is in force, and not for the defaults."""
    file = tmp_path / "undercurrent.yaml"
    file.write_text("rules:\n  burst:\n    requests: 9\n")
    environ = {"UNDERCURRENT_RULES_HOLD_SECONDS": "33"}
    there = yaml.safe_load(printed("--config", str(file), environ=environ))["rules"]
    assert (there["burst"]["requests"], there["hold_seconds"]) == (9, 33.0)
    assert yaml.safe_load(printed("--defaults", environ=environ))["rules"]["hold_seconds"] == 60.0


def test_the_page_has_the_tables_of_the_models() -> None:
    """docs/rules.md ends with what `python -m tools.settings_docs` writes."""
    assert PAGE.partition(TABLES)[2] == tables()


def test_the_example_file_has_the_defaults_with_their_meaning() -> None:
    """undercurrent.example.yaml ends with the defaults, each under its meaning."""
    assert (ROOT / "undercurrent.example.yaml").read_text(encoding="utf-8").endswith(documented_yaml(Rules()))


def test_mistakes_in_signatures_and_causes_are_told_with_their_line(tmp_path: Path) -> None:
    """Each mistake of a list entry comes with file, line and key, all at once."""
    file = tmp_path / "undercurrent.yaml"
    file.write_text(
        "rules:\n"
        "  signatures:\n"
        "    - name: slow\n"
        "      match: (a+)+b\n"  # 4
        "    - nam: other\n"  # 5
        "      match: x\n"
        "  saturation:\n"
        "    leave_usage_ratio: 0.9\n"  # 8, above what it takes to enter
    )
    with pytest.raises(SettingsError) as caught:
        load_settings(file, {})
    problems = caught.value.problems
    assert any(
        one.startswith(f"{file}:4: rules.signatures.0.match.0: it can take too long") for one in problems
    )
    assert f"{file}:5: rules.signatures.1.nam: unknown setting, did you mean name?" in problems
    assert f"{file}:5: rules.signatures.1.name: Field required" in problems
    assert any(one.startswith(f"{file}:7: rules.saturation: leave_usage_ratio must not") for one in problems)
    assert len(problems) == 4


def test_what_a_cause_names_must_exist(tmp_path: Path) -> None:
    """Unknown signatures and causes, names twice and a cause without marks are mistakes with a line."""
    file = tmp_path / "undercurrent.yaml"
    file.write_text(
        "rules:\n"
        "  signatures:\n"
        "    - {name: a, match: x}\n"
        "    - {name: a, match: y}\n"  # 4
        "  causes:\n"
        "    - name: one\n"
        "      signatures: [b]\n"  # 7
        "      text: t\n"
        "      unless: [cpu]\n"  # 9
        "    - {name: two, text: t}\n"  # 10
    )
    with pytest.raises(SettingsError) as caught:
        load_settings(file, {})
    problems = caught.value.problems
    assert f"{file}:4: rules.signatures.1.name: a is there already" in problems
    assert f"{file}:7: rules.causes.0.signatures.0: there is no signature b" in problems
    assert any(
        one.startswith(f"{file}:9: rules.causes.0.unless.0: cpu is no other cause") for one in problems
    )
    assert f"{file}:10: rules.causes.1: it needs signatures, kinds or both" in problems
    assert len(problems) == 4


def test_the_example_of_the_page_can_be_used(tmp_path: Path) -> None:
    """The YAML shown for the expired certificate loads, and its parts belong together."""
    (block,) = re.findall(r"```yaml\n(rules:.*?)```", PAGE, re.DOTALL)
    file = tmp_path / "undercurrent.yaml"
    file.write_text(block)
    rules = load_settings(file, {}).rules
    assert [one.name for one in rules.causes] == ["tls_certificate_expired"]
    assert rules.signatures[0].fits("tls: failed to verify certificate: x509: certificate has expired")
