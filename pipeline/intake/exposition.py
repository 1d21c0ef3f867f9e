"""Prometheus text exposition: the `/metrics` of a service, whole, as one record.

A whole scrape allows what single series do not: sums over labels, and a limit from quota and period.
"""

import re
from collections.abc import Iterator, Sequence
from math import isfinite

from pipeline.intake.entry import NOWHERE, Entry, Labels, Reading, Unwanted
from pipeline.intake.record import malformed
from pipeline.intake.series import PLAIN_SERIES, SUMMED_SERIES, Series, limit, reading_of
from schemas import SampleKind

_LINE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?[ \t]+(\S{1,40})(?:[ \t]+(-?\d{1,20}))?[ \t]*\r?")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)",?')
_NAME_END = re.compile(r"[{ \t]")


_OF_THE_SERVICE = {
    "go_goroutines": "goroutines",
    "process_cpu_seconds_total": "process_cpu_seconds_total",
    "process_resident_memory_bytes": "resident_bytes",
}
"""Read only beside the registry's own metrics: every Go program exports them."""

_MARK = "registry_"
_PERIOD = "container_spec_cpu_period"

FAMILIES = frozenset({*SUMMED_SERIES, *PLAIN_SERIES, *_OF_THE_SERVICE, _PERIOD})
"""Every exported name that is read."""


def looks_like_exposition(text: str) -> bool:
    """Whether a record that is no JSON starts as a scrape does: a comment, or a series of a known family."""
    if text.startswith(("# HELP ", "# TYPE ")):
        return True
    end = _NAME_END.search(text, 0, 200)
    if end is None:
        return False
    name = text[: end.start()]
    return name in SUMMED_SERIES or name in PLAIN_SERIES or name in _OF_THE_SERVICE


def decode_exposition(text: str, written: object, where: Labels = NOWHERE) -> Sequence[Entry]:
    """The samples of one scrape: sums for the service that was scraped, and one per container named in it.

    `written`: the scrape's time, used where a series bears none of its own.

    Raises:
        RefusedError: a series of a known family cannot be read.
    """
    sums: dict[SampleKind, dict[str, float]] = {}
    plain: list[Entry] = []
    quotas: dict[str, float] = {}
    is_registry = False
    for name, line in known_lines(text):
        series, own_time = _series(line)
        if not isfinite(series.value):
            plain.append(Unwanted("not_a_number"))
            continue
        is_registry = is_registry or name.startswith(_MARK)
        if name in _OF_THE_SERVICE:
            sums.setdefault(SampleKind.REQUESTS, {})[_OF_THE_SERVICE[name]] = series.value
        for target in SUMMED_SERIES.get(name, ()):
            if target.label is None or str(series.labels.get(target.label)).startswith(target.starts_with):
                values = sums.setdefault(target.kind, {})
                values[target.name] = values.get(target.name, 0.0) + series.value
        if name == _PERIOD and series.value > 0:
            quotas[_scope(series)] = series.value
        elif name in PLAIN_SERIES:
            plain.append(reading_of(series, own_time or written, "prometheus"))
    if not is_registry:
        sums.pop(SampleKind.REQUESTS, None)
    elif SampleKind.REQUESTS in sums:
        sums[SampleKind.REQUESTS]["up"] = 1.0
    source = "registry" if is_registry else "prometheus"
    whole = [Reading(kind, dict(values), written, where, source) for kind, values in sums.items()]
    return [*whole, *(_with_period(entry, quotas) for entry in plain)]


def known_lines(text: str) -> Iterator[tuple[str, str]]:
    """(name, line) of the series of a scrape that are read."""
    for line in text.split("\n"):
        if not line or line[0] == "#":
            continue
        end = _NAME_END.search(line, 0, 200)
        name = line[: end.start()] if end else line[:200]
        if name in FAMILIES:
            yield name, line


def _series(line: str) -> tuple[Series, str | None]:
    found = _LINE.fullmatch(line) if len(line) <= 8192 else None
    if found is None:
        raise malformed(f"no series of the text exposition: {line[:80]!r}")
    name, tags, value, own_time = found.groups()
    try:
        return Series(name, dict(_LABEL.findall(tags or "")), float(value)), own_time
    except ValueError as error:
        raise malformed(f"{name}: {value!r} is no number") from error


def _scope(series: Series) -> str:
    return "\0".join(str(series.labels.get(name)) for name in ("namespace", "pod", "container", "name", "id"))


def _with_period(entry: Entry, periods: dict[str, float]) -> Entry:
    """A limit read by the default period, corrected by the period of the same scrape."""
    if not periods or not isinstance(entry, Reading) or not entry.values.get("limit_cores"):
        return entry
    period = periods.get(_scope(Series("", entry.extra, 0.0)))
    cores = entry.values["limit_cores"]
    if period is None or cores is None or "resource" in entry.extra:
        return entry
    return entry._replace(values={"limit_cores": limit(cores * 100_000.0 / period)})
