"""Docker's json-file log as it lies on disk: `{"log":"…\\n","stream":"stderr","time":"…","attrs":{…}}`."""

from collections.abc import Sequence

from pipeline.intake.entry import Entry, labels, line_of, mapping_at, text_at
from pipeline.intake.envelopes.decoder import Decoder, Fields


def _matches(fields: Fields) -> bool:
    return "log" in fields and "time" in fields


def _decode(fields: Fields) -> Sequence[Entry]:
    attributes = mapping_at(fields, "attrs")
    where = labels(
        container=attributes.get("tag") or fields.get("container_name"),
        container_id=fields.get("container_id"),
        host=fields.get("host"),
    )
    return (line_of(fields, ("log",), fields.get("time"), where, text_at(fields, "stream")),)


DOCKER_JSON_FILE = Decoder(_matches, _decode)
