"""The registry: what it does for each request, and what it writes about it.

Demands, calls per operation and their order are those of distribution: 2.8 walks the whole tree for a
catalogue and can cancel nothing but that walk; 3.0 lists in large pages and cancels every operation
when its client leaves. A request's duration runs from when the process takes note of it to when it
writes the line, both of which need CPU; that is where starvation smears and quantises durations.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from pipeline.simulation.cpu import Cpu
from pipeline.simulation.kernel import Body, Chance, Kernel, Task
from pipeline.simulation.lines import CANCELLED, Fields, Pen, duration, uuid
from pipeline.simulation.lookups import HasKnobs
from pipeline.simulation.storage import CancelledError, Storage, StorageFailedError

ACCEPT_CPU_SECONDS = 0.0003
LEAVE_CPU_SECONDS = 0.0001
REPLY_CPU_SECONDS = {"v2": 0.0007, "v3": 0.0005}
WEIGHT_SIGMA = 0.3
"""How much requests of one kind differ in what they cost."""
PAGE_CPU_SECONDS = 0.035
"""What release 3 needs to go through one large page of a listing."""
PUSHED_BYTES = 20_000
BIG_PUSH_MEGABYTES = 28.0
BIG_PUSH_CPU_SECONDS = 0.15
HEALTH_SECONDS = 10.0
HEALTH_THRESHOLD = 3

CALLS: dict[str, dict[str, tuple[str, ...]]] = {
    "v2": {
        "manifest": ("get", "list", "get", "get"),
        "blob": ("list", "get", "get"),
        "tags": ("list",),
        "upload": ("list", "put", "post"),
        "commit": ("list", "get", "put", "put", "list", "post", "put", "list", "put", "post", "put"),
    },
    "v3": {
        "manifest": ("get", "get", "get"),
        "blob": ("get", "get"),
        "tags": ("list", "list"),
        "upload": ("put", "post", "head"),
        "commit": ("head", "get", "put", "put", "head", "post", "put", "head", "put", "post"),
    },
}
"""Release → kind of request → its storage calls, one after another."""

WALK_CALLS_PER_REPOSITORY = 0.93
"""Release 2 lists this many folders for each name it returns."""


@dataclass(slots=True, eq=False)
class Request:
    """One HTTP request. `answered` is told the status, 0 for a reset connection. `weight`: its cost."""

    kind: str
    method: str
    uri: str
    agent: str
    names: Fields
    answered: Callable[[int], None]
    n: int = 0
    port: int = 0
    id: str = ""
    received_at: float | None = None
    gone: bool = False
    missing: bool = False
    weight: float = 1.0
    upload_seconds: float = 0.0
    megabytes: float = field(default=0.15)
    task: Task | None = None


class Registry:
    """One process. `megabytes`: what its requests hold in memory."""

    def __init__(
        self,
        kernel: Kernel,
        chance: Chance,
        cpu: Cpu,
        storage: Storage,
        owner: HasKnobs,
        pen: Pen,
        release: str,
    ) -> None:
        self._kernel = kernel
        self._chance = chance
        self._cpu = cpu
        self.storage = storage
        self._owner = owner
        self._pen = pen
        self._release = release
        self._requests: dict[Request, None] = {}
        self._failed_checks = 0
        self.alive = True
        self.served: dict[tuple[str, int], int] = {}
        pen.process_started(kernel.now)
        kernel.after(HEALTH_SECONDS, self._check_health)

    @property
    def in_flight(self) -> int:
        """Requests the process works on."""
        return len(self._requests)

    @property
    def megabytes(self) -> float:
        """Memory that requests hold."""
        return sum(request.megabytes for request in self._requests)

    def die(self) -> None:
        """End without a word: every request is reset."""
        self.alive = False
        requests, self._requests = self._requests, {}
        for request in requests:
            if request.task is not None:
                request.task.drop()
            request.answered(0)

    def take(self, request: Request) -> None:
        """Begin to serve a request."""
        request.id = uuid(self._chance)
        request.weight = self._chance.lognormvariate(0, WEIGHT_SIGMA)
        request.port = 32768 + self._chance.getrandbits(14)
        self._requests[request] = None
        request.task = Task(self._serve(request))

    def leave(self, request: Request) -> None:
        """The client closes the connection; the process learns of it when it next gets to run."""
        request.gone = True
        if request in self._requests and self._cancels(request):
            Task(self._notice(request))

    def _cancels(self, request: Request) -> bool:
        return self._release == "v3" or request.kind == "catalog"

    def _notice(self, request: Request) -> Body:
        yield self._cpu.run(LEAVE_CPU_SECONDS)
        if request.received_at is not None and request.task is not None:
            request.task.interrupt(CancelledError())

    def _serve(self, request: Request) -> Body:
        error = ""
        try:
            yield self._cpu.run(ACCEPT_CPU_SECONDS * self._owner.knobs.demand)
            request.received_at = self._kernel.now
            if self._failed_checks >= HEALTH_THRESHOLD and request.kind != "probe":
                self._unavailable(request)
                return
            if request.gone and self._cancels(request):
                raise CancelledError
            yield from self._work(request)
        except CancelledError:
            error = CANCELLED
        except StorageFailedError as failed:
            error = str(failed)
        with suppress(CancelledError):  # too late: the work is done
            yield self._cpu.run(REPLY_CPU_SECONDS[self._release] * self._owner.knobs.demand)
        if error:
            self._write_failed(request, error)
        elif request.missing:
            self._write_missing(request)
        else:
            self._write_completed(request)

    def _work(self, request: Request) -> Body:
        if request.kind == "probe":
            return
        if request.kind == "catalog":
            yield from self._catalog(request)
            return
        if request.upload_seconds:
            yield from self._receive(request)
        operations = CALLS[self._release][request.kind]
        for operation in operations[:1] if request.missing else operations:
            yield from self.storage.call(operation, _key(request, operation), request.weight)

    def _receive(self, request: Request) -> Body:
        """Take in a big body: it comes over a slow line and stays in memory until it is stored."""
        parts = 10
        for _ in range(parts):
            yield self._kernel.wait(request.upload_seconds / parts)
            request.megabytes += BIG_PUSH_MEGABYTES / parts
            yield self._cpu.run(BIG_PUSH_CPU_SECONDS / parts)

    def _catalog(self, request: Request) -> Body:
        prefix = "?list-type=2&max-keys=1000&prefix=docker%2Fregistry%2Fv2%2Frepositories%2F"
        if self._release == "v2":
            for _ in range(max(1, round(request.n * WALK_CALLS_PER_REPOSITORY))):
                yield from self.storage.call("list", prefix, request.weight)
            return
        for _ in range(1 + request.n // 1000):
            yield from self.storage.call("list", prefix + "&start-after=", request.weight, listing=True)
            yield self._cpu.run(PAGE_CPU_SECONDS * self._owner.knobs.demand)

    def _fields(self, request: Request) -> Fields:
        return {
            **self._pen.request_fields(),
            **(request.names if self._release == "v3" else {}),
            "http.request.host": "registry.test:5000",
            "http.request.id": request.id,
            "http.request.method": request.method,
            "http.request.remoteaddr": f"10.0.1.20:{request.port}",
            "http.request.uri": request.uri,
            "http.request.useragent": request.agent,
        }

    def _end(self, request: Request, status: int, written: int, kind: str) -> Fields:
        """Finish a request; returns the fields that say how."""
        now = self._kernel.now
        began = now if request.received_at is None else request.received_at
        self._requests.pop(request, None)
        self.served[request.kind, status] = self.served.get((request.kind, status), 0) + 1
        request.answered(status)
        return {
            "http.response.contenttype": kind,
            "http.response.duration": duration(max(1e-6, now - began)),
            "http.response.status": status,
            "http.response.written": written,
        }

    def _write_completed(self, request: Request) -> None:
        status = {"upload": 202, "commit": 201}.get(request.kind, 200)
        written = {"manifest": 525, "blob": PUSHED_BYTES, "tags": 46, "probe": 2}.get(request.kind, 0)
        if request.gone and request.kind == "blob":
            written = round(written * self._chance.random())
        ended = self._end(request, status, written, _content(request, self._release))
        fields = {**self._fields(request), **ended}
        if status in (201, 202):
            del fields["http.response.contenttype"]
        self._pen.write(self._kernel.now, "info", "response completed", fields)
        self._access(request, status, written)

    def _write_failed(self, request: Request, error: str) -> None:
        now = self._kernel.now
        about = self._fields(request)
        cancelled = error == CANCELLED
        detail = f"s3aws: {error}"
        if cancelled and request.kind == "commit":  # release 3 complains three times about one push
            detail = f"upload part: {error}" if self._chance.random() < 0.6 else detail
            self._pen.write(now, "error", f"unknown error completing upload: {detail}", about)
            self._pen.write(now, "error", f"error canceling upload after error: {error}", about)
        written = 104 if self._release == "v2" else 147
        ended = self._end(request, 500, written, _content(request, self._release, failed=True))
        fields: Fields = {
            **about,
            **ended,
            "err.code": "unknown",
            "err.detail": detail,
            "err.message": "unknown error",
        }
        self._pen.write(now, "error", "response completed with error", fields)
        self._access(request, 500, written)

    def _write_missing(self, request: Request) -> None:
        """The client asked for what does not exist: an error in the log, and nobody's trouble."""
        ended = self._end(request, 404, 96, _content(request, self._release, failed=True))
        fields: Fields = {
            **self._fields(request),
            **ended,
            "err.code": "manifest unknown",
            "err.detail": "unknown tag=latest",
            "err.message": "manifest unknown",
        }
        self._pen.write(self._kernel.now, "error", "response completed with error", fields)
        self._access(request, 404, 96)

    def _unavailable(self, request: Request) -> None:
        """Failed health checks answer in front of the registry: only the access log knows."""
        self._end(request, 503, 125, "application/json")
        self._access(request, 503, 125)

    def _access(self, request: Request, status: int, written: int) -> None:
        began = self._kernel.now if request.received_at is None else request.received_at
        self._pen.access(
            self._kernel.now, began, f"{request.method} {request.uri}", status, written, request.agent
        )

    def _check_health(self) -> None:
        if self.alive:
            Task(self._health())

    def _health(self) -> Body:
        try:
            yield from self.storage.call("list", "?list-type=2&max-keys=1&prefix=", 1.0)
            self._failed_checks = 0
        except StorageFailedError as error:
            self._failed_checks += 1
            if self._release == "v3" and self.alive:
                self._pen.complain(self._kernel.now, f"storage driver health check: s3aws: {error}")
        self._kernel.after(HEALTH_SECONDS, self._check_health)


def _key(request: Request, operation: str) -> str:
    name = request.names.get("vars.name", "library/app")
    folder = f"docker/registry/v2/repositories/{name}"
    if operation == "list":
        tags = f"{folder}/_manifests/tags/".replace("/", "%2F")
        return f"?delimiter=%2F&list-type=2&max-keys=1000&prefix={tags}"
    if request.kind in ("upload", "commit"):
        return f"/{folder}/_uploads/{request.id}/startedat"
    return f"/{folder}/_manifests/tags/latest/current/link"


def _content(request: Request, release: str, failed: bool = False) -> str:
    if request.kind == "manifest" and not failed:
        return "application/vnd.docker.distribution.manifest.v2+json"
    if request.kind == "blob" and not failed:
        return "application/octet-stream"
    return "application/json; charset=utf-8" if release == "v2" else "application/json"
