"""prometheus-kafka-adapter: one series a record, `{"labels":{…},"name":…,"timestamp":…,"value":"1834"}`."""

from collections.abc import Sequence

from pipeline.intake.entry import Entry, mapping_at, text_at
from pipeline.intake.envelopes.decoder import Decoder, Fields
from pipeline.intake.record import malformed
from pipeline.intake.series import Series, number, reading_of


def _matches(fields: Fields) -> bool:
    return "labels" in fields and "value" in fields and "name" in fields


def _decode(fields: Fields) -> Sequence[Entry]:
    name = text_at(fields, "name")
    if not name:
        raise malformed("name: a series without a name")
    series = Series(name, mapping_at(fields, "labels"), number(fields["value"]))
    return (reading_of(series, fields.get("timestamp"), "prometheus"),)


PROMETHEUS_KAFKA_ADAPTER = Decoder(_matches, _decode)
