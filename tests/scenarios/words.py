"""The language of the transcripts: a few words about registries become signals for the core.

Every line says what a source said, and when. `->` lines are what the core answers; they are compared,
and rewritten with UNDERCURRENT_REWRITE=1 (commit only differences you understand).

    12 registry-a: 3 cancelled by registry-ui after 5.0 s          log lines of one second
    12 registry-a: 2 dns timeouts at 10.0.0.2
    10..40 registry-a: cpu 0.12 of 0.12 cores, throttled 100 %     one sample a second
    10..40 storage: 40 requests, p95 8 ms, median 3 ms
    10..40 dns 10.0.0.2 for registry-a: 10 lookups, 0 lost
    20 registry-a: memory 96 of 96 MiB, 1 kill
    30 registry-a: 20 went well
    advance 60            event time has come to 60
    restart               the core is stored, forgotten and restored
    again                 everything said so far is said once more
    shuffled              from here on, what is said arrives in another order, within the lateness
    evidence              what speaks for the cause of the last incident, and the records it was read from
    notify                tell people of each change, and once more, as after a crash
    raw TEXT              a raw record with these bytes comes in
"""

import base64
import random
import re
from hashlib import sha256
from typing import Any

import orjson

from pipeline.core import Correlator, Output
from pipeline.intake import Intake, IntakeConfig, RawRecord
from pipeline.telling import intend, tell, unsure
from schemas import Change, Observation, Origin, Rules, Sample, SampleKind, Signal, Symptom, SymptomKind

START = 1_795_424_400
"""Second 0 of every transcript: 2026-11-23 09:00:00 UTC."""

_KINDS = {
    "cancelled": SymptomKind.REQUEST_CANCELLED,
    "answered SlowDown": SymptomKind.STORAGE_THROTTLED,
    "failed": SymptomKind.REQUEST_FAILED,
}
_SECONDS = r"\d+(?:\.\d+)?"
_REQUESTS = re.compile(
    r"(\d+) (cancelled|answered SlowDown|failed)(?: by (\S+))?"
    rf"(?: after ({_SECONDS})(?:\.\.({_SECONDS}))? s)?$"
)
_DNS = re.compile(r"(\d+) dns timeouts? at (\S+)$")
_CPU = re.compile(r"cpu ([\d.]+) of ([\d.]+) cores, throttled (\d+) %$")
_HOST = re.compile(r"cpu ([\d.]+) cores, waiting (\d+) %, host busy (\d+) %$")
_MEMORY = re.compile(r"memory (\d+) of (\d+) MiB(?:, (\d+) kills?)?$")
_WELL = re.compile(r"(\d+) went well$")
_STORAGE = re.compile(r"(\d+) requests, p95 (\d+) ms, median (\d+) ms$")
_LOOKUPS = re.compile(r"(\d+) lookups, (\d+) lost$")
_LINE = re.compile(r"(\d+)(?:\.\.(\d+))? ([^:]+): (.*)$")


class Teller:
    """Reads a transcript's words and drives one core by them."""

    def __init__(self) -> None:
        self._core = Correlator("shop", Rules())
        self._said: list[Signal] = []
        self._changes: list[Change] = []
        self._waiting: list[tuple[float, Signal]] = []
        self._totals: dict[str, dict[str, float]] = {}
        self._shuffled: random.Random | None = None

    def answers(self, line: str) -> list[str]:
        """What is said to one line, as the transcript writes it."""
        if line == "evidence":
            return self._evidence()
        if line == "notify":
            return self._notify()
        if line.startswith("raw "):
            return raw_record(line.removeprefix("raw "))
        outputs = self.tell(line)
        self._changes += [output for output in outputs if isinstance(output, Change)]
        return [spoken(output) for output in outputs]

    def _evidence(self) -> list[str]:
        return [
            f"-> {fact.text}; read from "
            + (", ".join(f"{o.topic}/{o.partition}@{o.offset}" for o in fact.origins) or "the log lines")
            for fact in self._changes[-1].incident.evidence
        ]

    def _notify(self) -> list[str]:
        """The memory is stored before a word is said; a change that comes again finds itself told."""
        lines: list[str] = []
        memory: dict[str, Any] | None = None
        for change in self._changes:
            stored = unsure(intend(memory, change))
            acts, memory = tell(memory, change)
            repeated, _ = tell(memory, change)
            did = ", ".join(type(act).__name__ for act in acts) or "nothing"
            again = ", ".join(type(act).__name__ for act in repeated) or "nothing"
            first = "stored as being said" if stored else "not stored"
            lines.append(f"-> {change.kind.value}: {first}, then {did}; once more: {again}")
        return lines

    def tell(self, line: str) -> list[Output]:
        """What the core says to one line."""
        if line == "restart":
            stored = orjson.loads(orjson.dumps(self._core.snapshot()))
            self._core = Correlator.restore("shop", Rules(), stored)
            return []
        if line == "again":
            return [output for signal in list(self._said) for output in self._core.receive(signal)]
        if line == "shuffled":
            self._shuffled = random.Random(7)
            return []
        if line.startswith("advance "):
            return self._advance(float(line.removeprefix("advance ")))
        return self._say(line)

    def _advance(self, second: float) -> list[Output]:
        """Let what waits arrive in its own order, and time pass with it, second by second."""
        outputs: list[Output] = []
        for now in range(int(second) + 1):
            due = sorted((one for one in self._waiting if one[0] <= now), key=lambda one: one[0])
            self._waiting = [one for one in self._waiting if one[0] > now]
            for _, signal in due:
                outputs += self._core.receive(signal)
            outputs += self._core.advance(START + now)
        return outputs

    def _say(self, line: str) -> list[Output]:
        found = _LINE.match(line)
        assert found is not None, f"not in the language: {line}"
        first, last, who, what = found.groups()
        for second in range(int(first), int(last or first) + 1):
            for signal in self._signals(second, who, what):
                self._said.append(signal)
                late = self._shuffled.random() * 9 if self._shuffled else 0.0
                self._waiting.append((second + late, signal))
        return []

    def _signals(self, second: int, who: str, what: str) -> list[Signal]:
        if found := _REQUESTS.match(what):
            return [self._requests(second, who, found)]
        if found := _DNS.match(what):
            return [self._symptom(SymptomKind.DNS_TIMEOUT, second, who, int(found[1]), upstream=found[2])]
        if found := _WELL.match(what):
            return [self._symptom(SymptomKind.REQUEST_OK, second, who, int(found[1]))]
        return [self._sample(second, who, what)]

    def _requests(self, second: int, who: str, found: re.Match[str]) -> Symptom:
        """Requests of one second; of a range of durations each takes its own, spread over it."""
        count, low = int(found[1]), float(found[4]) if found[4] else None
        high = float(found[5]) if found[5] else low
        observations = []
        for number in range(count):
            identity = sha256(f"{who} {second} {number} {found[0]}".encode()).hexdigest()
            part = int(identity[:4], 16) / 0xFFFF
            duration = None if low is None or high is None else low + (high - low) * part
            observations.append(
                Observation(
                    id=identity[:16],
                    time=START + second + number / 100,
                    duration_seconds=duration,
                    request=identity[16:28],
                    client=found[3],
                    route="catalog",
                    status=500,
                )
            )
        return Symptom(
            kind=_KINDS[found[2]],
            instance=who,
            second=START + second,
            count=count,
            observations=tuple(observations),
        )

    def _symptom(
        self, kind: SymptomKind, second: int, who: str, count: int, upstream: str | None = None
    ) -> Symptom:
        ids = [sha256(f"{kind} {who} {second} {n}".encode()).hexdigest()[:16] for n in range(count)]
        seen = tuple(Observation(id=one, time=float(START + second)) for one in ids)
        return Symptom(
            kind=kind,
            instance=who,
            second=START + second,
            upstream=upstream,
            count=count,
            observations=seen,
        )

    def _sample(self, second: int, who: str, what: str) -> Sample:
        origin = Origin(topic="registry.metrics", partition=0, offset=second)
        instance, upstream = (None, None) if who == "storage" else (who, None)
        if who.startswith("dns "):
            upstream, instance = who.removeprefix("dns ").split(" for ")
        kind, values = self._values(second, who, what)
        return Sample(
            kind=kind,
            instance=instance,
            time=float(START + second),
            values=values,
            source="transcript",
            upstream=upstream,
            origin=origin,
        )

    def _values(self, second: int, who: str, what: str) -> tuple[SampleKind, dict[str, float | None]]:
        total = self._totals.setdefault(who, {"used": 0.0, "throttled": 0.0, "kills": 0.0})
        if found := _CPU.match(what):
            total["used"] += float(found[1])
            total["throttled"] += float(found[3]) / 10
            return SampleKind.CPU, {
                "usage_seconds_total": total["used"],
                "limit_cores": float(found[2]),
                "periods_total": second * 10.0,
                "throttled_periods_total": total["throttled"],
            }
        if found := _HOST.match(what):
            values: dict[str, float | None] = {
                "usage_cores": float(found[1]),
                "limit_cores": None,
                "pressure_ratio": float(found[2]) / 100,
                "host_busy_seconds_total": second * float(found[3]) / 100,
                "host_idle_seconds_total": second * (1 - float(found[3]) / 100),
            }
            return SampleKind.CPU, values
        if found := _MEMORY.match(what):
            total["kills"] += float(found[3] or 0)
            return SampleKind.MEMORY, {
                "working_set_bytes": float(found[1]) * 2**20,
                "limit_bytes": float(found[2]) * 2**20,
                "oom_kills_total": total["kills"],
            }
        if found := _STORAGE.match(what):
            return SampleKind.STORAGE, {
                "requests": float(found[1]),
                "ttfb_p95_seconds": float(found[2]) / 1000,
                "ttfb_p50_seconds": float(found[3]) / 1000,
            }
        found = _LOOKUPS.match(what)
        assert found is not None, f"not in the language: {what}"
        return SampleKind.DNS, {"queries": float(found[1]), "failed": float(found[2])}


def spoken(output: Output) -> str:
    """One line for what the core said; times count from the transcript's beginning."""
    if isinstance(output, Change):
        incident = output.incident
        who = ", ".join(incident.instances)
        return f"-> {output.at - START:.0f} {output.kind.value} {incident.cause} on {who}: {output.reason}"
    place = output.instance or output.host
    return (
        f"-> {output.decided_at - START:.0f} {output.outcome.value} {output.count} {output.kind.value} "
        f"of {place} at {output.symptom_at - START:.0f}: {output.reason}"
    )


def raw_record(text: str) -> list[str]:
    """What intake makes of one raw record."""
    intake = Intake(IntakeConfig())
    intake.receive(RawRecord("registry.logs", 0, 7, START * 1000, None, text.encode()))
    batch = intake.flush(release_heads=True)
    lines = [
        f"-> dead letter of {one.origin.topic}/{one.origin.partition}@{one.origin.offset}: "
        f"{one.reason.value}, {one.detail}; its bytes: {base64.b64decode(one.value_base64).decode()}"
        for one in batch.dead_letters
    ]
    lines += [f"-> dropped: {reason}" for reason in batch.counts.dropped]
    return lines + [f"-> {kind}" for kind in batch.counts.symptoms]
