"""Every example reads as what it is, names topics there are, and stands in the guide."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from agents.settings import Topics
from tests.examples.programs import EXAMPLES, ROOT

FILES = sorted(path for path in EXAMPLES.iterdir() if path.is_file())
TOPICS = re.compile(r"\b(?:registry|dns)\.(?:logs|metrics)\b")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_an_example_names_topics_there_are_and_stands_in_the_guide(path: Path) -> None:
    """Its topics are the default ones, its broker is `kafka:9092`, and docs/shipping.md leads to it."""
    text = path.read_text(encoding="utf-8")
    assert set(TOPICS.findall(text)) <= set(Topics().raw)
    assert f"examples/{path.name}" in (ROOT / "docs" / "shipping.md").read_text(encoding="utf-8")
    if path.name != "prometheus.yml":
        assert "kafka:9092" in text
        assert ("registry.metrics" if path.name == "metricbeat.yml" else "registry.logs") in text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_an_example_can_be_read(path: Path) -> None:
    """What is YAML or TOML parses."""
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".yml", ".yaml"):
        assert isinstance(yaml.safe_load(text), dict)
    elif path.name == "telegraf.conf":
        assert {"inputs", "outputs"} <= tomllib.loads(text).keys()


@pytest.mark.needs("promtool")
def test_prometheus_accepts_its_example() -> None:
    """Its own checker has nothing to say against it."""
    command = ["promtool", "check", "config", str(EXAMPLES / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
