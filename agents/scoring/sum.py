"""Sums up judged cases: the score of a corpus, and the floors it must not fall below."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from agents.scoring.judge import Finding, Judged
from schemas import Cause


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
    proven: float | None
    wrong_share: float | None
    suppression_recall: float | None
    suppression_precision: float | None
    hidden: int
    verdict_median_seconds: float | None
    verdict_p90_seconds: float | None
    calibration: tuple[Bin, ...]


FLOORS: dict[str, tuple[Callable[[float], bool], str]] = {
    "precision": (lambda share: share >= 0.97, "≥ 97 %"),
    "recall": (lambda share: share >= 0.97, "≥ 97 %"),
    "wrong_share": (lambda share: share <= 0.01, "≤ 1 %"),
    "suppression_recall": (lambda share: share >= 0.95, "≥ 95 %"),
    "hidden": (lambda count: count == 0, "0"),
    "verdict_median_seconds": (lambda seconds: seconds <= 30, "≤ 30 s"),
}
"""Figure of a score → what it must fulfil, and how that is written. Times are without what comes late."""

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
    return Score(
        cases=len(cases),
        failing=sum(bool(case.problems) for case in cases),
        causes=tuple(_cause_scores(findings, cases)),
        troubles=len(findings),
        reports=len(reports),
        precision=_share(len(good), len(reports)),
        recall=_share(sum(finding.verdict == "right" for finding in findings), len(findings)),
        proven=_share(
            sum(finding.verdict == "right" and finding.said == finding.cause for finding in findings),
            len(findings),
        ),
        wrong_share=_share(sum(report.verdict == "wrong" for report in named), len(named)),
        suppression_recall=_share(_total(cases, "handled"), _total(cases, "suppressible")),
        suppression_precision=_share(_total(cases, "suppressed_rightly"), _total(cases, "suppressed")),
        hidden=_total(cases, "hidden"),
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
    for low, high in pairwise(BINS):
        inside = [report for report in reports if low <= report.confidence < high]
        said = math.fsum(report.confidence for report in inside) / len(inside) if inside else None
        right = _share(sum(report.verdict in ("right", "repeated") for report in inside), len(inside))
        yield Bin(low, min(high, 1.0), len(inside), said, right)


def _total(cases: list[Judged], count: str) -> int:
    return sum(int(getattr(case.lookups, count)) for case in cases)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def below_floors(score: Score, late_seconds: float = 0.0) -> list[str]:
    """Say which figures do not reach their floors; a figure there is nothing of does not count.

    `late_seconds`: so much later than it was read every reading arrived, and may a verdict.
    """
    below = []
    for name, (holds, written) in FLOORS.items():
        value = getattr(score, name)
        allowed = late_seconds if name == "verdict_median_seconds" else 0.0
        if value is not None and not holds(value - allowed):
            besides = f" besides the {allowed:g} s that readings came late" if allowed else ""
            below.append(f"{name} is {value:.4g}, its floor is {written}{besides}")
    return below


def as_object(score: Score) -> dict[str, Any]:
    """Turn a score into what `--json` prints."""
    body = asdict(score)
    for given, cause in zip(body["causes"], score.causes, strict=True):
        given["precision"], given["recall"] = cause.precision, cause.recall
    return body
