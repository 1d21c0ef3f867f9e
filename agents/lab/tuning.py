"""Judges every labelled case under every variant of the rules; each case is played or read once."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from agents.lab.parallel import each
from agents.recordings.replay import run_each
from agents.scoring.judge import Judged
from agents.scoring.score import UNDISTURBED, Case, arrivals_of, judge_outcome
from agents.scoring.sum import sum_up
from agents.settings import Settings
from pipeline.lab.sweep import Tally, Variant

Task = tuple[Case, Settings, tuple[Variant, ...]]


@dataclass(frozen=True, slots=True)
class Tried:
    """A variant and what came of it. `better`, `worse`: cases with fewer or more faults than without it."""

    variant: Variant
    tally: Tally
    verdict_median_seconds: float | None
    better: tuple[str, ...]
    worse: tuple[str, ...]


def sweep(cases: Sequence[Case], settings: Settings, variants: Sequence[Variant], jobs: int) -> list[Tried]:
    """Try all variants, the first of which is what the others are compared with.

    Raises:
        CorpusError: a recording cannot be read.
    """
    tasks = [(case, settings, tuple(variants)) for case in cases]
    by_case = list(each(judge_under, tasks, jobs, "Trying"))
    return [_tried(variant, [found[number] for found in by_case], [found[0] for found in by_case])
            for number, variant in enumerate(variants)]  # fmt: skip


def judge_under(task: Task) -> list[Judged]:
    """One case under each variant."""
    case, settings, variants = task
    arrivals, _ = arrivals_of(case, settings)
    chosen = [settings.model_copy(update={"rules": variant.rules}) for variant in variants]
    outcomes = run_each(arrivals, [(one.intake_config(), one.rules) for one in chosen])
    return [judge_outcome(case, outcome, UNDISTURBED.sources) for outcome in outcomes]


def tally(judged: Iterable[Judged]) -> Tally:
    """Count the faults."""
    cases = list(judged)
    reports = Counter(report.verdict for case in cases for report in case.reports)
    findings = Counter(finding.verdict for case in cases for finding in case.findings)
    return Tally(
        hidden=sum(case.lookups.hidden for case in cases),
        wrong=reports["wrong"],
        missed=findings["missed"],
        unproven=findings["unproven"],
        noise=reports["false alarm"] + reports["repeated"],
        told=sum(case.lookups.suppressible - case.lookups.handled for case in cases),
    )


def _tried(variant: Variant, judged: list[Judged], before: list[Judged]) -> Tried:
    def names(worth: Callable[[Judged, Judged], bool]) -> Iterator[str]:
        return (one.name for one, old in zip(judged, before, strict=True) if worth(one, old))

    return Tried(
        variant,
        tally(judged),
        sum_up(judged).verdict_median_seconds,
        tuple(names(lambda one, old: tally([one]).better_than(tally([old])))),
        tuple(names(lambda one, old: any(a > b for a, b in zip(*_both(one, old), strict=True)))),
    )


def _both(one: Judged, old: Judged) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tally([one]).counts(), tally([old]).counts()
