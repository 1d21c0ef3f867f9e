"""How fast to go on: back off when a service fails, come back slowly, give up when it stays so.

Time is an argument, in seconds of any clock that does not go back.
"""

from collections import deque
from dataclasses import dataclass, field

LOOKBACK_SECONDS = 5.0
REQUESTS_MIN = 10
"""So many results are needed before their failures mean something."""
FAILED_RATIO = 0.2
"""From this share of failures on, the rate is halved."""
HOLD_SECONDS = 5.0
"""After backing off, the rate stays for so long: what is under way was sent at the old one."""
CLIMB_RATIO = 0.1
"""Share of the full rate that is won back each second."""
BACK_OFFS_MAX = 5
"""So many times in a row, and it gives up."""


@dataclass(slots=True)
class Pace:
    """The rate that may be driven now. `full`: requests a second that are wanted.

    `back_offs`: how often it has backed off altogether.
    """

    full: float
    back_offs: int = 0
    _share: float = 1.0
    _changed_at: float = 0.0
    _in_a_row: int = 0
    _results: deque[tuple[float, bool]] = field(default_factory=deque)
    _quiet_until: float = 0.0

    @property
    def gave_up(self) -> bool:
        """Whether the service failed on at every rate."""
        return self._in_a_row >= BACK_OFFS_MAX

    def rate(self, now: float) -> float:
        """Requests a second at `now`; 0 while the service has asked for quiet, or for good."""
        if self.gave_up or now < self._quiet_until:
            return 0.0
        return self.full * self._share_at(now)

    def result(self, now: float, failed: bool, retry_after_seconds: float = 0.0) -> None:
        """Take in the outcome of one request; the service may have said when to come back."""
        if self.gave_up:
            return
        self._quiet_until = max(self._quiet_until, now + retry_after_seconds)
        self._results.append((now, failed))
        while self._results[0][0] < now - LOOKBACK_SECONDS:
            self._results.popleft()
        failures = sum(was for _, was in self._results)
        enough = len(self._results) >= REQUESTS_MIN
        if enough and failures >= FAILED_RATIO * len(self._results):
            if self.back_offs == 0 or now >= self._changed_at + HOLD_SECONDS:
                self._back_off(now)
        elif self._share_at(now) >= 1.0:
            self._in_a_row = 0

    def _back_off(self, now: float) -> None:
        self._share = self._share_at(now) / 2
        self._changed_at = now
        self.back_offs += 1
        self._in_a_row += 1
        self._results.clear()

    def _share_at(self, now: float) -> float:
        if self._share >= 1.0:
            return 1.0
        climbed = max(0.0, now - self._changed_at - HOLD_SECONDS) * CLIMB_RATIO
        return min(1.0, self._share + climbed)
