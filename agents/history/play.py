"""Plays a history through the intake and the core, and knows at any moment how far it has come."""

import math
from collections.abc import Generator, Iterator
from contextlib import contextmanager

from agents.history import History
from agents.history.kafka import KafkaHistory
from agents.history.readers import Readers, readers_for
from agents.recordings.replay import Outcome, outcome
from pipeline.core import Output
from pipeline.intake import IntakeConfig, Run
from pipeline.replay import Replayer
from schemas import Rules


class Player:
    """One replay of one history. It may be left at any step: `outcome` says what was found until then.

    `jobs`: processes that read Kafka, 0 for as many as are good for it; they end with `steps`.
    """

    def __init__(self, history: History, config: IntakeConfig, rules: Rules, jobs: int = 1) -> None:
        self._history = history
        self._jobs = jobs
        self._config = config
        self._replayer = Replayer(config, rules)
        self._outputs: list[Output] = []
        self.records = 0
        """Records taken in so far."""

    @property
    def event_time(self) -> float | None:
        """How far it has come, unix seconds."""
        return self._replayer.event_time

    def steps(self) -> Generator[None, None, None]:
        """Play to the end, a second of the arrival clock or so at each step.

        Raises:
            HistoryError: the history cannot be read any further.
        """
        if isinstance(self._history, KafkaHistory):
            with self._runs(self._history) as runs:
                for second, run in runs:
                    self._outputs += self._replayer.receive_run(second, run)
                    self.records += len(run)
                    yield
        else:
            reached = -math.inf
            for arrival in self._history.arrivals():
                self._outputs += self._replayer.receive(arrival)
                self.records += 1
                if arrival.at >= reached + 1:
                    reached = arrival.at
                    yield
        for outputs in self._replayer.closing():
            self._outputs += outputs
            yield

    @contextmanager
    def _runs(self, history: KafkaHistory) -> Iterator[Iterator[tuple[int, Run]]]:
        jobs = readers_for(history, self._jobs)
        if jobs == 1:
            yield history.runs()
            return
        with Readers(history, jobs, self._config) as readers:
            yield readers.runs()

    def outcome(self) -> Outcome:
        """What has been found so far."""
        return outcome(self._replayer, self._outputs)
