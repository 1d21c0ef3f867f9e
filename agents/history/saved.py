"""Raw records as lines of JSON: what `undercurrent record` writes and `undercurrent replay` reads.

The first line says what the file is, every other one is a record where it lay in Kafka. A value that is
UTF-8 stands as `value`, any other as `value_base64`; a key the same. Within a version keys are added,
never changed or taken away.
"""

import base64
from dataclasses import dataclass
from typing import Any

import orjson

from agents.history.failures import HistoryError, NewerVersionError
from agents.history.span import Span
from pipeline.intake import RawRecord

FORMAT_VERSION = 1
"""`undercurrent_records` of the first line."""


@dataclass(frozen=True, slots=True)
class Head:
    """The first line: the span that was asked for, and from which topics."""

    span: Span
    topics: tuple[str, ...]


def head_line(head: Head) -> bytes:
    """Write the first line."""
    return orjson.dumps(
        {
            "undercurrent_records": FORMAT_VERSION,
            "from": head.span.start,
            "to": head.span.end,
            "topics": list(head.topics),
        }
    )


def record_line(record: RawRecord) -> bytes:
    """Write one record."""
    body: dict[str, Any] = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp_ms": record.timestamp_ms,
    }
    return orjson.dumps(body | _bytes("key", record.key) | _bytes("value", record.value))


def read_line(line: bytes) -> Head | RawRecord | None:
    """Read one line, None for one that is neither: then it is a record's value itself.

    Raises:
        NewerVersionError: the file was written by a newer Undercurrent.
        HistoryError: it looks like one of ours and is broken.
    """
    if not line.startswith((b'{"topic":', b'{"undercurrent_records":')):
        return None
    try:
        body = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    try:
        return _head(body) if "undercurrent_records" in body else _record(body)
    except (KeyError, TypeError, ValueError) as error:
        raise HistoryError(f"a saved record is broken: {error!r}") from error


def _head(body: dict[str, Any]) -> Head:
    version = int(body["undercurrent_records"])
    if version > FORMAT_VERSION:
        raise NewerVersionError(
            f"the records were saved in version {version} of the format, this program reads up to "
            f"{FORMAT_VERSION}: replay them with the version of Undercurrent that saved them"
        )
    return Head(Span(float(body["from"]), float(body["to"])), tuple(map(str, body["topics"])))


def _record(body: dict[str, Any]) -> RawRecord | None:
    if not {"partition", "offset"} <= body.keys():
        return None  # somebody else's record that begins like ours
    stamp = body.get("timestamp_ms")
    return RawRecord(
        str(body["topic"]),
        int(body["partition"]),
        int(body["offset"]),
        None if stamp is None else int(stamp),
        _read(body, "key"),
        _read(body, "value"),
    )


def _bytes(name: str, value: bytes | None) -> dict[str, str]:
    if value is None:
        return {}
    try:
        return {name: value.decode("utf-8")}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(value).decode("ascii")}


def _read(body: dict[str, Any], name: str) -> bytes | None:
    packed = body.get(f"{name}_base64")
    if packed is not None:
        return base64.b64decode(packed, validate=True)
    text = body.get(name)
    return None if text is None else str(text).encode()
