"""Slack's rate limits (docs.slack.dev/apis/web-api/rate-limits): tiers by method, and the wait after a 429.

Slack grants each tier "at least" so many calls a minute and now and then a burst. This one grants exactly so
many, and refuses whoever comes back before `Retry-After` has passed: who keeps to it keeps to Slack's.
"""

import math
from collections import defaultdict, deque

WINDOW_SECONDS = 60.0
TIERS = {
    "conversations.list": 20,
    "chat.update": 50,
    "chat.delete": 50,
    "conversations.history": 50,
    "conversations.open": 50,
    "conversations.replies": 50,
    "files.getUploadURLExternal": 100,
    "files.completeUploadExternal": 100,
}
"""Calls a minute and method. chat.postMessage has a rule of its own: one message a second and channel."""


class Rates:
    """What was called when."""

    def __init__(self) -> None:
        self._called: dict[str, deque[float]] = defaultdict(deque)
        self._not_before: dict[str, float] = {}
        self.ignored = 0
        """Calls that came before the time they were told."""

    def limit(self, method: str, now: float, seconds: float) -> None:
        """A call of `method` is answered with 429: nothing is to come for so many seconds."""
        self._not_before[method] = now + seconds

    def wait(self, method: str, now: float) -> int | None:
        """Whole seconds to wait before `method` may be called; None if it may be, and then it counts."""
        until = self._not_before.get(method, now)
        if now < until - 1e-6:
            self.ignored += 1
            return math.ceil(until - now)
        called = self._called[method]
        while called and called[0] <= now - WINDOW_SECONDS:
            called.popleft()
        if len(called) >= TIERS.get(method, math.inf):
            seconds = math.ceil(called[0] + WINDOW_SECONDS - now)
            self.limit(method, now, seconds)
            return seconds
        called.append(now)
        return None
