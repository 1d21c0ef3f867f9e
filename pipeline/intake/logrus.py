r"""One line of a service → its fields, whichever formatter wrote it.

logrus text comes in two quotings. Upstream 2.8 prints `"%v"`: nothing inside is escaped, so a value
may hold quotes and real newlines. Release 3 and Debian's 2.8 print Go's `%q`. Both put `time`, `level`,
`msg` first and the rest in alphabetical order, so a client cannot pass off its user agent as a status:
what is written after the user agent is looked for from the end.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from pipeline.intake.instants import go_duration_seconds

HEAD_CHARACTERS, TAIL_CHARACTERS = 24_576, 8_192
"""Of a longer line only its begin and its end are looked at."""

DETAIL_CHARACTERS_MAX = 4_096


class Parsed(NamedTuple):
    """The fields that matter; times and durations as written. `detail` is `err.detail`, unescaped."""

    time: str | None
    level: str | None
    msg: str
    detail: str | None = None
    error: str | None = None
    code: str | None = None
    request: str | None = None
    status: int | None = None
    duration_seconds: float | None = None
    uri: str | None = None
    agent: str | None = None
    instance: str | None = None
    server: str | None = None
    question: str | None = None


_CLOSE = re.compile(r'"(?= [A-Za-z_][\w.\-]*=| *$)', re.ASCII)
_CLOSE_ESCAPED = re.compile(r'(?<!\\)"(?= [A-Za-z_][\w.\-]*=| *$)', re.ASCII)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_SIMPLE = {"n": "\n", "t": "\t", "r": "\r"}


def bounded(text: str) -> str:
    """`text`, or the begin and the end of a very long one."""
    if len(text) <= HEAD_CHARACTERS + TAIL_CHARACTERS:
        return text
    return f"{text[:HEAD_CHARACTERS]} {text[-TAIL_CHARACTERS:]}"


def parse(text: str) -> Parsed:
    """Fields of a bare line. A line in no known form is all message."""
    if text.startswith("time="):
        return parse_text(bounded(text))
    if text.startswith("{"):
        fields = _object(text)
        if fields is not None:
            return parse_fields(fields)
    return Parsed(None, None, bounded(text))


def _object(text: str) -> Mapping[str, Any] | None:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def parse_text(text: str) -> Parsed:
    """logrus text in either quoting; also the end of one line, which has no `time`."""
    time, _ = _simple(text, "time=", 0) if text.startswith("time=") else (None, 0)
    level, at = _simple(text, " level=", 0)
    msg, at = _value(text, " msg=", at)
    detail, after = _value(text, " err.detail=", at)
    code, _ = _simple(text, " err.code=", at)
    at = max(at, after)
    status, _ = _simple(text, " http.response.status=", text.rfind(" http.response.status="))
    duration, _ = _simple(text, " http.response.duration=", text.rfind(" http.response.duration="))
    request, _ = _simple(text, " http.request.id=", at)
    error = server = question = uri = agent = None
    if request is None or detail is None:
        error, _ = _value(text, " error=", at)
        server, _ = _simple(text, " dns-server=", at)
        question, _ = _simple(text, " question=", at)
    if request is not None:
        uri, _ = _simple(text, " http.request.uri=", at)
        agent, _ = _value(text, " http.request.useragent=", at)
    instance, _ = _simple(text, " instance=", at)
    return Parsed(
        time,
        level,
        msg or "",
        detail,
        error,
        code,
        request,
        _status(status),
        None if duration is None else go_duration_seconds(duration),
        uri,
        agent,
        instance,
        server,
        question,
    )


def _simple(text: str, key: str, start: int) -> tuple[str | None, int]:
    """A value that can hold no quote: up to the next quote, or unquoted up to the next space."""
    at = text.find(key, start) if start >= 0 else -1
    if at < 0:
        return None, max(start, 0)
    at += len(key)
    if text[at : at + 1] == '"':
        at += 1
        end = text.find('"', at)
    else:
        end = text.find(" ", at)
    end = len(text) if end < 0 else end
    return text[at:end], end


def _value(text: str, key: str, start: int) -> tuple[str | None, int]:
    """A value that may hold anything: its closing quote is the one a key or the end follows."""
    at = text.find(key, start)
    if at < 0:
        return None, start
    at += len(key)
    if text[at : at + 1] != '"':
        end = text.find(" ", at)
        end = len(text) if end < 0 else end
        return text[at:end], end
    at += 1
    first = text.find('"', at)  # most often the first quote closes
    escaped = text.find("\\", at, first if first >= 0 else len(text)) >= 0
    found = (_CLOSE_ESCAPED if escaped else _CLOSE).search(text, at)
    end = found.start() if found else len(text)
    value = text[at:end][:DETAIL_CHARACTERS_MAX]
    return (unescape(value) if "\\" in value else value), end


def unescape(text: str) -> str:
    r"""Go's `%q` undone: `\n`, `\"`, `\x7f`, `\u00b5`. What is no character becomes U+FFFD."""
    return _ESCAPE.sub(_character, text)


def _character(escape: re.Match[str]) -> str:
    code = escape[1] or escape[2] or escape[3]
    if not code:
        return _SIMPLE.get(escape[4], escape[4])
    number = int(code, 16)
    if number > 0x10FFFF or 0xD800 <= number < 0xE000 or (escape[1] and number > 0x7F):
        return "\ufffd"
    return chr(number)


def _status(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 9 else None


def parse_fields(fields: Mapping[str, Any]) -> Parsed:
    """The json or logstash formatter, or its fields after a shipper parsed them (dotted or nested).

    A field of an unexpected type counts as absent: the line may be of any program.
    """
    if isinstance(fields.get("http"), dict) or isinstance(fields.get("err"), dict):
        fields = _flattened(fields)
    get = fields.get
    return Parsed(
        _text(get("time")) or _text(get("@timestamp")),
        _text(get("level")),
        (_text(get("msg")) or _text(get("message")) or "")[:DETAIL_CHARACTERS_MAX],
        _detail(get("err.detail")),
        _text(get("error")),
        _text(get("err.code")),
        _text(get("http.request.id")),
        _whole(get("http.response.status")),
        _duration(get("http.response.duration")),
        _text(get("http.request.uri")),
        _text(get("http.request.useragent")),
        _text(get("instance")),
        _text(get("dns-server")),
        _text(get("question")),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _detail(value: object) -> str | None:
    """`err.detail` is text for most errors and an object for some."""
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()[:DETAIL_CHARACTERS_MAX]
    return value[:DETAIL_CHARACTERS_MAX] if isinstance(value, str) else None


def _whole(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value < 1 << 31 else None
    return _status(value) if isinstance(value, str) else None


def _duration(value: object) -> float | None:
    """Go's text, or nanoseconds."""
    if isinstance(value, str):
        return go_duration_seconds(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62:
        return value / 1e9
    return None


def _flattened(fields: Mapping[str, Any], prefix: str = "", depth: int = 0) -> dict[str, Any]:
    """`{"err": {"code": …}}` → `{"err.code": …}`; an `err.detail` that is an object stays one."""
    flat: dict[str, Any] = {}
    for name, value in fields.items():
        full = prefix + name
        if isinstance(value, dict) and depth < 3 and full != "err.detail":
            flat.update(_flattened(value, f"{full}.", depth + 1))
        else:
            flat[full] = value
    return flat
