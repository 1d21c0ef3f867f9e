"""What people said, as cases for `undercurrent score`."""

import json
from pathlib import Path

import pytest
import zstandard

from agents.history.saved import Head
from agents.history.saving import write_records
from agents.history.span import Span
from agents.recordings.arrivals import lay_out, layout_of
from agents.recordings.envelopes import fluent_bit
from agents.recordings.recording import read_recording
from agents.recordings.replay import Perturbation
from agents.scoring.labelled import add_truth, labelled
from agents.scoring.score import judge_case, read_corpus
from agents.settings import Settings
from pipeline.intake import RawRecord
from schemas import Cause, Feedback, FeedbackKind
from tests.slack.recordings import RECORDINGS, replayed

CHANGES = replayed("client_timeout").changes
INCIDENT = CHANGES[-1].incident
SETTINGS = Settings()


def wrong(right: str, at: float = 1.0, by: str = "U1") -> Feedback:
    return Feedback(
        id=f"{right}{at}", incident=INCIDENT.id, domain="default", kind=FeedbackKind.WRONG_CAUSE, by=by,
        at=at, said=Cause.CLIENT_TIMEOUT, right_cause=right,
    )  # fmt: skip


def export(folder: Path, feedback: Feedback) -> None:
    """Write the case as the command does, with records from a recording instead of Kafka."""
    (case,) = labelled([feedback], CHANGES)
    (folder / "recordings").mkdir()
    layout = layout_of(fluent_bit, True, SETTINGS.topics)
    records = (one.record for one in lay_out(read_recording(RECORDINGS["client_timeout"]), layout))
    path = folder / "recordings" / f"{INCIDENT.id}.jsonl.zst"
    assert write_records(path, Head(case.span, SETTINGS.topics.raw), records).written > 1000
    add_truth(folder, [case])


@pytest.mark.parametrize(
    ("right", "verdict"), [("client_timeout", "right"), ("dns_outage", "wrong"), ("none", "false alarm")]
)
def test_what_a_person_said_is_what_the_score_compares_with(tmp_path: Path, right: str, verdict: str) -> None:
    """An exported incident is a case like any other: the same records give the same incident, judged anew."""
    export(tmp_path, wrong(right))
    (case,) = read_corpus(tmp_path)
    judged = judge_case(case, SETTINGS, Perturbation())
    (report,) = judged.reports
    assert report.cause == "client_timeout"
    assert report.verdict in (verdict, "wrong")
    assert (judged.problems == ()) == (right == "client_timeout")


def test_the_latest_word_counts_and_only_disputes_are_cases() -> None:
    """Who acknowledges an incident has not said that its cause is right."""
    said = [wrong("dns_outage", 1.0), wrong("storage_latency", 2.0, by="U2")]
    (case,) = labelled(said, CHANGES)
    assert case.feedback.right_cause == "storage_latency"
    assert case.incident == INCIDENT
    acknowledged = wrong("none").model_copy(update={"kind": FeedbackKind.ACKNOWLEDGED})
    assert labelled([acknowledged], CHANGES) == []


def test_no_secret_leaves_with_a_case(tmp_path: Path) -> None:
    """A header in a log line is taken out before it is written."""
    record = RawRecord("registry.logs", 0, 0, 1000, None, b'authorization: Bearer abcdefghijklmnop "x"')
    path = tmp_path / "one.jsonl.zst"
    write_records(path, Head(Span(0, 1), SETTINGS.topics.raw), [record])
    text = zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read().decode()
    assert "abcdefghijklmnop" not in text
    assert json.loads(text.splitlines()[0])["undercurrent_records"] == 1
