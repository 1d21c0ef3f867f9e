"""Asks a Prometheus server for the series that are read, sample by sample as it scraped them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from agents import log
from agents.shippers.page import Figures
from agents.shippers.sampler import outgoing
from agents.shippers.scrape import parts
from agents.shippers.source import Outgoing
from agents.shippers.web import Client, WebError
from pipeline.intake.exposition import FAMILIES

GRACE_SECONDS = 30.0
"""A scrape may enter the server so much later than its time: what is known already is left out."""

CATCH_UP_SECONDS = 900.0
"""After a pause no more than this is asked for: older evidence is of no use to a live correlation."""

Key = tuple[tuple[str, str], ...]


class Server:
    """One Prometheus server. `position`: the file that says up to when everything is in the spool.

    `selector`: more label matchers, as in `{…}` of a query, e.g. `namespace="registry"`.
    """

    def __init__(self, url: str, selector: str, client: Client, position: Path, figures: Figures) -> None:
        self._url = f"{url.rstrip('/')}/api/v1/query"
        self._selector = selector
        self._client = client
        self._position = position
        self._figures = figures
        self._until = _read(position)
        self._told: dict[Key, float] = {}
        self._failing = False

    def read(self, now: float) -> Iterator[Outgoing]:
        """All samples since the last time, a record per target and scrape; the position moves behind them."""
        since = max(self._until - GRACE_SECONDS, now - CATCH_UP_SECONDS)
        window_ms = round((now - since) * 1000)
        names = "|".join(sorted(FAMILIES))
        more = f",{self._selector}" if self._selector else ""
        query = f'{{__name__=~"{names}"{more}}}[{window_ms}ms]'
        try:
            answer = self._client.get(self._url, {"query": query, "time": f"{now:.3f}"})
            yield from self._records(matrix(answer), since)
        except WebError as error:
            self._figures.failed_reading()
            if not self._failing:
                log.get("ship").warning("the Prometheus server is no help; trying on", why=str(error))
            self._failing = True
            return
        if self._failing:
            log.get("ship").info("the Prometheus server answers again")
        self._failing = False
        self._until = now
        partial = self._position.with_suffix(".partial")
        partial.write_text(f"{now:.3f}\n")
        partial.replace(self._position)

    def _records(self, found: Iterable[Mapping[str, Any]], since: float) -> Iterator[Outgoing]:
        scrapes: dict[tuple[float, str, str], list[str]] = {}
        told: dict[Key, float] = {}
        for series in found:
            tags: dict[str, str] = series["metric"]
            key = tuple(sorted(tags.items()))
            last = told[key] = self._told.get(key, since)
            for at, value in series["values"]:
                if float(at) > last:
                    told[key] = max(told[key], float(at))
                    place = (float(at), tags.get("job", ""), tags.get("instance", ""))
                    scrapes.setdefault(place, []).append(_line(tags, value, float(at)))
        for (at, _, target), lines in sorted(scrapes.items()):
            yield from self._of_scrape(at, target, lines)
        self._told = told  # only now: what was not put into the spool is asked for again

    def _of_scrape(self, at: float, target: str, lines: list[str]) -> Iterator[Outgoing]:
        instance = _instance(lines[0]) or target.rpartition(":")[0] or target
        if any(line.startswith("registry_") for line in lines):
            body = {"undercurrent_metric": 1, "source": "registry", "instance": instance, "time": at, "up": 1}
            yield outgoing(orjson.dumps({**body, "text": "\n".join(lines)}), instance, at)
            return
        for part in parts(lines):
            yield outgoing(part.encode(), instance, at)


def matrix(answer: bytes) -> list[Mapping[str, Any]]:
    """The series of a range query's answer.

    Raises:
        WebError: it is no such answer, or one of failure.
    """
    try:
        body = orjson.loads(answer)
        if body["status"] != "success" or body["data"]["resultType"] != "matrix":
            raise WebError(f"its answer is {str(body.get('error', body['status']))[:200]}")
        found: list[Mapping[str, Any]] = body["data"]["result"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise WebError("its answer is not that of Prometheus' query API") from error
    return found


def _line(tags: Mapping[str, str], value: str, at: float) -> str:
    """One sample as a line of the text exposition, with its own time in milliseconds."""
    name = tags.get("__name__", "")
    labels = ",".join(f'{key}="{_escaped(text)}"' for key, text in tags.items() if key != "__name__")
    return f"{name}{{{labels}}} {value} {round(at * 1000)}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


_POD = re.compile(r'[{,](?:pod|container|name)="([^"]+)"')


def _instance(line: str) -> str | None:
    """What the scraped target is called by its pod's or container's label, if it has one."""
    found = _POD.search(line)
    return found[1] if found else None


def _read(position: Path) -> float:
    try:
        return float(position.read_text())
    except (OSError, ValueError):
        return 0.0
