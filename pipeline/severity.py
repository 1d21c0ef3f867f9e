"""How bad an incident is, from what users lost: the scale that routes and alerts go by."""

from enum import IntEnum

from schemas import Incident

MAJOR_LOST = 20
CRITICAL_LOST, CRITICAL_SHARE, CRITICAL_ANYWAY = 100, 0.25, 1_000


class Severity(IntEnum):
    """From 20 requests lost, failed or slow, an incident is major; critical from 100 that are a quarter
    of all, or from 1,000."""

    MINOR = 0
    MAJOR = 1
    CRITICAL = 2

    @property
    def word(self) -> str:
        """As settings and labels spell it."""
        return self.name.lower()


def severity(incident: Incident) -> Severity:
    """The severity of `incident` as it stands."""
    loss = incident.impact
    lost = loss.requests_failed + loss.requests_slow
    share = lost / loss.requests_total if loss.requests_total else 0.0
    if lost >= CRITICAL_ANYWAY or (lost >= CRITICAL_LOST and share >= CRITICAL_SHARE):
        return Severity.CRITICAL
    return Severity.MAJOR if lost >= MAJOR_LOST else Severity.MINOR
