"""The byte test lets go only what no later stage would have kept."""

import pytest

from pipeline.intake import Intake, IntakeConfig
from pipeline.intake.relevance import cannot_matter
from schemas import SymptomKind
from tests.intake.feed import AT, FIXTURES, captured, feed, fluent_bit, record, samples_of_shippers, signals
from tests.intake.test_classify import CLASSES

ACCESS = captured("v2.8.3-access.stdout")


@pytest.mark.parametrize("text", [text for text, _ in CLASSES])
def test_no_line_of_any_class_fails_the_byte_test(text: str) -> None:
    """Bare and inside an envelope: failing is final, so every class must pass."""
    assert not cannot_matter(text.encode())
    assert not cannot_matter(fluent_bit(text))


def test_no_beginning_of_a_tail_fails_the_byte_test() -> None:
    """A tail may be cut in two itself; then its first piece holds no word but its own."""
    assert not cannot_matter(b"caused by: context deadline exceeded")


@pytest.mark.parametrize("name", sorted(samples_of_shippers()))
def test_whatever_gives_a_signal_passes_the_byte_test(name: str) -> None:
    """For every shipper: if a record tells something, the byte test lets it through."""
    value = samples_of_shippers()[name]
    if signals(feed([value])):
        assert not cannot_matter(value)
    else:
        assert name == "alertmanager-v4"


def test_the_byte_test_agrees_with_reading_every_captured_line() -> None:
    """A captured line that fails it is none that a class would have been found for."""
    lines = [
        line for path in sorted(FIXTURES.glob("captured-*.log")) for line in path.read_text().splitlines()
    ]
    let_go = [line for line in lines if cannot_matter(line.encode())]
    assert len(let_go) > len(lines) / 2
    for line in let_go:
        # a word of interest in an unused field makes the decoders read the very same line
        batch = feed([fluent_bit(line, note="error")])
        assert set(batch.counts.symptoms) <= set(), line


@pytest.mark.parametrize("line", ACCESS)
def test_access_lines_are_let_go_unread(line: str) -> None:
    """Requests are counted by the service's own lines; the access log would count them twice."""
    assert cannot_matter(line.encode())
    assert cannot_matter(fluent_bit(line))


@pytest.mark.parametrize(
    "value",
    [
        fluent_bit(ACCESS[0], at=AT),
        b'{"timestamp":"2026-11-23T09:10:30.5Z","message":"nothing","source_type":"file"}',
        b'{"@timestamp":"2026-11-23T09:10:30.500Z","@metadata":{},"message":"nothing"}',
        b'{"log":"nothing\\n","stream":"stdout","time":"2026-11-23T09:10:30.5Z"}',
    ],
)
def test_what_is_let_go_still_tells_the_time(value: bytes) -> None:
    """A partition of healthy lines moves on in event time, or the watermark would wait for it."""
    intake = Intake(IntakeConfig())
    intake.receive(record(value))
    assert intake.flush().counts.dropped == {"irrelevant": 1}
    assert intake.sources()["registry.logs", 0].high == AT


def test_a_line_of_interest_in_another_alphabet_is_read() -> None:
    """Text beyond ASCII is no reason to let a line go, nor to refuse it."""
    line = 'time="2026-11-23T09:10:30Z" level=info msg="listening on \u00fcbung:5000"'
    assert feed([fluent_bit(line), line.encode()]).counts.symptoms == {SymptomKind.PROCESS_STARTED.value: 2}
