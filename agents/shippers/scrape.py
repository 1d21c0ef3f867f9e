"""Scrapes exporters themselves: their families that are read, one record per scrape."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import orjson

from agents import log
from agents.shippers.page import Figures
from agents.shippers.sampler import outgoing
from agents.shippers.source import Outgoing
from agents.shippers.web import Client, WebError
from pipeline.intake.exposition import known_lines

AT_ONCE = 8
TEXT_CHARACTERS_MAX = 500_000
"""A scrape of more (cAdvisor of a large machine) goes in several records."""


class Scraper:
    """`targets`: instance → address of its metrics."""

    def __init__(self, targets: Mapping[str, str], client: Client, host: str, figures: Figures) -> None:
        self._targets = targets
        self._client = client
        self._host = host
        self._figures = figures
        self._registries: set[str] = set()
        self._failing: set[str] = set()
        self._pool = ThreadPoolExecutor(AT_ONCE)

    def read(self, now: float) -> Iterator[Outgoing]:
        """One scrape of every target, dated `now` (unix seconds)."""
        for found in self._pool.map(lambda target: self._scrape(target, now), self._targets):
            yield from found

    def _scrape(self, instance: str, now: float) -> list[Outgoing]:
        try:
            text = self._client.get(self._targets[instance]).decode("utf-8", "replace")
        except WebError as error:
            return self._failed(instance, str(error), now)
        found = list(known_lines(text))
        if not found:
            return self._failed(instance, "no family of its metrics is known (docs/signals.md)", now)
        if instance in self._failing:
            self._failing.discard(instance)
            log.get("ship").info("scraped again", instance=instance)
        lines = [line for _, line in found]
        if any(name.startswith("registry_") for name, _ in found):
            self._registries.add(instance)
            return [self._of_registry(instance, now, 1, text="\n".join(lines))]
        return [outgoing(part.encode(), instance, now) for part in parts(lines)]

    def _failed(self, instance: str, why: str, now: float) -> list[Outgoing]:
        """Said once until it works again. That a registry does not answer is itself a reading."""
        self._figures.failed_reading()
        if instance not in self._failing:
            self._failing.add(instance)
            log.get("ship").warning("a scrape failed", instance=instance, why=why)
        return [self._of_registry(instance, now, 0)] if instance in self._registries else []

    def _of_registry(self, instance: str, now: float, up: int, **text: str) -> Outgoing:
        body = {"undercurrent_metric": 1, "source": "registry", "instance": instance, "host": self._host}
        return outgoing(orjson.dumps({**body, "time": now, "up": up, **text}), instance, now)


def parts(lines: list[str]) -> Iterator[str]:
    """Lines of an exposition as texts below the bound of a record; families stay together where they fit."""
    part: list[str] = []
    size = 0
    for line in lines:
        if part and size + len(line) > TEXT_CHARACTERS_MAX:
            yield "\n".join(part)
            part, size = [], 0
        part.append(line)
        size += len(line) + 1
    if part:
        yield "\n".join(part)
