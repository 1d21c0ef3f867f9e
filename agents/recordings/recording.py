"""Reads a recording: the telemetry of one outage, as files, back into what shippers would have read.

A recording is a folder (or a tar archive of one) for one domain: the files of one instance, named
by its `plan_<instance>.json`, or a subfolder of that layout per instance. Only telemetry is opened,
by name; of the plan only the file name is used. What the experimenter knew or did is stripped.

A file is read as a tailing shipper reads it, from its first line to its last. A line is read when it
is written, which for a log line is its own time; a line without a time of its own, or with one that
no clock of this recording can have shown, is read with the line before it.
"""

import math
import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path, PurePosixPath
from statistics import quantiles
from typing import Any

import orjson

from agents.recordings.linetime import is_access, written_at

DAY_SECONDS = 86_400.0


class Group(StrEnum):
    """What `--sources` can leave out."""

    LOGS = "logs"
    DNS = "dns"
    METRICS = "metrics"
    STORAGE = "storage"
    REGISTRY = "registry"


class NotARecordingError(ValueError):
    """The path holds no recording; the message names what was looked for."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a container's output, without its newline. `at`: unix seconds when it was read."""

    at: float
    group: Group
    instance: str
    container: str
    stream: str
    text: bytes


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of an exporter. `at`: unix seconds when it was taken, as far as one can believe it.

    `body` are the fields of the metric record besides its place (`time` and `reading`, or `time`, `up`
    and `text`). `raw` replaces it where the recorded line is no JSON object.
    """

    at: float
    group: Group
    instance: str
    source: str
    body: dict[str, Any]
    raw: bytes | None = None
    is_event: bool = False


Entry = LogLine | Reading


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording in order of time. `notes`: in words, what was not there."""

    name: str
    instances: tuple[str, ...]
    entries: tuple[Entry, ...]
    notes: tuple[str, ...]


LOG_FILES = {
    "registry.log": (Group.LOGS, "registry"),
    "registry-json.log": (Group.LOGS, "registry"),
    "dns.log": (Group.DNS, "resolver"),
}
"""File → its group and the container that wrote it."""

READING_FILES = {
    "metrics.jsonl": (Group.METRICS, "cgroup"),
    "events.jsonl": (Group.METRICS, "runtime"),
    "s3.jsonl": (Group.STORAGE, "s3-proxy"),
    "dns_upstream.jsonl": (Group.DNS, "dns-upstream"),
}
"""File → its group and the exporter that wrote it."""

SCRAPES = "registry_metrics"

EXPERIMENT_FIELDS = frozenset({"drop_p", "delay_ms", "slowdown_share_set"})
"""Fields that say what the experimenter had set; with every `injected_*` they are never shipped."""

_PLAN = re.compile(r"plan_(.+)\.json")

_Files = dict[str, Callable[[], bytes]]


def is_recording(path: Path) -> bool:
    """Whether `path` is meant as one: a tar archive, a folder with a plan, or one with nothing in it."""
    if not path.is_dir():
        return path.is_file() and tarfile.is_tarfile(path)
    return any(path.glob("plan_*.json")) or any(path.glob("*/plan_*.json")) or not any(path.iterdir())


def read_recording(path: Path) -> Recording:
    """Read the telemetry of the recording at `path`, a folder or a tar archive (`.tar`, `.tar.xz`, …).

    Raises:
        NotARecordingError: there is no recording at `path`.
        OSError: a file of it cannot be read.
    """
    files = _listing(path)
    places = _places(path, files)
    notes: list[str] = []
    tailed: list[list[Entry]] = []
    for prefix, instance in places:
        found = list(_files_of(prefix, instance, files, notes))
        if not any(found):
            raise NotARecordingError(
                f"{path}: plan_{instance}.json is there but no telemetry beside it; looked for "
                + ", ".join([*LOG_FILES, *READING_FILES, f"{SCRAPES}/*.prom"])
            )
        tailed += found
    low, high = _believable(tailed)
    entries = [entry for file in tailed for entry in _as_tailed(file, low, high)]
    entries.sort(key=lambda entry: entry.at)
    return Recording(
        name=path.name.split(".")[0],
        instances=tuple(instance for _, instance in places),
        entries=tuple(entries),
        notes=tuple(notes),
    )


def _listing(path: Path) -> _Files:
    """List telemetry and plan files by their name inside the recording; nothing is opened here."""
    if path.is_dir():
        found = {
            file.relative_to(path).as_posix(): file.read_bytes
            for pattern in ("*", "*/*", "*/*/*")
            for file in sorted(path.glob(pattern))
            if _is_telemetry(file.name, file.parent.name) or _PLAN.fullmatch(file.name)
        }
        return dict(found)
    if not path.exists():
        raise NotARecordingError(f"{path}: no such folder or archive")
    try:
        return _unpack(path)
    except tarfile.TarError as error:
        raise NotARecordingError(f"{path}: neither a folder nor a tar archive ({error})") from error


def _unpack(path: Path) -> _Files:
    """Read the telemetry out of an archive; the recording is its root or the one folder in it."""
    contents: dict[str, bytes] = {}
    with tarfile.open(path) as archive:
        for member in archive:
            name = PurePosixPath(member.name)
            wanted = _is_telemetry(name.name, name.parent.name) or _PLAN.fullmatch(name.name)
            file = archive.extractfile(member) if wanted and member.isfile() else None
            if file is not None:
                contents[str(name)] = b"" if _PLAN.fullmatch(name.name) else file.read()
    tops = {PurePosixPath(name).parts[0] for name in contents}
    plain = any("/" not in name for name in contents)
    strip = "" if plain or len(tops) != 1 else f"{tops.pop()}/"
    return {name.removeprefix(strip): partial(bytes, value) for name, value in contents.items()}


def _is_telemetry(name: str, parent: str) -> bool:
    if parent == SCRAPES:
        return name == "index.jsonl" or name.endswith(".prom")
    return name in LOG_FILES or name in READING_FILES


def _places(path: Path, files: _Files) -> list[tuple[str, str]]:
    """Find the instances: (folder prefix inside the recording, instance name)."""
    places = [
        (name.removesuffix(plan.group(0)), plan.group(1))
        for name in files
        if (plan := _PLAN.fullmatch(PurePosixPath(name).name))
    ]
    single = [place for place in places if place[0] == ""]
    chosen = sorted(single or places)
    if not chosen:
        raise NotARecordingError(
            f"{path}: no recording here; looked for plan_<instance>.json beside the telemetry of one "
            "instance, or in a subfolder per instance"
        )
    prefixes = [prefix for prefix, _ in chosen]
    names = [name for _, name in chosen]
    if len(set(prefixes)) < len(prefixes) or len(set(names)) < len(names):
        raise NotARecordingError(
            f"{path}: one plan_<instance>.json per instance and folder is needed, found "
            + ", ".join(f"{prefix}plan_{name}.json" for prefix, name in chosen)
        )
    return chosen


def _believable(files: list[list[Entry]]) -> tuple[float, float]:
    """Bound the times of a recording: Tukey's fences, widened to two quartile ranges and a day.

    A line from 1970 or 2099 must not decide when the lines after it were read.
    """
    times = [entry.at for entries in files for entry in entries if not math.isnan(entry.at)]
    if len(times) < 2:
        return (times[0], times[0]) if times else (0.0, 0.0)
    first, _, third = quantiles(times, n=4)
    margin_seconds = 2 * (third - first) + DAY_SECONDS
    inside = [time for time in times if first - margin_seconds <= time <= third + margin_seconds]
    return min(inside), max(inside)


def _as_tailed(entries: list[Entry], low: float, high: float) -> Iterator[Entry]:
    """Give every entry of a file the time at which a shipper that tails the file has read it."""
    read_at = next((entry.at for entry in entries if low <= entry.at <= high), low)
    for entry in entries:
        if low <= entry.at <= high:
            read_at = max(read_at, entry.at)
        yield replace(entry, at=read_at)


def _files_of(prefix: str, instance: str, files: _Files, notes: list[str]) -> Iterator[list[Entry]]:
    """Read the files of one instance; entries bear the time of their own, NaN where they have none."""
    if not any(prefix + name in files for name in ("registry.log", "registry-json.log")):
        notes.append(f"{instance}: no registry log")
    for name, (group, container) in LOG_FILES.items():
        if prefix + name in files:
            yield [_log_line(text, group, instance, container) for text in _lines(files[prefix + name]())]
        elif group is not Group.LOGS:
            notes.append(f"{instance}: no {name}")
    for name, (group, source) in READING_FILES.items():
        if prefix + name in files:
            yield [_reading(line, group, instance, source) for line in _lines(files[prefix + name]())]
        elif source != "runtime":
            notes.append(f"{instance}: no {name}")
    yield list(_scrapes(prefix, instance, files, notes))


def _log_line(text: bytes, group: Group, instance: str, container: str) -> Entry:
    time = written_at(text)
    stream = "stdout" if is_access(text) else "stderr"
    return LogLine(math.nan if time is None else time, group, instance, container, stream, text)


def _reading(line: bytes, group: Group, instance: str, source: str) -> Entry:
    body = _object(line)
    if body is None:
        return Reading(math.nan, group, instance, source, {}, raw=line)
    reading = _without_the_experiment(body)
    fields = {"time": reading.get("ts"), "reading": reading}
    is_event = reading.get("event", "second") != "second"
    return Reading(_number(reading.get("ts")), group, instance, source, fields, is_event=is_event)


def _scrapes(prefix: str, instance: str, files: _Files, notes: list[str]) -> Iterator[Entry]:
    """Read the scrapes of the service's own metrics; one that failed is a reading with `up` 0."""
    folder = f"{prefix}{SCRAPES}/"
    for row in _scrape_rows(folder, instance, files, notes):
        body: dict[str, Any] = {"time": row.get("ts"), "up": 1 if row.get("up") == 1 else 0}
        if body["up"]:
            content = files.get(f"{folder}{row.get('file')}")
            if content is None:
                notes.append(f"{instance}: {SCRAPES}/{row.get('file')} is in the index but not there")
                continue
            body["text"] = content().decode("utf-8", "replace")
        yield Reading(_number(row.get("ts")), Group.REGISTRY, instance, "registry", body)


def _scrape_rows(folder: str, instance: str, files: _Files, notes: list[str]) -> list[dict[str, Any]]:
    """Read the index of scrapes; without one, a scrape's file name is its time."""
    index = files.get(f"{folder}index.jsonl")
    if index is not None:
        return [row for line in _lines(index()) if (row := _object(line)) is not None]
    names = sorted(name.removeprefix(folder) for name in files if name.startswith(folder))
    notes.append(
        f"{instance}: no {SCRAPES}/index.jsonl" + (", scrapes are timed by their names" if names else "")
    )
    return [{"ts": _seconds(name.removesuffix(".prom")), "file": name, "up": 1} for name in names]


def _lines(content: bytes) -> list[bytes]:
    lines = content.split(b"\n")
    return lines[:-1] if lines[-1] == b"" else lines


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _seconds(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _number(value: object) -> float:
    """Return a finite number as it is and NaN for everything else."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return math.nan


def _without_the_experiment(body: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in body.items()
        if name not in EXPERIMENT_FIELDS and not name.startswith("injected_")
    }
