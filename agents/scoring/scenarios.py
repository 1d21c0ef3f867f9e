"""Reads the scenarios of the corpus, and plays them: YAML → a plan → the simulation → a recording.

A file holds one family: what all its scenarios have in common (`base`), and what each has of its own.
A scenario is merged into the base; lists are replaced, and a null takes something away. Times are
seconds of the story.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from agents.recordings.envelopes import ENVELOPES, Envelope, host_of
from agents.recordings.recording import Group, LogLine, Reading, Recording
from agents.scoring.truth import Truth, read_truth
from pipeline.simulation import (
    Change,
    InstancePlan,
    Knobs,
    Line,
    Plan,
    PlanError,
    Story,
    Taken,
    knobs_of,
    simulate,
)

START = 1_795_500_000.0
KINDS = ("incident", "rival", "none")
"""Of a family: an incident of its cause; something that looks like another cause; no incident."""

_GROUPS = {
    "cgroup": Group.METRICS,
    "runtime": Group.METRICS,
    "s3-proxy": Group.STORAGE,
    "dns-upstream": Group.DNS,
    "registry": Group.REGISTRY,
}


class ScenarioError(ValueError):
    """A file of scenarios cannot be used; the message names file and scenario."""


@dataclass(frozen=True, slots=True)
class Shipping:
    """How the records of a scenario travel. `journal`: the resolver's lines come from its host's journal."""

    shipper: str = "fluent-bit"
    split: bool = True
    metrics_delay_seconds: float = 0.0
    journal: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario, ready to be played. `happens`: in words, what is done."""

    name: str
    family: str
    kind: str
    happens: str
    seed: int
    plan: Plan
    shipping: Shipping
    truth: Truth


def read_scenarios(path: Path) -> list[Scenario]:
    """Read one family file.

    Raises:
        ScenarioError: it cannot be used.
    """
    try:
        family = yaml.safe_load(path.read_text(encoding="utf-8"))
        return [_scenario(family, given) for given in family["scenarios"]]
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise ScenarioError(f"{path}: {error}") from error


def play(scenario: Scenario) -> Story:
    """Let a scenario happen. Equal seeds give equal stories."""
    return simulate(scenario.plan, random.Random(scenario.seed))  # noqa: S311 - chance, not a secret


def recording_of(scenario: Scenario, story: Story) -> Recording:
    """Turn what a story left behind into a recording."""
    start = scenario.plan.start
    resolvers = {given.name: given.resolver for given in scenario.plan.instances}
    entries: list[LogLine | Reading] = [
        *(_log_line(line, start, resolvers[line.instance]) for line in story.output.lines),
        *(_reading(taken, start) for taken in story.output.readings),
    ]
    entries.sort(key=lambda entry: entry.at)
    names = tuple(given.name for given in scenario.plan.instances)
    return Recording(scenario.name, names, tuple(entries), ())


def envelope_of(shipping: Shipping) -> Envelope:
    """Return how the scenario's shipper writes a line."""
    envelope = ENVELOPES[shipping.shipper]
    if not shipping.journal:
        return envelope

    def wrap(line: LogLine, text: str, at: float) -> bytes:
        if line.group is not Group.DNS:
            return envelope(line, text, at)
        moment = datetime.fromtimestamp(at, UTC)
        return f"{moment:%Y-%m-%dT%H:%M:%S.%fZ} {host_of(line.instance)} dockerd[812]: {text}\n".encode()

    return wrap


def _log_line(line: Line, start: float, resolver: str) -> LogLine:
    group = Group.DNS if line.container == "resolver" else Group.LOGS
    instance, container = line.instance, line.container
    if group is Group.DNS and resolver == "coredns":
        instance, container = "coredns-0", "coredns"
    return LogLine(start + line.at, group, instance, container, line.stream, line.text.encode())


def _reading(taken: Taken, start: float) -> Reading:
    body = {"time": taken.body["ts"], "reading": taken.body}
    if taken.source == "registry":
        body = {"time": taken.body["ts"], **{k: v for k, v in taken.body.items() if k != "ts"}}
    is_event = taken.source == "runtime"
    return Reading(
        start + taken.at, _GROUPS[taken.source], taken.instance, taken.source, body, is_event=is_event
    )


def _scenario(family: Mapping[str, Any], own: Mapping[str, Any]) -> Scenario:
    given = _merged(family.get("base", {}), own)
    name = f"{family['family']}/{own['name']}"
    kind = given.get("kind", family.get("kind"))
    if kind not in KINDS:
        raise ScenarioError(f"{name}: kind {kind!r} is none of {', '.join(KINDS)}")
    try:
        instances = tuple(
            _instance(instance, settings)
            for instance, settings in given["instances"].items()
            if settings is not None
        )
        plan = Plan(
            START, float(given["seconds"]), instances, tuple(_changes(given.get("changes", ()), instances))
        )
        shipping = Shipping(**given.get("shipping", {}))
        truth = read_truth(name, given.get("truth") or {}, START)
    except (PlanError, TypeError, KeyError, ValueError) as error:
        raise ScenarioError(f"{name}: {error!r}") from error
    happens = given.get("happens", family.get("happens", ""))
    return Scenario(name, family["family"], kind, happens, int(given["seed"]), plan, shipping, truth)


def _instance(name: str, given: Mapping[str, Any]) -> InstancePlan:
    knobs = knobs_of(Knobs(), given.get("knobs", {}))
    rest = {key: value for key, value in given.items() if key not in ("knobs", "exporters")}
    exporters = given.get("exporters", {"cgroup": 10, "s3-proxy": 10, "dns-upstream": 10})
    kept = {source: float(seconds) for source, seconds in exporters.items() if seconds}
    return InstancePlan(name, knobs=knobs, exporters=kept, **rest)


def _changes(given: list[Mapping[str, Any]], instances: tuple[InstancePlan, ...]) -> list[Change]:
    """Read the changes; one with `until` is taken back then, to what the instance began with."""
    changes: list[Change] = []
    for item in given:
        unknown = set(item) - {"at", "until", "instance", "knobs", "act"}
        if unknown:
            raise ScenarioError(f"a change has no {', '.join(sorted(unknown))}")
        knobs = item.get("knobs", {})
        changes.append(Change(float(item["at"]), item.get("instance"), knobs, item.get("act")))
        if "until" in item:
            changes += [
                Change(float(item["until"]), instance.name, _taken_back(instance.knobs, knobs))
                for instance in instances
                if item.get("instance") in (None, instance.name)
            ]
    return sorted(changes, key=lambda change: change.at)


def _taken_back(base: Knobs, knobs: Mapping[str, Any]) -> dict[str, Any]:
    """What the knobs were at the beginning; an entry that was not there gets its mapping's default."""
    back: dict[str, Any] = {}
    for name, value in knobs.items():
        before = getattr(base, name)
        if isinstance(value, Mapping):
            back[name] = {key: before.get(key, before.get("*", 0.0)) for key in value}
        else:
            back[name] = before
    return back


def _merged(base: Any, own: Any) -> Any:
    if not (isinstance(base, Mapping) and isinstance(own, Mapping)):
        return own
    merged = dict(base)
    for key, value in own.items():
        merged[key] = _merged(base[key], value) if key in base else value
    return merged
