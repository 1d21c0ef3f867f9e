"""The log is for people who are woken by it."""

import io
import logging
from collections.abc import Iterator

import orjson
import pytest

from agents import log
from agents.settings import Log


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What goes to a configured log; the logging of the tests is put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    log.configure(Log(level="info", format="auto"), stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def test_an_event_is_one_line_of_json_where_nobody_watches(written: io.StringIO) -> None:
    """Whatever an event carries, it takes one line, and that line is JSON with its time and level."""
    log.get("intake").info("flushed", frames=3, text="two\nlines")
    line = orjson.loads(written.getvalue())
    assert (line["event"], line["stage"], line["frames"], line["level"]) == ("flushed", "intake", 3, "info")
    assert written.getvalue().count("\n") == 1
    assert line["timestamp"].endswith("Z")


def test_debug_is_not_written_at_info(written: io.StringIO) -> None:
    """The level of the settings is the least that is written."""
    log.get("intake").debug("quote", text="GET /v2/_catalog")
    assert written.getvalue() == ""


def test_an_exception_is_part_of_its_line(written: io.StringIO) -> None:
    """A traceback does not spill over into lines of its own."""
    try:
        raise ValueError("broken")
    except ValueError:
        log.get("worker").exception("failed")
    assert written.getvalue().count("\n") == 1
    assert "broken" in written.getvalue()


def test_libraries_are_heard_from_warnings_on(written: io.StringIO) -> None:
    """What matters to a library's author only is left out."""
    logging.getLogger("faust.app").info("Starting...")
    logging.getLogger("aiokafka").warning("coordinator dead")
    assert [orjson.loads(line)["event"] for line in written.getvalue().splitlines()] == ["coordinator dead"]


def test_what_a_library_says_all_the_time_is_said_once_in_a_while() -> None:
    """A broker that is away gives a line now and then, not a hundred a second; nothing else is lost."""
    now = [0.0]
    libraries = log.Libraries(lambda: now[0])
    away = logging.LogRecord("aiokafka", logging.ERROR, "f", 1, "cannot reach %s", ("broker",), None)
    other = logging.LogRecord("aiokafka", logging.ERROR, "f", 1, "another thing", (), None)
    ours = logging.LogRecord("undercurrent", logging.ERROR, "f", 1, "ours", (), None)
    assert libraries.filter(away)
    assert not libraries.filter(away)
    assert libraries.filter(other)
    assert libraries.filter(ours)
    assert libraries.filter(ours)
    now[0] = log.REPEAT_SECONDS
    assert libraries.filter(away)


@pytest.mark.parametrize("form", ["json", "text"])
def test_the_locals_of_a_traceback_stay_out_of_the_log(form: str) -> None:
    """A frame's variables may hold a token or a raw record: an exception tells where, not what."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    log.configure(Log(level="info", format=form), stream)
    try:
        token = "xoxb-" + "secret"
        try:
            raise ValueError("the reply was no JSON")
        except ValueError:
            log.get("notify").exception("failed", length=len(token))
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    assert "the reply was no JSON" in stream.getvalue()
    assert "xoxb-secret" not in stream.getvalue()


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_secret_that_an_error_quotes_is_not_written(form: str) -> None:
    """Exceptions and libraries may quote what they choke on, in either form of the log."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    try:
        log.configure(Log(level="info", format="json" if form == "json" else "text"), stream)
        try:
            raise ValueError("cannot read Authorization: Bearer abcdef123456 of jane@example.com")
        except ValueError as error:
            log.get("intake").exception("failed", error=error, tried=["https://u:hunter2@s3/"], left=3)
        logging.getLogger("elsewhere").warning("token=%s", "s3cr3ts3cr3t")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    text = stream.getvalue()
    assert "ValueError" in text
    assert [one for one in ("abcdef123456", "jane", "hunter2", "s3cr3t") if one in text] == []
    if form == "json":
        assert orjson.loads(text.splitlines()[0])["left"] == 3
