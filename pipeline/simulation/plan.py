"""The plan of a story: which instances there are, how each is set up, and what changes when."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any


class PlanError(ValueError):
    """The plan asks for something that does not exist; the message names it."""


@dataclass(frozen=True, slots=True)
class Knobs:
    """All that can be turned on one instance while the story runs.

    Operations are `catalog`, `pull`, `tags`, `push`, `probe`, `big_push`; `catalog@name` is the same
    operation by other clients, whose user agent is the name. Of `timeouts_seconds` and
    `extra_attempts` the operation's own entry counts, else the one of `*`.

    `demand`: factor on all CPU demands. `background_cores`: CPU that other work in the container asks
    for. `host_wait_seconds`: mean time a thread waits for neighbours whenever it wants to run.
    `leak_mb_per_second`: memory that is never given back. `cache_mb`: page cache, which the kernel
    takes back before it kills. `storage_extra_seconds`: added to a call, uniformly between two values,
    for `storage_slow_share` of the calls. `storage_stalled`: calls wait until that is over.
    `storage_slowdown_share`: calls answered with SlowDown. `dns_loss_share`: queries that get no
    answer. `dns_refusal_share`: queries answered with SERVFAIL at once. `dns_delay_seconds`: for each
    answer. `listing_seconds`: how long the storage takes to list a large page (release 3).
    """

    rates_per_second: Mapping[str, float] = field(default_factory=dict)
    timeouts_seconds: Mapping[str, float] = field(default_factory=lambda: {"*": 5.0})
    extra_attempts: Mapping[str, float] = field(default_factory=lambda: {"*": 2})
    catalog_n: int = 100
    demand: float = 1.0
    background_cores: float = 0.0
    limit_cores: float | None = 1.0
    host_wait_seconds: float = 0.0
    memory_limit_mb: float | None = None
    leak_mb_per_second: float = 0.0
    cache_mb: float = 12.0
    storage_extra_seconds: tuple[float, float] = (0.0, 0.0)
    storage_slow_share: float = 1.0
    storage_stalled: bool = False
    storage_slowdown_share: float = 0.0
    dns_loss_share: float = 0.0
    dns_refusal_share: float = 0.0
    dns_delay_seconds: float = 0.0
    listing_seconds: float = 0.3


@dataclass(frozen=True, slots=True)
class InstancePlan:
    """One instance: what it is and how it starts.

    `clock_skew_seconds`: how far the clock of its host, by which it writes its lines, is ahead of the
    exporters' clock. `release`: `v2` or `v3`. `log`: `text` or `json`. `resolver`: `dockerd` (moby 24
    and 25), `dockerd26`, `coredns`, or `direct` (the service asks the server itself). `upstream`: the
    DNS server behind it. `otlp_noise`: a telemetry exporter that finds nobody complains every 5 s.
    `exporters`: seconds between readings of `cgroup`, `s3-proxy`, `dns-upstream`, `registry`; one that
    is not named does not exist.
    """

    name: str
    clock_skew_seconds: float = 0.0
    release: str = "v2"
    log: str = "text"
    resolver: str = "dockerd"
    upstream: str = "10.0.0.2"
    otlp_noise: bool = False
    knobs: Knobs = field(default_factory=Knobs)
    exporters: Mapping[str, float] = field(
        default_factory=lambda: {"cgroup": 1.0, "s3-proxy": 1.0, "dns-upstream": 1.0}
    )


@dataclass(frozen=True, slots=True)
class Change:
    """At `at` seconds, knobs of an instance are set, or something is done to it.

    `instance` None: to all. `act`: `restart` (stop in order, start again), `kill` (SIGKILL by somebody
    else than the memory's killer), or `reset` (the exporter's counters start anew).
    """

    at: float
    instance: str | None = None
    knobs: Mapping[str, Any] = field(default_factory=dict)
    act: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A story of `seconds` seconds that begins at unix time `start`."""

    start: float
    seconds: float
    instances: tuple[InstancePlan, ...]
    changes: tuple[Change, ...] = ()


def knobs_of(base: Knobs, values: Mapping[str, Any]) -> Knobs:
    """Turn some knobs. A mapping (rates, timeouts, attempts) is merged into the one that is there.

    Raises:
        PlanError: there is no such knob.
    """
    known = {knob.name for knob in fields(Knobs)}
    merged: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            raise PlanError(f"no knob {name!r}; there are {', '.join(sorted(known))}")
        if isinstance(value, Mapping):
            merged[name] = {**getattr(base, name), **value}
        else:
            merged[name] = tuple(value) if isinstance(value, list) else value
    return replace(base, **merged)
