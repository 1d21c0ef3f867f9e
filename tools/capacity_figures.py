"""Capacity put to the test of the recordings: what it says before a limit was raised, and what was used then.

`python -m tools.capacity_figures [--write]` prints the table, or writes it into docs/capacity.md.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import orjson

from agents.recordings.arrivals import lay_out, layout_of
from agents.recordings.envelopes import docker
from agents.recordings.recording import read_recording
from agents.settings import load_settings
from pipeline.demand import peak_cores, wanted_cores
from pipeline.lab.capacity import CapacityError, examine, least_of
from pipeline.lab.load import LoadReader, Window

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "capacity.md"
BEGIN = "<!-- capacity: written by `python -m tools.capacity_figures --write` -->"
END = "<!-- /capacity -->"
RECORDINGS = (
    "cpu_cascade", "cpu_cascade_catalog_only", "cpu_cascade_severe", "mixed", "cpu_cascade_dnsloss",
    "cpu_cascade_v3",
)  # fmt: skip
HEAD = (
    "| recording | limit while starved | used after the raise | starved alone: at least | limit, error "
    "| with what came before: peak | limit, error |\n|---|---|---|---|---|---|---|\n"
)


def windows_of(name: str, instance: str) -> list[Window]:
    """The load of one instance of a recording of the corpus."""
    settings = load_settings(None, {})
    reader = LoadReader(settings.intake_config())
    recording = read_recording(ROOT / "corpus" / "recordings" / f"{name}.tar.xz")
    for arrival in lay_out(recording, layout_of(docker, False, settings.topics)):
        reader.receive(arrival.record)
    return reader.windows(settings.default_domain, instance)


def starved(name: str) -> tuple[str, float, float]:
    """(instance, start, end) of the starvation of a recording, by its truth."""
    truth = orjson.loads((ROOT / "corpus" / "truth.json").read_bytes())[name]
    (told,) = (one for one in truth["incidents"] if one["cause"] == "cpu_saturation")
    return told["instance"], told["start"], told["end"]


def used_peak(windows: list[Window]) -> float:
    """Highest mean use over ten seconds."""
    return peak_cores([(one.start, one.start + one.seconds, one.used_cores) for one in windows]) or 0.0


def rows() -> Iterator[str]:
    """One row of the table for each recording."""
    for name in RECORDINGS:
        instance, start, end = starved(name)
        windows = windows_of(name, instance)
        inside = [one for one in windows if one.start >= start and one.start + one.seconds <= end]
        before = [one for one in windows if one.start + one.seconds <= end]
        seen = used_peak([one for one in windows if one.start >= end])
        least, limit = least_of(inside) or (0.0, 0.0)
        try:
            found = examine(before, [1.0])
        except CapacityError:
            told = "refused: too few calm windows | -"
        else:
            answered = found.answers[0].limit_cores is not None
            told = _told(found.peak_cores, limit, seen)
            if not answered:
                told = f"{found.peak_cores:.3f} | refused: the data reach {found.reach_cores:.3f}"
        yield f"| {name} | {limit:g} | {seen:.3f} | {_told(least, limit, seen)} | {told} |"


def _told(demand: float, limit: float, seen: float) -> str:
    wanted = wanted_cores(demand, limit)
    holds = "holds" if wanted > seen else "too low"
    return f"{demand:.3f} | {wanted:.2f} {holds}, {demand / seen - 1:+.0%}"


def table() -> str:
    """The whole table."""
    return HEAD + "\n".join(rows())


if __name__ == "__main__":
    text = table()
    if "--write" in sys.argv:
        page = PAGE.read_text(encoding="utf-8")
        before, _, rest = page.partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    else:
        print(text)
