"""The nouns of Undercurrent: frozen models of everything that crosses a topic or a boundary.

This package imports nothing of ours. Times are unix seconds of event time (float) unless a name
says otherwise; units sit in names.
"""

from schemas.declared import DeclaredCause, Signature
from schemas.feedback import Feedback, FeedbackKind
from schemas.outputs import (
    Advice,
    AnyCause,
    Cause,
    Change,
    ChangeKind,
    DeadLetter,
    DeadLetterReason,
    DeadLetterRetry,
    Decision,
    Evidence,
    Impact,
    Incident,
    IncidentState,
    Outcome,
    Rival,
    RivalStanding,
    Series,
    Step,
    cause_named,
)
from schemas.rules import Rules
from schemas.signals import (
    DNS_KINDS,
    REQUEST_KINDS,
    Exemplar,
    Frame,
    Observation,
    Origin,
    Progress,
    Sample,
    SampleKind,
    Signal,
    SourceProgress,
    Symptom,
    SymptomKind,
)
from schemas.sources import EventTime, Heard, SourceKind
from schemas.wire import WIRE_VERSION, UnknownVersionError, decode, encode

__all__ = [
    "DNS_KINDS",
    "REQUEST_KINDS",
    "WIRE_VERSION",
    "Advice",
    "AnyCause",
    "Cause",
    "Change",
    "ChangeKind",
    "DeadLetter",
    "DeadLetterReason",
    "DeadLetterRetry",
    "Decision",
    "DeclaredCause",
    "EventTime",
    "Evidence",
    "Exemplar",
    "Feedback",
    "FeedbackKind",
    "Frame",
    "Heard",
    "Impact",
    "Incident",
    "IncidentState",
    "Observation",
    "Origin",
    "Outcome",
    "Progress",
    "Rival",
    "RivalStanding",
    "Rules",
    "Sample",
    "SampleKind",
    "Series",
    "Signal",
    "Signature",
    "SourceKind",
    "SourceProgress",
    "Step",
    "Symptom",
    "SymptomKind",
    "UnknownVersionError",
    "cause_named",
    "decode",
    "encode",
]
