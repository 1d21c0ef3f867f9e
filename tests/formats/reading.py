"""What an intake makes of one fixture, as the plain facts that expected.yaml states."""

from pathlib import Path
from typing import Any

import orjson
import yaml

from pipeline.explain.trace import Told, trace
from pipeline.intake import Intake, IntakeConfig, RawRecord
from schemas import Sample

FOLDER = Path(__file__).parent
EXPECTED = FOLDER / "expected.yaml"
CAPTURED = FOLDER / "captured.yaml"
CAPTURES = FOLDER.parent / "intake" / "fixtures"

KAFKA_MS = 1_795_481_000_000
"""The Kafka timestamp of every fixture, 2026-11-24T00:43:20Z: it dates what bears no time of its own."""


def expected() -> dict[str, dict[str, Any]]:
    """Fixture → what expected.yaml says of it."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(EXPECTED.read_text(encoding="utf-8"))
    return found


def expected_of_captures() -> dict[str, dict[str, int]]:
    """Captured log → events by kind."""
    found: dict[str, dict[str, int]] = yaml.safe_load(CAPTURED.read_text(encoding="utf-8"))
    return found


def fixtures() -> dict[str, bytes]:
    """Every record there is: a file each, and the rows of kafka-records.jsonl by their names."""
    found = {path.name: path.read_bytes() for path in sorted((FOLDER / "fixtures").iterdir())}
    captures = [*CAPTURES.glob("otlp_*"), *CAPTURES.glob("*.prom")]
    found |= {path.name: path.read_bytes() for path in sorted(captures)}
    rows = map(orjson.loads, (CAPTURES / "kafka-records.jsonl").read_bytes().splitlines())
    return found | {row["name"]: row["value"].encode() for row in rows}


def captures() -> dict[str, list[str]]:
    """Every captured log, line by line."""
    return {path.name: path.read_text().splitlines() for path in sorted(CAPTURES.glob("captured-*.log"))}


def kinds(lines: list[str]) -> dict[str, int]:
    """What a whole log tells, a record per line: events by kind."""
    intake = Intake(IntakeConfig())
    for offset, line in enumerate(lines):
        intake.receive(RawRecord("registry.logs", 0, offset, KAFKA_MS, None, line.encode()))
    return dict(sorted(intake.flush(release_heads=True).counts.symptoms.items()))


def facts(value: bytes) -> dict[str, Any]:
    """Decoder, outcome, and what is told, without what is absent."""
    found = trace(RawRecord("registry.logs", 0, 0, KAFKA_MS, None, value), (), IntakeConfig())
    outcome = {"told": {"tells": [_fact(one) for one in found.told]}}.get(
        found.fate, {found.fate: found.reason}
    )
    partial = {"partial": True} if found.partial else {}
    return {"decoder": found.decoder, **partial, **outcome}


def _fact(one: Told) -> dict[str, Any]:
    signal, seen = one.signal, one.observation
    fact: dict[str, Any] = {"kind": str(signal.kind), "instance": signal.instance, "host": signal.host}
    if isinstance(signal, Sample):
        values = dict(sorted(signal.values.items()))
        fact |= {"time": signal.time, "source": signal.source, "upstream": signal.upstream, "values": values}
    else:
        assert seen is not None
        fact |= {"time": seen.time, "upstream": signal.upstream, "question": signal.question}
        named = ("request", "client", "route", "status", "duration_seconds")
        fact |= {name: getattr(seen, name) for name in named}
    return {name: value for name, value in fact.items() if value is not None}
