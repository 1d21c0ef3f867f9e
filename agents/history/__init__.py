"""History: what Kafka keeps of a span of time, or what files hold, as arrivals for the pipeline.

    span = read_span("2026-11-20T08:00", "+2h", now=time.time())
    with kafka_history(settings, span, settings.topics.raw) as history:
        for arrival in history.arrivals():   # `run` of agents/recordings/replay.py, …
            ...
    history = FileHistory([Path("incident.jsonl.zst")], settings.topics.logs, groups(settings), time.time())

Both are a `History`: `arrivals()` gives them lazily, in order of arrival, and anew each time it is
called, so that one history can be replayed under several rules. Memory does not grow with the span.
Arrivals may be handed to several `Replayer`s at once. All that can go wrong is a `HistoryError` with
its own `exit_code` and a message for people. Commands take the options of
agents/commands/history.py and get a `History` from `open_history`.
"""

from collections.abc import Iterator
from typing import Protocol

from agents.history.failures import HistoryError
from agents.history.files import FileHistory
from agents.history.kafka import KafkaHistory, groups, kafka_history
from agents.history.span import Span, read_span
from pipeline.replay import Arrival


class History(Protocol):
    """`records_max`: at most so many records, None if unknown. `notes`: what is missing, in words."""

    notes: tuple[str, ...]
    records_max: int | None

    def arrivals(self) -> Iterator[Arrival]:
        """All records in order of arrival, read anew at each call."""
        ...


__all__ = [
    "FileHistory",
    "History",
    "HistoryError",
    "KafkaHistory",
    "Span",
    "groups",
    "kafka_history",
    "read_span",
]
