"""Frames as records of undercurrent.signals: keyed by domain, in its partition, none too large."""

from collections.abc import Iterable, Iterator

from agents.outbox import RECORD_BYTES_MAX, Outgoing
from agents.settings import Topics
from agents.topics import partition_of
from schemas import Frame, Sample, Signal, encode


def outgoing(
    frames: Iterable[Frame], topics: Topics, headers: tuple[tuple[str, bytes], ...] = ()
) -> Iterator[Outgoing]:
    """The records to write for `frames`."""
    for frame in frames:
        partition = partition_of(frame.domain, topics.partitions)
        for value in encoded(frame):
            yield Outgoing(topics.signals, value, frame.domain.encode(), partition, headers)


def encoded(frame: Frame) -> Iterator[bytes]:
    """The frame as one record, or as several when it is too large for one: signals are independent."""
    value = encode(frame)
    if len(value) <= RECORD_BYTES_MAX:
        yield value
    elif len(frame.signals) > 1:
        middle = len(frame.signals) // 2
        for part in (frame.signals[:middle], frame.signals[middle:]):
            yield from encoded(Frame(domain=frame.domain, signals=part))
    else:
        yield from encoded(Frame(domain=frame.domain, signals=(_smaller(frame.signals[0]),)))


def _smaller(signal: Signal) -> Signal:
    """The same signal with fewer observations: the ones with the smallest ids, as any roll-up keeps.

    Raises:
        ValueError: nothing is left to leave out; one observation alone cannot be that large.
    """
    if isinstance(signal, Sample) or (len(signal.observations) < 2 and not signal.exemplars):
        raise ValueError(f"a single {signal.type} does not fit into {RECORD_BYTES_MAX} bytes")
    kept = sorted(signal.observations, key=lambda one: one.id)[: max(1, len(signal.observations) // 2)]
    return signal.model_copy(update={"observations": tuple(kept), "exemplars": ()})
