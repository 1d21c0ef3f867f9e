"""Replays a history under two settings and says what differs."""

from collections.abc import Iterable
from pathlib import Path

from agents.recordings.replay import Outcome, run_each
from agents.scoring.score import Case, arrivals_of
from agents.settings import Settings
from pipeline.lab.difference import compare
from pipeline.lab.report import Compared
from pipeline.lab.said import SaidError, Side, messages_of, read_side
from pipeline.replay import Arrival

Task = tuple[Case, Settings, Settings]


def side_of(outcome: Outcome) -> Side:
    """What a replay has said."""
    return Side(outcome.incidents, outcome.decisions, messages_of(outcome.changes))


def differ(task: Task) -> Compared:
    """Replay a case under the old settings and under the new ones.

    Raises:
        CorpusError: its recording cannot be read.
    """
    case, old, new = task
    return compare_under(case.name, arrivals_of(case, old)[0], old, new)


def compare_under(name: str, arrivals: Iterable[Arrival], old: Settings, new: Settings) -> Compared:
    """Replay arrivals, read once, under the old settings and under the new ones."""
    outcomes = run_each(arrivals, [(one.intake_config(), one.rules) for one in (old, new)])
    return Compared(name, compare(*map(side_of, outcomes)))


def saved_side(path: Path) -> Side:
    """Read what `undercurrent replay --json` printed into a file.

    Raises:
        SaidError: with the file in its message.
        OSError: it cannot be read.
    """
    try:
        return read_side(path.read_bytes().splitlines())
    except SaidError as error:
        raise SaidError(error.line, f"{path}:{error.line}: {error}") from error
