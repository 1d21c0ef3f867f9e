"""Scores a corpus: plays or reads every case, replays it as it travels, and has it judged."""

import math
import os
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from agents.history import FileHistory, HistoryError, groups
from agents.recordings.arrivals import lay_out, layout_of
from agents.recordings.envelopes import fluent_bit
from agents.recordings.recording import Group, NotARecordingError, read_recording
from agents.recordings.replay import Outcome, Perturbation, perturb, run
from agents.scoring.judge import Judged, judge
from agents.scoring.scenarios import Scenario, ScenarioError, envelope_of, play, read_scenarios, recording_of
from agents.scoring.truth import Truth, TruthError, read_truth
from agents.settings import Settings
from pipeline.replay import Arrival
from schemas import Cause


class CorpusError(ValueError):
    """A folder holds no corpus, or one that cannot be read."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recording with its truth."""

    name: str
    path: Path
    truth: Truth


Case = Recorded | Scenario

SAVED = ".jsonl.zst"
"""Raw records as they lay in Kafka (agents/history/saved.py) instead of a recording."""

UNDISTURBED = Perturbation()


def read_corpus(folder: Path) -> list[Case]:
    """Find the cases in a folder: recordings named in its truth.json, and scenarios/*.yaml.

    Raises:
        CorpusError: there are none, or they cannot be read.
    """
    cases: list[Case] = []
    try:
        if (folder / "truth.json").exists():
            truths = orjson.loads((folder / "truth.json").read_bytes())
            cases += [
                Recorded(name, _recorded(folder, name), read_truth(name, given))
                for name, given in truths.items()
            ]
        files = sorted((folder / "scenarios").glob("*.yaml")) or sorted(folder.glob("*.yaml"))
        for file in files:
            cases += read_scenarios(file)
    except (ScenarioError, TruthError, orjson.JSONDecodeError) as error:
        raise CorpusError(str(error)) from error
    if not cases:
        raise CorpusError(f"{folder}: no corpus here; looked for truth.json and scenarios/*.yaml")
    names = Counter(case.name for case in cases)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise CorpusError(f"{folder}: several cases have the name {twice[0]}")
    return cases


def _recorded(folder: Path, name: str) -> Path:
    recordings = folder / "recordings"
    for path in (recordings / f"{name}.tar.xz", recordings / f"{name}{SAVED}", folder / name):
        if path.exists():
            return path
    raise CorpusError(f"{folder}: truth.json names {name}, but there is no recording of it")


def reseeded(case: Case, by: int) -> Case:
    """Return a scenario with another seed; a recording stays as it is."""
    return replace(case, seed=case.seed + by) if isinstance(case, Scenario) else case


def judge_all(
    cases: list[Case],
    settings: Settings,
    perturbation: Perturbation,
    jobs: int = 0,
    on_judged: Callable[[Judged], None] = lambda judged: None,
) -> list[Judged]:
    """Judge every case, in `jobs` processes (0: one per CPU); the order is that of the cases."""
    workers = jobs or os.cpu_count() or 1
    tasks = [(case, settings, perturbation) for case in cases]
    with ProcessPoolExecutor(max_workers=workers) as pool:
        judged = []
        for one in pool.map(_judge_task, tasks, chunksize=1):
            on_judged(one)
            judged.append(one)
    return judged


def _judge_task(task: tuple[Case, Settings, Perturbation]) -> Judged:
    return judge_case(*task)


def judge_case(case: Case, settings: Settings, perturbation: Perturbation) -> Judged:
    """Play or read one case, replay it as it travels, and judge what comes out.

    Raises:
        CorpusError: its recording cannot be read.
    """
    began = time.perf_counter()
    arrivals, story = arrivals_of(case, settings, perturbation)
    outcome = run(arrivals, settings.intake_config(), settings.rules)
    judged = judge_outcome(case, outcome, perturbation.sources, story)
    return replace(judged, seconds=time.perf_counter() - began)


def arrivals_of(
    case: Case, settings: Settings, perturbation: Perturbation = UNDISTURBED
) -> tuple[list[Arrival], str]:
    """Play or read one case; returns its records as they come in, and what really happened, in words.

    Raises:
        CorpusError: its recording cannot be read.
    """
    if isinstance(case, Recorded) and case.path.name.endswith(SAVED):
        saved = FileHistory([case.path], settings.topics.logs, groups(settings), math.inf)
        try:
            return perturb(list(saved.arrivals()), perturbation), ""
        except HistoryError as error:
            raise CorpusError(str(error)) from error
    if isinstance(case, Recorded):
        try:
            recording = read_recording(case.path)
        except NotARecordingError as error:
            raise CorpusError(str(error)) from error
        return perturb(lay_out(recording, layout_of(fluent_bit, True, settings.topics)), perturbation), ""
    played = play(case)
    layout = layout_of(envelope_of(case.shipping), case.shipping.split, settings.topics)
    saw = played.ledger.outcomes(None, 0.0, case.plan.seconds)
    story = f"{case.happens}; clients saw " + ", ".join(f"{n} {what}" for what, n in sorted(saw.items()))
    return perturb(lay_out(recording_of(case, played), layout), _with_shipping(perturbation, case)), story


def judge_outcome(case: Case, outcome: Outcome, sources: frozenset[Group], story: str = "") -> Judged:
    """Compare what a replay of `sources` of a case said with its truth."""
    if isinstance(case, Recorded):
        family, kind = "recordings", "incident" if case.truth.troubles else "none"
    else:
        family, kind = case.family, case.kind
    reports, findings, lookups = judge(_as_far_as_seen(case.truth, sources), outcome)
    dead = len(outcome.dead_letters)
    return Judged(case.name, family, kind, reports, findings, lookups, story, dead_letters=dead)


def _as_far_as_seen(truth: Truth, sources: frozenset[Group]) -> Truth:
    """Without the containers' metrics nothing but `unproven` can be asked for."""
    if Group.METRICS in sources:
        return truth
    unproven = (Cause.UNPROVEN.value,)
    troubles = (replace(trouble, acceptable=trouble.acceptable + unproven) for trouble in truth.troubles)
    return replace(truth, troubles=tuple(troubles))


def _with_shipping(perturbation: Perturbation, scenario: Scenario) -> Perturbation:
    delay_seconds = max(perturbation.metrics_delay_seconds, scenario.shipping.metrics_delay_seconds)
    return replace(perturbation, metrics_delay_seconds=delay_seconds, seed=perturbation.seed + scenario.seed)
