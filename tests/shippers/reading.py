"""What intake understands of records on their way, for the tests."""

from collections.abc import Iterable

from agents.shippers.source import Outgoing
from pipeline.intake import Intake, IntakeConfig, RawRecord
from schemas import Sample


def samples(records: Iterable[Outgoing]) -> list[Sample]:
    """The samples in them, none refused."""
    intake = Intake(IntakeConfig())
    for number, one in enumerate(records):
        intake.receive(RawRecord("registry.metrics", 0, number, one.timestamp_ms, one.key, one.value))
    batch = intake.flush()
    assert not batch.dead_letters
    return [signal for frame in batch.frames for signal in frame.signals if isinstance(signal, Sample)]
