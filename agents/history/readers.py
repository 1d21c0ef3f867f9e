"""Reads a long span of Kafka with several processes; what comes out is what one process would give.

Fetching, unpacking, the byte test and a glance at times cost most of a replay's time, and need no memory of
earlier records. So each reader does them for some of the partitions, in order of arrival, and one process
puts the readers' runs into one order again, for one intake: halves of a line may lie in two partitions.
"""

import heapq
import signal
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.resource_tracker import ensure_running
from os import cpu_count
from types import TracebackType
from typing import Self

from agents.history.failures import HistoryError
from agents.history.kafka import KafkaHistory, KafkaReader, Stretch, Stretches
from agents.settings import Settings
from pipeline.intake import IntakeConfig, Run
from pipeline.intake.dating import Dating
from pipeline.intake.record import Joined
from pipeline.intake.relevance import passing

MANY_RECORDS = 300_000
"""From here on readers save more time than they need to start."""

READERS_MAX = 4
"""More of them give more than the one intake behind them can take."""

MESSAGE_BYTES = 1_048_576
"""What a reader sends at once, at least."""

UNTAKEN_MAX = 4
"""So many messages a reader has waiting before it stops to read: memory is bounded, and it is rarely idle."""

END_SECONDS = 5.0

Message = list[tuple[int, Run]] | HistoryError | None
"""Runs with their seconds; what went wrong; or the end."""


def readers_for(history: KafkaHistory, wanted: int) -> int:
    """How many processes read: as many as `wanted`, 0 for what is best here; 1 is this one, by itself."""
    if not wanted and history.stretches.records < MANY_RECORDS:
        return 1
    return min(wanted or min(cpu_count() or 1, READERS_MAX), len(history.stretches.parts))


class Readers:
    """Processes that read shares of one history. They end with the block, or when this process does."""

    def __init__(self, history: KafkaHistory, count: int, config: IntakeConfig) -> None:
        self._history = history
        self._shares = shares(history.stretches.parts, count)
        self._config = config
        self._processes: list[BaseProcess] = []
        self._ends: list[Connection] = []

    def __enter__(self) -> Self:
        # Not forked: a copy of this process would hold its connections, and its brother's pipe, open.
        context = get_context("spawn")
        with _ctrl_c_is_not_for_children():
            for share in self._shares:
                here, there = context.Pipe(duplex=False)
                stretches = replace(self._history.stretches, parts=share)
                given = (self._history.settings, stretches, self._config, there)
                process = context.Process(target=_read, args=given, daemon=True, name="undercurrent reader")
                process.start()
                there.close()
                self._processes.append(process)
                self._ends.append(here)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process, end in zip(self._processes, self._ends, strict=True):
            end.close()
            process.terminate()
        for process in self._processes:
            process.join(END_SECONDS)
            if process.exitcode is None:
                process.kill()
                process.join()

    @property
    def process_ids(self) -> list[int]:
        """Of the readers."""
        return [process.pid for process in self._processes if process.pid is not None]

    def runs(self) -> Iterator[tuple[int, Run]]:
        """All runs with their seconds of the arrival clock, as `KafkaHistory.runs` gives them.

        Raises:
            HistoryError: a reader cannot go on, or has ended before its end.
        """
        yield from heapq.merge(*(self._of(number) for number in range(len(self._shares))), key=_order)

    def _of(self, number: int) -> Iterator[tuple[int, Run]]:
        while (message := self._next(number)) is not None:
            if isinstance(message, HistoryError):
                raise message
            yield from message

    def _next(self, number: int) -> Message:
        try:
            message: Message = self._ends[number].recv()
        except (EOFError, ConnectionError) as error:
            process = self._processes[number]
            process.join(END_SECONDS)
            raise HistoryError(
                f"a process that was reading Kafka has ended before its time (exit code {process.exitcode}; "
                "-9: killed, perhaps for want of memory); --jobs 1 reads without any"
            ) from error
        return message


def shares(parts: Sequence[Stretch], count: int) -> list[tuple[Stretch, ...]]:
    """Deal stretches out into `count` shares of about as many records each, the longest first."""
    dealt: list[list[Stretch]] = [[] for _ in range(count)]
    for part in sorted(parts, key=lambda part: (part.start - part.end, part.place)):
        min(dealt, key=lambda share: sum(one.end - one.start for one in share)).append(part)
    return [tuple(share) for share in dealt]


def _order(found: tuple[int, Run]) -> tuple[int, str, int]:
    second, run = found
    return (second, run.topic, run.partition)


@contextmanager
def _ctrl_c_is_not_for_children() -> Iterator[None]:
    """What is started here never sees a Ctrl-C: the one who started it hears of it, and ends it."""
    ensure_running()  # multiprocessing's own child comes with the first one, and would undo the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _read(settings: Settings, stretches: Stretches, config: IntakeConfig, out: Connection) -> None:
    """A reader, in its own process: sends its runs, then None; or what went wrong."""
    reader = KafkaReader(settings)
    untaken: deque[Future[None]] = deque()
    # What was sent is written to the pipe while more is read.
    with suppress(ConnectionError), ThreadPoolExecutor(1) as pool:  # an error: nobody waits for it any more
        try:
            for message in _messages(reader, stretches, config):
                untaken.append(pool.submit(out.send, message))
                if len(untaken) > UNTAKEN_MAX:
                    untaken.popleft().result()
        finally:
            reader.close()
        for one in untaken:
            one.result()


def _messages(reader: KafkaReader, stretches: Stretches, config: IntakeConfig) -> Iterator[Message]:
    dating = Dating(config)
    runs: list[tuple[int, Run]] = []
    size = 0
    try:
        reader.connect()
        for second, run in KafkaHistory(reader, stretches, {}).runs():
            values = Joined(run.values)
            runs.append((second, packed(run, values, config.record_bytes_max, dating)))
            size += values.total_bytes
            if size >= MESSAGE_BYTES:
                yield runs
                runs, size = [], 0
    except HistoryError as error:
        yield error
        return
    yield runs
    yield None


def packed(run: Run, values: Joined, record_bytes_max: int, dating: Dating) -> Run:
    """The same run with its `values` joined, fit to travel, and with all done that needs no memory."""
    stamps = [stamp for stamp in run.stamps_ms if stamp is not None]  # old topics have records without
    found = passing(run.values, record_bytes_max)
    return replace(
        run,
        offsets=array("q", run.offsets),
        stamps_ms=array("q", stamps) if len(stamps) == len(run) else run.stamps_ms,
        values=values,
        passing=found,
        reached=dating.reached(run, found),
    )
