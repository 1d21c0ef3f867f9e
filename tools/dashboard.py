"""Writes the Grafana dashboard: `python -m tools.dashboard`. A test says when it is due.

One row per question a person on call has, in the order they are asked. The chart's copies of it and of the
alert rules are written as well: Helm reads nothing outside of a chart, and a link does not survive every
way in which people copy a tree.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
FILE = DEPLOY / "grafana" / "dashboards" / "undercurrent.json"
RULES = DEPLOY / "prometheus" / "undercurrent.rules.yaml"
CHART_FILES = DEPLOY / "helm" / "undercurrent" / "files"

# Title, unit, and per curve its expression and legend.
Panel = tuple[str, str, dict[str, str]]
ROWS: dict[str, tuple[Panel, ...]] = {
    "What is wrong now?": (
        ("Open incidents by cause", "none", {"sum by (cause) (undercurrent_incidents_open)": "{{cause}}"}),
        (
            "Changes of incidents",
            "none",
            {"sum by (kind) (increase(undercurrent_changes_total[$__rate_interval]))": "{{kind}}"},
        ),
        (
            "DNS symptoms decided on",
            "none",
            {"sum by (outcome) (increase(undercurrent_decisions_total[$__rate_interval]))": "{{outcome}}"},
        ),
    ),
    "Does it keep up?": (
        ("Raw records left to read", "short", {"undercurrent:consumer_lag_records:sum": "{{topic}}"}),
        ("Age of what is read", "s", {"undercurrent:event_time_lag_seconds:max": "{{topic}}"}),
        (
            "Left to correlate and to tell, and its age",
            "short",
            {
                "undercurrent:agents_lag_records:sum": "{{topic}}: records",
                "undercurrent:agents_event_time_lag_seconds:max": "{{topic}}: seconds",
            },
        ),
        (
            "Event time behind the clock",
            "s",
            {"time() - min by (partition) (undercurrent_watermark_seconds)": "signals/{{partition}}"},
        ),
    ),
    "What comes in?": (
        ("Raw records a second", "short", {"undercurrent:records_read:rate5m": "{{topic}}"}),
        (
            "Symptoms a second",
            "short",
            {"sum by (kind) (rate(undercurrent_symptoms_total[$__rate_interval]))": "{{kind}}"},
        ),
        (
            "Readings a second",
            "short",
            {"sum by (kind) (rate(undercurrent_samples_total[$__rate_interval]))": "{{kind}}"},
        ),
        ("Dead letters a second", "short", {"undercurrent:dead_letters:rate5m": "{{reason}}"}),
    ),
    "Do people hear of it?": (
        ("Incidents with something left to tell", "none", {"sum(undercurrent_notifications_owed)": "owed"}),
        (
            "What became of messages",
            "none",
            {
                "sum by (act, outcome) (increase(undercurrent_notifications_total[$__rate_interval]))": (
                    "{{act}} {{outcome}}"
                )
            },
        ),
    ),
    "Is it well itself?": (
        (
            "Seconds since each stage was last heard",
            "s",
            {"time() - undercurrent:heartbeat_timestamp_seconds:max": "{{stage}}"},
        ),
        (
            "Rebalances",
            "none",
            {"sum by (group) (increase(undercurrent_rebalances_total[$__rate_interval]))": "{{group}}"},
        ),
        (
            "Late and repeated",
            "none",
            {
                "sum(increase(undercurrent_late_total[$__rate_interval]))": "events too late",
                "sum by (topic) (increase(undercurrent_redelivered_total[$__rate_interval]))": "{{topic}}",
            },
        ),
    ),
}
WIDTH, HEIGHT = 24, 8
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana's JSON model."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in ROWS.items():
        panels.append(_panel(len(panels) + 1, "row", title, (0, top, WIDTH, 1), collapsed=False, panels=[]))
        width = WIDTH // len(row)
        for column, one in enumerate(row):
            panels.append(_curves(len(panels) + 1, one, (column * width, top + 1, width, HEIGHT)))
        top += HEIGHT + 1
    return {
        "uid": "undercurrent",
        "title": "Undercurrent",
        "tags": ["undercurrent"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {
            "list": [
                {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
            ]
        },
        "annotations": {"list": [_incidents()]},
        "panels": panels,
    }


def _panel(
    number: int, kind: str, title: str, place: tuple[int, int, int, int], **more: Any
) -> dict[str, Any]:
    grid = dict(zip("xywh", place, strict=True))
    return {"id": number, "type": kind, "title": title, "gridPos": grid, **more}


def _curves(number: int, panel: Panel, place: tuple[int, int, int, int]) -> dict[str, Any]:
    title, unit, curves = panel
    targets = [
        {"refId": chr(ord("A") + index), "expr": expr, "legendFormat": legend, "datasource": SOURCE}
        for index, (expr, legend) in enumerate(curves.items())
    ]
    return _panel(
        number,
        "timeseries",
        title,
        place,
        datasource=SOURCE,
        targets=targets,
        fieldConfig={"defaults": {"unit": unit, "min": 0}, "overrides": []},
        options={"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
    )


def _incidents() -> dict[str, Any]:
    """A line in every panel where an incident opened."""
    return {
        "name": "Incident opened",
        "datasource": SOURCE,
        "enable": True,
        "iconColor": "red",
        "expr": 'sum by (cause) (increase(undercurrent_changes_total{kind="opened"}[1m])) > 0',
        "titleFormat": "{{cause}}",
    }


def text() -> str:
    """The file as it has to be."""
    return json.dumps(dashboard(), indent=2) + "\n"


def main() -> None:
    """Write it, and the chart's copies."""
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(text(), encoding="utf-8")
    for original in (FILE, RULES):
        shutil.copyfile(original, CHART_FILES / original.name)
    sys.stdout.write(f"written to {FILE} and {CHART_FILES}\n")


if __name__ == "__main__":
    main()
