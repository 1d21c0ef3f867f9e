"""MessagePack: Fluent Bit's `format msgpack` and Fluentd's `@type msgpack`, a record each, as JSON would be.

The map holds what the same shipper writes as JSON, so its JSON decoder reads it. Fluentd's EventTime
(extension 0: seconds and nanoseconds, 4 bytes each) and MessagePack's own timestamps become nanoseconds.
"""

import struct
from typing import Any

import msgpack

from pipeline.intake.record import undecodable

DEPTH_MAX = 32
_EVENT_TIME = 0


def looks_like_map(value: bytes) -> bool:
    """Whether a binary record starts as a MessagePack map does, with a text for its first key."""
    first = value[0]
    start = 1 if 0x81 <= first <= 0x8F else 3 if first == 0xDE else 5 if first == 0xDF else 0
    key = value[start : start + 1]
    return bool(start and key) and (0xA1 <= key[0] <= 0xBF or key[0] in (0xC4, 0xD9, 0xDA))


def fields_of(value: bytes) -> dict[str, Any]:
    """The map of a record, in JSON's types.

    Raises:
        RefusedError: it is broken, followed by something else, or nested deeper than DEPTH_MAX.
    """
    try:
        found = msgpack.unpackb(
            value, raw=False, strict_map_key=False, unicode_errors="replace", ext_hook=_extension
        )
    except (ValueError, TypeError, msgpack.exceptions.UnpackException) as error:
        raise undecodable(f"msgpack: {type(error).__name__} {error}") from error
    if not isinstance(found, dict):
        raise undecodable("msgpack: no map")
    return _plain(found, DEPTH_MAX)  # type: ignore[no-any-return]  # a map stays one


def _extension(code: int, data: bytes) -> object:
    if code == _EVENT_TIME and len(data) == 8:
        seconds, nanoseconds = struct.unpack(">II", data)
        return seconds * 1_000_000_000 + nanoseconds
    return None


def _plain(value: object, depth: int) -> Any:
    """`value` in JSON's types. Ruby writes text it takes for binary as such; keys that are no text go."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, msgpack.Timestamp):
        return value.to_unix_nano()
    if not isinstance(value, dict | list):
        return value
    if depth == 0:
        raise undecodable(f"msgpack: nested deeper than {DEPTH_MAX}")
    if isinstance(value, list):
        return [_plain(one, depth - 1) for one in value]
    named = ((_plain(name, 0), one) for name, one in value.items() if isinstance(name, str | bytes))
    return {name: _plain(one, depth - 1) for name, one in named}
