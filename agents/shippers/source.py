"""What the loop asks of a source of records, and what a record is before Kafka has it."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

ROUND_BYTES_MAX = 2 * 1024 * 1024
"""Bytes that are read for one round, all files together: what a shipper holds in memory."""


class Outgoing(NamedTuple):
    """One record on its way. `key` decides the partition; `timestamp_ms` is unix milliseconds."""

    value: bytes
    key: bytes
    timestamp_ms: int


class Source(Protocol):
    """Gives records in rounds. One round is out at a time."""

    def take(self) -> Sequence[Outgoing]:
        """The records of the next round, empty when there is nothing new.

        They are written down first: a shipper that is killed now gives the same ones, byte for byte.
        """

    def done(self) -> None:
        """Kafka has the whole round."""

    def waiting(self) -> None:
        """Kafka does not take the round yet: called about once a second until it does."""

    def backlog_bytes(self) -> int:
        """What is known and not in Kafka yet."""

    def close(self) -> None:
        """Write down how far it is and let go of what is open."""
