"""The CPU of a container: a run queue in front of a few cores, a quota in periods, or a busy host.

The quota works as the kernel's CFS bandwidth control does: in every period of 100 ms the container may
use `limit` times 100 ms of CPU time; when that is used up, all its threads stop until the next period. The
queue is first come, first served with slices of 10 ms, as the Go scheduler's is. On a busy host there
is no stop; instead a thread waits for its neighbours each time it wants to run.
"""

from collections import deque
from dataclasses import dataclass

from pipeline.simulation.kernel import Action, Chance, Kernel, Step

PERIOD_SECONDS = 0.1
SLICE_SECONDS = 0.01
BACKGROUND_SHARE = 0.6
"""Share of periods in which an idle process runs for a moment: timers, collector, keep-alives."""
BACKGROUND_SECONDS = 0.0004
WAKING_SHARE = 0.5
"""Pressure per second of use without any queue: threads of one process that wake each other."""
LOST_SECONDS_MAX = 0.0007
"""Quota that is lost in a period: it is handed to CPUs in slices, and not every slice is used up."""
_TINY = 1e-9


@dataclass(slots=True, eq=False)
class Job:
    """Work in the queue or on a core. `waits`: on a core's turn, but a neighbour runs there."""

    left_seconds: float
    resume: Action
    slice_seconds: float = 0.0
    waits: bool = False


@dataclass(slots=True)
class CpuCounters:
    """What the kernel counts; all of it starts at zero with a new container."""

    usage_seconds: float = 0.0
    periods: int = 0
    throttled_periods: int = 0
    throttled_seconds: float = 0.0
    pressure_seconds: float = 0.0


class Cpu:
    """Runs work. `limit_cores` None: no quota. `host_wait_seconds`: mean wait for neighbours, 0 for none."""

    def __init__(self, kernel: Kernel, chance: Chance, cores: int) -> None:
        self._kernel = kernel
        self._chance = chance
        self._cores = cores
        self.limit_cores: float | None = None
        self.host_wait_seconds = 0.0
        self.counters = CpuCounters()
        self._queue: deque[Job] = deque()
        self._on: list[Job] = []
        self._settled = kernel.now
        self._left_seconds = 0.0
        self._stopped = False
        self._used = False
        self._version = 0
        kernel.after(chance.uniform(0, PERIOD_SECONDS), self._period)

    def run(self, seconds: float) -> Step:
        """Make the step that needs so many seconds of CPU time."""

        def start(resume: Action) -> None:
            self._settle()
            self._queue.append(Job(seconds, resume))
            self._dispatch()

        return start

    def clear(self) -> None:
        """Forget all work, as when the process is gone."""
        self._settle()
        self._queue.clear()
        self._on.clear()
        self._version += 1

    def read(self) -> CpuCounters:
        """Bring the counters up to now."""
        self._settle()
        return self.counters

    @property
    def runnable(self) -> int:
        """How many jobs want to run or do."""
        return len(self._queue) + len(self._on)

    def _settle(self) -> None:
        """Account for the time since the last event, in which nothing changed."""
        passed = self._kernel.now - self._settled
        self._settled = self._kernel.now
        if passed <= 0:
            return
        running = [] if self._stopped else [job for job in self._on if not job.waits]
        for job in running:
            job.slice_seconds -= passed
            job.left_seconds -= passed
        used = passed * len(running)
        self.counters.usage_seconds += used
        self._left_seconds -= used
        self._used = self._used or used > 0
        if self.runnable > len(running):
            self.counters.pressure_seconds += passed
        else:
            self.counters.pressure_seconds += WAKING_SHARE * used
        if self._stopped:
            self.counters.throttled_seconds += passed * min(self._cores, max(1, self.runnable))

    def _period(self) -> None:
        self._settle()
        counters = self.counters
        stirs = self._chance.random() < BACKGROUND_SHARE
        if stirs and not self._used:
            counters.usage_seconds += BACKGROUND_SECONDS
        if self.limit_cores is not None and (self._used or stirs):
            counters.periods += 1
            counters.throttled_periods += self._stopped
        lost_seconds = self._chance.uniform(0, LOST_SECONDS_MAX)
        self._left_seconds = max(LOST_SECONDS_MAX, PERIOD_SECONDS * (self.limit_cores or 0.0) - lost_seconds)
        self._stopped = False
        self._used = False
        self._dispatch()
        self._kernel.after(PERIOD_SECONDS, self._period)

    def _dispatch(self) -> None:
        """Give free cores to the queue, then find out when something will change next."""
        if not self._stopped:
            while self._queue and len(self._on) < self._cores:
                self._begin(self._queue.popleft())
        self._version += 1
        running = [] if self._stopped else [job for job in self._on if not job.waits]
        if not running:
            return
        seconds = min(min(job.slice_seconds, job.left_seconds) for job in running)
        if self.limit_cores is not None:
            seconds = min(seconds, self._left_seconds / len(running))
        version = self._version
        self._kernel.after(max(0.0, seconds), lambda: self._change(version))

    def _begin(self, job: Job) -> None:
        job.slice_seconds = SLICE_SECONDS
        self._on.append(job)
        if self.host_wait_seconds > 0:
            job.waits = True
            self._kernel.after(self._chance.expovariate(1 / self.host_wait_seconds), lambda: self._go_on(job))

    def _go_on(self, job: Job) -> None:
        self._settle()
        job.waits = False
        self._dispatch()

    def _change(self, version: int) -> None:
        if version != self._version:
            return
        self._settle()
        if self.limit_cores is not None and self._left_seconds <= _TINY:
            self._stopped = True
        ended = [job for job in self._on if job.left_seconds <= _TINY]
        sliced = [job for job in self._on if job.left_seconds > _TINY and job.slice_seconds <= _TINY]
        for job in ended + sliced:
            self._on.remove(job)
        self._queue.extend(sliced)
        for job in ended:
            job.resume()
        self._dispatch()
