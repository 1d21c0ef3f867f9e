"""One incident as the core remembers it, and the noun it shows to others."""

from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any

from pipeline.core.curves import Curves
from pipeline.core.lifecycle import after
from pipeline.diagnosis import Explains, Verdict
from pipeline.history import Request
from schemas import (
    Advice,
    Cause,
    Change,
    ChangeKind,
    Evidence,
    Exemplar,
    Impact,
    Incident,
    IncidentState,
    Rival,
    Step,
    cause_named,
)

NAMES_MAX = 64
"""Routes or clients counted by name; the rest count as `other`."""
NAMES_SHOWN = 8


def incident_id(domain: str, family: str, opening: str) -> str:
    """Law 5: identity is derived from what opened the incident, so that history repeats itself exactly."""
    return sha256(f"{domain}\n{family}\n{opening}".encode()).hexdigest()[:16]


@dataclass(slots=True)
class Member:
    """One instance of an incident: since when, and which of its requests the cause accounts for.

    `confirmed_at`: the last second at which its cause was seen to hold.
    """

    since: float
    confirmed_at: float
    start: float
    end: float | None = None
    clients: tuple[str, ...] | None = None
    marks: tuple[str, ...] | None = None

    def takes(self, request: Request) -> bool:
        """Whether `request` overlaps what the cause explains."""
        if self.clients is not None and request.client not in self.clients:
            return False
        if self.marks is not None and request.marks.isdisjoint(self.marks):
            return False
        return request.end >= self.start and (self.end is None or request.start <= self.end)

    def follow(self, explains: Explains | None, now: float) -> None:
        """The cause was seen again at `now`: widen what it explains."""
        self.confirmed_at = now
        if explains is not None:
            self.start = min(self.start, explains.start)
            self.end = explains.end
            self.clients = explains.clients
            self.marks = explains.marks


@dataclass(slots=True)
class OpenIncident:
    """State of one incident. Times are unix seconds of event time.

    `settled_verdict` is False while `unproven` only means "evidence is still due".
    `keys` are the requests it took, with their end, so that another line of one counts nothing.
    `beyond`, `slow_beyond`: estimates of those that no line is kept of, besides `failed` and `slow`.
    """

    id: str
    domain: str
    cause: Cause | str
    opened_at: float
    first_symptom_at: float
    last_sign_at: float
    state: IncidentState
    seq: int = 0
    confidence: float = 0.0
    strength: float = 0.0
    level: str | None = None
    settled_verdict: bool = False
    verdict_at: float | None = None
    members: dict[str, Member] = field(default_factory=dict)
    keys: dict[str, float] = field(default_factory=dict)
    failed: int = 0
    slow: int = 0
    ok: int = 0
    estimated: bool = False
    routes: dict[str, int] = field(default_factory=dict)
    clients: dict[str, int] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()
    rivals: tuple[Rival, ...] = ()
    steps: dict[str, Step] = field(default_factory=dict)
    advice: tuple[Advice, ...] = ()
    exemplars: tuple[Exemplar, ...] = ()
    curves: Curves | None = None
    suppressed: int = 0
    released: int = 0
    late: int = 0
    trigger: str | None = None
    beyond: float = 0.0
    slow_beyond: float = 0.0

    def take(self, request: Request) -> None:
        """Count `request` as one of this incident's, once."""
        if request.key in self.keys:
            return
        self.keys[request.key] = request.end
        self.failed += 1
        self.beyond += request.weight - 1.0
        self.first_symptom_at = min(self.first_symptom_at, request.end)
        self.last_sign_at = max(self.last_sign_at, request.end)
        self.name(request)

    def name(self, request: Request) -> None:
        """Count its route and client."""
        _count(self.routes, request.route or "unknown")
        _count(self.clients, request.client or "unknown")

    def judge(self, verdict: Verdict, at: float) -> None:
        """Take over a verdict that was reached at event time `at`."""
        self.cause = verdict.cause or Cause.UNPROVEN
        self.confidence, self.strength = verdict.confidence, verdict.strength
        self.level = verdict.level
        self.evidence = verdict.evidence
        self.rivals = verdict.rivals
        self.settled_verdict = verdict.cause is not None
        if verdict.cause is not None:
            self.verdict_at = at

    @property
    def failures(self) -> int:
        """Failed requests, with those that are only estimated."""
        return self.failed + round(self.beyond)

    def number(self, name: str) -> float:
        """A number of its evidence, 0 where none bears that name."""
        return next((fact.values[name] for fact in self.evidence if name in fact.values), 0.0)

    def step(self, name: str, at: float, text: str, instance: str | None = None) -> None:
        """Note a step of the cascade; the earliest of its kind stands, in the words that know most of it."""
        known = self.steps.get(name)
        if known is None or at <= known.at:
            self.steps[name] = Step(at=at, step=name, text=text, instance=instance)

    def change(self, kind: ChangeKind, at: float, reason: str) -> Change:
        """Move along the lifecycle and say so."""
        self.state = after(None if self.seq == 0 else self.state, kind)
        self.seq += 1
        return Change(
            id=f"{self.id}:{self.seq}", seq=self.seq, kind=kind, at=at, reason=reason, incident=self.show()
        )

    def show(self) -> Incident:
        """The incident as others see it."""
        slow = self.slow + round(self.slow_beyond)
        total = self.ok + slow + self.failures
        return Incident(
            id=self.id,
            domain=self.domain,
            instances=tuple(sorted(self.members)),
            cause=self.cause,
            level=self.level,
            confidence=self.confidence,
            strength=self.strength,
            state=self.state,
            first_symptom_at=round(self.first_symptom_at, 6),
            opened_at=self.opened_at,
            verdict_at=self.verdict_at,
            resolved_at=round(self.last_sign_at, 6) if self.state is IncidentState.RESOLVED else None,
            impact=Impact(
                requests_failed=self.failures,
                requests_slow=slow,
                requests_total=total or None,
                estimated=self.estimated,
                routes=_top(self.routes),
                clients=_top(self.clients),
            ),
            evidence=self.evidence,
            rejected=self.rivals,
            timeline=tuple(sorted(self.steps.values(), key=lambda step: (step.at, step.step))),
            advice=self.advice,
            suppressed=self.suppressed,
            released=self.released,
            late=self.late,
            trigger=self.trigger,
            exemplars=self.exemplars,
            series=self.curves.show() if self.curves else (),
        )

    def snapshot(self) -> dict[str, Any]:
        """JSON-able form."""
        plain = {name: getattr(self, name) for name in self.__slots__ if name not in _NOUNS}
        plain["members"] = {name: asdict(member) for name, member in self.members.items()}
        for name in ("evidence", "rivals", "advice", "exemplars"):
            plain[name] = [noun.model_dump(mode="json") for noun in getattr(self, name)]
        plain["curves"] = self.curves.snapshot() if self.curves else None
        plain["steps"] = {name: step.model_dump(mode="json") for name, step in self.steps.items()}
        # An older version reads this as well, and knows these keys as little as it makes such estimates.
        return {name: value for name, value in plain.items() if name not in _ESTIMATES or value}

    @classmethod
    def restore(cls, snapshot: dict[str, Any]) -> "OpenIncident":
        """The incident that gave `snapshot`."""
        plain = dict(snapshot)
        plain["cause"] = cause_named(plain["cause"])
        plain["state"] = IncidentState(plain["state"])
        plain["members"] = {
            name: Member(
                **{
                    **member,
                    "clients": _maybe_tuple(member["clients"]),
                    "marks": _maybe_tuple(member.get("marks")),
                }
            )
            for name, member in plain["members"].items()
        }
        for name, noun in (
            ("evidence", Evidence),
            ("rivals", Rival),
            ("advice", Advice),
            ("exemplars", Exemplar),
        ):
            plain[name] = tuple(noun.model_validate(one) for one in plain[name])
        curves = plain.get("curves")  # none in what an older version stored
        plain["curves"] = Curves.restore(curves) if curves else None
        plain["steps"] = {name: Step.model_validate(step) for name, step in plain["steps"].items()}
        return cls(**plain)


_ESTIMATES = frozenset({"beyond", "slow_beyond"})
_NOUNS = frozenset({"members", "evidence", "rivals", "advice", "exemplars", "steps", "curves"})


def _maybe_tuple(names: list[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)


def _count(names: dict[str, int], name: str) -> None:
    key = name if name in names or len(names) < NAMES_MAX else "other"
    names[key] = names.get(key, 0) + 1


def _top(names: dict[str, int]) -> dict[str, int]:
    return dict(sorted(names.items(), key=lambda item: (-item[1], item[0]))[:NAMES_SHOWN])
