"""CPU, memory and pressure of this machine's containers, from the kernel's cgroup files, version 1 or 2."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import orjson

from agents.shippers.containers import Container
from agents.shippers.page import Figures
from agents.shippers.sampler import outgoing
from agents.shippers.source import Outgoing
from pipeline.intake.cgroup import FILES, fields_of_file, values_of
from pipeline.intake.record import RefusedError
from schemas import SampleKind

CONTROLLERS = ("cpu", "cpuacct", "cpu,cpuacct", "memory")
"""Folders of version 1, of which a machine has some, often as links to one another."""

RESCAN_SECONDS = 10.0
DEPTH_MAX = 10
PROC = Path("/proc")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

_ID = re.compile(r"(?:^|[-/])([0-9a-f]{64})(?:\.scope)?$")


@dataclass(frozen=True, slots=True)
class Group:
    """One container's cgroup: a folder in version 2, one per controller in version 1."""

    container: Container
    folders: tuple[Path, ...]

    def fields(self) -> dict[str, str]:
        """What its files say now, by file and key; empty when it is gone."""
        found: dict[str, str] = {}
        for folder in self.folders:
            for name in FILES:
                try:
                    found |= fields_of_file(name, (folder / name).read_text())
                except (OSError, UnicodeDecodeError):
                    continue  # another version's file, pressure switched off in the kernel, or gone
        return found


class Cgroups:
    """Finds the cgroups of containers and reads them.

    `named`: instance → path below `root` (below each controller in version 1), for what is no container.
    `only`: patterns, one of which the pod's, the container's name or the id must match.
    """

    def __init__(
        self,
        root: Path,
        host: str,
        named: Mapping[str, str],
        only: tuple[str, ...],
        name: Callable[[str], Container],
        figures: Figures,
        proc: Path = PROC,
    ) -> None:
        self._root = root
        self._host = host
        self._named = named
        self._only = only
        self._name = name
        self._figures = figures
        self._proc = proc
        self._groups: list[Group] = []
        self._scan_at = 0.0

    def read(self, now: float) -> Iterator[Outgoing]:
        """The readings of all containers at `now`, unix seconds, as Undercurrent's own metric records."""
        if now >= self._scan_at:
            self._groups = list(self._find())
            self._scan_at = now + RESCAN_SECONDS
        machine = host_seconds(self._proc / "stat")
        for group in self._groups:
            fields = group.fields()
            if not fields:
                continue
            try:
                found = values_of(fields)
            except RefusedError:
                self._figures.failed_reading()
                continue
            if SampleKind.CPU in found:
                found[SampleKind.CPU] |= machine
            for kind, values in found.items():
                yield self._record(group.container, kind, values, now)

    def _record(
        self, container: Container, kind: SampleKind, values: Mapping[str, float | None], now: float
    ) -> Outgoing:
        body: dict[str, object] = {
            "undercurrent_metric": 1,
            "source": "cgroup",
            "instance": container.instance,
            "host": self._host,
            "time": now,
            "kind": kind.value,
            "values": values,
        }
        if container.namespace:
            body["namespace"] = container.namespace
        return outgoing(orjson.dumps(body), container.instance, now)

    def _find(self) -> Iterator[Group]:
        """Every container that has a cgroup now, and what was named."""
        is_version_2 = (self._root / "cgroup.controllers").exists()
        tops = [self._root] if is_version_2 else [self._root / name for name in CONTROLLERS]
        real = list(dict.fromkeys(top.resolve() for top in tops if top.is_dir()))
        for name, path in self._named.items():
            yield Group(Container(container=name), tuple(top / path.lstrip("/") for top in real))
        folders: dict[str, list[Path]] = {}
        for top in real:
            for container_id, folder in _containers(top):
                folders.setdefault(container_id, []).append(folder)
        for container_id, found in sorted(folders.items()):
            container = self._name(container_id)
            if self._is_wanted(container):
                yield Group(container, tuple(found))

    def _is_wanted(self, container: Container) -> bool:
        names = [container.pod, container.container, container.container_id]
        return any(fnmatchcase(name, pattern) for name in names if name for pattern in self._only)


def _containers(top: Path) -> Iterator[tuple[str, Path]]:
    """(id, folder) of the containers below `top`; what lies inside of one is its own affair."""
    for folder, inner, _ in os.walk(top):
        found = _ID.search(folder)
        if found is not None:
            yield found[1], Path(folder)
        if found is not None or folder.count("/") - str(top).count("/") >= DEPTH_MAX:
            inner.clear()


def host_seconds(stat: Path) -> dict[str, float | None]:
    """Seconds that all processors together were busy, idle and taken by the hypervisor, since the start.

    The columns are those of proc(5): user, nice, system, idle, iowait, irq, softirq, steal.
    """
    try:
        first = stat.read_text().partition("\n")[0].split()
        user, nice, system, idle, waiting, irq, soft, steal = (int(word) for word in first[1:9])
    except (OSError, ValueError):
        return {}
    return {
        "host_busy_seconds_total": (user + nice + system + irq + soft) / TICKS_PER_SECOND,
        "host_idle_seconds_total": (idle + waiting) / TICKS_PER_SECOND,
        "host_steal_seconds_total": steal / TICKS_PER_SECOND,
    }
