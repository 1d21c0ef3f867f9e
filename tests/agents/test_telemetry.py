"""Telemetry: what the stages say adds up, and docs/metrics.md lists every metric."""

from collections import Counter
from pathlib import Path

from agents.settings import Intake
from agents.sources import Note, Sources
from agents.telemetry import DOMAINS_MAX, METRICS, OTHER_DOMAINS, PREFIX, Telemetry
from pipeline.intake import Counts
from schemas import (
    Change,
    ChangeKind,
    DeadLetter,
    DeadLetterReason,
    Decision,
    Frame,
    Incident,
    IncidentState,
    Origin,
    Outcome,
    Sample,
    SampleKind,
    Symptom,
    SymptomKind,
)
from tools.settings_docs import metric_rows, shipper_rows

ROOT = Path(__file__).resolve().parents[2]
LETTER = DeadLetter(
    origin=Origin(topic="registry.logs", partition=0, offset=7),
    reason=DeadLetterReason.OVERSIZE,
    detail="too large",
    value_base64="",
    size_bytes=2_000_000,
)


def sample(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    """One value as Prometheus would read it."""
    return telemetry.registry.get_sample_value(PREFIX + name, labels)


def change(kind: ChangeKind, seq: int = 1) -> Change:
    """A change of some incident."""
    incident = Incident(
        id="i1",
        domain="default",
        instances=("a",),
        cause="cpu_saturation",
        confidence=0.9,
        state=IncidentState.OPEN,
        first_symptom_at=1.0,
        opened_at=2.0,
    )
    return Change(id=f"i1:{seq}", seq=seq, kind=kind, at=2.0, reason="because", incident=incident)


def test_a_flush_is_counted_by_what_became_of_its_records() -> None:
    """Kept, dropped, dead, symptoms and samples: each under its own label."""
    telemetry = Telemetry()
    counts = Counts(
        received=9,
        records={"fluent-bit": 4},
        dropped={"irrelevant": 3},
        markers=2,
        held=1,
        symptoms={"request_cancelled": 5},
        samples={"cpu": 2},
        partial=1,
        rejoined=2,
    )
    telemetry.read("registry.logs", 9)
    telemetry.flushed(counts, 3, [LETTER])
    telemetry.flushed(counts, 3, [])
    assert sample(telemetry, "records_read_total", topic="registry.logs") == 9
    assert sample(telemetry, "records_total", decoder="fluent-bit") == 8
    assert sample(telemetry, "records_dropped_total", reason="irrelevant") == 6
    assert sample(telemetry, "dead_letters_total", reason="oversize") == 1
    assert sample(telemetry, "symptoms_total", kind="request_cancelled") == 10
    assert sample(telemetry, "samples_total", kind="cpu") == 4
    assert sample(telemetry, "frames_total") == 6
    assert sample(telemetry, "lines_held") == 1


def test_changes_and_decisions_are_counted_by_cause_and_outcome() -> None:
    """A decision counts as many symptoms as it decided on; a late change also counts as late."""
    telemetry = Telemetry()
    telemetry.said(change(ChangeKind.OPENED))
    telemetry.said(change(ChangeKind.LATE, 2))
    telemetry.said(
        Decision(
            id="d1",
            domain="default",
            kind=SymptomKind.DNS_TIMEOUT,
            symptom_at=1.0,
            decided_at=2.0,
            count=17,
            outcome=Outcome.SUPPRESSED,
            reason="because",
        )
    )
    assert sample(telemetry, "changes_total", kind="opened", cause="cpu_saturation") == 1
    assert sample(telemetry, "late_total") == 1
    assert sample(telemetry, "decisions_total", outcome="suppressed", kind="dns_timeout") == 17


def test_open_incidents_are_what_they_are_now() -> None:
    """A cause whose last incident was resolved disappears instead of staying at its old count."""
    telemetry = Telemetry()
    telemetry.incidents(Counter({"cpu_saturation": 2, "unproven": 1}), owed=1)
    telemetry.incidents(Counter({"unproven": 1}), owed=0)
    assert sample(telemetry, "incidents_open", cause="cpu_saturation") is None
    assert sample(telemetry, "incidents_open", cause="unproven") == 1
    assert sample(telemetry, "notifications_owed") == 0


def test_partitions_that_went_elsewhere_are_no_longer_spoken_of() -> None:
    """Two workers that both report a partition's lag would double it."""
    telemetry = Telemetry()
    sources = Sources(Intake(), 0.0)
    sources.assign({("registry.logs", 0): Note()}, 0.0)
    sources.moved(("registry.logs", 0), 5, 9)
    telemetry.reading(sources)
    telemetry.event_time(3, 1.0)
    assert sample(telemetry, "consumer_lag_records", topic="registry.logs", partition="0") == 4
    telemetry.reassigned("intake")
    assert sample(telemetry, "consumer_lag_records", topic="registry.logs", partition="0") is None
    assert sample(telemetry, "watermark_seconds", partition="3") == 1.0
    telemetry.reassigned("agents")
    assert sample(telemetry, "watermark_seconds", partition="3") is None


def test_a_domain_without_readings_shows_as_one() -> None:
    """Failed requests and readings are counted by domain; past the bound, domains share a name."""
    telemetry = Telemetry()
    symptom = Symptom(kind=SymptomKind.REQUEST_CANCELLED, second=1, count=3, observations=())
    lookup = Symptom(kind=SymptomKind.DNS_TIMEOUT, second=1, count=3, observations=())
    cpu = Sample(kind=SampleKind.CPU, time=1.0, values={}, source="cgroup", origin=LETTER.origin)
    telemetry.framed(Frame(domain="shop", signals=(symptom, lookup, cpu)))
    assert sample(telemetry, "domain_signals_total", domain="shop", kind="failed_requests") == 3
    assert sample(telemetry, "domain_signals_total", domain="shop", kind="cpu") == 1
    for number in range(DOMAINS_MAX + 5):
        telemetry.framed(Frame(domain=f"d{number}", signals=(cpu,)))
    assert sample(telemetry, "domain_signals_total", domain=OTHER_DOMAINS, kind="cpu") == 6
    telemetry.framed(Frame(domain="shop", signals=(cpu,)))
    assert sample(telemetry, "domain_signals_total", domain="shop", kind="cpu") == 2


def test_the_exposition_has_every_metric() -> None:
    """What /metrics shows is the table."""
    text = Telemetry().exposition().decode()
    for name in METRICS:
        bare = name.removesuffix("_total")
        assert f"# HELP {PREFIX}{name} " in text or f"# HELP {PREFIX}{bare} " in text, name


def test_the_documentation_lists_every_metric() -> None:
    """docs/metrics.md has each metric's name, type, labels and meaning."""
    text = (ROOT / "docs" / "metrics.md").read_text()
    missing = [row for row in [*metric_rows(), *shipper_rows()] if row not in text]
    assert not missing, "run `python -m tools.settings_docs`: docs/metrics.md lacks\n" + "\n".join(missing)
