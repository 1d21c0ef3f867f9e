"""A service's own JSON line with no envelope around it (logrus' json and logstash formatters)."""

from collections.abc import Sequence

from pipeline.intake.entry import Entry, LogLine
from pipeline.intake.envelopes.decoder import Decoder, Fields


def _matches(fields: Fields) -> bool:
    return "level" in fields and ("msg" in fields or "message" in fields)


def _decode(fields: Fields) -> Sequence[Entry]:
    return (LogLine("", None, fields=fields),)


LOGRUS_JSON = Decoder(_matches, _decode)
