"""A shipper's own figures, and the page that shows them: /metrics, /healthz (alive?), /readyz (of use?)."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client import Counter as CounterMetric

from agents import log

PREFIX = "undercurrent_ship_"
STALL_SECONDS = 60.0
"""A loop that has not come round for so long is stuck: it does so every few seconds, whatever Kafka does."""

METRICS: dict[str, tuple[type[CounterMetric] | type[Gauge], str]] = {
    "records_total": (CounterMetric, "Records that Kafka has acknowledged"),
    "retries_total": (CounterMetric, "Attempts to hand over a round that failed and were repeated"),
    "refused_total": (CounterMetric, "Records that Kafka refuses for good, left out"),
    "acknowledged_seconds": (Gauge, "When Kafka last acknowledged a round, unix seconds"),
    "backlog_bytes": (Gauge, "Bytes that are known and not in Kafka yet"),
    "files": (Gauge, "Files that are followed, rotated ones included"),
    "lost_bytes_total": (CounterMetric, "Bytes that were gone before they could be read or sent"),
    "buffer_bytes": (Gauge, "Bytes in the buffer on disk"),
    "read_errors_total": (CounterMetric, "Readings or scrapes that failed"),
}
"""Every metric of a shipper, without its prefix: what it is, what it says."""


class Figures:
    """What a shipper counts. `now` of the last beat is monotonic seconds."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._metrics: dict[str, Any] = {
            name: kind(PREFIX + name, help_, registry=self.registry)
            for name, (kind, help_) in METRICS.items()
        }
        self._beat_at = time.monotonic()
        self._waits = False
        self._held_up: dict[str, str] = {}

    def value(self, name: str) -> float:
        """One figure as it stands."""
        found = self.registry.get_sample_value(PREFIX + name)
        return 0.0 if found is None else found

    def delivered(self, records: int) -> None:
        """Kafka has a round."""
        self._metrics["records_total"].inc(records)
        self._metrics["acknowledged_seconds"].set(time.time())  # noqa: TID251 - a fact about the shipper
        self._waits = False

    def retried(self) -> None:
        """An attempt has failed."""
        self._metrics["retries_total"].inc()
        self._waits = True
        self.beat()

    def held_up(self, what: str, error: OSError | None) -> None:
        """The disk does not take `what` has to be written down; None: it does, or does again."""
        if error is None:
            if self._held_up.pop(what, None):
                log.get("ship").info("there is room on the disk again", what=what)
            return
        said = f"the {what} cannot be written: {error.strerror or error}"
        if what not in self._held_up:
            log.get("ship").error(said, file=error.filename, look="is its disk full?")
        self._held_up[what] = said

    def refused(self, records: int) -> None:
        """Kafka will never take these."""
        self._metrics["refused_total"].inc(records)

    def lost(self, count: int) -> None:
        """So many bytes are gone."""
        self._metrics["lost_bytes_total"].inc(count)

    def failed_reading(self) -> None:
        """A reading or a scrape has failed."""
        self._metrics["read_errors_total"].inc()

    def stands(self, **gauges: float) -> None:
        """How things are now: `backlog_bytes`, `files`, `buffer_bytes`."""
        for name, value in gauges.items():
            self._metrics[name].set(value)

    def beat(self) -> None:
        """The loop has come round once more."""
        self._beat_at = time.monotonic()

    def stalled(self) -> str | None:
        """What is wrong with the process, None if nothing is."""
        silent = time.monotonic() - self._beat_at
        return f"the loop has not come round for {silent:.0f} s" if silent > STALL_SECONDS else None

    def unready(self) -> str | None:
        """What keeps it from being of use now, None if nothing does."""
        held_up = next(iter([*self._held_up.values()]), None)  # the page is another thread
        return self.stalled() or held_up or ("Kafka does not take what it is sent" if self._waits else None)


def address(text: str) -> tuple[str, int]:
    """`HOST:PORT` or `PORT` (on all addresses) → host and port.

    Raises:
        ValueError: it is neither.
    """
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65_535:
        raise ValueError(f"expected HOST:PORT, found {text!r}")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 - asked for by leaving the host away


@contextmanager
def page(listen: tuple[str, int] | None, figures: Figures) -> Iterator[str | None]:
    """Serve the figures while the body runs; gives the address. None: nothing is served.

    Raises:
        OSError: the port is taken.
    """
    if listen is None:
        yield None
        return
    server = ThreadingHTTPServer(listen, _handler(figures))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    where = f"http://{server.server_address[0]!s}:{server.server_address[1]}"
    log.get("ship").info("listening", address=where)
    try:
        yield where
    finally:
        server.shutdown()
        server.server_close()


def _handler(figures: Figures) -> type[BaseHTTPRequestHandler]:
    checks: dict[str, Callable[[], str | None]] = {"/healthz": figures.stalled, "/readyz": figures.unready}

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, generate_latest(figures.registry))
            elif self.path in checks:
                wrong = checks[self.path]()
                self._answer(503 if wrong else 200, f"{wrong or 'ok'}\n".encode())
            else:
                self._answer(404, b"there is /metrics, /healthz and /readyz\n")

        def log_message(self, *_: object) -> None:
            """Who asks is nobody's concern."""

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
