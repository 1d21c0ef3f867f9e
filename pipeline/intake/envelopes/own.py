"""Undercurrent's own records: progress markers, metric JSON, and the lines of `undercurrent ship logs`."""

from collections.abc import Sequence

from pipeline.intake.entry import Entry, Marker, labels, line_of, mapping_at, text_at
from pipeline.intake.envelopes.decoder import Decoder, Fields
from pipeline.intake.instants import from_written
from pipeline.intake.metrics import decode_metric
from pipeline.intake.record import malformed


def _decode_marker(fields: Fields) -> Sequence[Entry]:
    event_time = from_written(mapping_at(fields, "undercurrent_progress").get("event_time"))
    if event_time is None:
        raise malformed("undercurrent_progress.event_time: expected unix seconds")
    return (Marker(event_time),)


def _decode_line(fields: Fields) -> Sequence[Entry]:
    """A line as it stands in its file, wrapped by its runtime or bare; `ended` is false for all but the
    last piece of a very long one."""
    where = labels(
        fields.get("namespace"),
        fields.get("pod"),
        fields.get("container"),
        fields.get("container_id"),
        fields.get("host"),
    )
    ended = fields.get("ended") is not False
    return (line_of(fields, ("line",), fields.get("time"), where, text_at(fields, "stream"), ended=ended),)


OWN_LINE = Decoder(lambda fields: fields.get("shipper") == "undercurrent", _decode_line)
MARKER = Decoder(lambda fields: "undercurrent_progress" in fields, _decode_marker)
OWN_METRIC = Decoder(lambda fields: "undercurrent_metric" in fields, decode_metric)
