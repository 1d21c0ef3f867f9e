"""The ledger of sources: who was last heard when, merged by maximum whatever came when.

Law: what is in it depends on the records received, not on their order, nor on how often each came.
"""

from schemas.sources import EventTime, Heard, SourceKind

SPARE_SHARE = 0.02
"""Share of the sources that go together when there is no room, those that were heard longest ago."""


Id = tuple[SourceKind, str]
"""Kind and place: what tells the sources of a domain apart."""


class Ledger:
    """Who was last heard when, by domain; bounded. `version` rises with all that is new."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._event_times: dict[int, float] = {}
        self._newest: dict[str, tuple[int, float]] = {}  # of a domain: its partition, and the last heard
        self.domains: dict[str, dict[Id, Heard]] = {}
        self.count = 0
        self.forgotten = 0
        self.version = 0

    def receive(self, record: Heard | EventTime) -> bool:
        """Take a record in; False when it says nothing new."""
        new = self._hear(record) if isinstance(record, Heard) else self._reach(record)
        self.version += new
        return new

    def event_time(self, domain: str) -> float:
        """How far event time is where a domain is looked after: at least what was heard of it."""
        partition, newest = self._newest[domain]
        return max(newest, self._event_times.get(partition, newest))

    def latest(self) -> float | None:
        """How far event time is where it lags most; None while nothing is known of it."""
        return min(self._event_times.values(), default=None)

    def _reach(self, record: EventTime) -> bool:
        if record.at <= self._event_times.get(record.partition, float("-inf")):
            return False
        self._event_times[record.partition] = record.at
        return True

    def _hear(self, record: Heard) -> bool:
        sources = self.domains.setdefault(record.domain, {})
        name = record.kind, record.place
        known = sources.get(name)
        if known is not None and _rank(record) <= _rank(known):
            return False
        sources[name] = record
        place, newest = self._newest.get(record.domain, (record.partition, record.at))
        self._newest[record.domain] = min(place, record.partition), max(newest, record.at)
        if known is None:
            self.count += 1
            if self.count > self._limit:
                self._forget()
        return True

    def _forget(self) -> None:
        spare = max(1, round(self._limit * SPARE_SHARE))
        everything = (one for sources in self.domains.values() for one in sources.values())
        for one in sorted(everything, key=lambda one: (one.at, one.domain, one.kind, one.place))[:spare]:
            del self.domains[one.domain][one.kind, one.place]
            if not self.domains[one.domain]:
                del self.domains[one.domain], self._newest[one.domain]
        self.count -= spare
        self.forgotten += spare


def _rank(one: Heard) -> tuple[float, float, float, str, str]:
    """Which of two records of a source stands; those equal in this are equal."""
    interval, behind = one.interval_seconds or 0.0, one.behind_seconds or 0.0
    return one.at, interval, behind, one.host or "", one.exporter or ""
