"""Explains an incident, a decision or one raw record, from a recording or from Kafka's topics."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from agents.letters.reading import letters_in, read
from agents.past import Past
from agents.settings import Settings, Topics
from pipeline.explain import (
    Answer,
    Said,
    concluded,
    explain_decision,
    explain_incident,
    explain_record,
    trace,
    watch,
    where,
)
from pipeline.intake import IntakeConfig, RawRecord
from pipeline.letters import place
from pipeline.render.words import Words
from pipeline.replay import Arrival
from schemas import Change, DeadLetter, Decision, Origin, Rules, decode
from schemas.base import Noun

NEIGHBOURS = 64
"""Offsets before and after a record among which the other half of a split line is looked for."""

NEAR_MS = 5_000
"""The same in a recording, in milliseconds of Kafka's timestamp."""

N = TypeVar("N", bound=Noun)

_ID = re.compile(r"([0-9a-f]{16})(?::(\d{1,9}))?")


class UnknownError(LookupError):
    """Nothing is known by this id; the message says where was looked."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an id names: a raw record (`origin`), or what was said under `id`, up to change number `seq`."""

    text: str
    origin: Origin | None = None
    id: str = ""
    seq: int | None = None


def asked(text: str) -> Asked:
    """Read an id as a person gives it.

    Raises:
        ValueError: it is none.
    """
    record = place(text)
    if record is not None:
        return Asked(text, record)
    said = _ID.fullmatch(text)
    if said is None:
        raise ValueError(
            "an id is that of an incident or a decision (16 hex digits), of a change (the same with "
            "`:number`), or a record as topic:partition:offset"
        )
    return Asked(text, id=said[1], seq=int(said[2]) if said[2] else None)


def explain_recording(
    question: Asked, arrivals: list[Arrival], config: IntakeConfig, rules: Rules, words: Words
) -> Answer:
    """Answer from a replay of `arrivals`, in order of arrival.

    Raises:
        UnknownError: the replay has nothing by that id.
    """
    record = _arrival(question.origin, arrivals) if question.origin is not None else None
    told = trace(record, _near(record, arrivals), config) if record is not None else None
    events = told.told if told is not None else ()
    outputs, replayer, home = watch(arrivals, record, events, config, rules)
    said = _said(outputs, replayer.dead_letters)
    if told is not None:
        return explain_record(told, home, said, words)
    return _explain_said(question, said, words, "the replay of this recording")


def _arrival(origin: Origin, arrivals: list[Arrival]) -> RawRecord:
    ends: dict[tuple[str, int], int] = {}
    for arrival in arrivals:
        one = arrival.record
        if (one.topic, one.partition, one.offset) == (origin.topic, origin.partition, origin.offset):
            return one
        place = one.topic, one.partition
        ends[place] = max(ends.get(place, 0), one.offset)
    place = origin.topic, origin.partition
    there = f"it has offsets up to {ends[place]}" if place in ends else f"there are {_listed(ends)}"
    raise UnknownError(
        f"the recording has no record {where(origin)}: {there}; markers between them are not replayed"
    )


def _listed(places: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{topic}:{partition}" for topic, partition in sorted(places)) or "no records"


def _near(record: RawRecord, arrivals: list[Arrival]) -> list[RawRecord]:
    return [
        arrival.record
        for arrival in arrivals
        if arrival.record.topic == record.topic
        and abs((arrival.record.timestamp_ms or 0) - (record.timestamp_ms or 0)) <= NEAR_MS
    ]


def _said(outputs: Iterable[Change | Decision], dead_letters: Iterable[DeadLetter]) -> Said:
    known = {one.id: one for one in outputs}
    changes = tuple(one for one in known.values() if isinstance(one, Change))
    decisions = [one for one in known.values() if isinstance(one, Decision)]
    return Said(
        changes,
        tuple(sorted(decisions, key=lambda one: (one.symptom_at, one.id))),
        tuple(dead_letters),
    )


def _explain_said(question: Asked, said: Said, words: Words, place: str) -> Answer:
    changes = said.changes_of(question.id)
    if question.seq is not None:
        changes = [one for one in changes if one.seq <= question.seq]
    if changes and (question.seq is None or changes[-1].seq == question.seq):
        return explain_incident(changes, said, words)
    decision = next((one for one in said.decisions if one.id == question.id), None)
    if decision is not None and question.seq is None:
        return explain_decision(decision, said, words)
    raise UnknownError(f"{place} has no incident, change or decision {question.text}")


@dataclass(slots=True)
class _Heard:
    """What was read of our own topics; `unreadable` records were left out."""

    changes: dict[str, Change] = field(default_factory=dict)
    decisions: dict[str, Decision] = field(default_factory=dict)
    letters: list[DeadLetter] = field(default_factory=list)
    unreadable: int = 0

    def said(self) -> Said:
        return _said([*self.changes.values(), *self.decisions.values()], self.letters)


def explain_kafka(question: Asked, settings: Settings, past: Past, words: Words) -> tuple[Answer, int]:
    """Answer from what lies in Kafka, with the number of records that could not be read.

    Raises:
        UnknownError: the topics have nothing by that id.
        PastError: they cannot be read, or not in time.
    """
    names = settings.topics
    if question.origin is None:
        heard = _hear(past, names, question.id)
        place = f"what {names.changes} and {names.decisions} still hold"
        return _explain_said(question, heard.said(), words, place), heard.unreadable
    record, around = _record(question.origin, past)
    if record.topic in (names.changes, names.decisions):
        return explain_kafka(_behind(record, names), settings, past, words)
    if record.topic == names.dead_letters:
        letter = read(record.value or b"")
        about = letter.origin if isinstance(letter, DeadLetter) else letter.of
        return explain_kafka(Asked(where(about), about), settings, past, words)
    told = trace(record, around, settings.intake_config())
    heard = _hear(past, names, None)
    if told.fate == "dead_letter":
        letters, unreadable = letters_in(past, names.dead_letters)
        heard.letters = [one.letter for one in letters if one.letter.origin == told.origin]
        heard.unreadable += unreadable
    said = heard.said()
    return explain_record(told, concluded(told.told, said), said, words), heard.unreadable


def _record(origin: Origin, past: Past) -> tuple[RawRecord, list[RawRecord]]:
    around = past.around(origin.topic, origin.partition, origin.offset, NEIGHBOURS)
    record = next((one for one in around if one.offset == origin.offset), None)
    if record is None:
        raise UnknownError(f"{where(origin)} is no record: Kafka uses that offset for itself")
    return record, around


def _behind(record: RawRecord, names: Topics) -> Asked:
    """What a record of our own is about."""
    value = record.value or b""
    if record.topic == names.decisions:
        return Asked(one := decode(Decision, value).id, id=one)
    change = decode(Change, value)
    return Asked(change.id, id=change.incident.id, seq=change.seq)


def _hear(past: Past, names: Topics, only: str | None) -> _Heard:
    """Read changes and decisions: all that concerns one id, or the last of every incident."""
    heard = _Heard()
    for change in _decoded(past, names.changes, Change, heard):
        key = change.id if only is not None else change.incident.id
        if only in (None, change.incident.id) and _is_newer(change, heard.changes.get(key)):
            heard.changes[key] = change
    for decision in _decoded(past, names.decisions, Decision, heard):
        if only in (None, decision.id, decision.incident_id):
            heard.decisions[decision.id] = decision
    wanted = {one.incident_id for one in heard.decisions.values()}
    if only is not None and not heard.changes and wanted - {None}:
        incident = next(one for one in wanted if one is not None)
        heard.changes = _hear(past, names, incident).changes
    return heard


def _is_newer(change: Change, known: Change | None) -> bool:
    return known is None or change.seq > known.seq


def _decoded(past: Past, topic: str, model: type[N], heard: _Heard) -> Iterator[N]:
    for record in past.everything(topic):
        try:
            yield decode(model, record.value or b"")
        except ValueError:
            heard.unreadable += 1
