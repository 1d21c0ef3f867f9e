"""Why: of an incident, of a decision, of one raw record. Pure: what was said goes in, an answer comes out.

`trace` asks the intake what it makes of a record, `home` looks where the core puts that, and `incident`,
`decision` and `record` say it in plain English, each line with the records it can be checked against.
"""

from pipeline.explain.answer import Answer, Line, Said, Section, where
from pipeline.explain.decision import explain_decision
from pipeline.explain.decoded import explain_decoded
from pipeline.explain.home import Home, concluded, watch
from pipeline.explain.incident import explain_incident
from pipeline.explain.record import explain_record
from pipeline.explain.trace import Trace, trace

__all__ = [
    "Answer",
    "Home",
    "Line",
    "Said",
    "Section",
    "Trace",
    "concluded",
    "explain_decision",
    "explain_decoded",
    "explain_incident",
    "explain_record",
    "trace",
    "watch",
    "where",
]
