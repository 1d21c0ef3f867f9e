"""Ablation: what a verdict becomes when the evidence that decides it is not there. Never a rival's.

Played on the recordings of real registries: a source is taken away as a whole, as where nobody ships it.
"""

from collections.abc import Mapping
from pathlib import Path

import pytest

from agents.recordings.recording import Group
from agents.recordings.replay import Perturbation
from agents.scoring.judge import Judged
from agents.scoring.score import judge_all, read_corpus
from agents.settings import Settings

CORPUS = Path(__file__).parents[2] / "corpus"
ALL = frozenset(Group)


def judged_without(*missing: Group) -> Mapping[str, Judged]:
    """Every recording, judged on what is left."""
    recordings = [case for case in read_corpus(CORPUS) if "/" not in case.name]
    assert len(recordings) == 17
    perturbation = Perturbation(sources=ALL - set(missing))
    return {one.name: one for one in judge_all(recordings, Settings(), perturbation, 0, lambda _: None)}


@pytest.mark.slow
@pytest.mark.parametrize("missing", [Group.METRICS, Group.STORAGE, Group.DNS], ids=str)
def test_without_a_source_no_rival_is_named(missing: Group) -> None:
    """The truth by what is left, or unproven; never another cause, and no lookup of an outage hidden."""
    for name, one in judged_without(missing).items():
        assert [report for report in one.reports if report.verdict in ("wrong", "false alarm")] == [], name
        assert one.lookups.hidden == 0, name


@pytest.mark.slow
def test_storage_that_nobody_measures_is_never_blamed() -> None:
    """Slow storage is told by its own side or not at all: what is left leaves it unproven."""
    one = judged_without(Group.STORAGE)["slow_s3"]
    assert [report.cause for report in one.reports] == ["unproven"]


@pytest.mark.slow
def test_the_log_alone_names_the_truth_more_often_than_not() -> None:
    """Without any metric: never a wrong cause, and the right one for more than half of the incidents."""
    judged = judged_without(*(ALL - {Group.LOGS})).values()
    assert [report for one in judged for report in one.reports if report.verdict == "wrong"] == []
    findings = [finding for one in judged for finding in one.findings]
    named = [finding for finding in findings if finding.said == finding.cause]
    assert len(named) > len(findings) / 2, f"{len(named)} of {len(findings)}"
