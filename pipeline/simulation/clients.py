"""The clients: they arrive at random, wait for as long as they are willing to, and try again.

Arrivals are a Poisson process per operation, whatever becomes of the requests before (an open loop).
An operation is one attempt after another; an attempt is one or two requests under one timeout: a pull
is a manifest and a blob, a push an upload and its commit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pipeline.simulation.kernel import Chance, Kernel
from pipeline.simulation.ledger import Attempt, Ledger
from pipeline.simulation.lookups import HasKnobs
from pipeline.simulation.registry import Registry, Request

BACKOFF_SECONDS = 0.5
AT_ONCE_MAX = 50
"""Operations that all clients together have under way at most."""
NETWORK_SECONDS = 0.0005
TIMER_SECONDS = 0.0006
"""How much too late a client's timer is, in the mean."""
MISSING_SHARE = 0.02
DIGEST = "sha256:6c44ba51af0aeb1a27ab7ed7e77f40cf321c5803d1e2d2b07934882613c02f21"
DOCKER = "docker/24.0.7 go/go1.20.10 git-commit/311b9ff kernel/5.15.0-91-generic os/linux arch/amd64"
AGENTS = {
    "catalog": "registry-ui/2.5 (catalog-sync)",
    "pull": DOCKER,
    "tags": "python-requests/2.31.0",
    "push": DOCKER,
    "big_push": DOCKER,
    "probe": "kube-probe/1.29",
}
KINDS = {
    "catalog": ("catalog",),
    "pull": ("manifest", "blob"),
    "tags": ("tags",),
    "push": ("upload", "commit"),
    "big_push": ("upload", "commit"),
    "probe": ("probe",),
}
"""Operation → the requests of one attempt."""


class Door(HasKnobs, Protocol):
    """Where clients connect: the instance's process, None while there is none."""

    name: str
    process: Registry | None


@dataclass(slots=True, eq=False)
class Errand:
    """One operation of one client, over all its attempts."""

    operation: str
    team: str
    attempts_left: int
    number: int = 0


class Clients:
    """All clients of one instance."""

    def __init__(self, kernel: Kernel, chance: Chance, door: Door, ledger: Ledger) -> None:
        self._kernel = kernel
        self._chance = chance
        self._door = door
        self._ledger = ledger
        self._version = 0
        self._at_once = 0

    def refresh(self) -> None:
        """Look at the rates anew; a Poisson process has no memory, so nothing is lost or doubled."""
        self._version += 1
        for operation, rate in self._door.knobs.rates_per_second.items():
            if rate > 0:
                self._expect(operation, rate, self._version)

    def _expect(self, operation: str, rate: float, version: int) -> None:
        def arrive() -> None:
            if version == self._version:
                self._expect(operation, rate, version)
                self._come(operation)

        self._kernel.after(self._chance.expovariate(rate), arrive)

    def _come(self, operation: str) -> None:
        if self._at_once >= AT_ONCE_MAX:
            return
        self._at_once += 1
        team = f"team-{int(self._chance.random() * 60):02d}/app-{int(self._chance.random() * 50):04d}"
        self._try(Errand(operation, team, self._setting("extra_attempts", operation)))

    def _setting(self, knob: str, operation: str) -> int:
        return int(self._per_operation(getattr(self._door.knobs, knob), operation))

    def _per_operation(self, given: "dict[str, float]", operation: str) -> float:
        default = 0.0 if operation == "probe" and "probe" not in given else given.get("*", 0.0)
        return given.get(operation, default)

    def _try(self, errand: Errand) -> None:
        errand.number += 1
        timeouts = self._door.knobs.timeouts_seconds
        timeout_seconds = timeouts.get(errand.operation, timeouts.get("*", 5.0))
        Try(self._kernel, self._chance, self._door, errand, timeout_seconds, self._tried)

    def _tried(self, errand: Errand, sent_at: float, outcome: str) -> None:
        """Write an attempt down and decide whether there is another."""
        now = self._kernel.now
        self._ledger.attempts.append(Attempt(self._door.name, errand.operation, sent_at, now, outcome))
        if outcome == "ok" or errand.attempts_left <= 0:
            self._at_once -= 1
            return
        errand.attempts_left -= 1
        pause_seconds = BACKOFF_SECONDS * self._chance.uniform(0.8, 1.2)
        self._kernel.after(pause_seconds, lambda: self._try(errand))


class Try:
    """One attempt: its requests one after another, under one timeout."""

    def __init__(
        self,
        kernel: Kernel,
        chance: Chance,
        door: Door,
        errand: Errand,
        timeout_seconds: float,
        tried: Callable[[Errand, float, str], None],
    ) -> None:
        self._kernel = kernel
        self._chance = chance
        self._door = door
        self._errand = errand
        self._tried = tried
        self._sent_at = kernel.now
        self._kinds = list(KINDS[errand.operation.partition("@")[0]])
        self._process: Registry | None = None
        self._request: Request | None = None
        self._over = False
        self._missing = self._kinds[0] == "manifest" and chance.random() < MISSING_SHARE
        kernel.after(timeout_seconds + chance.expovariate(1 / TIMER_SECONDS), self._give_up)
        kernel.after(NETWORK_SECONDS, self._send)

    def _send(self) -> None:
        if self._over:
            return
        self._process = self._door.process
        if self._process is None:
            self._end("refused")
            return
        self._request = self._make(self._kinds.pop(0))
        self._process.take(self._request)

    def _make(self, kind: str) -> Request:
        operation, team = self._errand.operation, self._errand.team
        base, _, client = operation.partition("@")
        names: dict[str, str | int] = {} if kind in ("catalog", "probe") else {"vars.name": team}
        n = self._door.knobs.catalog_n
        method, uri = {
            "catalog": ("GET", f"/v2/_catalog?n={n}"),
            "manifest": ("GET", f"/v2/{team}/manifests/latest"),
            "blob": ("GET", f"/v2/{team}/blobs/{DIGEST}"),
            "tags": ("GET", f"/v2/{team}/tags/list"),
            "upload": ("POST", f"/v2/{team}/blobs/uploads/"),
            "commit": (
                "PUT",
                f"/v2/{team}/blobs/uploads/{self._chance.getrandbits(64):016x}?digest={DIGEST}",
            ),
            "probe": ("GET", "/v2/"),
        }[kind]
        request = Request(kind, method, uri, client or AGENTS[base], names, self._answered, n=n)
        request.missing = self._missing
        if base == "big_push" and kind == "commit":
            request.upload_seconds = self._chance.uniform(2.5, 4.5)
        return request

    def _answered(self, status: int) -> None:
        if self._over:
            return
        if status == 0 or status >= 500:
            self._end("refused" if status == 0 else "failed")
        elif self._kinds and status != 404:
            self._kernel.after(NETWORK_SECONDS, self._send)
        else:
            self._end("ok")

    def _give_up(self) -> None:
        if self._over:
            return
        self._end("timeout")
        if self._process is not None and self._request is not None:
            self._process.leave(self._request)

    def _end(self, outcome: str) -> None:
        self._over = True
        self._tried(self._errand, self._sent_at, outcome)
