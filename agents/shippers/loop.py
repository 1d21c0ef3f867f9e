"""The loop of every shipper: take a round, deliver it, and only then take the next. Ends on SIGTERM.

That is all the back-pressure there is: while Kafka is away nothing more is read, so files lie where they
are and a pipe's writer waits.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import TypeVar

from agents import log
from agents.shippers.link import Link
from agents.shippers.page import Figures
from agents.shippers.source import Source

IDLE_SECONDS = 0.25
RETRY_SECONDS = 1.0
"""How long a disk that is full is left alone."""

T = TypeVar("T")


def run(source: Source, link: Link, stop: Event, at_end: Callable[[], bool], figures: Figures) -> bool:
    """Ship until told to stop; False where the last round may not have reached Kafka (it is sent again).

    `at_end`: nothing more will come, so that it stops where nothing is left.
    """
    try:
        while not stop.is_set():
            figures.beat()
            ends = at_end()  # asked before taking: what came until then is in this round or a later one
            records = _until_written(source.take, stop, figures)
            if records:
                if not link.deliver(records, stop.is_set, lambda: _try(source.waiting, figures)):
                    return False
                _until_written(source.done, stop, figures)
            elif ends:
                return True
            else:
                stop.wait(IDLE_SECONDS)
            figures.stands(backlog_bytes=source.backlog_bytes())
        return True
    finally:
        _try(source.close, figures)
        link.close()


def _until_written(act: Callable[[], T], stop: Event, figures: Figures) -> T | None:
    """Do what has to be written down, again and again while the disk is full; None where told to stop."""
    while True:
        try:
            result = act()
        except OSError as error:
            figures.held_up("state", error)
            if stop.wait(RETRY_SECONDS):
                return None
            figures.beat()
        else:
            figures.held_up("state", None)
            return result


def _try(act: Callable[[], None], figures: Figures) -> None:
    """Do what is as good later."""
    try:
        act()
    except OSError as error:
        figures.held_up("state", error)


@contextmanager
def until_told() -> Iterator[Event]:
    """SIGTERM and SIGINT end the round and then the shipper; the second one ends it at once."""
    stop = Event()

    def told(number: int, _frame: object) -> None:
        log.get("ship").info("stopping", signal=signal.Signals(number).name)
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, told) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
