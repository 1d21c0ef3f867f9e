"""Split lines: the halves find each other in any order, and a lost half loses only itself."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from pipeline.intake import Batch, Intake, IntakeConfig
from schemas import SymptomKind
from tests.intake.feed import AT, accounted, captured, feed, fluent_bit, only, record, signals, symptoms

GAP = 0.000_025
ACCESS = '10.0.0.1 - - [23/Nov/2026:09:10:33 +0000] "GET /v2/ HTTP/1.1" 200 2 "" "curl"'


def _time(number: int) -> str:
    return f"2026-11-23T09:10:{30 + number * 0.05:09.6f}Z"


def _pieces(number: int, pod: str = "registry-a") -> tuple[bytes, bytes]:
    """Head and tail of one cancelled request, as release 2 writes them and Fluent Bit ships them."""
    at = AT + number * 0.05
    head = (
        f'time="{_time(number)}" level=error msg="response completed with error" '
        'err.code=unknown err.detail="s3aws: RequestCanceled: request context canceled'
    )
    tail = (
        'caused by: context canceled" err.message="unknown error" go.version=go1.20.8 '
        f'http.request.id={pod}-{number} http.request.uri="/v2/_catalog" http.request.useragent="ui" '
        f"http.response.duration={number + 1}.5s http.response.status=500 "
    )
    return fluent_bit(head, pod, at), fluent_bit(tail, pod, at + GAP)


def _whole(number: int, pod: str = "registry-a") -> bytes:
    """The same event from a build that quotes its newlines: one line."""
    line = (
        f'time="{_time(number)}" level=error msg="response completed with error" '
        'err.code=unknown err.detail="s3aws: RequestCanceled: request context canceled\\ncaused by: context '
        f'canceled" err.message="unknown error" go.version=go1.20.8 http.request.id={pod}-{number} '
        f'http.request.uri="/v2/_catalog" http.request.useragent="ui" http.response.duration={number + 1}.5s '
        "http.response.status=500"
    )
    return fluent_bit(line, pod, AT + number * 0.05)


def _told(batch: Batch) -> set[tuple[str, str | None, float | None]]:
    return {
        (one.id, one.request, one.duration_seconds)
        for symptom in symptoms(batch)
        for one in symptom.observations
    }


def test_halves_of_one_millisecond_join_whichever_comes_first() -> None:
    """Some shippers cut times to milliseconds: at the same time the head goes before the tail."""
    head, tail = (orjson.loads(piece)["log"] for piece in _pieces(3))
    values = [fluent_bit(tail), fluent_bit(head)]
    assert _told(feed(values)) == _told(feed([_whole(3)]))


def test_a_partition_read_ahead_ends_no_waiting_in_another() -> None:
    """With lag one partition is read minutes ahead of the next: its time is not the other's."""
    ahead, split = _pieces(199), _pieces(3)
    intake = Intake(IntakeConfig())
    intake.receive(record(split[0], 0, partition=0))
    for offset, piece in enumerate(ahead):
        intake.receive(record(piece, offset, partition=1))
    intake.receive(record(split[1], 1, partition=0))
    batch = intake.flush()
    assert batch.counts.partial == 0
    assert _told(batch) == _told(feed([_whole(199), _whole(3)]))


def test_an_error_in_two_records_is_the_same_event_as_in_one() -> None:
    """Same id, time, request and duration: a shipper that joins lines changes nothing."""
    assert _told(feed(_pieces(3))) == _told(feed([_whole(3)]))
    assert feed(_pieces(3)).counts.partial == 0


def test_captured_splits_are_the_events_they_were_before_splitting() -> None:
    """The captured release 2 log, line by line and with each error in one record, tells the same."""
    lines = captured("v2.8.3-text.stderr")
    whole: list[str] = []
    for line in lines:
        if line.startswith("time="):
            whole.append(line)
        else:
            whole[-1] += f"\n{line}"
    assert len(whole) == len(lines) - 5
    split, joined = feed(lines), feed(whole)
    assert _told(split) == _told(joined)
    assert split.counts.rejoined == 5


@given(st.permutations([(pod, piece) for pod in range(3) for piece in range(2)]))
def test_pieces_of_three_containers_join_in_every_interleaving(order: list[tuple[int, int]]) -> None:
    """Partitions are read in any order, so tails may come before heads and between others' halves."""
    pieces = {pod: _pieces(pod, pod=f"registry-{pod}") for pod in range(3)}
    expected = {entry for pod in range(3) for entry in _told(feed([_whole(pod, f"registry-{pod}")]))}
    batch = feed([pieces[pod][piece] for pod, piece in order])
    assert _told(batch) == expected
    assert batch.counts.rejoined == 3
    assert batch.counts.partial == 0


@given(st.permutations(range(10)))
def test_pieces_of_one_container_find_their_own_half_in_any_order(order: list[int]) -> None:
    """Five errors of one stream, 50 ms apart, all shuffled: each tail goes to its own head."""
    pieces = [piece for number in range(5) for piece in _pieces(number)]
    expected = {entry for number in range(5) for entry in _told(feed([_whole(number)]))}
    assert _told(feed([pieces[place] for place in order])) == expected


@given(st.lists(st.booleans(), min_size=12, max_size=12), st.sampled_from([0, 1]))
def test_two_streams_interleaved_in_any_way_keep_their_halves_apart(turns: list[bool], lost: int) -> None:
    """Each stream in its own order, the two mixed at will, one piece lost: only that event is partial."""
    streams = [
        [piece for number in range(3) for piece in _pieces(number, pod=f"registry-{side}")] for side in "ab"
    ]
    del streams[1][lost]
    mixed = []
    for turn in turns:
        mixed += [streams[turn].pop(0)] if streams[turn] else []
    batch = feed(mixed + streams[0] + streams[1])
    assert batch.counts.rejoined == 5
    assert batch.counts.partial == 1
    assert batch.counts.symptoms == {SymptomKind.REQUEST_CANCELLED.value: 6}


def test_a_lost_tail_counts_once_when_its_stream_moves_on() -> None:
    """Two seconds of the stream later the head is told by itself, marked partial."""
    intake = Intake(IntakeConfig())
    intake.receive(record(_pieces(0)[0], offset=7))
    assert intake.flush().frames == ()
    assert intake.held_offsets() == {("registry.logs", 0): 7}
    intake.receive(record(_whole(41), offset=8))
    batch = intake.flush()
    assert intake.held_offsets() == {}
    assert batch.counts.symptoms == {"request_cancelled": 2}
    assert batch.counts.partial == 1


def test_halves_that_both_come_late_still_find_each_other() -> None:
    """A half that comes out of order waits from then on: other lines of its stream do not end it at once."""
    head, tail = _pieces(0)
    batch = feed([_whole(60), head, _whole(61), tail])
    assert (batch.counts.rejoined, batch.counts.partial) == (1, 0)
    assert batch.counts.symptoms == {"request_cancelled": 3}


def test_a_lost_head_counts_once_as_partial() -> None:
    """The tail alone tells a cancelled request with its id."""
    batch = feed([_pieces(0)[1]])
    symptom, observation = only(batch)
    assert (symptom.kind, symptom.partial) == (SymptomKind.REQUEST_CANCELLED, 1)
    assert observation.request == "registry-a-0"


def test_a_silent_stream_cannot_hold_back_its_partition() -> None:
    """A container that died after the head: the partition goes on, so the head is told without its stream."""
    intake = Intake(IntakeConfig())
    intake.receive(record(_pieces(0, "registry-dead")[0], offset=1))
    intake.receive(record(fluent_bit(ACCESS, "registry-b", AT + 3), offset=2))
    intake.flush()
    assert intake.held_offsets() == {("registry.logs", 0): 1}
    intake.receive(record(fluent_bit(ACCESS, "registry-b", AT + 7), offset=3))
    batch = intake.flush()
    assert batch.counts.partial == 1
    assert intake.held_offsets() == {}


def test_the_lowest_waiting_offset_is_held_per_partition() -> None:
    """Committing past a waiting half would lose it in a crash."""
    intake = Intake(IntakeConfig())
    intake.receive(record(_pieces(0, "registry-a")[0], offset=10, partition=0))
    intake.receive(record(_pieces(1, "registry-b")[0], offset=4, partition=1))
    intake.receive(record(_pieces(2, "registry-c")[0], offset=12, partition=0))
    assert intake.held_offsets() == {("registry.logs", 0): 10, ("registry.logs", 1): 4}
    intake.receive(record(_pieces(0, "registry-a")[1], offset=5, partition=1))
    assert intake.held_offsets() == {("registry.logs", 0): 12, ("registry.logs", 1): 4}


def test_waiting_halves_are_bounded_and_the_oldest_goes_first() -> None:
    """A flood of heads without tails holds a thousand at most; each is counted once all the same."""
    intake = Intake(IntakeConfig(observations_per_rollup=4096))
    for number in range(1_500):
        head = _pieces(number % 30, pod=f"registry-{number}")[0]
        intake.receive(record(head, offset=number))
    counts = intake.flush().counts
    assert counts.held == 1_000
    assert sum(counts.symptoms.values()) == 500
    assert accounted(counts) == 500
    rest = intake.flush(release_heads=True).counts
    assert sum(rest.symptoms.values()) == 1_000
    assert (rest.held, accounted(rest)) == (0, 1_000)


def test_tabs_and_octal_escapes_begin_a_tail_too() -> None:
    """Storage errors go on after a tab; syslog writes it as #011."""
    head = (
        '2026-11-23T09:10:30.100000+00:00 node-1 registry-a[1]: time="2026-11-23T09:10:30.1Z" level=error '
        'msg="response completed with error" err.code=unknown err.detail="s3aws: SlowDown: Please slow down.'
    )
    tail = (
        '2026-11-23T09:10:30.100025+00:00 node-1 registry-a[1]: #011status code: 503, request id: A" '
        'err.message="unknown error" go.version=go1.20.8 http.request.id=r7 http.response.duration=6s '
        "http.response.status=500 "
    )
    batch = feed([head, tail])
    symptom, observation = only(batch)
    assert (symptom.kind, symptom.instance, observation.request) == (
        SymptomKind.STORAGE_THROTTLED,
        "registry-a",
        "r7",
    )
    assert batch.counts.rejoined == 1


def test_a_line_the_runtime_cut_is_glued_without_a_newline() -> None:
    """CRI marks pieces of a long line P and its last F; words may be cut in the middle."""
    line = (
        'time="2026-11-23T09:10:30.1Z" level=error msg="response completed with error" err.code=unknown '
        'err.detail="s3aws: RequestCanceled: request context canceled\\ncaused by: context canceled" '
        'err.message="unknown error" go.version=go1.20.8 http.request.id=r9 http.response.status=500'
    )
    pieces = [line[:60], line[60 : -len("r9 http.response.status=500")], "r9 http.response.status=500"]
    values = [fluent_bit(piece, _p="PPF"[at]) for at, piece in enumerate(pieces)]
    batch = feed(values)
    symptom, observation = only(batch)
    assert (symptom.kind, symptom.partial, observation.request) == (SymptomKind.REQUEST_CANCELLED, 0, "r9")
    assert observation.id == only(feed([fluent_bit(line)]))[1].id
    assert batch.counts.records == {"fluent-bit": 3}
    plain = [f"2026-11-23T09:10:30.1Z stderr {'PPF'[at]} {piece}" for at, piece in enumerate(pieces)]
    assert only(feed(plain))[1].request == "r9"


def test_a_stack_trace_is_no_tail() -> None:
    """Lines that begin with a tab but continue no error are dropped, not held."""
    batch = feed([fluent_bit("\t/usr/local/go/src/net/http/server.go:3285 +0x4b4 error")])
    assert signals(batch) == []
    assert batch.counts.dropped == {"irrelevant": 1}
