"""Feedback: what a person said of an incident, by pressing one of the buttons under its message."""

from enum import StrEnum
from typing import Literal

from schemas.base import Noun
from schemas.outputs import AnyCause


class FeedbackKind(StrEnum):
    """Which button it was."""

    ACKNOWLEDGED = "acknowledged"
    """Somebody looks after it: nobody else need be called."""
    SNOOZED = "snoozed"
    """Nobody is to be called before `until`."""
    WRONG_CAUSE = "wrong_cause"
    """The cause is another one, or there was no trouble at all."""
    ASKED_SUPPRESSED = "asked_suppressed"
    """Somebody wants to see the DNS errors that were suppressed."""


NO_TROUBLE = "none"
"""`right_cause` where nothing was wrong."""


class Feedback(Noun):
    """One record of undercurrent.feedback. A person's last word of each kind on an incident is kept.

    `by`: the person's id in Slack, `name` as Slack shows it. `at`, `until`: unix seconds of the wall
    clock, the only times here that are not event time. `said`: the cause that the message named;
    `right_cause`: with `wrong_cause`, the cause a person names instead, or `none`.
    """

    type: Literal["feedback"] = "feedback"
    id: str
    incident: str
    domain: str
    kind: FeedbackKind
    by: str
    name: str | None = None
    at: float
    said: AnyCause | None = None
    right_cause: AnyCause | None = None
    until: float | None = None

    @property
    def key(self) -> str:
        """Key of the compacted topic: who says what of which incident."""
        return f"{self.domain}/{self.incident}/{self.kind}/{self.by}"
