"""The kernel's own figures of one container: files of a cgroup, version 1 or 2, by the names of their fields.

A field is `<file>`, `<file>.<key>` or `<file>.<number>`, as Telegraf's cgroup plugin names them too:
`cpu.stat.nr_throttled`, `cpu.max.0`, `memory.usage_in_bytes`. Version 1 counts in nanoseconds, version 2
and the pressure files in microseconds (Linux, Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst).
"""

import re
from collections.abc import Mapping
from math import isfinite
from typing import Any

from pipeline.intake.series import CFS_PERIOD_MICROSECONDS, limit, number
from schemas import SampleKind

_NANO, _MICRO = 1e-9, 1e-6

_CPU: dict[str, tuple[str, float]] = {
    "cpu.stat.usage_usec": ("usage_seconds_total", _MICRO),
    "cpuacct.usage": ("usage_seconds_total", _NANO),
    "cpu.stat.nr_periods": ("periods_total", 1.0),
    "cpu.stat.nr_throttled": ("throttled_periods_total", 1.0),
    "cpu.stat.throttled_usec": ("throttled_seconds_total", _MICRO),
    "cpu.stat.throttled_time": ("throttled_seconds_total", _NANO),
    "cpu.pressure.some.total": ("psi_some_seconds_total", _MICRO),
    "cpu.pressure.full.total": ("psi_full_seconds_total", _MICRO),
    "cpu.shares": ("cpu_shares", 1.0),
}
_MEMORY: dict[str, tuple[str, float]] = {
    "memory.current": ("usage_bytes", 1.0),
    "memory.usage_in_bytes": ("usage_bytes", 1.0),
    "memory.max": ("limit_bytes", 1.0),
    "memory.limit_in_bytes": ("limit_bytes", 1.0),
    "memory.failcnt": ("failures_total", 1.0),
    "memory.events.oom_kill": ("oom_kills_total", 1.0),
    "memory.oom_control.oom_kill": ("oom_kills_total", 1.0),
    "memory.pressure.some.total": ("psi_some_seconds_total", _MICRO),
    "memory.pressure.full.total": ("psi_full_seconds_total", _MICRO),
    "io.pressure.some.total": ("psi_io_some_seconds_total", _MICRO),
    "io.pressure.full.total": ("psi_io_full_seconds_total", _MICRO),
}
_INACTIVE = ("memory.stat.total_inactive_file", "memory.stat.inactive_file")
"""File cache the kernel can take back at once: usage less this is the working set, as kubelet counts it."""

FILES = frozenset(
    {
        "cpu.max", "cpu.stat", "cpu.pressure", "cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us",
        "cpuacct.usage", "memory.current", "memory.max", "memory.stat", "memory.events", "memory.pressure",
        "memory.usage_in_bytes", "memory.limit_in_bytes", "memory.failcnt", "memory.oom_control",
        "io.pressure",
    }
)  # fmt: skip
"""The files that are read."""

_ID = re.compile(r"[0-9a-f]{12,64}")


def fields_of_file(name: str, text: str) -> dict[str, str]:
    """The fields of one file: a number, a list of them, `key value` lines, or pressure lines."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        words = line.split()
        if not words:
            continue
        if "=" in words[-1]:
            pairs = (word.partition("=") for word in words[1:])
            fields |= {f"{name}.{words[0]}.{key}": value for key, _, value in pairs}
        elif name == "cpu.max":
            fields |= {f"{name}.{at}": word for at, word in enumerate(words)}
        elif len(words) == 1:
            fields[name] = words[0]
        else:
            fields[f"{name}.{words[0]}"] = words[1]
    return fields


def values_of(fields: Mapping[str, Any]) -> dict[SampleKind, dict[str, float | None]]:
    """Canonical values by kind; kinds of which nothing is known are left out.

    Raises:
        RefusedError: a known field is no number.
    """
    cpu, memory = _mapped(fields, _CPU), _mapped(fields, _MEMORY)
    quota = fields.get("cpu.max.0", fields.get("cpu.cfs_quota_us"))
    if quota is not None:
        period = number(fields.get("cpu.max.1", fields.get("cpu.cfs_period_us", CFS_PERIOD_MICROSECONDS)))
        cores = None if quota == "max" else limit(number(quota))
        cpu["limit_cores"] = None if cores is None else cores / (period or CFS_PERIOD_MICROSECONDS)
    inactive = next((fields[name] for name in _INACTIVE if name in fields), None)
    used = memory.get("usage_bytes")
    if inactive is not None and used is not None:
        memory["working_set_bytes"] = max(0.0, used - number(inactive))
    found = {SampleKind.CPU: cpu, SampleKind.MEMORY: memory}
    return {kind: values for kind, values in found.items() if values}


def container_of(path: str) -> str | None:
    """`…/docker-9b1f….scope/cpu.stat`, `/docker/9b1f…`, `cri-containerd-9b1f….scope` → `9b1f…`."""
    found = _ID.findall(path[-1024:])
    return found[-1] if found else None


def _mapped(fields: Mapping[str, Any], names: Mapping[str, tuple[str, float]]) -> dict[str, float | None]:
    values: dict[str, float | None] = {}
    for recorded, (name, factor) in names.items():
        if recorded not in fields:
            continue
        if fields[recorded] == "max":
            values[name] = None
        elif isfinite(read := number(fields[recorded]) * factor):
            values[name] = limit(read) if name == "limit_bytes" else read
    return values
