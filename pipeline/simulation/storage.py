"""The storage as one process reaches it: a connection pool, calls with their attempts, a proxy that counts.

The pool is Go's: two idle connections are kept, further ones are dialled as needed and closed when
they come back; a request that waits for a dial takes a connection that comes free before. A call is
tried four times, as the S3 client does, unless its request is cancelled.
"""

import math
from collections import Counter, deque
from dataclasses import dataclass, field

from pipeline.simulation.cpu import Cpu
from pipeline.simulation.kernel import Body, Chance, Future, Kernel, Steps, Task
from pipeline.simulation.lookups import STORAGE_HOST, HasKnobs, LookupFailedError, Lookups

IDLE_MAX = 2
LIFETIME_SECONDS = 7.0
"""Mean life of a connection: the storage's side closes it when it likes."""
ATTEMPTS = 4
DIAL_CPU_SECONDS = 0.0003
CALL_CPU_SECONDS = {"v2": 0.0007, "v3": 0.0012}
LATENCY_MEDIAN_SECONDS = {"get": 0.0010, "head": 0.0008, "list": 0.0011, "put": 0.0035, "post": 0.0022}
LATENCY_SIGMA = 0.5
BUCKET_URL = f"http://{STORAGE_HOST}:9000/registry"


class CancelledError(Exception):
    """The client has left and the request's context is cancelled."""


class StorageFailedError(Exception):
    """A call failed for good: the text is the S3 client's error."""


@dataclass(slots=True)
class ProxyWindow:
    """What a proxy in front of the storage has seen since its exporter last looked."""

    ttfb_seconds: list[float] = field(default_factory=list)
    operations: Counter[str] = field(default_factory=Counter)
    new_connections: int = 0
    aborted: int = 0
    status_5xx: int = 0

    def clear(self) -> None:
        """Begin to count anew."""
        self.ttfb_seconds.clear()
        self.operations.clear()
        self.new_connections = self.aborted = self.status_5xx = 0


@dataclass(slots=True, eq=False)
class Wanted:
    """A request that waits for a connection. `expires_at`: of the one it got."""

    got: Future = field(default_factory=Future)
    expires_at: float = 0.0


class Storage:
    """Calls the storage for one process."""

    def __init__(
        self,
        kernel: Kernel,
        chance: Chance,
        cpu: Cpu,
        owner: HasKnobs,
        lookups: Lookups,
        release: str,
        window: ProxyWindow,
    ) -> None:
        self._kernel = kernel
        self._chance = chance
        self._cpu = cpu
        self._owner = owner
        self._lookups = lookups
        self._call_cpu_seconds = CALL_CPU_SECONDS[release]
        self._idle: list[float] = []
        self._wanting: deque[Wanted] = deque()
        self._stalled: list[Future] = []
        self._window = window
        self.in_flight = 0
        self.seconds_total = 0.0
        self.calls_total = 0

    def release_stalled(self) -> None:
        """Let the calls go on that a stall holds."""
        stalled, self._stalled = self._stalled, []
        for future in stalled:
            future.settle()

    def call(self, operation: str, key: str, weight: float, listing: bool = False) -> Body:
        """Do one call, with its further attempts.

        Raises:
            CancelledError: by whoever interrupts the task.
            StorageFailedError: all attempts failed.
        """
        began = self._kernel.now
        error = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                pause_seconds = (0.03 if "lookup" in error else 0.5) * 2 ** (attempt - 1)
                yield self._kernel.wait(pause_seconds * self._chance.uniform(1, 2))
            try:
                expires_at = yield from self._connection()
            except LookupFailedError as failed:
                method = {"list": "Get"}.get(operation, operation.capitalize())
                error = f'RequestError: send request failed\ncaused by: {method} "{BUCKET_URL}{key}": '
                error += f"dial tcp: {failed}"
                continue
            slow_down = yield from self._exchange(operation, weight, listing, expires_at)
            if not slow_down:
                self.seconds_total += self._kernel.now - began
                self.calls_total += 1
                return
            error = "SlowDown: Please reduce your request rate.\n\tstatus code: 503, request id: "
            error += f"{self._chance.getrandbits(64):016X}, host id: "
        self.seconds_total += self._kernel.now - began
        self.calls_total += 1
        raise StorageFailedError(error)

    def _exchange(self, operation: str, weight: float, listing: bool, expires_at: float) -> Steps[bool]:
        """Send a request and read its reply; returns whether the reply was SlowDown."""
        demand_seconds = self._call_cpu_seconds * self._owner.knobs.demand * weight
        demand_seconds *= self._chance.uniform(0.6, 1.4)
        yield self._cpu.run(demand_seconds / 2)
        self.in_flight += 1
        sent_at = self._kernel.now
        try:
            slow_down = yield from self._reply(operation, weight, listing)
        except CancelledError:
            self._window.aborted += 1
            raise
        finally:
            self.in_flight -= 1
        self._window.ttfb_seconds.append(self._kernel.now - sent_at)
        self._window.operations[operation] += 1
        self._window.status_5xx += bool(slow_down)
        yield self._cpu.run(demand_seconds / 2)
        self._give_back(expires_at)
        return slow_down

    def _reply(self, operation: str, weight: float, listing: bool) -> Steps[bool]:
        knobs, chance = self._owner.knobs, self._chance
        if knobs.storage_stalled:
            stalled = Future()
            self._stalled.append(stalled)
            yield from stalled.get()
        if chance.random() < knobs.storage_slowdown_share:
            yield self._kernel.wait(chance.lognormvariate(math.log(0.004), LATENCY_SIGMA))
            return True
        seconds = chance.lognormvariate(math.log(LATENCY_MEDIAN_SECONDS[operation]), LATENCY_SIGMA)
        seconds *= weight
        if listing:
            seconds += chance.lognormvariate(math.log(knobs.listing_seconds), LATENCY_SIGMA)
        if chance.random() < knobs.storage_slow_share:
            seconds += chance.uniform(*knobs.storage_extra_seconds)
        yield self._kernel.wait(seconds)
        return False

    def _connection(self) -> Steps[float]:
        """Get a connection; returns when the storage's side will close it."""
        while self._idle:
            expires_at = self._idle.pop()
            if expires_at > self._kernel.now:
                return expires_at
        wanted = Wanted()
        self._wanting.append(wanted)
        Task(self._dial(wanted))
        try:
            yield from wanted.got.get()
        except CancelledError:
            self._wanting.remove(wanted)
            raise
        return wanted.expires_at

    def _dial(self, wanted: Wanted) -> Body:
        try:
            yield from self._lookups.resolve()
        except LookupFailedError as error:
            if wanted in self._wanting:
                self._wanting.remove(wanted)
                wanted.got.settle(error)
            return
        yield self._cpu.run(DIAL_CPU_SECONDS)
        yield self._kernel.wait(0.0003)
        self._window.new_connections += 1
        expires_at = self._kernel.now + self._chance.expovariate(1 / LIFETIME_SECONDS)
        if wanted in self._wanting:
            self._wanting.remove(wanted)
            wanted.expires_at = expires_at
            wanted.got.settle()
        else:
            self._give_back(expires_at)

    def _give_back(self, expires_at: float) -> None:
        if expires_at <= self._kernel.now:
            return
        if self._wanting:
            wanted = self._wanting.popleft()
            wanted.expires_at = expires_at
            wanted.got.settle()
        elif len(self._idle) < IDLE_MAX:
            self._idle.append(expires_at)
