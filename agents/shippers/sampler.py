"""Takes readings at regular moments, in a thread of its own, and puts them into a spool.

The thread keeps its beat whatever Kafka does: what cannot be sent now lies in the spool.
"""

import threading
import time
from collections.abc import Callable, Iterable

from agents import log
from agents.shippers.page import Figures
from agents.shippers.source import Outgoing
from agents.shippers.spool import Spool


def outgoing(value: bytes, instance: str | None, time_seconds: float) -> Outgoing:
    """A reading on its way; those of one instance stay in one partition."""
    return Outgoing(value, (instance or "").encode(), round(time_seconds * 1000))


def sample_into(
    spool: Spool,
    figures: Figures,
    interval_seconds: float,
    read: Callable[[float], Iterable[Outgoing]],
    stop: threading.Event,
) -> threading.Thread:
    """Call `read` with the time (unix seconds) at every multiple of the interval until `stop`.

    A reading that takes longer than the interval makes the next one late, it does not add up.
    """

    def run() -> None:
        while not stop.is_set():
            now = time.time()  # noqa: TID251 - a reading is dated by the moment it was taken
            try:
                for record in read(now):
                    spool.put(record)
            except Exception:
                figures.failed_reading()
                log.get("ship").exception("a reading failed; the next one is tried in time")
            now = time.time()  # noqa: TID251 - until the next beat of the clock
            stop.wait(interval_seconds - now % interval_seconds)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread
