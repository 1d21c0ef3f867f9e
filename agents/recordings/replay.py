"""Replays a recording without Kafka and says what came of it, as JSON Lines (docs/replay.md)."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import orjson

from agents.recordings.recording import Group
from pipeline import replay as pure
from pipeline.core import Output
from pipeline.intake import Counts, IntakeConfig
from pipeline.replay import Arrival, Replayer
from schemas import Change, DeadLetter, Decision, Incident, Rules

FORMAT_VERSION = 1
"""`v` of every line; raised when a documented key changes its meaning or goes away."""


@dataclass(frozen=True, slots=True)
class Perturbation:
    """What happens to the records on their way; by default nothing.

    Applied in this order: subset of the sources, thinning, delay, duplicates, shuffle. Everything
    random comes from `seed`, so equal settings give equal arrivals.
    """

    sources: frozenset[Group] = frozenset(Group)
    metrics_interval_seconds: float | None = None
    metrics_delay_seconds: float = 0.0
    duplicate_share: float = 0.0
    shuffle_seconds: float = 0.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that a replay brought to light, in a fixed order.

    `changes` come as they happened; `incidents` in their final form and `decisions` each once, by the
    event time of what they are about.
    """

    changes: tuple[Change, ...]
    decisions: tuple[Decision, ...]
    counts: Counts
    dead_letters: tuple[DeadLetter, ...]
    incidents: tuple[Incident, ...] = field(init=False)

    def __post_init__(self) -> None:
        last = {change.incident.id: change for change in sorted(self.changes, key=lambda change: change.seq)}
        incidents = sorted(
            (change.incident for change in last.values()),
            key=lambda incident: (incident.first_symptom_at, incident.id),
        )
        object.__setattr__(self, "incidents", tuple(incidents))

    def of_domain(self, domain: str) -> "Outcome":
        """The same without the incidents and decisions of other domains; the counts stay those of all."""
        return Outcome(
            changes=tuple(change for change in self.changes if change.incident.domain == domain),
            decisions=tuple(decision for decision in self.decisions if decision.domain == domain),
            counts=self.counts,
            dead_letters=self.dead_letters,
        )

    def final_changes(self) -> list[Change]:
        """Return the last change of each incident, in the order of `incidents`."""
        last = {change.incident.id: change for change in sorted(self.changes, key=lambda change: change.seq)}
        return [last[incident.id] for incident in self.incidents]


def perturb(arrivals: list[Arrival], perturbation: Perturbation) -> list[Arrival]:
    """Return the arrivals as they come in after the perturbation, in order of arrival.

    Markers are left out: a shipper that writes them would wait for what is delayed here.
    """
    draw = random.Random(perturbation.seed).random  # noqa: S311 - chance for a test, not a secret
    chosen = pure.only(arrivals, [group.value for group in perturbation.sources])
    if perturbation.metrics_interval_seconds:
        chosen = pure.thin(chosen, perturbation.metrics_interval_seconds)
    if perturbation.metrics_delay_seconds:
        chosen = pure.delay(chosen, perturbation.metrics_delay_seconds)
    if perturbation.duplicate_share:
        # The shuffle displaces a copy by itself: no record comes later than it allows.
        within_seconds = 0.0 if perturbation.shuffle_seconds else pure.DUPLICATE_WITHIN_SECONDS
        chosen = pure.duplicate(chosen, perturbation.duplicate_share, draw, within_seconds)
    if perturbation.shuffle_seconds:
        chosen = pure.shuffle(chosen, perturbation.shuffle_seconds, draw)
    return chosen


def run(arrivals: Iterable[Arrival], config: IntakeConfig, rules: Rules) -> Outcome:
    """Replay arrivals, in order of arrival, to the end."""
    return run_each(arrivals, [(config, rules)])[0]


def run_each(arrivals: Iterable[Arrival], variants: Sequence[tuple[IntakeConfig, Rules]]) -> list[Outcome]:
    """Replay arrivals, read once and in order of arrival, under each of several settings."""
    replayers = [Replayer(config, rules) for config, rules in variants]
    told: list[list[Output]] = [[] for _ in variants]
    for arrival in arrivals:
        for replayer, outputs in zip(replayers, told, strict=True):
            outputs += replayer.receive(arrival)
    for replayer, outputs in zip(replayers, told, strict=True):
        outputs += replayer.finish()
    return [outcome(replayer, outputs) for replayer, outputs in zip(replayers, told, strict=True)]


def outcome(replayer: Replayer, outputs: list[Output]) -> Outcome:
    """What a replay has said, each thing once."""
    changes = {output.id: output for output in outputs if isinstance(output, Change)}
    decisions = {output.id: output for output in outputs if isinstance(output, Decision)}
    return Outcome(
        changes=tuple(changes.values()),
        decisions=tuple(sorted(decisions.values(), key=lambda decision: (decision.symptom_at, decision.id))),
        counts=replayer.counts,
        dead_letters=tuple(replayer.dead_letters),
    )


def json_lines(outcome: Outcome, with_changes: bool = False) -> Iterator[bytes]:
    """Write an outcome as JSON Lines: changes if asked for, then incidents, then decisions."""
    if with_changes:
        for change in outcome.changes:
            body = {**change.model_dump(mode="json"), "incident": incident_object(change.incident)}
            yield _line("change", body)
    for incident in outcome.incidents:
        yield _line("incident", incident_object(incident))
    for decision in outcome.decisions:
        yield _line("decision", decision.model_dump(mode="json"))


def incident_object(incident: Incident) -> dict[str, object]:
    """Turn an incident into its documented JSON form: every key is there, rivals have a `text`."""
    body = incident.model_dump(mode="json")
    body["rejected"] = [
        {**rival, "text": f"{rival['cause']}: {rival['reason']}"} for rival in body["rejected"]
    ]
    return body


def _line(kind: str, body: dict[str, object]) -> bytes:
    return orjson.dumps({"v": FORMAT_VERSION, "type": kind, **{k: v for k, v in body.items() if k != "type"}})
