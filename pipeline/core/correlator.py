"""The two doors of the core (law 1): `receive(signal)` and `advance(event_time)`. Both return what changed.

Receiving only remembers: stores merge like sets, so order and duplicates within the allowed lateness
leave no trace (law 3). Judging happens in `advance`, one settled second after the other, as a pure
function of what lies at or before it; how signals were framed, or whether time moved in one step or
many, cannot be told from the output.
"""

import math
from collections import Counter
from hashlib import sha256
from typing import Any

from pipeline.core.follow import follow_incidents
from pipeline.core.open import gather, open_incidents
from pipeline.core.rule import rule_held
from pipeline.core.state import ESTIMATED, DomainState
from schemas import (
    DNS_KINDS,
    Change,
    ChangeKind,
    Decision,
    Outcome,
    Rules,
    Sample,
    Signal,
    Symptom,
    SymptomKind,
)

Output = Change | Decision

_QUIET_KINDS = frozenset({SymptomKind.REQUEST_OK, SymptomKind.REQUEST_SLOW, SymptomKind.PROCESS_STARTED})
"""Kinds whose late arrival changes no count that was told, so it is merged without a word."""
_FORGET_EVERY_SECONDS = 30


class Correlator:
    """All judgement over one domain."""

    def __init__(self, domain: str, rules: Rules) -> None:
        self._state = DomainState(domain, rules)

    def receive(self, signal: Signal) -> list[Output]:
        """Remember `signal`. Only one that comes too late says something: that it did."""
        state = self._state
        second = signal.second if isinstance(signal, Symptom) else math.floor(signal.time)
        state.sight(signal, second)
        state.earliest = second if state.earliest is None else min(state.earliest, second)
        if isinstance(signal, Sample):
            state.samples.add(signal)
            return []
        late = state.settled is not None and second < state.settled
        quiet = signal.kind in _QUIET_KINDS
        if late and second < (state.settled or 0) - state.rules.retention_seconds:
            reason = "older than all that is remembered; counted only"
            return [] if quiet else [self._late_decision(signal, reason)]
        new = state.events.add(signal)
        if not new:
            return []
        if signal.kind in DNS_KINDS:
            state.hold(signal)
        if not late or quiet:
            return []
        if len(new) < len(signal.observations):
            signal = signal.model_copy(update={"observations": new, "count": len(new)})
        return self._late(signal)

    def advance(self, event_time: float) -> list[Output]:
        """Settle every second that lies `lateness_seconds` before `event_time`. It never goes back."""
        state = self._state
        target = math.floor(event_time - state.rules.lateness_seconds)
        if state.settled is None:
            if state.earliest is None or state.earliest >= target:
                return []
            state.settled = state.earliest
        outputs: list[Output] = []
        while state.settled < target:
            second = self._past_stillness(state.settled, target)
            state.settled = second + 1
            outputs += self._settle(second)
        return outputs

    def _past_stillness(self, second: int, target: int) -> int:
        """`second`, or a later one before `target` up to which nothing can be said.

        One record from a clock that stood still for years must not cost a step for each second of them.
        """
        if second % _FORGET_EVERY_SECONDS:
            return second
        still_until = math.floor(min(self._state.still_until(second), target - 1))
        return max(second, still_until - still_until % _FORGET_EVERY_SECONDS)

    def _settle(self, second: int) -> list[Output]:
        state = self._state
        outputs: list[Output] = []
        state.learn_hosts(second)
        state.let_go[ESTIMATED] += state.events.coalesce(second, state.rules.observations_per_second)
        gather(state, second)
        outputs += follow_incidents(state, second)
        outputs += open_incidents(state, second)
        outputs += rule_held(state, second)
        if second % _FORGET_EVERY_SECONDS == 0:
            state.forget(second)
        return outputs

    def _late(self, symptom: Symptom) -> list[Output]:
        """A symptom for a second that was already judged: an output with a reason, never a silent drop."""
        state = self._state
        around = [
            one
            for one in state.incidents.values()
            if symptom.instance in one.members
            and one.first_symptom_at - 60 <= symptom.second <= one.last_sign_at + 60
        ]
        behind = (state.settled or symptom.second) - symptom.second
        reason = f"{symptom.count} {symptom.kind.value} arrived {behind} s after their second was settled"
        if not around:
            return [] if symptom.kind in DNS_KINDS else [self._late_decision(symptom, reason)]
        incident = max(around, key=lambda one: (one.opened_at, one.id))
        incident.late += symptom.count
        for request in state.requests(
            symptom.instance or "", {o.request or o.id: o.time for o in symptom.observations}, symptom.second
        ):
            if self.counted_in(request.key) is None:
                incident.take(request)
            state.loose.get(symptom.instance or "", {}).pop(request.key, None)
        return [incident.change(ChangeKind.LATE, float(state.settled or symptom.second), reason)]

    def _late_decision(self, symptom: Symptom, reason: str) -> Decision:
        state = self._state
        ids = "".join(sorted(one.id for one in symptom.observations))
        return Decision(
            id=sha256(f"late\n{state.domain}\n{symptom.second}\n{symptom.kind}\n{ids}".encode()).hexdigest()[
                :16
            ],
            domain=state.domain,
            instance=symptom.instance,
            host=symptom.host,
            kind=symptom.kind,
            upstream=symptom.upstream,
            question=symptom.question,
            symptom_at=float(symptom.second),
            decided_at=float(state.settled or symptom.second),
            count=symptom.count,
            outcome=Outcome.COUNTED,
            reason=reason,
            origins=tuple(exemplar.origin for exemplar in symptom.exemplars),
        )

    def counted_in(self, request: str) -> str | None:
        """Id of the incident that counts the failed request with this key, while it is remembered."""
        incidents = sorted(self._state.incidents.values(), key=lambda one: (one.opened_at, one.id))
        return next((one.id for one in incidents if request in one.keys), None)

    @property
    def busy(self) -> bool:
        """Whether advancing could say anything: False lets the shell leave a quiet domain alone.

        Leaving it alone loses nothing, because the shell advances before it receives the next signal.
        """
        state = self._state
        if state.settled is None:
            return state.earliest is not None
        return state.still_until(state.settled) < math.inf

    def let_go(self) -> Counter[str]:
        """What was let go of for want of room since the last time this was asked, by how."""
        let_go, self._state.let_go = self._state.let_go, Counter()
        return let_go

    def snapshot(self) -> dict[str, Any]:
        """The whole state, JSON-able."""
        return self._state.snapshot()

    @classmethod
    def restore(cls, domain: str, rules: Rules, snapshot: dict[str, Any]) -> "Correlator":
        """The correlator that gave `snapshot`; from here on both say the same."""
        correlator = cls(domain, rules)
        correlator._state = DomainState.restore(domain, rules, snapshot)
        return correlator
