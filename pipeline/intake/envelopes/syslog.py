"""Syslog and journald as JSON: rsyslog, syslog-ng's format-json, `journalctl -o json`.

A syslog daemon's templates differ in spelling only: the classic line is put together again, so that
`unwrap` reads host and program as it does from the classic text.
"""

from collections.abc import Sequence

from pipeline.intake.entry import Entry, LogLine, labels, text_at
from pipeline.intake.envelopes.decoder import Decoder, Fields
from pipeline.intake.record import malformed
from pipeline.intake.unwrap import DAEMONS

_TEXTS = ("MESSAGE", "message", "msg")
_HOSTS = ("HOST", "HOST_FROM", "hostname", "host", "source", "fromhost")
_PROGRAMS = ("PROGRAM", "programname", "app-name", "appname", "program", "syslogtag")
_TIMES = ("ISODATE", "R_ISODATE", "UNIXTIME", "timereported", "timestamp", "@timestamp", "DATE", "R_DATE")
_MARKS = ("PROGRAM", "programname", "syslogtag", "timereported", "app-name", "program")


def _is_syslog(fields: Fields) -> bool:
    return any(name in fields for name in _MARKS) and any(name in fields for name in _TEXTS)


def _first(fields: Fields, names: Sequence[str]) -> str | None:
    return next((text for name in names if (text := text_at(fields, name))), None)


def _decode_syslog(fields: Fields) -> Sequence[Entry]:
    text = _first(fields, _TEXTS) or ""
    time = next((fields[name] for name in _TIMES if fields.get(name)), None)
    host, tag = _first(fields, _HOSTS), _first(fields, _PROGRAMS)
    program = tag.partition("[")[0].rstrip(":") if tag else None
    if isinstance(time, str) and not time[:1].isdigit():  # `DATE`: Nov 23 09:10:30, which lacks its year
        return (LogLine(f"{time} {host or '-'} {program or '-'}: {text.lstrip(' ')}", None),)
    container = None if program in DAEMONS else program
    return (LogLine(text.lstrip(" "), time, labels(container=container, host=host, service=program)),)


def _is_journal(fields: Fields) -> bool:
    return "MESSAGE" in fields and ("__REALTIME_TIMESTAMP" in fields or "_HOSTNAME" in fields)


def _decode_journal(fields: Fields) -> Sequence[Entry]:
    """Times are microseconds in text; a message that is no UTF-8 is a list of its bytes."""
    get = fields.get
    where = labels(
        container=get("CONTAINER_NAME"),
        container_id=get("CONTAINER_ID_FULL"),
        host=get("_HOSTNAME"),
        service=get("SYSLOG_IDENTIFIER") or get("_SYSTEMD_UNIT"),
        image=get("IMAGE_NAME"),
    )
    message = get("MESSAGE")
    if isinstance(message, list):
        try:
            message = bytes(message).decode("utf-8", "replace")
        except (ValueError, TypeError) as error:
            raise malformed("MESSAGE: a list, and not of bytes") from error
    if not isinstance(message, str):
        raise malformed(f"MESSAGE: expected text, found {type(message).__name__}")
    written = get("_SOURCE_REALTIME_TIMESTAMP") or get("__REALTIME_TIMESTAMP") or get("@timestamp")
    whole = get("CONTAINER_PARTIAL_MESSAGE") != "true" and get("_LINE_BREAK") != "line-max"
    return (LogLine(message, written, where, text_at(fields, "_TRANSPORT"), ended=whole),)


SYSLOG_JSON = Decoder(_is_syslog, _decode_syslog)
JOURNALD = Decoder(_is_journal, _decode_journal)
