"""Rules, their tests and the dashboard: they hold, and they speak of metrics that exist."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from agents.telemetry import METRICS, PREFIX
from tools import dashboard

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "prometheus"
RULES = FOLDER / "undercurrent.rules.yaml"
GIVEN = {"instance", "job", "pod", "namespace"}
"""Labels Prometheus adds by itself."""

needs_promtool = pytest.mark.needs("promtool")


def promtool(*words: str) -> str:
    done = subprocess.run(
        ["promtool", *words], cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def expressions() -> list[str]:
    """Every expression of rules and dashboard."""
    panels = dashboard.dashboard()["panels"]
    shown = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    notes = [one["expr"] for one in dashboard.dashboard()["annotations"]["list"]]
    return [rule["expr"] for rule in rules()] + shown + notes


@needs_promtool
def test_rules_fire_when_they_should_and_only_then() -> None:
    """The stories beside the rules come out as written."""
    promtool("check", "rules", RULES.name)
    promtool("test", "rules", "undercurrent.rules.test.yaml")
    promtool("check", "config", "--syntax-only", "prometheus.yaml")


@needs_promtool
def test_every_expression_of_the_dashboard_can_be_read(tmp_path: Path) -> None:
    """Grafana's own variable aside, Prometheus takes each of them."""
    read = [
        {"record": f"dashboard:{number}", "expr": expr.replace("$__rate_interval", "5m")}
        for number, expr in enumerate(expressions())
    ]
    page = tmp_path / "dashboard.yaml"
    page.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": read}]}))
    promtool("check", "rules", str(page))


def test_every_metric_that_is_spoken_of_exists() -> None:
    """A renamed metric would leave an alert that never fires and a panel that stays empty."""
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    unknown = {
        name
        for expr in expressions()
        for name in re.findall(r"\bundercurrent[_:][a-z0-9_:]+", expr)
        if name not in recorded and name.removeprefix(PREFIX) not in METRICS
    }
    assert unknown == set()


def test_every_label_that_is_asked_for_is_one_of_the_metric() -> None:
    """So is a sum by a label, or a selector, that no series bears."""
    wrong = []
    for expr in expressions():
        for name, selector in re.findall(rf"{PREFIX}([a-z0-9_]+)\{{([^}}]*)\}}", expr):
            labels = set(METRICS[name][1])
            wrong += [(name, label) for label in re.findall(r"(\w+)[=!]", selector) if label not in labels]
        names = re.findall(rf"{PREFIX}([a-z0-9_]+)", expr)
        if names:
            known = GIVEN.union(*(METRICS[name][1] for name in names))
            asked = re.findall(r"(?:by|on) \(([^)]*)\)", expr)
            wrong += [
                (names[0], label)
                for found in asked
                for label in re.split(r",\s*", found)
                if label and label not in known
            ]
    assert wrong == []


def test_every_alert_has_its_story_and_its_page() -> None:
    """Whoever is woken finds what it means, and no alert was never seen firing."""
    page = (ROOT / "docs" / "operations.md").read_text()
    stories = yaml.safe_load((FOLDER / "undercurrent.rules.test.yaml").read_text())["tests"]
    seen = {
        test["alertname"]
        for story in stories
        for test in story.get("alert_rule_test", ())
        if test["exp_alerts"]
    }
    alerts = {rule["alert"]: rule for rule in rules() if "alert" in rule}
    assert seen == set(alerts)
    for name, rule in alerts.items():
        assert f"### {name}\n" in page, name
        assert rule["annotations"]["runbook"] == f"docs/operations.md#{name.lower()}"


def test_the_dashboard_on_disk_is_the_one_that_is_written() -> None:
    """`python -m tools.dashboard` writes it; panels do not overlap."""
    assert dashboard.FILE.read_text() == dashboard.text()
    panels = json.loads(dashboard.text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for grid in (panel["gridPos"] for panel in panels)
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]
    assert len(cells) == len(set(cells))


def test_the_chart_carries_the_same_rules_and_dashboard() -> None:
    """Helm reads nothing outside of a chart: its copies are written with the dashboard."""
    for original in (dashboard.FILE, dashboard.RULES):
        assert (dashboard.CHART_FILES / original.name).read_bytes() == original.read_bytes(), original.name
