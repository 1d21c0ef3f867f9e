"""What became of one record: dead, late, repeated, hostile, or half of something lost."""

import pytest

from pipeline.explain import Answer, Home, Said, concluded, explain_record, trace, watch
from pipeline.intake import IntakeConfig, RawRecord
from pipeline.render.words import catalogue
from pipeline.replay import Arrival, in_order
from schemas import Change, Decision, Rules
from tests.intake.feed import AT, fluent_bit, record

WORDS = catalogue("en")
CANCELLED = (
    'time="2026-11-23T09:10:{second:06.3f}Z" level=error msg="response completed with error" '
    'err.code=unknown err.detail="s3aws: RequestCanceled: request context canceled" '
    'err.message="unknown error" http.request.id=r{number} http.request.uri="/v2/_catalog" '
    "http.response.duration=5s http.response.status=500"
)


def cancelled(number: int, second: float, late: float = 0.0) -> Arrival:
    """A cancelled request of second 09:10:SS, read `late` seconds after it was written."""
    at = AT - 30.5 + second
    line = fluent_bit(CANCELLED.format(second=second, number=number), at=at)
    return Arrival(at + late, record(line, offset=number, at=at), "logs")


def told(one: RawRecord, around: list[RawRecord] | None = None) -> Answer:
    """The answer where nothing was said at all."""
    return explain_record(trace(one, around or [], IntakeConfig()), Home(), Said(), WORDS)


def watched(arrivals: list[Arrival], one: Arrival) -> Answer:
    """The answer of somebody who watched the core."""
    found = trace(one.record, [], IntakeConfig())
    outputs, replayer, home = watch(arrivals, one.record, found.told, IntakeConfig(), Rules())
    said = Said(
        tuple(output for output in outputs if isinstance(output, Change)),
        tuple(output for output in outputs if isinstance(output, Decision)),
        tuple(replayer.dead_letters),
    )
    return explain_record(found, home, said, WORDS)


def all_text(answer: Answer) -> str:
    return "\n".join(line.text for section in answer.sections for line in section.lines)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"\xff\xfe broken", "undecodable"),
        (b'{"undercurrent_metric": 1, "source": "cgroup", "reading": 5, "time": 1795425030}', "malformed"),
        (
            fluent_bit(CANCELLED.replace("2026", "1970").format(second=1.0, number=1), at=1.0),
            "time_out_of_range",
        ),
        (b"error " * 300_000, "oversize"),
    ],
)
def test_a_dead_letter_says_its_reason(value: bytes, reason: str) -> None:
    """What could not be used says why, in words and as a code."""
    answer = told(record(value, at=AT))
    assert (answer.facts["read"]["fate"], answer.facts["read"]["reason"]) == ("dead_letter", reason)
    assert "went to the dead letters" in answer.answer
    assert f"Dead letter, {reason}" in all_text(answer)
    assert answer.facts["told"] == []


def test_a_late_line_says_that_it_came_too_late() -> None:
    """A line that comes after its second was settled is still counted, and known to be late."""
    arrivals = [cancelled(number, 10 + number / 2) for number in range(80)]
    straggler = cancelled(99, 12.25, late=35.0)
    answer = watched(in_order([*arrivals, straggler]), straggler)
    assert answer.facts["home"]["late"] is True
    assert "too late" in answer.answer
    assert "Late: its second had been settled" in all_text(answer)
    on_time = watched(in_order([*arrivals, straggler]), arrivals[5])
    assert on_time.facts["home"]["late"] is False
    assert on_time.facts["home"]["incidents"] == answer.facts["home"]["incidents"] != []


def test_a_copy_of_a_line_leads_where_the_line_leads() -> None:
    """A record sent twice tells the same event under both offsets."""
    arrivals = [cancelled(number, 10 + number / 2) for number in range(40)]
    first = arrivals[7]
    copy = Arrival(first.at + 1, record(first.record.value, offset=500, at=AT), "logs")
    answers = [watched(in_order([*arrivals, copy]), one) for one in (first, copy)]
    assert answers[0].facts["told"] == answers[1].facts["told"]
    assert answers[0].facts["home"] == answers[1].facts["home"]
    assert answers[0].facts["home"]["incidents"] != []


def test_half_a_line_without_its_rest_is_partial() -> None:
    """A head whose tail never came says so; with its tail nearby it names it."""
    head = CANCELLED.format(second=10.0, number=1).split(": request context")[0]
    first = record(fluent_bit(head), offset=10, at=AT)
    rest = record(
        fluent_bit('caused by: context canceled" err.message="unknown error" go.version=go1.19'), 11, at=AT
    )
    assert told(first).facts["read"]["partial"] is True
    assert "Half a line, whose rest was not found" in all_text(told(first))
    joined = told(first, [first, rest])
    assert joined.facts["read"]["joined_with"] == [{"topic": "registry.logs", "partition": 0, "offset": 11}]
    assert joined.facts["read"]["partial"] is False


def test_a_marker_and_an_empty_record_are_known() -> None:
    """Progress markers and tombstones are no puzzle."""
    marker = told(record(b'{"undercurrent_progress": {"event_time": 1795425030}}', at=AT))
    assert marker.facts["read"]["fate"] == "marker"
    assert "progress marker" in marker.answer
    assert told(record(None, at=AT)).facts["read"]["reason"] == "empty"


def test_where_two_incidents_fit_both_are_named() -> None:
    """From what was said alone nobody claims to know more than place and time tell."""
    arrivals = [cancelled(number, 10 + number / 2) for number in range(40)]
    one = arrivals[5]
    found = trace(one.record, [], IntakeConfig())
    outputs, _, home = watch(arrivals, one.record, found.told, IntakeConfig(), Rules())
    changes = [output for output in outputs if isinstance(output, Change)]
    twin = [
        change.model_copy(
            update={"incident": change.incident.model_copy(update={"id": "f" * 16})},
        )
        for change in changes
    ]
    assert concluded(found.told, Said(tuple(changes))).incidents == home.incidents
    assert set(concluded(found.told, Said((*changes, *twin))).incidents) == {*home.incidents, "f" * 16}
    elsewhere = [
        change.model_copy(update={"incident": change.incident.model_copy(update={"domain": "other"})})
        for change in changes
    ]
    assert concluded(found.told, Said(tuple(elsewhere))).incidents == ()
