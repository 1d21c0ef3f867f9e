"""The arrival clock of one source: when a record came, as far as its stamp can be believed."""

import math


class ArrivalClock:
    """Never goes back, and is not moved by a stamp outside `low` to `high`, unix seconds.

    A record bears the time its shipper gave it. One that is earlier than the record before it came
    after it nevertheless; one from 2099 must not make everything behind it come at the end.
    """

    def __init__(self, low: float = -math.inf, high: float = math.inf) -> None:
        self._low = low
        self._high = high
        self._now: float | None = None

    def at(self, stamp: float | None) -> float:
        """When a record with this stamp came."""
        if (
            stamp is not None
            and self._low <= stamp <= self._high
            and (self._now is None or stamp > self._now)
        ):
            self._now = stamp
        if self._now is not None:
            return self._now
        return self._low if math.isfinite(self._low) else 0.0
