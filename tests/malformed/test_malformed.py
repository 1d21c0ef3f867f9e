"""Law 8: bad input is an output. It changes no incident, stops nothing, and every record is accounted for."""

import base64
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random

import pytest

from agents.recordings.arrivals import lay_out, layout_of
from agents.recordings.envelopes import fluent_bit
from agents.recordings.recording import read_recording
from agents.recordings.replay import Outcome, run
from agents.settings import Settings
from pipeline.intake import Counts
from pipeline.redact import redact_bytes
from pipeline.replay import Arrival, in_order
from schemas import DeadLetterReason
from tests.malformed.generator import MAKERS, malformed

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
SETTINGS = Settings()
CONFIG = SETTINGS.intake_config()


def _mixed(good: list[Arrival], seed: int) -> tuple[list[Arrival], list[Arrival]]:
    """The good arrivals with bad ones at random moments between them, with offsets as Kafka gives them.

    Returns all of them in order, and those that are bad.
    """
    chance = Random(seed)
    logs = [
        arrival.record.value
        for arrival in good
        if arrival.record.topic == SETTINGS.topics.logs and arrival.group != "markers"
    ]
    values = [value for value in logs if value is not None]
    bad = []
    for name, value in malformed(seed, values):
        beside = chance.choice(good)
        record = replace(beside.record, key=chance.choice([None, b"k"]), value=value)
        bad.append(Arrival(beside.at, record, name))
    offsets: Counter[tuple[str, int]] = Counter()
    everything = []
    for arrival in in_order([*good, *bad]):
        place = arrival.record.topic, arrival.record.partition
        everything.append(replace(arrival, record=replace(arrival.record, offset=offsets[place])))
        offsets[place] += 1
    names = {maker.__name__ for maker in MAKERS}
    return everything, [arrival for arrival in everything if arrival.group in names]


def _said(outcome: Outcome) -> list[object]:
    """What an outcome says, without the offsets that records have moved to."""
    nouns = [*outcome.incidents, *outcome.changes, *outcome.decisions]
    return [_without(noun.model_dump(), {"origins", "origin"}) for noun in nouns]


def _without(value: object, names: set[str]) -> object:
    if isinstance(value, dict):
        return {key: _without(inner, names) for key, inner in value.items() if key not in names}
    if isinstance(value, list | tuple):
        return [_without(inner, names) for inner in value]
    return value


def _accounted(counts: Counts) -> int:
    ends = (counts.records, counts.dropped, counts.dead_letters)
    return sum(sum(end.values()) for end in ends) + counts.markers + counts.held


@cache
def _told(recording: str, seed: int) -> tuple[list[Arrival], list[Arrival], list[Arrival], Outcome]:
    """A recording's good arrivals, all arrivals, the bad ones among them, and what comes of them all."""
    layout = layout_of(fluent_bit, True, SETTINGS.topics)
    good = lay_out(read_recording(SAMPLES / recording), layout)
    everything, bad = _mixed(good, seed)
    return good, everything, bad, run(everything, CONFIG, SETTINGS.rules)


@pytest.mark.parametrize(("recording", "seed"), [("cpu_cascade", 1), ("mixed", 2)])
def test_ten_thousand_malformed_records_change_nothing(recording: str, seed: int) -> None:
    """With 10,000 bad records among them the good ones tell the same story, and all are accounted for."""
    good, everything, bad, dirty = _told(recording, seed)
    clean = run(good, CONFIG, SETTINGS.rules)
    assert len(bad) == 10_000

    assert clean.incidents
    assert _said(dirty) == _said(clean)

    assert clean.counts.received == len(good) == _accounted(clean.counts)
    assert dirty.counts.received == len(everything) == _accounted(dirty.counts)
    # Nothing bad is kept: records, markers and samples are those of the good ones.
    assert dirty.counts.records == clean.counts.records
    assert dirty.counts.markers == clean.counts.markers
    assert dirty.counts.symptoms == clean.counts.symptoms
    assert dirty.counts.samples == clean.counts.samples
    assert dirty.counts.held == clean.counts.held == 0


def test_a_dead_letter_is_the_record_itself() -> None:
    """Each dead letter names a bad record's place, reason and size, and carries its bytes less secrets."""
    _, _, bad, outcome = _told("cpu_cascade", 1)
    places = {(one.record.topic, one.record.partition, one.record.offset): one for one in bad}
    reasons: dict[str, set[DeadLetterReason]] = {maker.__name__: set() for maker in MAKERS}
    for letter in outcome.dead_letters:
        arrival = places[letter.origin.topic, letter.origin.partition, letter.origin.offset]
        value = arrival.record.value or b""
        kept = redact_bytes(value, CONFIG.dead_letter_bytes_max)
        assert (base64.b64decode(letter.value_base64), letter.redacted) == kept
        assert letter.size_bytes == len(value)
        assert letter.timestamp_ms == arrival.record.timestamp_ms
        assert letter.detail
        reasons[arrival.group].add(letter.reason)
    assert Counter(letter.reason for letter in outcome.dead_letters) == outcome.counts.dead_letters
    assert DeadLetterReason.OVERSIZE in reasons["megabyte"]
    assert DeadLetterReason.TIME_OUT_OF_RANGE in reasons["absurd_time"]
    for kind in ("truncated", "no_text", "no_labels", "invalid_utf8", "nul_bytes", "deep"):
        assert reasons[kind] <= {DeadLetterReason.MALFORMED, DeadLetterReason.UNDECODABLE}
        assert reasons[kind], kind
