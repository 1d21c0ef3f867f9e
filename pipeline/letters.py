"""Dead letters: what is kept of a record that cannot be used, and how a second try is marked.

A record that was put back by `undercurrent dead-letters retry` bears a header that names where it was
first refused. If it is refused again its letter says so, and it is not tried a third time by itself.
"""

import base64
import re

from pipeline.intake.record import RawRecord
from pipeline.redact import Redactor, redact, redact_bytes
from schemas import DeadLetter, DeadLetterReason, Origin

RETRY_HEADER = "undercurrent-retry-of"
"""Name of the header; its value is `topic:partition:offset`."""

DETAIL_CHARACTERS_MAX = 300
KEY_BYTES_MAX = 1_024

_PLACE = re.compile(r"([A-Za-z0-9._-]{1,249}):(\d{1,9}):(\d{1,18})")


def dead_letter(
    record: RawRecord,
    reason: DeadLetterReason,
    detail: str,
    bytes_max: int,
    hide: Redactor = redact,
) -> DeadLetter:
    """Keep `record` with the reason it was refused for, at most `bytes_max` bytes of it, without secrets."""
    value, value_hidden = redact_bytes(record.value or b"", bytes_max, hide)
    key, key_hidden = redact_bytes(record.key or b"", KEY_BYTES_MAX, hide)
    return DeadLetter(
        origin=Origin(topic=record.topic, partition=record.partition, offset=record.offset),
        reason=reason,
        detail=hide(detail)[:DETAIL_CHARACTERS_MAX],
        value_base64=base64.b64encode(value).decode(),
        size_bytes=len(record.value or b""),
        timestamp_ms=record.timestamp_ms,
        key_base64=None if record.key is None else base64.b64encode(key).decode(),
        redacted=value_hidden or key_hidden,
        retry_of=retry_of(record),
    )


def place(text: str) -> Origin | None:
    """Read `topic:partition:offset`; None for anything else."""
    found = _PLACE.fullmatch(text)
    return found and Origin(topic=found[1], partition=int(found[2]), offset=int(found[3]))


def retry_of(record: RawRecord) -> Origin | None:
    """Where a record that has been put back was first refused; None for any other."""
    marks = [value for name, value in record.headers if name == RETRY_HEADER]
    return place(marks[0].decode("ascii", "replace")) if marks else None


def whole(letter: DeadLetter) -> bytes | None:
    """The original bytes, None where the letter was cut or secrets were taken out of it."""
    value = base64.b64decode(letter.value_base64)
    return value if len(value) == letter.size_bytes and not letter.redacted else None
