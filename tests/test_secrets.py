"""Secrets planted wherever a shipper can put text appear nowhere behind the raw topics."""

import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import orjson
import pytest
from rich.console import Console

from agents.recordings.arrivals import lay_out, layout_of
from agents.recordings.envelopes import ENVELOPES
from agents.recordings.recording import LogLine, Recording, read_recording
from agents.recordings.replay import run
from agents.settings import load_settings
from agents.statetable import _unpacked
from agents.topics import DOMAINS_TABLE, TOLD_TABLE, changelog
from pipeline.intake import Intake, RawRecord
from pipeline.render.console import incident_panel
from pipeline.render.slack import reply_message, root_message
from pipeline.render.words import catalogue
from pipeline.replay import Arrival
from pipeline.telling import Reply, tell
from schemas import encode
from tests.kafka.workers import Cluster

CASCADE = Path(__file__).resolve().parents[1] / "samples" / "cpu_cascade"
SECRETS = (
    "AKIAIOSFODNN7EXAMPLE",
    "https://bucket.s3.test/k?X-Amz-Signature=plantedsignature&X-Amz-Credential=plantedcredential",
    "Signature=plantedoldsignature",
    "Authorization: Bearer plantedbearer",
    "Cookie: session=plantedcookie",
    "eyJhbGciOiJIUzI1NiJ9.eyJwbGFudGVkIjoxfQ.plantedjwt",
    "https://user:plantedpassword@registry.test",
    "password=plantedword",
    "planted.person@example.com",
)
PLANTED = re.compile(rb"planted|AKIA|eyJwbGFudGVk")
"""What gives any of them away."""

E_MAILS = {"UNDERCURRENT_INTAKE_REDACT_EMAILS": "true"}


def _planted(recording: Recording) -> Recording:
    """The recording with a secret in the error, the client and the request of each failed line."""
    secrets = cycle(SECRETS)
    entries = []
    for entry in recording.entries:
        if isinstance(entry, LogLine):
            text = entry.text
            for field in (b'err.detail="', b'useragent="', b'uri="/v2/'):
                text = text.replace(field, field + next(secrets).encode() + b" ")
            if b"err.detail" in text:
                text = text.replace(b"http.request.id=", b"http.request.id=AKIAIOSFODNN7EXAMPLE-")
            text = text.replace(b"lookup ", b"lookup AKIAIOSFODNN7EXAMPLE.")
            entry = replace(entry, text=text)
        entries.append(entry)
    return replace(recording, entries=tuple(entries))


def _strangers(topic: str) -> Iterator[bytes]:
    """Records no recording has: broken ones, and secrets in the names of places and of readings."""
    for secret in SECRETS:
        text = orjson.dumps(secret).decode()
        yield f"\x00\x01 {secret} \x02".encode()
        yield f'{{"log": {text}, "broken'.encode()
        line = 'time=\\"2026-11-23T09:10:50Z\\" level=error msg=\\"unknown error\\" http.response.status=500'
        for place in ("pod_name", "container_name", "host", "docker_id"):
            yield f'{{"log":"{line}","kubernetes":{{"{place}":{text}}}}}'.encode()
        yield f'{{"time":1763889050.0,"reading":{{"cpu":{text}}},"instance":{text}}}'.encode()
        series = "container_cpu_usage_seconds_total"
        yield f"# TYPE {series} counter\n{series}{{pod={text}}} 1\n".encode()


def _arrivals(shipper: str, recording: Recording, settings_raw: tuple[str, ...]) -> list[Arrival]:
    settings = load_settings(None, {})
    arrivals = lay_out(recording, layout_of(ENVELOPES[shipper], shipper == "fluent-bit", settings.topics))
    last = arrivals[-1]
    for topic in settings_raw:
        offset = 1_000_000
        for number, value in enumerate(_strangers(topic)):
            at_ms = round(last.at * 1000)
            arrivals.append(
                replace(last, record=RawRecord(topic, 0, offset + number, at_ms, value[:500], value))
            )
    return arrivals


@pytest.mark.parametrize("shipper", ["fluent-bit", "docker", "rsyslog"])
def test_no_secret_leaves_the_raw_topics(shipper: str) -> None:
    """Signals, changes, decisions, dead letters, Slack and console: none of them holds a planted one."""
    settings = load_settings(None, E_MAILS)
    recording = _planted(read_recording(CASCADE))
    arrivals = _arrivals(shipper, recording, settings.topics.raw)
    intake = Intake(settings.intake_config())
    for arrival in arrivals:
        intake.receive(arrival.record)
    batch = intake.flush(release_heads=True)
    outcome = run(arrivals, settings.intake_config(), settings.rules)
    assert outcome.incidents
    assert len(batch.dead_letters) >= 2 * len(SECRETS)
    words = catalogue("en")
    shown = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    texts = [
        encode(one) for one in (*batch.frames, *batch.dead_letters, *outcome.changes, *outcome.decisions)
    ]
    memory = None
    for change in outcome.changes:
        shown.print(incident_panel(change, words))
        acts, memory = tell(memory, change)
        texts.append(orjson.dumps(root_message(change, words)))
        texts += [orjson.dumps(reply_message(act, words)) for act in acts if isinstance(act, Reply)]
    texts.append(shown.export_text().encode())
    assert [text for text in texts if PLANTED.search(_decoded(text))] == []
    assert any(b"[redacted]" in text for text in texts)


def _decoded(text: bytes) -> bytes:
    """A record with the base64 in it opened."""
    for found in re.findall(rb'"(?:value|key)_base64":"([^"]*)"', text):
        text += b64decode(found)
    return text


@pytest.mark.slow
def test_a_worker_keeps_planted_secrets_to_itself(kafka: str) -> None:
    """Every topic it writes, its tables, its metrics, its log and what it says on the console."""
    with Cluster(kafka, "secrets", **E_MAILS) as cluster:
        worker = cluster.worker().wait_until_ready()
        arrivals = cluster.arrivals(_planted(read_recording(CASCADE)))
        names = cluster.settings.topics
        stranger = arrivals[-1].record
        for number, value in enumerate(_strangers(names.logs)):
            record = replace(stranger, topic=names.raw[number % 3], partition=0, key=value[:500], value=value)
            arrivals.insert(len(arrivals) // 2, replace(arrivals[len(arrivals) // 2], record=record))
        cluster.ship_arrivals(arrivals)
        cluster.wait_until_read(arrivals[-1].at)
        written = [
            _decoded(record.value)
            for topic in (names.signals, names.changes, names.decisions, names.dead_letters)
            for record in cluster.records(topic)
        ]
        assert len(written) > 40
        stored = [
            record
            for table in (DOMAINS_TABLE, TOLD_TABLE)
            for record in cluster.records(changelog(cluster.settings, table))
        ]
        assert stored
        written += [orjson.dumps(_unpacked(record.value)) + record.key for record in stored if record.value]
        written += [worker.get("/metrics")[1].encode(), worker.written().encode()]
        assert "CPU saturation" in worker.written()
        assert [text for text in written if PLANTED.search(text)] == []
