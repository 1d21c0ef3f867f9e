"""The world of a story: instances with their processes, memory and exporters, and what is done to them."""

from dataclasses import dataclass, replace
from functools import partial

from pipeline.simulation import exporters
from pipeline.simulation.clients import Clients
from pipeline.simulation.cpu import Cpu, CpuCounters
from pipeline.simulation.exporters import HOST_CORES, MemoryCounters
from pipeline.simulation.kernel import Action, Chance, Kernel
from pipeline.simulation.ledger import Ledger
from pipeline.simulation.lines import Pen
from pipeline.simulation.lookups import DnsCounts, Lookups
from pipeline.simulation.output import Output, Taken
from pipeline.simulation.plan import Change, InstancePlan, Knobs, Plan, PlanError, knobs_of
from pipeline.simulation.registry import Registry
from pipeline.simulation.storage import ProxyWindow, Storage

BASE_MEGABYTES = 24.0
RESTART_SECONDS = (1.0, 2.5)
MEMORY_CHECK_SECONDS = 0.25
KILL_BACKOFF_SECONDS = (2.0, 4.0, 8.0, 16.0)
OTLP_SECONDS = 5.0
OTLP_TEXT = (
    'traces export: Post "https://localhost:4318/v1/traces": '
    "dial tcp 127.0.0.1:4318: connect: connection refused"
)
PIECE_SECONDS = 0.003
PIECES_MAX = 2
"""Pieces of background work that are queued at once: it has two threads."""
OTHER_HOST_CORES = 0.35
"""CPU that the rest of the host uses when it is quiet."""


@dataclass(frozen=True, slots=True)
class Story:
    """What came of a plan: what was written, and what the clients saw."""

    output: Output
    ledger: Ledger


def simulate(plan: Plan, chance: Chance) -> Story:
    """Let a story happen.

    Raises:
        PlanError: a change names an instance, a knob or an act that does not exist.
    """
    kernel, output, ledger = Kernel(), Output(), Ledger()
    instances = {
        given.name: Instance(kernel, chance, given, plan.start, output, ledger) for given in plan.instances
    }
    for change in plan.changes:
        if change.instance is not None and change.instance not in instances:
            raise PlanError(f"no instance {change.instance!r}")
        if change.act not in (None, "restart", "kill", "reset"):
            raise PlanError(f"no act {change.act!r}")
        for name, instance in instances.items():
            if change.instance in (None, name):
                kernel.after(change.at, partial(instance.change, change))
    kernel.run(plan.seconds)
    return Story(output, ledger)


class Instance:
    """One container on its own host."""

    def __init__(
        self,
        kernel: Kernel,
        chance: Chance,
        given: InstancePlan,
        start: float,
        output: Output,
        ledger: Ledger,
    ) -> None:
        self.name = given.name
        self.knobs: Knobs = given.knobs
        self.process: Registry | None = None
        self._kernel = kernel
        self._chance = chance
        self._given = given
        self._start = start
        self._output = output
        self._cpu = Cpu(kernel, chance, HOST_CORES)
        self._pen = Pen(output, start, given, chance)
        self._dns, self._proxy, self._memory = DnsCounts(), ProxyWindow(), MemoryCounters()
        self._leaked_megabytes = 0.0
        self._kills = 0
        self._background = 0
        self._pieces = 0
        self._host_busy_seconds = chance.uniform(1000, 5000)
        self._host_idle_seconds = chance.uniform(1000, 5000)
        self._host_seen = (0.0, 0.0)
        self._clients = Clients(kernel, chance, self, ledger)
        self._begin()
        self._turned()
        kernel.after(MEMORY_CHECK_SECONDS, self._check_memory)
        for source, seconds in given.exporters.items():
            kernel.after(chance.uniform(0, min(seconds, 5.0)), self._reader(source, seconds))
        if given.otlp_noise:
            kernel.after(OTLP_SECONDS, self._complain)

    def lost(self, record: str) -> None:
        """A query of this instance got no answer: its resolver complains."""
        self._pen.lost(self._kernel.now, record)

    def change(self, change: Change) -> None:
        """Turn knobs, then act."""
        before = self.knobs
        self.knobs = knobs_of(before, change.knobs)
        self._turned()
        if before.storage_stalled and not self.knobs.storage_stalled and self.process is not None:
            self.process.storage.release_stalled()
        if change.act == "restart":
            self._end(0)
            self._kernel.after(self._chance.uniform(*RESTART_SECONDS), self._begin)
        elif change.act == "kill":
            self._end(137)
            self._kernel.after(self._chance.uniform(*RESTART_SECONDS), self._restart)
        elif change.act == "reset":
            self._cpu.read()
            self._cpu.counters = CpuCounters()

    def _turned(self) -> None:
        self._cpu.limit_cores = self.knobs.limit_cores
        self._cpu.host_wait_seconds = self.knobs.host_wait_seconds
        self._clients.refresh()
        self._background += 1
        if self.knobs.background_cores > 0:
            self._expect_work(self._background)

    def _expect_work(self, version: int) -> None:
        """Other work in the container: it asks for CPU in small pieces, a few at a time."""

        def come() -> None:
            if version == self._background:
                self._expect_work(version)
                if self._pieces < PIECES_MAX:
                    self._pieces += 1
                    self._cpu.run(PIECE_SECONDS)(self._piece_done)

        self._kernel.after(self._chance.expovariate(self.knobs.background_cores / PIECE_SECONDS), come)

    def _piece_done(self) -> None:
        self._pieces -= 1

    def _begin(self) -> None:
        if self.process is None:
            lookups = Lookups(self._kernel, self._chance, self._cpu, self, self._given, self, self._dns)
            storage = Storage(
                self._kernel, self._chance, self._cpu, self, lookups, self._given.release, self._proxy
            )
            self.process = Registry(
                self._kernel, self._chance, self._cpu, storage, self, self._pen, self._given.release
            )

    def _restart(self) -> None:
        self._memory.restarts += 1
        self._event("container_start", {"restarts": self._memory.restarts})
        self._begin()

    def _end(self, exit_code: int) -> None:
        if self.process is None:
            return
        process, self.process = self.process, None
        self._cpu.clear()
        self._pieces = 0
        self._leaked_megabytes = 0.0
        self._event("container_exit", {"exit_code": exit_code})
        process.die()

    def _event(self, event: str, fields: dict[str, int]) -> None:
        at = self._start + self._kernel.now
        body = {"ts": at, "event": event, **fields}
        self._output.readings.append(Taken(self._kernel.now, self.name, "runtime", body))

    @property
    def _megabytes(self) -> float:
        if self.process is None:
            return 1.0
        return BASE_MEGABYTES + self._leaked_megabytes + self.process.megabytes

    def _check_memory(self) -> None:
        """Let memory grow, feel the pressure near the limit, and kill beyond it."""
        self._kernel.after(MEMORY_CHECK_SECONDS, self._check_memory)
        limit = self.knobs.memory_limit_mb
        if self.process is not None:
            self._leaked_megabytes += self.knobs.leak_mb_per_second * MEMORY_CHECK_SECONDS
        if limit is None or self.process is None:
            return
        if self._megabytes + self.knobs.cache_mb >= limit:
            self._memory.failures += 20  # the kernel takes cache back: counted, and cheap
        if self._megabytes > 0.93 * limit:
            self._memory.failures += 2000
            self._memory.pressure_seconds += MEMORY_CHECK_SECONDS * self._chance.uniform(0.2, 0.8)
        if self._megabytes > limit:
            self._memory.oom_kills += 1
            self._end(137)
            pause_seconds = KILL_BACKOFF_SECONDS[min(self._kills, len(KILL_BACKOFF_SECONDS) - 1)]
            self._kills += 1
            self._kernel.after(pause_seconds, self._restart)

    def _complain(self) -> None:
        self._kernel.after(OTLP_SECONDS, self._complain)
        if self.process is not None:
            self._pen.complain(self._kernel.now, OTLP_TEXT)

    def _reader(self, source: str, seconds: float) -> Action:
        """Make what reads an exporter now and again after its interval."""

        def read() -> None:
            self._kernel.after(seconds, read)
            self._read(source)

        return read

    def _read(self, source: str) -> None:
        now, at, readings = self._kernel.now, self._start + self._kernel.now, self._output.readings
        if source == "cgroup":
            taken = self._read_cgroup(at)
        elif source == "s3-proxy":
            in_flight = 0 if self.process is None else self.process.storage.in_flight
            taken = exporters.s3_proxy(at, self.name, self._proxy, in_flight)
            self._proxy.clear()
        elif source == "dns-upstream":
            taken = exporters.dns_upstream(at, self.name, self._dns)
            self._dns.clear()
        elif source == "registry":
            taken = exporters.scrape(at, self.name, self.process, self._cpu.read())
        else:
            raise PlanError(f"no exporter {source!r}")
        readings.append(replace(taken, at=now))

    def _read_cgroup(self, at: float) -> Taken:
        """Read the container, and the host's time: the neighbours use what is left if they are busy."""
        cpu = self._cpu.read()
        then, used = self._host_seen
        passed = self._kernel.now - then
        contended = self.knobs.host_wait_seconds > 0
        others = HOST_CORES * 0.995 if contended else OTHER_HOST_CORES * self._chance.uniform(0.7, 1.3)
        busy = min(HOST_CORES * passed, others * passed + max(0.0, cpu.usage_seconds - used))
        self._host_busy_seconds += busy
        self._host_seen = (self._kernel.now, cpu.usage_seconds)
        self._host_idle_seconds += HOST_CORES * passed - busy
        return exporters.cgroup(
            at, self.name, cpu, self.knobs, self._megabytes, self._memory, self.process,
            self._host_busy_seconds, self._host_idle_seconds,
        )  # fmt: skip
