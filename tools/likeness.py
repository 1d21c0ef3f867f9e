"""Compares the simulation with the recordings: the same figures of each recording and of its twin.

`python -m tools.likeness` prints the table; with `--write` it goes into docs/score.md.
"""

import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import orjson

from agents.recordings.linetime import written_at
from agents.recordings.recording import Group, LogLine, Reading, Recording, read_recording
from agents.scoring.scenarios import Scenario, play, read_scenarios, recording_of

CORPUS = Path("corpus")
PAGE = Path("docs/score.md")
BEGIN, END = "<!-- likeness: written by `python -m tools.likeness --write` -->", "<!-- /likeness -->"
MAIN = {"dns_noise_only": (20.0, 150.0), "cpu_busy_no_errors": (30.0, 130.0)}
"""Main phase, in seconds of the twin, where the truth has no incident."""

_DURATION = re.compile(rb'http\.response\.duration"?[=:]"?(?:(\d+)m)?([\d.]+)(s|ms|\xc2\xb5s)')
_AGENT = re.compile(rb'http\.request\.useragent"?[=:]\s*"?([^"]*)')
_UNITS = {b"s": 1.0, b"ms": 1e-3, b"\xc2\xb5s": 1e-6}


@dataclass(frozen=True, slots=True)
class Figures:
    """What one recording shows in its main phase; None where it says nothing."""

    use: float | None
    throttled: float | None
    pressure: float | None
    storage_median_ms: float | None
    storage_p95_ms: float | None
    storage_calls_per_second: float | None
    cancelled: int
    sharp: float | None
    slow: int
    lookups_failed: int
    resolver_lines: int
    queries_dropped: int
    kills: int
    first_error_seconds: float | None


def figures(recording: Recording, start: float, end: float) -> Figures:
    """Read the figures of the main phase, from `start` to `end` in unix seconds."""
    inside = [entry for entry in recording.entries if start <= entry.at <= end]
    logs = [entry for entry in inside if isinstance(entry, LogLine)]
    registry = [entry.text for entry in logs if entry.group is Group.LOGS]
    errors = [text for text in registry if b"level=error" in text or b'"level":"error"' in text]
    cancelled = [text for text in errors if b"RequestCanceled" in text and b"response completed" in text]
    first = [written_at(text) for text in errors if b"response completed" in text and b"404" not in text]
    seconds = [second for text in registry if (second := _duration(text)) is not None and text not in errors]
    rows = {source: _rows(inside, source) for source in ("cgroup", "s3-proxy", "dns-upstream", "runtime")}
    storage = [row for row in rows["s3-proxy"] if row["n"]]
    use, throttled, pressure = _cpu(rows["cgroup"])
    return Figures(
        use,
        throttled,
        pressure,
        median(row["ttfb_ms_p50"] for row in storage) if storage else None,
        median(row["ttfb_ms_p95"] for row in storage) if storage else None,
        sum(row["n"] for row in storage) / (end - start) if rows["s3-proxy"] else None,
        len(cancelled),
        _sharp(cancelled),
        sum(second >= 1 for second in seconds),
        sum(b"lookup " in text for text in errors),
        sum(entry.group is Group.DNS for entry in logs),
        sum(row["dropped"] for row in rows["dns-upstream"] if row["event"] == "second"),
        sum(row["event"] == "container_exit" for row in rows["runtime"]),
        (first[0] or 0.0) - start if first else None,
    )


def _rows(entries: list[Any], source: str) -> list[dict[str, Any]]:
    readings = [entry for entry in entries if isinstance(entry, Reading) and entry.source == source]
    return [entry.body["reading"] for entry in readings if "reading" in entry.body]


def _cpu(rows: list[dict[str, Any]]) -> tuple[float | None, float | None, float | None]:
    """Use over limit, share of throttled periods, share of time under pressure."""
    if len(rows) < 2:
        return None, None, None
    first, last = rows[0], rows[-1]
    seconds = last["ts"] - first["ts"]
    limit = last["cpu_limit_cores"]
    used = (last["cpu_usage_seconds_total"] - first["cpu_usage_seconds_total"]) / seconds
    periods = last["nr_periods"] - first["nr_periods"]
    pressure = (last["psi_cpu_some_total_us"] - first["psi_cpu_some_total_us"]) / 1e6 / seconds
    throttled = (last["nr_throttled"] - first["nr_throttled"]) / periods if periods else None
    return used / limit if limit else None, throttled, pressure


def _duration(text: bytes) -> float | None:
    found = _DURATION.search(text)
    return int(found[1] or 0) * 60 + float(found[2]) * _UNITS[found[3]] if found else None


def _sharp(cancelled: list[bytes]) -> float | None:
    """Share of the cancellations of the client with most of them that lie within 10 ms of one duration."""
    agents = Counter(found[1] for text in cancelled if (found := _AGENT.search(text)))
    if not agents:
        return None
    most = agents.most_common(1)[0][0]
    seconds = [second for text in cancelled if most in text and (second := _duration(text)) is not None]
    return max(sum(abs(other - second) <= 0.01 for other in seconds) for second in seconds) / len(seconds)


def pairs(only: str = "") -> list[tuple[str, Figures, Figures]]:
    """Compare every twin with its recording: name, recorded, simulated."""
    truths = orjson.loads((CORPUS / "truth.json").read_bytes())
    found = []
    for twin in read_scenarios(CORPUS / "twins.yaml"):
        name = twin.name.partition("/")[2]
        if only in name:
            recording = read_recording(CORPUS / "recordings" / f"{name}.tar.xz")
            found.append((name, figures(recording, *_phase(truths[name])), _simulated(twin, name)))
    return found


def _phase(truth: dict[str, Any]) -> tuple[float, float]:
    """The main phase of a recording: that of its incident, or what the truth says was noise or busy."""
    phase = [*truth["incidents"], *truth["dns_suppressible"], *truth.get("busy_without_incident", ())][0]
    return phase["start"], phase["end"]


def _simulated(twin: Scenario, name: str) -> Figures:
    first = twin.plan.changes[0].at
    ends = [change.at for change in twin.plan.changes if change.at > first]
    low, high = MAIN.get(name, (first, min(ends, default=twin.plan.seconds)))
    return figures(recording_of(twin, play(twin)), twin.plan.start + low, twin.plan.start + high)


def table(compared: list[tuple[str, Figures, Figures]]) -> str:
    """Write the table: recorded / simulated in every cell."""
    head = (
        "recording | use/limit | throttled | CPU pressure | S3 ms, median | S3 ms, p95 | S3 calls/s "
        "| cancelled | within 10 ms | slow successes | lookup errors | resolver lines | queries lost | exits "
        "| first error, s"
    )
    lines = [f"| {head} |", "|" + "---|" * (head.count("|") + 1)]
    for name, recorded, simulated in compared:
        cells = [
            f"{_cell(getattr(recorded, field))} / {_cell(getattr(simulated, field))}"
            for field in Figures.__slots__
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(value: float | int | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.2f}" if value < 10 else f"{value:.0f}"


def main() -> None:
    """Print the table, or write it into the page."""
    text = table(pairs())
    if "--write" not in sys.argv[1:]:
        print(text)
        return
    before, begin, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    PAGE.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
