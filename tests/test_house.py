"""The house is in order: imports, names, generated files and docs are what they are said to be.

Each check of a tool's settings is shown a deliberate break, so that it cannot pass by being off.
"""

import importlib
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from agents.cli import COMMANDS, main
from schemas import Rules, encode
from tests.test_wire import RECORDS
from tools import json_schemas

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("agents", "pipeline", "schemas")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def _run(*command: str, cwd: Path = ROOT, text: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name(command[0])), *command[1:]],
        cwd=cwd,
        input=text,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _docs() -> str:
    pages = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return "\n".join(page.read_text(encoding="utf-8") for page in pages)


def _intruders(distributions: Iterable[importlib.metadata.Distribution]) -> list[str]:
    """Distributions other than ours that bring a package of our names, as `<name> brings <package>`."""
    found = []
    for distribution in distributions:
        tops = {str(file).split("/")[0].removesuffix(".py") for file in distribution.files or ()}
        tops |= set((distribution.read_text("top_level.txt") or "").split())
        if distribution.name != PYPROJECT["project"]["name"]:
            found += [f"{distribution.name} brings {package}" for package in PACKAGES if package in tops]
    return found


def test_the_three_packages_are_ours() -> None:
    """agents, pipeline and schemas are imported from this folder, not from a namesake's."""
    parents = {name: Path(importlib.import_module(name).__path__[0]).parent for name in PACKAGES}
    assert parents == dict.fromkeys(PACKAGES, ROOT)


def test_no_other_distribution_shadows_them(tmp_path: Path) -> None:
    """Nothing installed brings a package of our names; if something does, it is named."""
    assert not _intruders(importlib.metadata.distributions())
    intruder = tmp_path / "intruder-1.0.dist-info"
    intruder.mkdir()
    (intruder / "METADATA").write_text("Metadata-Version: 2.1\nName: intruder\nVersion: 1.0\n")
    (intruder / "RECORD").write_text("agents/__init__.py,,\nintruder-1.0.dist-info/METADATA,,\n")
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "__init__.py").touch()  # from 3.12 on, only files that exist are listed
    found = _intruders(importlib.metadata.distributions(path=[str(tmp_path)]))
    assert found == ["intruder brings agents"]


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("schemas/break.py", "import pipeline"),
        ("pipeline/break.py", "import agents"),
        ("pipeline/core/break.py", "import time"),
        ("pipeline/intake/break.py", "import asyncio"),
        ("pipeline/break.py", "import logging"),
    ],
)
def test_import_contracts_forbid_the_way_back_and_the_outer_world(
    tmp_path: Path, module: str, line: str
) -> None:
    """An import from a lower package upwards, or of a clock or a log in the thinking, breaks a contract."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / module).write_text(f"{line}\n")
    done = _run("lint-imports", "--no-cache", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert module.removesuffix(".py").replace("/", ".") in done.stdout


@pytest.mark.parametrize(
    ("module", "call"), [("time", "time.time"), ("datetime", "datetime.datetime.now"), ("uuid", "uuid.uuid4")]
)
def test_ruff_forbids_clocks_and_random_names(module: str, call: str) -> None:
    """The lint settings in force refuse a clock and a random identity, with the reason."""
    text = f"import {module}\n{call}()\n"
    done = _run("ruff", "check", "--stdin-filename", "pipeline/core/x.py", "-", text=text)
    assert done.returncode == 1
    assert "TID251" in done.stdout


def test_every_lint_exception_says_why() -> None:
    """A `noqa` or `type: ignore` without a reason behind it is not accepted in the product."""
    bare = [
        f"{path.relative_to(ROOT)}:{number}"
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"#\s*(noqa(:[A-Z0-9, ]+)?|type:\s*ignore(\[[^]]*\])?)\s*$", line)
    ]
    assert not bare


def test_json_schemas_on_disk_are_those_of_the_models() -> None:
    """docs/schemas holds exactly what the models say; `make schemas` writes it."""
    on_disk = {path.name: path.read_text(encoding="utf-8") for path in json_schemas.FOLDER.glob("*.json")}
    assert on_disk == json_schemas.documents()


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_json_schemas_know_every_field_that_is_written(record: object) -> None:
    """A record on the wire has all the fields its schema requires, and none that it does not know."""
    body = orjson.loads(encode(record))  # type: ignore[arg-type]
    schema = orjson.loads(json_schemas.documents()[f"{body['type']}.json"])
    assert set(schema["required"]) <= set(body) <= set(schema["properties"])


def test_every_command_is_in_the_readme_and_says_how_it_is_used() -> None:
    """Whoever reads the README meets every command there is, and each of them has help."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"`undercurrent {name}" not in readme] == []
    for name in COMMANDS:
        shown = CliRunner().invoke(main, [name, "--help"])
        assert shown.exit_code == 0, shown.output
        assert f"Usage: main {name}" in shown.output


def test_every_rule_is_documented() -> None:
    """Every threshold that can be set is written about under its own name."""
    docs = _docs()
    names = list(Rules.model_fields)
    for field in Rules.model_fields.values():
        names += getattr(field.annotation, "model_fields", {})
    assert [name for name in names if not re.search(rf"\b{name}\b", docs)] == []


def test_links_in_the_docs_lead_somewhere() -> None:
    """Every relative link of a page points to a file that exists."""
    broken = []
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []


def test_pages_the_program_speaks_of_exist() -> None:
    """A docs page named in the code, in help or in a message can be opened."""
    sources = [ROOT / "Makefile", *(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))]
    named = {
        page
        for source in sources
        for page in re.findall(r"docs/[\w./-]+\.(?:md|json)", source.read_text(encoding="utf-8"))
    }
    assert named
    assert sorted(page for page in named if not (ROOT / page).exists()) == []


def test_the_lock_pins_every_dependency_by_hash() -> None:
    """requirements.lock has all direct dependencies, each pinned and hashed, and names no index."""
    lock = (ROOT / "requirements.lock").read_text()
    pinned = re.findall(r"^([a-z0-9-]+)==\S+", lock, re.MULTILINE)  # some twice: one line for each Python
    project = PYPROJECT["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.split(r"[^A-Za-z0-9._-]", item)[0].lower().replace("_", "-") for item in wanted}
    assert names <= set(pinned)
    entries = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)[1:]
    assert len(entries) == len(pinned)
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert not re.search(r"://|^-", lock, re.MULTILINE)
