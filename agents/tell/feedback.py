"""Feedback in Kafka: written by whoever took the press, read for what a person asks to see and for export."""

import asyncio
from collections.abc import Iterator, Sequence

from agents.outbox import Outbox, Outgoing
from agents.past import PastError, past
from agents.settings import Settings
from agents.topics import partition_of
from schemas import Decision, Feedback, Outcome, decode, encode

READ_SECONDS = 10.0
"""How long somebody who asks for what was suppressed is made to wait."""


class FeedbackTopic:
    """undercurrent.feedback and, beside it, the decisions that a press may ask for."""

    def __init__(self, settings: Settings, outbox: Outbox) -> None:
        self._settings = settings
        self._outbox = outbox

    async def deliver(self, feedback: Feedback) -> None:
        """Write a press; returns when Kafka has it."""
        topics = self._settings.topics
        partition = partition_of(feedback.domain, topics.partitions)
        record = Outgoing(topics.feedback, encode(feedback), feedback.key.encode(), partition)
        await self._outbox.send([record])

    async def suppressed(self, feedback: Feedback) -> Sequence[Decision] | None:
        """The DNS symptoms that the incident of `feedback` explains, by time; None if Kafka is too slow."""
        try:
            return await asyncio.to_thread(suppressed_by, self._settings, feedback.incident, feedback.domain)
        except PastError:
            return None


def suppressed_by(settings: Settings, incident: str, domain: str) -> list[Decision]:
    """The decisions by which `incident` took symptoms upon itself. Raises PastError."""
    topics = settings.topics
    with past(settings, READ_SECONDS) as reader:
        found = {}
        for record in reader.everything(topics.decisions, partition_of(domain, topics.partitions)):
            if record.value is not None and incident.encode() in record.value:
                decision = decode(Decision, record.value)
                found[decision.id] = decision
    ours = [
        one for one in found.values() if one.incident_id == incident and one.outcome is Outcome.SUPPRESSED
    ]
    return sorted(ours, key=lambda one: (one.symptom_at, one.id))


def everything_said(settings: Settings, timeout_seconds: float) -> Iterator[Feedback]:
    """Each person's last word of each kind on each incident, oldest first. Raises PastError."""
    with past(settings, timeout_seconds) as reader:
        latest: dict[str, Feedback] = {}
        for record in reader.everything(settings.topics.feedback):
            if record.value is not None:
                feedback = decode(Feedback, record.value)
                latest[feedback.key] = feedback
    yield from sorted(latest.values(), key=lambda one: (one.at, one.id))
