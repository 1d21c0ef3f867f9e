"""Structured logs: one line per event on stderr, JSON when nobody watches.

The libraries' own loggers run through the same lines. Raw log text of the services we watch is
never logged; what may quote it (a detail of a dead letter) is written at debug level only.
"""

import logging
import sys
from typing import Any, TextIO

import structlog

from agents.settings import Log

QUIET = ("agents", "faust", "mode", "aiokafka", "kafka", "asyncio", "slack_sdk", "aiohttp.access")
"""Libraries that say at `info` what matters to their authors: heard from `warning` up. `agents`: what
mode says of the services we derive from its own; we log as `undercurrent`."""

EXPECTED = (
    "Topic creation disabled",  # we create topics ourselves, before Faust starts
    "Missing sensor state for rebalance",  # a second rebalance overtook the first
)


class Expected(logging.Filter):
    """Keeps out warnings of libraries about what is meant to be so."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is worth a line."""
        return not record.getMessage().startswith(EXPECTED)


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
    if as_json:
        last += [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
    else:
        last += [structlog.dev.ConsoleRenderer(colors=stream.isatty())]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last))
    handler.addFilter(Expected())
    logging.basicConfig(handlers=[handler], level=settings.level.upper(), force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(settings.level.upper())))


def get(stage: str) -> Any:
    """The logger of one stage: `get("intake").info("flushed", frames=3)`."""
    return structlog.get_logger("undercurrent", stage=stage)
