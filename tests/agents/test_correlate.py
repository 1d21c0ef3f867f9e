"""Correlate's laws: write before acknowledging, skip what was seen, go on after a crash at any point."""

import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest

from agents.correlate import Correlate, Partition, StaleStateError
from agents.deadletters import DeadLetters
from agents.fence import Reader
from agents.recordings.recording import read_recording
from agents.settings import Settings, load_settings
from agents.telemetry import Telemetry
from agents.topics import partition_of
from pipeline.intake import Intake
from pipeline.replay import Arrival
from schemas import (
    Change,
    DeadLetter,
    DeadLetterReason,
    Frame,
    Progress,
    Rules,
    SourceProgress,
    decode,
    encode,
)
from tests.agents.memory import Kafka, event, hand
from tests.agents.shipped import shipped

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "cpu_cascade"
SETTINGS = load_settings(None, {"UNDERCURRENT_CORRELATE_CHECKPOINT_SECONDS": "0"})
HOME = partition_of("default", SETTINGS.topics.partitions)
NOUNS = list[Frame | Progress]


def progress(event_time: float, holds: bool = True) -> Progress:
    """One source that has been read so far."""
    source = SourceProgress(source="registry.logs/0", time=event_time, holds=holds)
    return Progress(worker="w", expected={"registry.logs": 1}, sources=(source,))


def frames_and_progress(arrivals: Iterable[Arrival]) -> NOUNS:
    """What intake makes of a recording when it flushes every ten seconds of it."""
    intake, nouns, at = Intake(SETTINGS.intake_config()), NOUNS(), 0.0
    for arrival in arrivals:
        if arrival.at - at >= 10:
            nouns += [*intake.flush().frames, progress(arrival.at - 2)]
            at = arrival.at
        intake.receive(arrival.record)
    return [*nouns, *intake.flush(release_heads=True).frames, progress(at + 1000)]


@pytest.fixture(scope="module")
def nouns() -> NOUNS:
    """Frames and progress of the worst minute of a cascade, and of the quiet after it."""
    arrivals = shipped(read_recording(SAMPLE), SETTINGS, markers=False)
    start = arrivals[0].at
    return frames_and_progress(one for one in arrivals if 35 <= one.at - start < 95)


def correlate(
    kafka: Kafka,
    settings: Settings = SETTINGS,
    end: int | None = None,
    clock: Callable[[], float] = lambda: 0.0,
) -> Correlate:
    """A freshly started agent over this Kafka. With SETTINGS it stores its state after each record."""
    telemetry = Telemetry()
    letters = DeadLetters(settings, kafka, telemetry)  # type: ignore[arg-type]
    return Correlate(settings, kafka, kafka, letters, telemetry, lambda _: end, lambda *_: None, clock)  # type: ignore[arg-type]


def as_event(noun: Frame | Progress, offset: int, *readers: Reader) -> Any:
    """A frame or a progress as a record."""
    headers = tuple(reader.header() for reader in readers)
    key = noun.domain.encode() if isinstance(noun, Frame) else None
    return event(encode(noun), key, offset, HOME, headers)


def changes(kafka: Kafka) -> dict[str, bytes]:
    """Everything said so far by topic and id; two of one id must be equal."""
    said: dict[str, bytes] = {}
    for record in kafka.outputs:
        identity = f"{record.topic} {orjson.loads(record.value)['id']}"
        assert said.setdefault(identity, record.value) == record.value
    return said


async def test_outputs_are_in_kafka_before_the_state_that_knows_of_them(nouns: NOUNS) -> None:
    """State written first would, after a crash, keep quiet about what was never said."""
    kafka = Kafka()
    agent = correlate(kafka)
    for offset, noun in enumerate(nouns):
        before = len(kafka.log)
        await hand(agent, as_event(noun, offset))
        written = kafka.log[before:]
        states = written.count("state")
        assert written[len(written) - states :] == ["state"] * states
    assert {"undercurrent.changes", "undercurrent.decisions"} <= set(kafka.log)


async def test_time_that_passes_without_a_word_stores_no_domain(nouns: NOUNS) -> None:
    """Progress comes several times a second; a domain is stored for frames and for what is said."""
    kafka = Kafka()
    agent = correlate(kafka)
    for offset, noun in enumerate(nouns):
        before = len(kafka.log)
        await hand(agent, as_event(noun, offset))
        written = kafka.log[before:]
        said = bool({"undercurrent.changes", "undercurrent.decisions"} & set(written))
        assert written.count("state") == 1 + (said or isinstance(noun, Frame)), "the partition's is always"


async def test_records_wait_for_their_checkpoint_and_come_again_without_it(nouns: NOUNS) -> None:
    """Between checkpoints a frame is not acknowledged, so a crash loses nothing; at one all of them are."""
    clock = [0.0]
    kafka = Kafka()
    agent = correlate(kafka, load_settings(None, {}), clock=lambda: clock[0])
    acknowledged: list[int] = []

    async def handle(offset: int) -> None:
        async def acknowledge() -> None:
            acknowledged.append(offset)

        await agent.handle(as_event(frames[offset], offset), acknowledge)

    frames = [noun for noun in nouns if isinstance(noun, Frame)]
    await handle(0)
    clock[0] = 4.9
    await handle(1)
    assert (acknowledged, kafka.states) == ([], {})
    clock[0] = 5.0
    await handle(2)
    assert acknowledged == [0, 1, 2]
    assert orjson.loads(kafka.states["default"])["version"] == 2
    await handle(3)
    await agent.checkpoint()
    assert acknowledged == [0, 1, 2, 3], "before a rebalance nothing is left waiting"


async def test_progress_alone_waits_for_its_checkpoint() -> None:
    """Where no domain is known time is stored all the same, before the record is done with."""
    settings = load_settings(None, {})
    kafka = Kafka()
    agent = correlate(kafka, settings)
    assert not await hand(agent, as_event(progress(100.0), 0))
    await agent.checkpoint()
    again = Partition(Rules())
    again.restore(kafka.of_partition(HOME))
    assert (again.watermark.event_time(), again.position, again.seats) == (100.0, 0, {})


async def test_a_frame_delivered_again_is_skipped(nouns: NOUNS) -> None:
    """At-least-once delivery repeats frames; the state knows its offset, so nothing is written twice."""
    kafka = Kafka()
    agent = correlate(kafka)
    frames = [noun for noun in nouns if isinstance(noun, Frame)][:5]
    for offset, frame in enumerate(frames):
        await hand(agent, as_event(frame, offset))
    written = list(kafka.log)
    for offset, frame in enumerate(frames):
        await hand(agent, as_event(frame, offset))
    assert kafka.log == written


@pytest.mark.slow
@pytest.mark.parametrize("checkpoint_seconds", ["0", "5"])
async def test_a_crash_at_any_write_loses_nothing_and_says_nothing_else(
    nouns: NOUNS, checkpoint_seconds: str
) -> None:
    """Whichever write fails, a successor with the stored state says the rest of what an unharmed one says."""
    settings = load_settings(None, {"UNDERCURRENT_CORRELATE_CHECKPOINT_SECONDS": checkpoint_seconds})

    async def work_off(kafka: Kafka) -> None:
        """Like Kafka and a supervisor: what was not acknowledged comes again, to a new agent."""
        clock, offset, acknowledged = itertools.count(step=2.0), 0, -1
        agent = correlate(kafka, settings, clock=lambda: next(clock))
        while offset < len(nouns):

            async def acknowledge(done: int = offset) -> None:
                nonlocal acknowledged
                acknowledged = done

            try:
                await agent.handle(as_event(nouns[offset], offset), acknowledge)
                offset += 1
            except ConnectionError:
                kafka.fail_at = None
                agent = correlate(kafka, settings, clock=lambda: next(clock))
                offset = max(0, acknowledged)  # a commit may be behind by a record

    whole = Kafka()
    await work_off(whole)
    assert changes(whole)
    for crash in range(len(whole.log)):
        kafka = Kafka(fail_at=crash)
        await work_off(kafka)
        assert changes(kafka) == changes(whole), f"after a crash at write {crash}"


async def test_a_frame_in_a_foreign_partition_is_a_dead_letter() -> None:
    """Workers that disagree about the number of partitions must not split a domain in two."""
    kafka = Kafka()
    frame = encode(Frame(domain="default", signals=()))
    foreign = (HOME + 1) % SETTINGS.topics.partitions
    await hand(correlate(kafka), event(frame, b"default", 0, foreign))
    (letter,) = [decode(DeadLetter, record.value) for record in kafka.outputs]
    assert letter.reason is DeadLetterReason.MALFORMED
    assert f"belongs to partition {HOME}" in letter.detail
    assert kafka.states == {}


@pytest.mark.parametrize(
    ("value", "key", "reason"),
    [
        (
            b'{"v":2,"type":"frame","domain":"default","signals":[]}',
            b"default",
            DeadLetterReason.UNKNOWN_VERSION,
        ),
        (b"\xff", b"default", DeadLetterReason.MALFORMED),
        (None, b"default", DeadLetterReason.MALFORMED),
        (b"{}", None, DeadLetterReason.MALFORMED),
        (encode(Frame(domain="default", signals=())), None, DeadLetterReason.MALFORMED),
    ],
)
async def test_what_cannot_be_read_is_kept_with_its_origin(
    value: bytes | None, key: bytes | None, reason: DeadLetterReason
) -> None:
    """Law 8: bad input is an output."""
    kafka = Kafka()
    await hand(correlate(kafka), event(value, key, 41, HOME))
    (letter,) = [decode(DeadLetter, record.value) for record in kafka.outputs]
    assert (letter.reason, letter.origin.offset, letter.size_bytes) == (reason, 41, len(value or b""))


async def test_state_about_a_topic_that_was_created_anew_ends_the_worker(nouns: NOUNS) -> None:
    """Offsets begin at zero again there: every new frame would look as if it had been seen."""
    kafka = Kafka()
    frames = [noun for noun in nouns if isinstance(noun, Frame)]
    await hand(correlate(kafka), as_event(frames[0], 500))
    with pytest.raises(StaleStateError, match="created anew"):
        await hand(correlate(kafka, end=3), as_event(frames[1], 2))


def test_time_moves_in_whole_seconds() -> None:
    """The core settles whole seconds, so within one it has nothing to do."""
    partition = Partition(Rules())
    partition.receive(Frame(domain="default", signals=()), 0)
    partition.advance(progress(100.2))
    assert partition.second == 100
    assert partition.advance(progress(100.9)) == {}


def test_restored_partitions_continue_at_the_newest_watermark(nouns: NOUNS) -> None:
    """Of several domains' states the one stored last knows the time best."""
    partition = Partition(Rules())
    frames = [noun for noun in nouns if isinstance(noun, Frame)]
    old = Frame(domain="old", signals=frames[0].signals)
    partition.receive(old, 1)
    partition.advance(progress(100.0))
    stored = {"old": partition.state("old")}
    partition.advance(progress(200.0))
    partition.receive(frames[0], 2)
    stored["default"] = partition.state("default")
    again = Partition(Rules())
    again.restore(orjson.loads(orjson.dumps(stored)).items())
    assert again.watermark.event_time() == 200.0
    assert (again.seen("old", 1), again.seen("old", 2), again.seen("default", 2)) == (True, False, True)


def test_the_cascade_is_found(nouns: NOUNS) -> None:
    """The tests above would prove little about a history that says nothing."""
    partition = Partition(Rules())
    said = [
        output
        for offset, noun in enumerate(nouns)
        for output in (
            partition.receive(noun, offset)
            if isinstance(noun, Frame)
            else [one for outputs in partition.advance(noun).values() for one in outputs]
        )
    ]
    assert "cpu_saturation" in {one.incident.cause for one in said if isinstance(one, Change)}


async def test_a_reader_that_was_taken_over_changes_nothing(nouns: NOUNS) -> None:
    """A frozen intake wakes up after its successor has spoken: its frames say nothing new, early or late."""
    sleeper, successor = Reader(1, ("registry.logs/0",)), Reader(2, ("registry.logs/0",))
    kafka = Kafka()
    agent = correlate(kafka)
    for offset, noun in enumerate(nouns):
        await hand(agent, as_event(noun, offset, successor))
    before = changes(kafka), kafka.states["default"]
    for offset, noun in enumerate(nouns, len(nouns)):
        assert await hand(agent, as_event(noun, offset, sleeper))
    assert (changes(kafka), kafka.states["default"]) == before

    restarted = correlate(kafka)
    for offset, noun in enumerate(nouns, 2 * len(nouns)):
        await hand(restarted, as_event(noun, offset, sleeper))
    assert (changes(kafka), kafka.states["default"]) == before, "terms are stored with the partition"
