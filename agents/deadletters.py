"""Bad input is an output (law 8): what cannot be read goes to its topic with origin, reason and bytes."""

import base64
from typing import Any

from agents import log
from agents.outbox import Outbox, Outgoing
from agents.settings import Settings
from agents.telemetry import Telemetry
from schemas import DeadLetter, DeadLetterReason, Origin, UnknownVersionError, encode


def dead_letter(
    place: tuple[str, int, int],
    reason: DeadLetterReason,
    detail: str,
    value: bytes,
    bytes_max: int,
    timestamp_ms: int | None = None,
) -> DeadLetter:
    """Make the dead letter of the record at `place` (topic, partition, offset), cut to `bytes_max`."""
    topic, partition, offset = place
    return DeadLetter(
        origin=Origin(topic=topic, partition=partition, offset=offset),
        reason=reason,
        detail=detail[:500],
        value_base64=base64.b64encode(value[:bytes_max]).decode(),
        size_bytes=len(value),
        timestamp_ms=timestamp_ms,
    )


class DeadLetters:
    """Keeps what correlate and notify cannot read of our own topics."""

    def __init__(self, settings: Settings, outbox: Outbox, telemetry: Telemetry) -> None:
        self._settings = settings
        self._outbox = outbox
        self._telemetry = telemetry
        self._journal = log.get("dead-letters")

    async def refuse(self, message: Any, value: bytes, error: ValueError) -> None:
        """Keep the record of `message`; returns when Kafka has it."""
        newer = isinstance(error, UnknownVersionError)
        reason = DeadLetterReason.UNKNOWN_VERSION if newer else DeadLetterReason.MALFORMED
        place = (message.topic, message.partition, message.offset)
        letter = dead_letter(place, reason, str(error), value, self._settings.intake.dead_letter_bytes_max)
        await self._outbox.send([Outgoing(self._settings.topics.dead_letters, encode(letter))])
        self._telemetry.dead_letter(letter)
        topic, partition, offset = place
        self._journal.warning(
            "dead_letter", topic=topic, partition=partition, offset=offset, reason=reason.value
        )
