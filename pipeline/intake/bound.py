"""How much one record may hold: a small record can claim millions of empty things, and each takes time."""

from collections.abc import Sequence
from typing import TypeVar

from pipeline.intake.record import RefusedError
from schemas import DeadLetterReason

ENTRIES_MAX = 100_000
"""Resources, scopes, log records, metrics, series and points of one record, all together."""

T = TypeVar("T")


def too_large(detail: str) -> RefusedError:
    """The record holds more than is read of one."""
    return RefusedError(DeadLetterReason.OVERSIZE, detail)


class Bound:
    """Counts what has been looked at in one record."""

    def __init__(self) -> None:
        self._left = ENTRIES_MAX

    def take(self, things: Sequence[T]) -> Sequence[T]:
        """`things`, which may be looked at.

        Raises:
            RefusedError: with them it is more than ENTRIES_MAX.
        """
        self._left -= len(things)
        if self._left < 0:
            raise too_large(f"it holds more than {ENTRIES_MAX} things")
        return things
