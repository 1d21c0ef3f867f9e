"""The book → the answers of the JSON API, which the page and the command line show as well."""

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from itertools import accumulate

from pipeline.page.book import Book, Kept
from pipeline.page.health import domain_of, is_silent
from pipeline.page.ledger import Ledger
from pipeline.page.shelf import cursor, key_of
from pipeline.render.story import impact, verdict
from pipeline.render.words import Words
from schemas import Change, Incident, IncidentState, Outcome
from schemas.page import (
    ChangeLine,
    DeadLetterList,
    DecisionList,
    IncidentLine,
    IncidentList,
    IncidentView,
    SourceList,
)

ACTIVE = "active"
ALL = "all"
STATES = (ACTIVE, *IncidentState, ALL)
"""What lists of incidents can be narrowed to; `active` is open or recovering."""

PAGE_LENGTH = 50
PAGE_LENGTH_MAX = 200
SOURCES_PER_PAGE = 300
"""A page of domains ends early with so many sources: each domain is shown whole."""

_RANKS = {IncidentState.OPEN: 2, IncidentState.RECOVERING: 1, IncidentState.RESOLVED: 0}


class UnknownError(LookupError):
    """There is nothing by that name; the message says so."""


class CursorError(ValueError):
    """`before` is no cursor of ours."""

    def __init__(self) -> None:
        super().__init__("before: expected a cursor, as `next` of an answer gives it")


@dataclass(frozen=True, slots=True)
class Slice:
    """Which page of a list: what lies `before` a cursor, at most `limit` things."""

    before: str | None = None
    limit: int = PAGE_LENGTH


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which incidents to list. None: any."""

    state: str = ACTIVE
    cause: str | None = None
    domain: str | None = None


class Answers:
    """Answers questions about one book. `now`, in unix seconds, only comes back as `as_of`."""

    def __init__(self, book: Book, words: Words) -> None:
        self._book = book
        self._words = words
        self._lines: dict[str, IncidentLine] = {}
        self._ranked: tuple[int, list[tuple[int, str]]] = (-1, [])

    def incidents(self, wanted: Wanted, part: Slice, now: float) -> IncidentList:
        """A page of incidents. Raises CursorError."""
        lines = [self._line(name, kept) for name, kept in self._book.incidents.items()]
        found = sorted((line for line in lines if _fits(line, wanted)), key=_order, reverse=True)
        start = _start(found, part.before)
        shown = found[start : start + part.limit]
        states = Counter(line.state for line in lines)
        return IncidentList(
            as_of=now,
            incidents=tuple(shown),
            total=len(found),
            states={state.value: states[state] for state in IncidentState},
            causes=tuple(sorted({str(line.cause) for line in lines})),
            domains=tuple(sorted({line.domain for line in lines})),
            forgotten=self._book.forgotten,
            next=_cursor(shown[-1]) if start + part.limit < len(found) else None,
        )

    def incident(self, incident_id: str, now: float) -> IncidentView:
        """One incident. Raises UnknownError."""
        kept = self._book.incidents.get(incident_id)
        if kept is None:
            raise UnknownError(f"there is no incident {incident_id}, or it was forgotten for lack of room")
        return IncidentView(
            as_of=now,
            line=self._line(incident_id, kept),
            incident=kept.incident(),
            changes=tuple(kept.changes[seq] for seq in sorted(kept.changes)),
            decisions=self._book.outcomes(incident_id),
        )

    def decisions(
        self, incident_id: str | None, outcome: Outcome | None, part: Slice, now: float
    ) -> DecisionList:
        """A page of decisions, of one incident and one outcome or of any. Raises CursorError."""
        outcomes = self._book.outcomes(incident_id)
        shown, following = self._book.decisions_of(incident_id).page(
            None if part.before is None else _key(part.before),
            part.limit,
            lambda kept: outcome is None or kept.outcome is outcome,
        )
        return DecisionList(
            as_of=now,
            decisions=tuple(kept.decision() for kept in shown),
            total=sum(outcomes.values()) if outcome is None else outcomes[outcome],
            outcomes=outcomes,
            forgotten=self._book.decisions.fallen,
            next=None if following is None else cursor(following),
        )

    def dead_letters(self, part: Slice, now: float) -> DeadLetterList:
        """A page of dead letters. Raises CursorError."""
        shelf = self._book.dead_letters
        shown, following = shelf.page(None if part.before is None else _key(part.before), part.limit)
        return DeadLetterList(
            as_of=now,
            dead_letters=tuple(shown),
            total=len(shelf),
            reasons=dict(Counter(letter.reason.value for _, letter in shelf.all())),
            forgotten=shelf.fallen,
            next=None if following is None else cursor(following),
        )

    def sources(self, domain: str | None, part: Slice, now: float) -> SourceList:
        """A page of domains with their sources, of one domain or of any. Raises CursorError."""
        found = [one for one in self._domains() if domain is None or one[1] == domain]
        start = 0 if part.before is None else _start_of_domains(found, part.before)
        ledger = self._book.sources
        shown = _as_many_as_fit(found[start : start + part.limit], ledger)
        latest = ledger.latest()
        return SourceList(
            as_of=now,
            behind_seconds=None if latest is None else max(0.0, now - latest),
            domains=tuple(domain_of(ledger, name, self._words) for _, name in shown),
            total=len(found),
            silent=sum(rank == 0 for rank, _ in found),
            forgotten=ledger.forgotten,
            next="{}~{}".format(*shown[-1]) if start + len(shown) < len(found) else None,
        )

    def _domains(self) -> list[tuple[int, str]]:
        """All domains in the order they are shown in, 0 before those where something is silent."""
        ledger = self._book.sources
        if self._ranked[0] != ledger.version:
            ranked = sorted((0 if is_silent(ledger, domain) else 1, domain) for domain in ledger.domains)
            self._ranked = ledger.version, ranked
        return self._ranked[1]

    def learn(self, change: Change) -> None:
        """Make an incident's line while it is at hand: to read a thousand of them back takes a second."""
        kept = self._book.incidents.get(change.incident.id)
        if kept is not None and kept.seq == change.seq:
            self._put(change.incident, kept)

    def _line(self, name: str, kept: Kept) -> IncidentLine:
        """The line of an incident, made anew when it has changed."""
        line = self._lines.get(name)
        if line is None or line.last_change.seq != kept.seq:
            return self._put(kept.incident(), kept)
        return line

    def _put(self, incident: Incident, kept: Kept) -> IncidentLine:
        if len(self._lines) > 2 * len(self._book.incidents):
            self._lines.clear()  # what was forgotten there is forgotten here
        line = self._lines[incident.id] = line_of(incident, kept.changes[kept.seq], self._words)
        return line


def line_of(incident: Incident, last: ChangeLine, words: Words) -> IncidentLine:
    """One incident as a list shows it; `last` is its last change."""
    loss = incident.impact
    return IncidentLine(
        id=incident.id,
        domain=incident.domain,
        instances=incident.instances,
        state=incident.state,
        cause=incident.cause,
        level=incident.level,
        confidence=incident.confidence,
        verdict=verdict(incident, words),
        impact=impact(loss, words),
        first_symptom_at=incident.first_symptom_at,
        opened_at=incident.opened_at,
        resolved_at=incident.resolved_at,
        changed_at=last.at,
        last_change=last,
        requests_failed=loss.requests_failed,
        requests_slow=loss.requests_slow,
        requests_total=loss.requests_total,
        suppressed=incident.suppressed,
        released=incident.released,
    )


def _fits(line: IncidentLine, wanted: Wanted) -> bool:
    if wanted.cause is not None and str(line.cause) != wanted.cause:
        return False
    if wanted.domain is not None and line.domain != wanted.domain:
        return False
    if wanted.state == ACTIVE:
        return line.state is not IncidentState.RESOLVED
    return wanted.state == ALL or line.state.value == wanted.state


def _order(line: IncidentLine) -> tuple[int, float, str]:
    return _RANKS[line.state], line.opened_at, line.id


def _cursor(line: IncidentLine) -> str:
    rank, at, name = _order(line)
    return f"{rank}~{cursor((at, name))}"


def _start(found: list[IncidentLine], before: str | None) -> int:
    """Where the page after a cursor begins; incidents may have changed their state since it was given."""
    if before is None:
        return 0
    rank, _, rest = before.partition("~")
    if rank not in ("0", "1", "2"):
        raise CursorError
    at, name = _key(rest)
    return sum(_order(line) >= (int(rank), at, name) for line in found)


def _as_many_as_fit(found: list[tuple[int, str]], ledger: Ledger) -> list[tuple[int, str]]:
    """The first of these domains with at most SOURCES_PER_PAGE sources together, at least one domain."""
    together = list(accumulate(len(ledger.domains[name]) for _, name in found))
    return found[: max(1, bisect_right(together, SOURCES_PER_PAGE))]


def _start_of_domains(found: list[tuple[int, str]], before: str) -> int:
    rank, separator, name = before.partition("~")
    if rank not in ("0", "1") or not separator:
        raise CursorError
    return bisect_right(found, (int(rank), name))


def _key(text: str) -> tuple[float, str]:
    try:
        return key_of(text)
    except ValueError as error:
        raise CursorError from error
