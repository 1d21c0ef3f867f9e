"""Records for the page: a real replay, many at once, and such as mean harm."""

import base64
from functools import cache
from pathlib import Path

from agents.recordings.arrivals import lay_out, layout_of
from agents.recordings.envelopes import ENVELOPES
from agents.recordings.recording import read_recording
from agents.recordings.replay import Outcome as Replayed
from agents.recordings.replay import Perturbation, perturb, run
from agents.settings import load_settings
from pipeline.page import Book, Limits, Record
from pipeline.replay import Arrival
from schemas import (
    Cause,
    Change,
    ChangeKind,
    DeadLetter,
    DeadLetterReason,
    Decision,
    Exemplar,
    IncidentState,
    Origin,
    Outcome,
    SymptomKind,
)
from schemas.sources import LOG_KINDS, EventTime, Heard, SourceKind
from tests.render.incidents import BEGAN, CASCADE_NAMED, HARM, HOSTILE, change

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>"
MEAN = f"{SCRIPT} {HARM}"
"""HTML that would run, Slack's markup, a terminal's colours and text that runs backwards."""

HOSTILE_ORIGIN = Origin(topic="registry.logs", partition=2, offset=77)
HOSTILE_CHANGE = HOSTILE.model_copy(
    update={
        "reason": MEAN,
        "incident": HOSTILE.incident.model_copy(
            update={"exemplars": (Exemplar(origin=HOSTILE_ORIGIN, text=MEAN),), "trigger": MEAN}
        ),
    }
)


def arrivals_of(name: str) -> list[Arrival]:
    """The records of one of the samples, without markers."""
    layout = layout_of(ENVELOPES["fluent-bit"], True, load_settings(None, {}).topics)
    return perturb(lay_out(read_recording(SAMPLES / name), layout), Perturbation())


@cache
def replayed(name: str) -> Replayed:
    """What a replay of one of the samples says."""
    settings = load_settings(None, {})
    return run(arrivals_of(name), settings.intake_config(), settings.rules)


def book_of(*records: Record, limits: Limits | None = None) -> Book:
    """A book that has received these."""
    book = Book(limits or Limits())
    for record in records:
        book.receive(record)
    return book


def incident_change(number: int, state: IncidentState = IncidentState.OPEN, seq: int = 1) -> Change:
    """A change of the `number`th of many incidents, each a second after the one before."""
    causes = (Cause.CPU_SATURATION, Cause.STORAGE_LATENCY, Cause.DNS_OUTAGE)
    incident = CASCADE_NAMED.model_copy(
        update={
            "id": f"{number:016x}",
            "domain": f"shop-{number % 7}",
            "cause": causes[number % 3],
            "level": None,
            "state": state,
            "first_symptom_at": BEGAN + number,
            "opened_at": BEGAN + number + 10,
            "resolved_at": BEGAN + number + 60 if state is IncidentState.RESOLVED else None,
        }
    )
    return change(seq, ChangeKind.DIAGNOSED, BEGAN + number + 20 + seq, "the cause was named", incident)


def decision(
    number: int,
    incident_id: str | None = None,
    outcome: Outcome = Outcome.SUPPRESSED,
    reason: str = "registry-a was starved when the lookup failed",
) -> Decision:
    """The `number`th of many decisions."""
    return Decision(
        id=f"d{number:015x}",
        domain="registry-prod",
        instance="registry-a",
        kind=SymptomKind.DNS_TIMEOUT,
        upstream="10.0.0.2:53",
        question="s3.example.org",
        symptom_at=BEGAN + number / 10,
        decided_at=BEGAN + number / 10 + 12,
        count=1,
        outcome=outcome,
        incident_id=incident_id,
        reason=reason,
        origins=(Origin(topic="registry.logs", partition=0, offset=number),),
    )


def dead_letter(
    number: int, value: bytes = b"\xff\xfe neither JSON nor text", detail: str = ""
) -> DeadLetter:
    """The `number`th of some dead letters."""
    return DeadLetter(
        origin=Origin(topic="registry.logs", partition=1, offset=number),
        reason=DeadLetterReason.UNDECODABLE,
        detail=detail or "no decoder recognises it",
        value_base64=base64.b64encode(value).decode(),
        size_bytes=len(value),
        timestamp_ms=round((BEGAN + number) * 1000),
    )


def heard(
    kind: SourceKind,
    place: str,
    ago: float,
    host: str | None = None,
    interval: float | None = 15.0,
    domain: str = "shop",
) -> Heard:
    """A source last heard `ago` seconds before BEGAN."""
    logged = kind in LOG_KINDS
    return Heard(
        partition=0,
        domain=domain,
        kind=kind,
        place=place,
        host=host,
        exporter=None if logged else "cadvisor",
        at=BEGAN - ago,
        interval_seconds=None if logged else interval,
        behind_seconds=None if logged else 2.0,
    )


NOW_EVENT_TIME = EventTime(partition=0, at=BEGAN)

NODE_7 = (
    *(
        heard(kind, place, ago, host)
        for place, host, ago in (
            ("registry-a", "node-7", 240),
            ("registry-b", "node-7", 243),
            ("registry-c", "node-8", 4),
        )
        for kind in (SourceKind.CPU, SourceKind.THROTTLING)
    ),
    *(heard(SourceKind.MEMORY, f"registry-{name}", 5) for name in "abc"),
    *(heard(SourceKind.REGISTRY_LOG, f"registry-{name}", 1) for name in "abc"),
    heard(SourceKind.STORAGE, "minio-1", 9),
    NOW_EVENT_TIME,
)
"""Three containers on two nodes, of which one has lost its CPU metrics; nobody counts lookups."""

HOSTILE_SOURCES = (
    *(
        heard(SourceKind.CPU, place, 500, SCRIPT, domain=MEAN)
        for place in (SCRIPT, "<!channel> *bold* _it_ `x`", "\x1b[31mred\x1b[0m \u202egnp.exe\nnext line")
    ),
    heard(SourceKind.REGISTRY_LOG, SCRIPT, 5, domain=MEAN),
)
"""A domain, containers and a host whose names mean harm."""
