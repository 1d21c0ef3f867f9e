"""Bad input is an output (law 8): what cannot be read goes to its topic with origin, reason and bytes."""

from typing import Any

from agents import log
from agents.outbox import Outbox, Outgoing
from agents.settings import Settings
from agents.telemetry import Telemetry
from pipeline.intake import RawRecord
from pipeline.letters import dead_letter
from pipeline.redact import redactor
from schemas import DeadLetterReason, UnknownVersionError, encode


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
        intake = self._settings.intake
        topic, partition, offset = message.topic, message.partition, message.offset
        record = RawRecord(topic, partition, offset, None, message.key, value)
        hide = redactor(intake.redact_emails)
        letter = dead_letter(record, reason, str(error), intake.dead_letter_bytes_max, hide)
        await self._outbox.send([Outgoing(self._settings.topics.dead_letters, encode(letter))])
        self._telemetry.dead_letter(letter)
        self._journal.warning(
            "dead_letter", topic=topic, partition=partition, offset=offset, reason=reason.value
        )
