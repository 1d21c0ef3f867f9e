"""Lookups of the storage's name: merged while one is under way, and what happens when answers are lost.

Each lookup asks for an A and an AAAA record, twice at most. Who asks whom decides how long a lost
answer stalls it and what the error says: Docker's resolver waits 4 s for its upstream and answers
SERVFAIL, CoreDNS waits 2 s, the service by itself waits 5 s and reports a timeout. As measured, all
requests that need the name meanwhile wait for the same lookup.
"""

from dataclasses import dataclass
from typing import Protocol

from pipeline.simulation.cpu import Cpu
from pipeline.simulation.kernel import Body, Chance, Future, Kernel, Steps, Task
from pipeline.simulation.plan import InstancePlan, Knobs

STORAGE_HOST = "s3.registry.test"
CPU_SECONDS = 0.0004
ROUND_TRIP_SECONDS = 0.0015
ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class Resolver:
    """How a kind of resolver behaves. `server`: whom the service asks, "" for the upstream itself."""

    wait_seconds: float
    server: str
    reason: str
    writes: bool


RESOLVERS = {
    "dockerd": Resolver(4.0, "127.0.0.11:53", "server misbehaving", True),
    "dockerd26": Resolver(4.0, "127.0.0.11:53", "server misbehaving", True),
    "coredns": Resolver(2.0, "10.96.0.10:53", "server misbehaving", True),
    "direct": Resolver(5.0, "", "i/o timeout", False),
}
"""Kind → its behaviour."""


class LookupFailedError(Exception):
    """No address: the text is what the Go resolver says."""


class ResolverLog(Protocol):
    """Where the resolver's own complaints go."""

    def lost(self, record: str) -> None:
        """A query for a record (`A`, `AAAA`) got no answer in time."""


@dataclass(slots=True)
class DnsCounts:
    """Queries at the upstream since the exporter last looked."""

    queries: int = 0
    answered: int = 0
    dropped: int = 0
    delayed: int = 0

    def clear(self) -> None:
        """Begin to count anew."""
        self.queries = self.answered = self.dropped = self.delayed = 0


class Lookups:
    """Resolves the storage's name for one process."""

    def __init__(
        self,
        kernel: Kernel,
        chance: Chance,
        cpu: Cpu,
        owner: "HasKnobs",
        given: InstancePlan,
        log: ResolverLog,
        counts: DnsCounts,
    ) -> None:
        self._kernel = kernel
        self._chance = chance
        self._cpu = cpu
        self._owner = owner
        self._kind = RESOLVERS[given.resolver]
        self._server = RESOLVERS[given.resolver].server or f"{given.upstream}:53"
        self._log = log
        self._under_way: Future | None = None
        self._counts = counts

    def resolve(self) -> Body:
        """Wait for the address; joins a lookup that is under way.

        Raises:
            LookupFailedError: there was none.
        """
        if self._under_way is None:
            self._under_way = Future()
            Task(self._look_up(self._under_way))
        yield from self._under_way.get()

    def _look_up(self, found: Future) -> Body:
        error: LookupFailedError | None = None
        for _ in range(ATTEMPTS):
            yield self._cpu.run(CPU_SECONDS)
            error = yield from self._ask()
            if error is None:
                break
        yield self._cpu.run(CPU_SECONDS)
        if self._under_way is found:
            self._under_way = None
        found.settle(error)

    def _ask(self) -> Steps[LookupFailedError | None]:
        """Ask for both records; returns the error, None if both were answered."""
        knobs, counts = self._owner.knobs, self._counts
        records = ("A", "AAAA")
        lost = [record for record in records if self._chance.random() < knobs.dns_loss_share]
        refused = [
            record
            for record in records
            if record not in lost and self._chance.random() < knobs.dns_refusal_share
        ]
        counts.queries += len(records)
        counts.dropped += len(lost)
        counts.answered += len(records) - len(lost)
        counts.delayed += (len(records) - len(lost)) if knobs.dns_delay_seconds > 0 else 0
        if lost:
            yield self._kernel.wait(self._kind.wait_seconds + self._chance.uniform(0.0005, 0.004))
            for record in lost:
                self._log.lost(record)
            return LookupFailedError(self._told(self._kind.reason))
        yield self._kernel.wait(ROUND_TRIP_SECONDS + self._chance.expovariate(2000) + knobs.dns_delay_seconds)
        return LookupFailedError(self._told("server misbehaving")) if refused else None

    def _told(self, reason: str) -> str:
        server = self._server
        if reason == "i/o timeout":
            port = 30000 + self._chance.getrandbits(14)
            reason = f"read udp 10.244.0.7:{port}->{server}: i/o timeout"
        return f"lookup {STORAGE_HOST} on {server}: {reason}"


class HasKnobs(Protocol):
    """Somebody whose knobs are looked at each time, because they change."""

    knobs: Knobs
