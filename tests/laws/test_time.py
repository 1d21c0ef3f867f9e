"""Order, duplicates, framing, restarts and idleness leave no trace in what the core says."""

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from agents.correlate import Partition
from schemas import Frame, Progress, Rules, SourceProgress, encode
from tests.laws.blocks import histories
from tests.laws.bounds import searched
from tests.laws.histories import BASE, Event, Fact, History, signals
from tests.laws.ways import BRISK, DOMAIN, Step, arriving, at_once, end_of, play, same, stepwise

END = end_of(BRISK)
seeds = st.integers(0, 1 << 32)
JUST_WITHIN = BRISK.lateness_seconds - 0.001


def plainly(history: History) -> list[bytes]:
    """What the core says when all is received before time passes: the measure of all other ways."""
    return play(at_once(history, END), BRISK)


def repeated(history: History, random: Random) -> list[Fact]:
    """Some lines a second time, as a shipper that was not acknowledged sends them: with another offset."""
    copies = (replace(fact, copy=1) if isinstance(fact, Event) else fact for fact in history)
    return [
        one
        for fact, copy in zip(history, copies, strict=True)
        for one in (fact, copy)[: random.choice((1, 2))]
    ]


@searched(40)
@given(histories, seeds)
def test_order_within_the_lateness_leaves_no_trace(history: History, seed: int) -> None:
    """Facts that arrive later than they happened, each by its own delay, change no word."""
    random = Random(seed)
    delayed = arriving(history, END, lambda *_: random.random() * JUST_WITHIN)
    same(play(delayed, BRISK), plainly(history))


@searched(30)
@given(histories, seeds)
def test_duplicates_leave_no_trace(history: History, seed: int) -> None:
    """Lines and readings that come again, in one flush or later, whole or in parts, change no word."""
    random = Random(seed)
    delayed = arriving(repeated(history, random), END, lambda *_: random.random() * JUST_WITHIN)
    same(play(delayed, BRISK), plainly(history))


@searched(25)
@given(histories, st.sampled_from([1, 2, 5]))
def test_framing_leaves_no_trace(history: History, flush_seconds: int) -> None:
    """Whether a flush comes every second or every five, the words are the same."""
    same(play(arriving(history, END, lambda *_: 0.0, flush_seconds), BRISK), plainly(history))


@searched(25)
@given(histories, st.sampled_from([0.25, 1.0, 7.0, 61.0]))
def test_the_steps_of_time_leave_no_trace(history: History, step_seconds: float) -> None:
    """Whether event time moves in one step or in many, the words are the same."""
    same(play(stepwise(history, END, step_seconds), BRISK), plainly(history))


@searched(25)
@given(histories, seeds, st.sampled_from([0.01, 0.2]))
def test_a_restart_at_any_point_leaves_no_trace(history: History, seed: int, share: float) -> None:
    """A core that is written down as JSON, thrown away and read back goes on with the very same words."""
    random = Random(seed)
    ways = arriving(history, END, lambda *_: random.random() * JUST_WITHIN)
    same(play(ways, BRISK, lambda _: random.random() < share), plainly(history))


@searched(10)
@given(histories)
def test_a_replay_is_the_same_byte_for_byte(history: History) -> None:
    """The same history twice gives the same records, ids included."""
    same(plainly(history), plainly(history))


def seated(steps: list[Step], rules: Rules) -> list[bytes]:
    """What a worker's partition says, which leaves a domain alone while it is not busy."""
    partition, said = Partition(rules), []
    for offset, step in enumerate(steps):
        if isinstance(step, float):
            source = SourceProgress(source="registry.logs/0", time=step, holds=True)
            progress = Progress(worker="w", expected={"registry.logs": 1}, sources=(source,))
            outputs = partition.advance(progress).get(DOMAIN, [])
        else:
            outputs = partition.receive(Frame(domain=DOMAIN, signals=(step,)), offset)
        said += [encode(output) for output in outputs]
    return said


@searched(25)
@given(histories)
def test_an_idle_domain_left_alone_misses_nothing(history: History) -> None:
    """A worker that advances a domain only while it is busy says what one says that always does."""
    steps = arriving(history, END, lambda *_: 0.0)
    same(seated(steps, BRISK), play(steps, BRISK))


@searched(15)
@given(histories, st.integers(100, 1000))
def test_what_comes_after_a_long_silence_is_as_late_as_it_is(history: History, silence_seconds: int) -> None:
    """A worker and a replay agree on what is late, though only the replay advanced through the silence."""
    again = BASE + 120.0 + silence_seconds + END - BASE
    steps = [*arriving(history, END, lambda *_: 0.0), again, *signals(history), again + 100.0]
    same(seated(steps, BRISK), play(steps, BRISK))
