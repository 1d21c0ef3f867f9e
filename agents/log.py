"""Structured logs: one line per event on stderr, JSON when nobody watches.

The libraries' own loggers run through the same lines. Raw log text of the services we watch is
never logged; what may quote it all the same (an exception, a library) goes through the redactor.
"""

import logging
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

import structlog

from agents.settings import Log
from pipeline.redact import redactor

QUIET = ("agents", "faust", "mode", "aiokafka", "kafka", "asyncio", "slack_sdk", "aiohttp.access")
"""Libraries that say at `info` what matters to their authors: heard from `warning` up. `agents`: what
mode says of the services we derive from its own; we log as `undercurrent`."""

REPEAT_SECONDS = 10.0
"""A library's message is not repeated sooner: while a broker is away it would come 100 times a second."""

EXPECTED = (
    "Topic creation disabled",  # we create topics ourselves, before Faust starts
    "Missing sensor state for rebalance",  # a second rebalance overtook the first
)


class Libraries(logging.Filter):
    """Keeps out what is meant to be so, and says once in a while what a library says all the time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._next: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is worth a line."""
        if not record.name.startswith(QUIET):
            return True
        if record.getMessage().startswith(EXPECTED):
            return False
        said = record.name, str(record.msg)[:60]
        if self._clock() < self._next.get(said, 0.0):
            return False
        self._next[said] = self._clock() + REPEAT_SECONDS
        return True


def configure(settings: Log, stream: TextIO = sys.stderr) -> None:
    """Send structlog's and the libraries' records to `stream`."""
    as_json = settings.format == "json" or (settings.format == "auto" and not stream.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(settings.level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    last: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    # Locals of a traceback hold settings and raw log lines: neither form of the log shows them.
    if as_json:
        frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        last += [
            structlog.processors.ExceptionRenderer(frames),
            lambda _logger, _method, event: _redacted(event),
            structlog.processors.JSONRenderer(),
        ]
    else:
        last += [
            structlog.dev.ConsoleRenderer(
                colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
            lambda _logger, _method, line: _redacted(line),
        ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last))
    handler.addFilter(Libraries())
    logging.basicConfig(handlers=[handler], level=settings.level.upper(), force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(settings.level.upper())))


def _redacted(value: Any) -> Any:
    """`value` with every text in it redacted; what is no plain value yet is written as its `repr` first."""
    if isinstance(value, str):
        return redactor(emails=True)(value)
    if isinstance(value, dict):
        return {name: _redacted(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(inner) for inner in value]
    return value if isinstance(value, int | float | None) else _redacted(repr(value))


def get(stage: str) -> Any:
    """The logger of one stage: `get("intake").info("flushed", frames=3)`."""
    return structlog.get_logger("undercurrent", stage=stage)
