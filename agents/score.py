"""Scores a corpus: plays or reads every case, replays it, judges it, and sums up."""

import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import orjson

from agents.arrivals import lay_out, layout_of
from agents.envelopes import fluent_bit
from agents.judge import Finding, Judged, judge
from agents.recording import NotARecordingError, read_recording
from agents.replay import Perturbation, perturb, run
from agents.scenarios import Scenario, ScenarioError, envelope_of, play, read_scenarios, recording_of
from agents.settings import Settings
from agents.truth import Truth, TruthError, read_truth
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


def read_corpus(folder: Path) -> list[Case]:
    """Find the cases in a folder: recordings named in its truth.json, and scenarios/*.yaml.

    Raises:
        CorpusError: there are none, or they cannot be read.
    """
    cases: list[Case] = []
    try:
        if (folder / "truth.json").exists():
            truths = orjson.loads((folder / "truth.json").read_bytes())
            cases += [Recorded(name, _recorded(folder, name), read_truth(name, given)) for name, given in truths.items()]
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
    for path in (folder / "recordings" / f"{name}.tar.xz", folder / name):
        if path.exists():
            return path
    raise CorpusError(f"{folder}: truth.json names {name}, but there is no recording of it")


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
    if isinstance(case, Recorded):
        try:
            recording = read_recording(case.path)
        except NotARecordingError as error:
            raise CorpusError(str(error)) from error
        layout = layout_of(fluent_bit, True, settings.topics)
        family, kind, story = "recordings", "incident" if case.truth.troubles else "none", ""
    else:
        played = play(case)
        recording = recording_of(case, played)
        layout = layout_of(envelope_of(case.shipping), case.shipping.split, settings.topics)
        perturbation = _with_shipping(perturbation, case)
        family, kind = case.family, case.kind
        saw = played.ledger.outcomes(None, 0.0, case.plan.seconds)
        story = f"{case.happens}; clients saw " + ", ".join(f"{n} {what}" for what, n in sorted(saw.items()))
    outcome = run(perturb(lay_out(recording, layout), perturbation), settings.intake_config(), settings.rules)
    reports, findings, lookups = judge(case.truth, outcome)
    seconds = time.perf_counter() - began
    return Judged(
        case.name, family, kind, reports, findings, lookups, story, seconds, len(outcome.dead_letters)
    )


def _with_shipping(perturbation: Perturbation, scenario: Scenario) -> Perturbation:
    delay_seconds = max(perturbation.metrics_delay_seconds, scenario.shipping.metrics_delay_seconds)
    return replace(perturbation, metrics_delay_seconds=delay_seconds, seed=perturbation.seed + scenario.seed)


@dataclass(frozen=True, slots=True)
class CauseScore:
    """How one cause fared. `precision`, `recall`: None where there was nothing to be right about."""

    cause: str
    troubles: int
    right: int
    unproven: int
    wrong: int
    missed: int
    named: int
    named_rightly: int

    @property
    def precision(self) -> float | None:
        """Share of the reports naming this cause that are right."""
        return self.named_rightly / self.named if self.named else None

    @property
    def recall(self) -> float | None:
        """Share of the troubles of this cause that were named right, or unproven where that is right."""
        return self.right / self.troubles if self.troubles else None


@dataclass(frozen=True, slots=True)
class Bin:
    """Reports whose confidence lies in a range: what they said on average, and how often they were right."""

    low: float
    high: float
    count: int
    said: float | None
    right: float | None


@dataclass(frozen=True, slots=True)
class Score:
    """The score of a corpus; docs/score.md says how each figure is defined."""

    cases: int
    failing: int
    causes: tuple[CauseScore, ...]
    troubles: int
    reports: int
    precision: float | None
    recall: float | None
    wrong_share: float | None
    suppression_recall: float | None
    suppression_precision: float | None
    hidden: int
    verdict_median_seconds: float | None
    verdict_p90_seconds: float | None
    calibration: tuple[Bin, ...]


BINS = (0.0, 0.5, 0.7, 0.8, 0.9, 1.0001)


def sum_up(judged: Iterable[Judged]) -> Score:
    """Add the cases up."""
    cases = list(judged)
    findings = [finding for case in cases for finding in case.findings]
    reports = [report for case in cases for report in case.reports if report.verdict != "tolerated"]
    named = [report for report in reports if report.cause != Cause.UNPROVEN]
    good = [report for report in reports if report.verdict in ("right", "unproven")]
    seconds = sorted(
        finding.verdict_seconds
        for finding in findings
        if finding.verdict == "right" and finding.verdict_seconds is not None
    )
    lookups = [case.lookups for case in cases]
    return Score(
        cases=len(cases),
        failing=sum(bool(case.problems) for case in cases),
        causes=tuple(_cause_scores(findings, cases)),
        troubles=len(findings),
        reports=len(reports),
        precision=_share(len(good), len(reports)),
        recall=_share(sum(finding.verdict == "right" for finding in findings), len(findings)),
        wrong_share=_share(sum(report.verdict == "wrong" for report in named), len(named)),
        suppression_recall=_share(sum(l.handled for l in lookups), sum(l.suppressible for l in lookups)),
        suppression_precision=_share(sum(l.suppressed_rightly for l in lookups), sum(l.suppressed for l in lookups)),
        hidden=sum(l.hidden for l in lookups),
        verdict_median_seconds=median(seconds) if seconds else None,
        verdict_p90_seconds=seconds[math.ceil(0.9 * len(seconds)) - 1] if seconds else None,
        calibration=tuple(_bins(cases)),
    )


def _cause_scores(findings: list[Finding], cases: list[Judged]) -> Iterator[CauseScore]:
    for cause in Cause:
        own = Counter(finding.verdict for finding in findings if finding.cause == cause)
        named = Counter(
            report.verdict for case in cases for report in case.reports
            if report.cause == cause and report.verdict not in ("tolerated", "repeated")
        )  # fmt: skip
        if not own and not named:
            continue
        rightly = named["right"] + (named["unproven"] if cause is Cause.UNPROVEN else 0)
        yield CauseScore(
            cause.value, own.total(), own["right"], own["unproven"], own["wrong"], own["missed"],
            named.total(), rightly,
        )  # fmt: skip


def _bins(cases: list[Judged]) -> Iterator[Bin]:
    reports = [
        report for case in cases for report in case.reports
        if report.cause != Cause.UNPROVEN and report.verdict != "tolerated"
    ]  # fmt: skip
    for low, high in zip(BINS, BINS[1:], strict=False):
        inside = [report for report in reports if low <= report.confidence < high]
        said = math.fsum(report.confidence for report in inside) / len(inside) if inside else None
        right = _share(sum(report.verdict in ("right", "repeated") for report in inside), len(inside))
        yield Bin(low, min(high, 1.0), len(inside), said, right)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def as_object(score: Score) -> dict[str, Any]:
    """Turn a score into what `--json` prints."""
    body = asdict(score)
    for given, cause in zip(body["causes"], score.causes, strict=True):
        given["precision"], given["recall"] = cause.precision, cause.recall
    return body
