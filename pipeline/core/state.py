"""Everything the core knows of one domain. It is stored as one value, together with its offset (law 6)."""

import math
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline.core.curves import REDRAW_SECONDS
from pipeline.core.hold import Held
from pipeline.core.incident import OpenIncident
from pipeline.diagnosis import View
from pipeline.history import EventStore, Request, SampleStore
from pipeline.history.samples import place_of
from schemas import Cause, IncidentState, Rules, Signal, Symptom

ESTIMATED = "estimated"
"""Observations of a full second that are counted by estimate."""
FORGOTTEN = "forgotten_early"
"""Observations and readings, judged and counted, that are forgotten before their time."""

STATE_VERSION = 2
"""Raised when the snapshot's shape changes; `restore` migrates older ones or refuses newer ones."""


@dataclass(slots=True)
class DomainState:
    """State of one domain.

    `settled`: every second below it has been judged. `earliest`: first second ever seen.
    `loose`: per instance, the keys of failed requests nothing explains yet, with their end.
    `held`: DNS symptoms that await a ruling. `hosts`: when each instance was last seen on a host, as far
    as is settled; `sightings`: the same of seconds still to be settled. `let_go`: what was not kept as long
    as the rules say, for want of room; a figure for whoever runs this, not stored.
    """

    domain: str
    rules: Rules
    settled: int | None = None
    earliest: int | None = None
    events: EventStore = field(default_factory=EventStore)
    samples: SampleStore = field(default_factory=SampleStore)
    incidents: dict[str, OpenIncident] = field(default_factory=dict)
    loose: dict[str, dict[str, float]] = field(default_factory=dict)
    held: dict[Held, bool] = field(default_factory=dict)
    hosts: dict[str, dict[str, int]] = field(default_factory=dict)
    sightings: dict[int, set[tuple[str, str]]] = field(default_factory=dict)
    let_go: Counter[str] = field(default_factory=Counter)

    def sight(self, signal: Signal, second: int) -> None:
        """Note on which host an instance runs; DNS lines of the host are placed by that."""
        if signal.host is None or signal.instance is None:
            return
        self.sightings.setdefault(second, set()).add((signal.host, signal.instance))
        if self.settled is not None and second < self.settled:
            self.learn_hosts(second)

    def learn_hosts(self, second: int) -> None:
        """What was seen in `second` is known from now on: not before, or the order of arrival would show."""
        for host, instance in self.sightings.pop(second, ()):
            seen = self.hosts.setdefault(host, {})
            seen[instance] = max(second, seen.get(instance, second))

    def instances_at(self, place: str) -> list[str]:
        """The instances a place stands for: itself, or those known on its host."""
        return sorted(self.hosts.get(place[1:], ())) if place.startswith("@") else [place]

    def host_of(self, instance: str) -> str | None:
        """The host `instance` was last seen on, if any."""
        seen = [(known[instance], host) for host, known in self.hosts.items() if instance in known]
        return max(seen)[1] if seen else None

    def view(self, instance: str, second: int, requests: list[Request]) -> View:
        """What causes may look at once `second` is settled."""
        return View(
            instance, second + 1, requests, self.events, self.samples, self.rules, self.host_of(instance)
        )

    def requests(self, instance: str, keys: dict[str, float], second: int) -> list[Request]:
        """The failed requests with `keys` that are still remembered, as all their lines tell them."""
        if not keys:
            return []
        first = max(int(min(keys.values())) - 1, second - self.rules.retention_seconds)
        return [r for r in self.events.failed_requests(instance, first, second) if r.key in keys]

    def unresolved(self) -> list[OpenIncident]:
        """Incidents that are not resolved, by opening and id."""
        live = [one for one in self.incidents.values() if one.state is not IncidentState.RESOLVED]
        return sorted(live, key=lambda one: (one.opened_at, one.id))

    def incident_of(self, instance: str, cause: Cause | str) -> OpenIncident | None:
        """The unresolved incident of `cause` that `instance` belongs to."""
        return next((i for i in self.unresolved() if i.cause == cause and instance in i.members), None)

    def hold(self, symptom: Symptom) -> None:
        """Hold a DNS symptom until it is ruled on."""
        place = place_of(symptom.instance, symptom.host)
        held = Held(place, symptom.second, symptom.kind.value, symptom.upstream or "", symptom.question or "")
        self.held.setdefault(held, True)

    def still_until(self, second: int) -> float:
        """Nothing is open at `second` and nothing remembered: the time until which that stays so.

        `second` itself where anything is open or remembered, infinity where nothing is to come.
        """
        if self.unresolved() or self.held or self.loose:
            return second
        since = second - self.rules.retention_seconds
        near = [at for at in (self.events.next_from(since), self.samples.next_from(since)) if at is not None]
        return max(second, min(near, default=math.inf))

    def forget(self, second: int) -> None:
        """Drop what is too old to matter, or more than may be kept: the bound on memory."""
        before = self._kept_from(second)
        self.events.forget(before)
        self.samples.forget(before)
        hosts = {host: {i: at for i, at in seen.items() if at >= before} for host, seen in self.hosts.items()}
        self.hosts = {host: seen for host, seen in hosts.items() if seen}
        for incident in list(self.incidents.values()):
            incident.keys = {key: end for key, end in incident.keys.items() if end >= before}
            over = incident.last_sign_at + self.rules.lifecycle.reopen_within_seconds < second
            if incident.state is IncidentState.RESOLVED and over:
                del self.incidents[incident.id]

    def _kept_from(self, second: int) -> int:
        """From which second on history is kept: the newest `history_max`, but always enough to judge."""
        rules = self.rules
        oldest = second - rules.retention_seconds
        sizes = self.events.sizes(second) + self.samples.sizes(second)
        kept = sizes.total()
        needed_seconds = max(
            rules.burst.window_seconds,
            2 * rules.evidence_grace_seconds,
            rules.hold_seconds + rules.hold_seconds_max,
            rules.retention_seconds // 2 + REDRAW_SECONDS,
        )
        while kept > rules.history_max and oldest < second - needed_seconds:
            kept -= sizes[oldest]
            self.let_go[FORGOTTEN] += sizes[oldest]
            oldest += 1
        return oldest

    def snapshot(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "version": STATE_VERSION,
            "settled": self.settled,
            "earliest": self.earliest,
            "events": self.events.snapshot(),
            "samples": self.samples.snapshot(),
            "incidents": [self.incidents[one].snapshot() for one in sorted(self.incidents)],
            "loose": self.loose,
            "held": [list(asdict(one).values()) for one in self.held],
            "hosts": self.hosts,
            "sightings": [[at, sorted(self.sightings[at])] for at in sorted(self.sightings)],
        }

    @classmethod
    def restore(cls, domain: str, rules: Rules, snapshot: dict[str, Any]) -> "DomainState":
        """The state that gave `snapshot`.

        Raises:
            ValueError: it was written by a newer version than this program knows.
        """
        if snapshot["version"] > STATE_VERSION:
            raise ValueError(
                f"state of domain {domain!r} has version {snapshot['version']}, this program reads up to "
                f"{STATE_VERSION}: run the version that wrote it, or newer"
            )
        incidents = [OpenIncident.restore(one) for one in snapshot["incidents"]]
        return cls(
            domain,
            rules,
            snapshot["settled"],
            snapshot["earliest"],
            EventStore.restore(snapshot["events"]),
            SampleStore.restore(snapshot["samples"]),
            {one.id: one for one in incidents},
            {place: dict(keys) for place, keys in snapshot["loose"].items()},
            {Held(*one): True for one in snapshot["held"]},
            {host: dict(seen) for host, seen in snapshot["hosts"].items()},
            {at: {(host, instance) for host, instance in seen} for at, seen in snapshot["sightings"]},
        )
