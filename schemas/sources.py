"""What correlate says of its sources: which of them was heard last when, and how far event time is.

Both records lie in undercurrent.sources and merge by maximum: whoever reads them in any order, and
however often, knows the same.
"""

from enum import StrEnum
from typing import Literal

from schemas.base import Noun


class SourceKind(StrEnum):
    """What a source tells of. The values are the names used in metrics, the API and docs."""

    REGISTRY_LOG = "registry_log"
    """Requests, as the service logs them."""
    CPU = "cpu"
    """CPU a container used."""
    THROTTLING = "throttling"
    """Periods in which it was throttled."""
    MEMORY = "memory"
    """Memory it holds."""
    REQUESTS = "requests"
    """The service's own metrics."""
    STORAGE = "storage"
    """The storage, as seen from its own side."""
    DNS = "dns"
    """Lookups, as counted at the resolver."""
    DNS_LOG = "dns_log"
    """Failed lookups, as anybody logs them."""


CONTAINER_KINDS = frozenset(
    {
        SourceKind.REGISTRY_LOG,
        SourceKind.CPU,
        SourceKind.THROTTLING,
        SourceKind.MEMORY,
        SourceKind.REQUESTS,
    }
)
"""Kinds that are told of each container; the others are told of a whole domain."""

LOG_KINDS = frozenset({SourceKind.REGISTRY_LOG, SourceKind.DNS_LOG})
"""Kinds that are silent when there is nothing to tell; the others come at an interval."""


class Heard(Noun):
    """One record of undercurrent.sources, keyed by `key`: a source and when it was last heard.

    `place`: the container, else the host, else the DNS server, "" where none is named. `host`: where it
    runs, if that is known besides. `exporter`: whose readings they are, None for logs. `at`: the highest
    event time in it, of logs to the second. `interval_seconds`: usual distance of two readings,
    `behind_seconds`: how far they usually lie behind event time when they come; None while too few have come.
    """

    type: Literal["heard"] = "heard"
    partition: int
    domain: str
    kind: SourceKind
    place: str
    host: str | None = None
    exporter: str | None = None
    at: float
    interval_seconds: float | None = None
    behind_seconds: float | None = None

    @property
    def key(self) -> str:
        """What the record is about: a later record with the same key replaces it."""
        return "\0".join((self.domain, self.kind, self.place))


class EventTime(Noun):
    """The other record of undercurrent.sources: event time up to which a partition of signals is complete.

    Against it, and not against a clock, the silence of a source is measured: a worker that lags behind
    makes no source silent.
    """

    type: Literal["event_time"] = "event_time"
    partition: int
    at: float

    @property
    def key(self) -> str:
        """As of `Heard`; no domain is called so."""
        return f"\0partition-{self.partition}"
