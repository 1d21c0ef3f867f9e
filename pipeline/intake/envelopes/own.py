"""Undercurrent's own records: progress markers and metric JSON."""

from collections.abc import Sequence

from pipeline.intake.entry import Entry, Marker, mapping_at
from pipeline.intake.envelopes.decoder import Decoder, Fields
from pipeline.intake.instants import from_written
from pipeline.intake.metrics import decode_metric
from pipeline.intake.record import malformed


def _decode_marker(fields: Fields) -> Sequence[Entry]:
    event_time = from_written(mapping_at(fields, "undercurrent_progress").get("event_time"))
    if event_time is None:
        raise malformed("undercurrent_progress.event_time: expected unix seconds")
    return (Marker(event_time),)


MARKER = Decoder(lambda fields: "undercurrent_progress" in fields, _decode_marker)
OWN_METRIC = Decoder(lambda fields: "undercurrent_metric" in fields, decode_metric)
