"""Law 6 for a partition of signals: what a killed worker knew of time and readers moves with its position.

Two intakes read different topics, one behind the other, and report in turn. Whenever the worker behind
them is killed, and however far Kafka's committed offset was behind what it had acknowledged, its
successor says what an unharmed worker says, and nothing else.
"""

from collections.abc import Iterator
from itertools import count

import pytest

from agents.fence import Reader
from agents.recordings.recording import read_recording
from agents.settings import load_settings
from pipeline.intake import Intake
from pipeline.replay import Arrival
from schemas import Frame, Progress, SourceProgress
from tests.agents.memory import Kafka
from tests.agents.shipped import shipped
from tests.agents.test_correlate import SAMPLE, SETTINGS, as_event, changes, correlate

SKEW_SECONDS = 30.0
"""So much earlier is what the slower intake reads at the same time."""
FLUSH_SECONDS = 6.0
Signal = tuple[Frame | Progress, Reader]


class Side:
    """One intake with its topics: nothing is known of them at first, then they hold event time."""

    def __init__(self, arrivals: list[Arrival], term: int) -> None:
        self._places = sorted({(one.record.topic, one.record.partition) for one in arrivals})
        self._intake = Intake(SETTINGS.intake_config())
        self.arrivals = arrivals
        self.reader = Reader(term, tuple(f"{topic}/{number}" for topic, number in self._places))

    def flush(self, until: float) -> Iterator[Signal]:
        """Read what has arrived by then: frames first, then how far that is."""
        while self.arrivals and self.arrivals[0].at < until:
            self._intake.receive(self.arrivals.pop(0).record)
        yield from ((frame, self.reader) for frame in self._intake.flush().frames)
        yield self._progress()

    def end(self, time: float) -> Signal:
        """Everything is read up to `time`."""
        return self._progress(time)

    def _progress(self, end: float | None = None) -> Signal:
        read = self._intake.sources()
        high = {place: read[place].high if place in read and end is None else end for place in self._places}
        sources = tuple(
            SourceProgress(source=f"{topic}/{number}", time=time, holds=time is not None)
            for (topic, number), time in high.items()
        )
        expected = {topic: number + 1 for topic, number in self._places}
        return Progress(worker=str(self.reader.term), expected=expected, sources=sources), self.reader


@pytest.fixture(scope="module")
def signals() -> list[Signal]:
    """The worst minute of a cascade, and the time before anything is there to be read."""
    arrivals = shipped(read_recording(SAMPLE), SETTINGS, markers=False)
    start = arrivals[0].at + 20
    span = [one for one in arrivals if start <= one.at < start + 60]
    logs = Side([one for one in span if one.record.topic == SETTINGS.topics.logs], 1)
    others = Side([one for one in span if one.record.topic != SETTINGS.topics.logs], 2)
    found: list[Signal] = []
    at = start - 5 * FLUSH_SECONDS
    while logs.arrivals or others.arrivals:
        found += [*logs.flush(at), *others.flush(at - SKEW_SECONDS)]
        at += FLUSH_SECONDS
    return [*found, logs.end(at + 1000), others.end(at + 1000)]


@pytest.mark.slow
@pytest.mark.parametrize("checkpoint_seconds", ["0", "5"])
@pytest.mark.parametrize("behind", [0, 40])
async def test_a_worker_killed_wherever_it_stands_says_nothing_else(
    signals: list[Signal], behind: int, checkpoint_seconds: str
) -> None:
    """`behind`: so many acknowledged records come again, for Kafka had not yet heard of them."""
    settings = load_settings(None, {"UNDERCURRENT_CORRELATE_CHECKPOINT_SECONDS": checkpoint_seconds})

    async def work_off(kafka: Kafka, first: int, until: int) -> int:
        """Hand these records to a new worker; returns the first that is not acknowledged."""
        clock, acknowledged = count(), [first]
        agent = correlate(kafka, settings, clock=lambda: float(next(clock)))
        for offset in range(first, until):

            async def acknowledge(done: int = offset) -> None:
                acknowledged.append(done + 1)

            noun, reader = signals[offset]
            await agent.handle(as_event(noun, offset, reader), acknowledge)
        return max(acknowledged)

    whole = Kafka()
    await work_off(whole, 0, len(signals))
    assert changes(whole)
    for killed in range(4, len(signals), 5):
        kafka = Kafka()
        done = await work_off(kafka, 0, killed)
        await work_off(kafka, max(0, done - behind), len(signals))
        assert changes(kafka) == changes(whole), f"killed after record {killed} of {len(signals)}"
