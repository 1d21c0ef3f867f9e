"""Wrappers are peeled, outermost first, and what they say about place, time and stream is kept."""
# ruff: noqa: E501 - a row of a table stands on one line

import orjson
import pytest

from pipeline.intake.entry import Labels, LogLine
from pipeline.intake.instants import NS, from_written
from pipeline.intake.unwrap import unwrap

PAYLOAD = 'time="2025-03-20T10:30:18.536076098Z" level=error msg="response completed with error"'
TIME = "2025-03-20T10:30:18.536412341Z"
NOON = 1_742_466_618 * NS
"""2025-03-20T10:30:18Z"""

WRAPPED = [
    (PAYLOAD, None, Labels(), None),
    (f"{PAYLOAD}\r\n", None, Labels(), None),
    (f"{TIME} {PAYLOAD}", TIME, Labels(), None),
    (f"{TIME} stderr F {PAYLOAD}", TIME, Labels(), "stderr"),
    (f"registry_1    | {PAYLOAD}", None, Labels(container="registry_1"), None),
    (f"registry-1  | {TIME} {PAYLOAD}", TIME, Labels(container="registry-1"), None),
    (f"{TIME} node-05 registry[2022]: {PAYLOAD}", TIME, Labels(host="node-05", container="registry", service="registry"), None),
    (f"2025-03-20T10:30:18+00:00 node-05 registry: {PAYLOAD}", "2025-03-20T10:30:18+00:00", Labels(host="node-05", container="registry", service="registry"), None),
    (f"{TIME} node-05 dockerd[77]: {PAYLOAD}", TIME, Labels(host="node-05", service="dockerd"), None),
    (f"{TIME} node-05 {PAYLOAD}", TIME, Labels(host="node-05"), None),
    (f"Mar 20 10:30:18 172.21.0.1 registry[2022]: {PAYLOAD}", NOON, Labels(host="172.21.0.1", container="registry", service="registry"), None),
    (f"<27>Mar 20 10:30:18 node-05 registry[2022]: {PAYLOAD}", NOON, Labels(host="node-05", container="registry", service="registry"), None),
    (f"<27>1 {TIME} node-05 registry 2022 - - {PAYLOAD}", TIME, Labels(host="node-05", container="registry", service="registry"), None),
    (f'<27>1 {TIME} node-05 registry 2022 ID [a@1 b="c"] {PAYLOAD}', TIME, Labels(host="node-05", container="registry", service="registry"), None),
    (orjson.dumps({"log": f"{PAYLOAD}\n", "stream": "stderr", "time": TIME}).decode(), TIME, Labels(), "stderr"),
    (f"{TIME} stderr F " + orjson.dumps({"log": f"{PAYLOAD}\n", "stream": "stderr", "time": TIME}).decode(), TIME, Labels(), "stderr"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "written", "where", "stream"), WRAPPED)
def test_every_wrapper_is_peeled_down_to_the_same_line(
    text: str, written: object, where: Labels, stream: str | None
) -> None:
    """Runtime, compose, syslog and json-file put different things around one line."""
    line = unwrap(LogLine(text, None), near_ns=NOON + 3600 * NS)
    assert line.text.rstrip() == PAYLOAD
    assert from_written(line.written) == from_written(written)
    assert line.labels == where
    assert line.stream == stream
    assert line.ended


def test_the_rest_of_a_line_is_not_taken_for_a_host() -> None:
    """`TIME caused by: …` is a tail with docker's timestamp, not a message from the host `caused`."""
    line = unwrap(LogLine(f"{TIME} caused by: context canceled", None), None)
    assert (line.text, line.labels) == ("caused by: context canceled", Labels())


def test_a_cut_piece_says_that_its_rest_follows() -> None:
    """CRI's P."""
    assert not unwrap(LogLine(f"{TIME} stdout P {PAYLOAD[:30]}", None), None).ended


def test_labels_of_the_envelope_win_over_those_of_an_inner_wrapper() -> None:
    """What the shipper knows of the pod is worth more than a syslog tag inside the line."""
    pod = Labels(pod="registry-a")
    line = unwrap(LogLine(f"{TIME} node-05 registry[1]: {PAYLOAD}", None, pod), None)
    assert line.labels == pod


def test_syslogs_octal_escapes_become_what_they_were() -> None:
    """#011 is a tab and #012 a newline; #101 was written as it stands."""
    line = unwrap(LogLine(f"{TIME} node-05 registry[1]: a#011b#012c#101#999", None), None)
    assert line.text == "a\tb\nc#101#999"


def test_a_yearless_time_takes_the_year_that_is_nearest() -> None:
    """December's lines that arrive in January are of last year."""
    january = 1_736_000_000 * NS  # 2025-01-04
    line = unwrap(LogLine(f"Dec 31 23:59:59 node-05 registry[1]: {PAYLOAD}", None), january)
    assert from_written(line.written) == 1_735_689_599 * NS
    unknown = unwrap(LogLine(f"Dec 31 23:59:59 node-05 registry[1]: {PAYLOAD}", None), None)
    assert unknown.written is None
