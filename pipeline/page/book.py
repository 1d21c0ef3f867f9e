"""The book: what was said of incidents, bounded, in the order of event time whatever came when.

Laws:

1. What is in it depends on the records received, not on their order, nor on how often each came.
2. It never holds more than its limits. Resolved incidents go before open ones, older before newer, and
   `forgotten` says how many went.
3. Bodies are kept as bytes and read when asked for: a hundred thousand decisions are tens of megabytes.
"""

import base64
from collections import Counter
from dataclasses import dataclass, field

from pipeline.page.ledger import Ledger
from pipeline.page.shelf import Key, Shelf
from pipeline.redact import redact
from schemas import (
    Change,
    DeadLetter,
    Decision,
    EventTime,
    Heard,
    Incident,
    IncidentState,
    Outcome,
    decode,
    encode,
)
from schemas.base import Noun
from schemas.page import ChangeLine, DeadLetterLine

TEXT_BYTES = 4_000
TEXT_CHARACTERS = 2_000
"""Of a dead letter so much is shown; twice that is looked through for secrets, which a cut would hide."""

EVICTED_AT_ONCE = 0.02
"""Share of the incidents that go together when there is no room: sorting them costs more than they do."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept."""

    incidents: int = 5_000
    decisions: int = 100_000
    dead_letters: int = 1_000
    sources: int = 50_000


Record = Change | Decision | DeadLetter | Heard | EventTime
"""What a book is made of."""


@dataclass(slots=True)
class Kept:
    """One incident: its last change, and one line for each of them by number. `value`: the incident."""

    seq: int
    at: float
    state: IncidentState
    value: bytes
    changes: dict[int, ChangeLine] = field(default_factory=dict)

    def incident(self) -> Incident:
        """The incident as it stands."""
        return decode(Incident, self.value)


@dataclass(frozen=True, slots=True)
class KeptDecision:
    """One decision, and what it is looked up by."""

    outcome: Outcome
    incident_id: str | None
    value: bytes

    def decision(self) -> Decision:
        """The decision itself."""
        return decode(Decision, self.value)


@dataclass(frozen=True, slots=True)
class Touched:
    """What a record changed: an incident, by id, or one of the other lists; `news` None: nothing new."""

    news: str | None = None
    incident_id: str | None = None


class Book:
    """Receives records and holds them; `Answers` reads it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.incidents: dict[str, Kept] = {}
        self.forgotten = 0
        self.decisions: Shelf[KeptDecision] = Shelf(limits.decisions)
        self._of_incident: dict[str, Shelf[KeptDecision]] = {}
        self._outcomes: Counter[tuple[str | None, Outcome]] = Counter()
        self.dead_letters: Shelf[DeadLetterLine] = Shelf(limits.dead_letters)
        self.sources = Ledger(limits.sources)

    def receive(self, record: Record) -> Touched:
        """Take a record in; says what it changed."""
        if isinstance(record, Change):
            return self._change(record)
        if isinstance(record, Decision):
            return self._decide(record)
        if isinstance(record, Heard | EventTime):
            return Touched("sources" if self.sources.receive(record) else None)
        letter = line_of(record)
        origin = letter.origin
        key = (letter.at or 0.0, f"{origin.topic}:{origin.partition}:{origin.offset}")
        return Touched() if self.dead_letters.put(key, letter) is None else Touched("dead_letters")

    def decisions_of(self, incident_id: str | None) -> Shelf[KeptDecision]:
        """Decisions that have to do with an incident, or all of them."""
        if incident_id is None:
            return self.decisions
        return self._of_incident.get(incident_id) or Shelf(1)

    def outcomes(self, incident_id: str | None) -> dict[str, int]:
        """How many decisions there are of each outcome."""
        return {outcome.value: self._outcomes[incident_id, outcome] for outcome in Outcome}

    def _change(self, change: Change) -> Touched:
        incident = change.incident
        kept = self.incidents.get(incident.id)
        if kept is None:
            kept = Kept(-1, change.at, incident.state, b"")
            self.incidents[incident.id] = kept
        if change.seq in kept.changes:
            return Touched()
        kept.changes[change.seq] = ChangeLine(
            seq=change.seq, kind=change.kind, at=change.at, reason=change.reason
        )
        if change.seq > kept.seq:
            kept.seq, kept.at, kept.state = change.seq, change.at, incident.state
            kept.value = _packed(incident)
        if len(self.incidents) > self._limits.incidents:
            self._evict()
        return Touched("incidents", incident.id)

    def _evict(self) -> None:
        def worth(item: tuple[str, Kept]) -> tuple[bool, float, str]:
            return item[1].state is not IncidentState.RESOLVED, item[1].at, item[0]

        spare = max(1, round(self._limits.incidents * EVICTED_AT_ONCE))
        for name, _ in sorted(self.incidents.items(), key=worth)[:spare]:
            del self.incidents[name]
        self.forgotten += spare

    def _decide(self, decision: Decision) -> Touched:
        kept = KeptDecision(decision.outcome, decision.incident_id, _packed(decision))
        key: Key = decision.symptom_at, decision.id
        fallen = self.decisions.put(key, kept)
        if fallen is None:
            return Touched()
        self._count(kept, 1)
        if kept.incident_id is not None:
            shelf = self._of_incident.setdefault(kept.incident_id, Shelf(self._limits.decisions))
            shelf.put(key, kept)
        for one in fallen:
            self._forget(one)
        return Touched("decisions", decision.incident_id)

    def _forget(self, fallen: KeptDecision) -> None:
        """The lowest of all is also the lowest of its incident."""
        self._count(fallen, -1)
        if fallen.incident_id is not None:
            shelf = self._of_incident[fallen.incident_id]
            shelf.drop_lowest()
            if not shelf:
                del self._of_incident[fallen.incident_id]

    def _count(self, kept: KeptDecision, by: int) -> None:
        self._outcomes[None, kept.outcome] += by
        if kept.incident_id is not None:
            self._outcomes[kept.incident_id, kept.outcome] += by
            if not self._outcomes[kept.incident_id, kept.outcome]:
                del self._outcomes[kept.incident_id, kept.outcome]


def _packed(noun: Noun) -> bytes:
    """A noun as bytes of just their size: orjson's own hold on to kilobytes more, each."""
    return bytes(memoryview(encode(noun)))


def line_of(letter: DeadLetter) -> DeadLetterLine:
    """What is shown of a dead letter: its beginning as text, without secrets."""
    head = letter.value_base64[: TEXT_BYTES // 3 * 4]
    text = redact(base64.b64decode(head).decode("utf-8", "backslashreplace"))
    return DeadLetterLine(
        origin=letter.origin,
        reason=letter.reason,
        detail=redact(letter.detail),
        at=None if letter.timestamp_ms is None else letter.timestamp_ms / 1000,
        size_bytes=letter.size_bytes,
        text=text[:TEXT_CHARACTERS],
        cut=letter.size_bytes > TEXT_BYTES // 3 * 3 or len(text) > TEXT_CHARACTERS,
    )
