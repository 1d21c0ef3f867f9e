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


COMPLETED = "response completed"
"""The whole message of a request that went well."""

_HEADER = re.compile(r'(?:time="([^"]{0,64})")? ?(?:level=([a-z]{1,16}))? ?msg=')
_COMPLETED_TEXT = f' level=info msg="{COMPLETED}" '


def completed(text: str) -> Parsed | None:
    """The fields that count of a request that went well; None if it is another line.

    A short cut past `parse_text` for what most lines say.
    """
    end = text.find('"', 6)
    if not text.startswith(_COMPLETED_TEXT, end + 1):
        return None
    request = _simple(text, " http.request.id=", end)
    duration = _last(text, " http.response.duration=")
    seconds = go_duration_seconds(duration) if duration else None
    instance = _simple(text, " instance=", end)
    return Parsed(
        text[6:end], "info", COMPLETED, request=request, duration_seconds=seconds, instance=instance
    )


def parse_text(text: str) -> Parsed:
    """logrus text in either quoting; also the end of one line, which has no header."""
    header = _HEADER.match(text)
    time, level = header.groups() if header else (None, None)
    msg, at = _value(text, "msg=", header.end() - 4) if header else (None, 0)
    code = _simple(text, " err.code=", at)
    detail, at = _value(text, " err.detail=", at)
    request = _simple(text, " http.request.id=", at)
    duration = _last(text, " http.response.duration=")
    error = server = question = uri = agent = None
    if request is not None:
        uri = _simple(text, " http.request.uri=", at)
        agent, _ = _value(text, " http.request.useragent=", at)
    if detail is None:
        error, _ = _value(text, " error=", at)
        server = _simple(text, " dns-server=", at)
        question = _simple(text, " question=", at)
    return Parsed(
        time,
        level,
        msg or "",
        detail,
        error,
        code,
        request,
        _status(_last(text, " http.response.status=")),
        go_duration_seconds(duration) if duration else None,
        uri,
        agent,
        _simple(text, " instance=", at),
        server,
        question,
    )


def _simple(text: str, key: str, start: int) -> str | None:
    """A value that can hold no quote: up to the next quote, or unquoted up to the next space."""
    at = text.find(key, start)
    return None if at < 0 else _plain(text, at + len(key))


def _last(text: str, key: str) -> str | None:
    """The same, of the last `key` in the line."""
    at = text.rfind(key)
    return None if at < 0 else _plain(text, at + len(key))


def _plain(text: str, at: int) -> str:
    if text.startswith('"', at):
        at += 1
        end = text.find('"', at)
    else:
        end = text.find(" ", at)
    return text[at:] if end < 0 else text[at:end]


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
    if get("msg") == COMPLETED:
        return _completed_fields(fields)
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


def _completed_fields(fields: Mapping[str, Any]) -> Parsed:
    get = fields.get
    return Parsed(
        _text(get("time")),
        _text(get("level")),
        COMPLETED,
        request=_text(get("http.request.id")),
        status=_whole(get("http.response.status")),
        duration_seconds=_duration(get("http.response.duration")),
        uri=_text(get("http.request.uri")),
        agent=_text(get("http.request.useragent")),
        instance=_text(get("instance")),
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
