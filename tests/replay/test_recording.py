"""Reading a recording: what counts as one, what is read of it, and when each line was read."""

import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agents.recordings.recording import Group, LogLine, NotARecordingError, Reading, read_recording
from tests.replay.folder import START, access, cancelled, cpu, make

ROOT = Path(__file__).parents[2]

_opened: list[str] | None = None


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and _opened is not None:
        _opened.append(str(arguments[0]))


sys.addaudithook(_watch)


@contextmanager
def watched_opens() -> Iterator[list[str]]:
    """Record the path of every file Python opens meanwhile."""
    global _opened
    _opened = []
    try:
        yield _opened
    finally:
        _opened = None


def readings(path: Path) -> list[Reading]:
    return [entry for entry in read_recording(path).entries if isinstance(entry, Reading)]


def log_lines(path: Path) -> list[LogLine]:
    return [entry for entry in read_recording(path).entries if isinstance(entry, LogLine)]


def test_one_instance_is_named_by_its_plan(tmp_path: Path) -> None:
    """The instance is what stands between `plan_` and `.json`, and its files are beside it."""
    recording = read_recording(make(tmp_path / "cascade", {"registry.log": cancelled(1, "r1")}, "eu-1"))
    assert recording.name == "cascade"
    assert recording.instances == ("eu-1",)
    assert [entry.instance for entry in recording.entries] == ["eu-1"]


def test_a_subfolder_per_instance_is_one_recording_in_order_of_time(tmp_path: Path) -> None:
    """Two instances are read together, and what they wrote is merged by time."""
    make(tmp_path / "a", {"registry.log": f"{cancelled(1, 'r1')}\n{cancelled(3, 'r3')}"}, "registry-a")
    make(tmp_path / "b", {"registry-json.log": '{"time":"2026-11-23T09:10:02Z","msg":"x"}'}, "registry-b")
    recording = read_recording(tmp_path)
    assert recording.instances == ("registry-a", "registry-b")
    assert [entry.instance for entry in recording.entries] == ["registry-a", "registry-b", "registry-a"]


def test_only_telemetry_is_opened(tmp_path: Path) -> None:
    """Neither the truth, nor the script, nor what clients saw, nor the plan's content is ever opened."""
    poison = dict.fromkeys(
        (
            "scenario.json",
            "truth.json",
            "clients.jsonl",
            "config.yml",
            "s3_requests.jsonl",
            "resolv.conf",
            "registry_metrics/truth.json",
        ),
        "poison",
    )
    telemetry = {
        "registry.log": cancelled(1, "r1"),
        "dns.log": "",
        "metrics.jsonl": cpu(1),
        "s3.jsonl": cpu(1),
        "dns_upstream.jsonl": cpu(1),
        "events.jsonl": cpu(1, event="container_exit"),
        "registry_metrics/index.jsonl": '{"ts": 1795425001.0, "file": "1.prom", "up": 1}',
        "registry_metrics/1.prom": "go_goroutines 7",
    }
    folder = make(tmp_path / "one", {**telemetry, **poison})
    with watched_opens() as opened:
        recording = read_recording(folder)
    assert sorted(Path(path).relative_to(folder).as_posix() for path in opened) == sorted(telemetry)
    assert b"poison" not in repr(recording.entries).encode()


def test_a_scrape_index_cannot_point_outside(tmp_path: Path) -> None:
    """A scrape that the index places elsewhere is not there, whatever lies at that place."""
    folder = make(
        tmp_path / "one",
        {
            "metrics.jsonl": cpu(1),
            "clients.jsonl": "secret",
            "registry_metrics/index.jsonl": '{"ts": 1795425001.0, "file": "../clients.jsonl", "up": 1}',
        },
    )
    recording = read_recording(folder)
    assert [entry.group for entry in recording.entries] == [Group.METRICS]
    assert any("../clients.jsonl is in the index but not there" in note for note in recording.notes)


def test_what_the_experimenter_did_is_not_read(tmp_path: Path) -> None:
    """Injected latency, loss probability and the like are gone; what was measured stays."""
    hand = {
        "injected_min_ms": 3000,
        "injected_max_ms": 15000,
        "drop_p": 1,
        "delay_ms": 5,
        "slowdown_share_set": 1,
    }
    folder = make(tmp_path / "one", {"s3.jsonl": cpu(1, n=17, **hand)})
    (reading,) = readings(folder)
    assert set(reading.body["reading"]) == {"ts", "cpu_limit_cores", "cpu_usage_seconds_total", "n"}


@pytest.mark.parametrize("name", ["samples/cpu_cascade", "samples/mixed", "corpus/recordings/slow_s3.tar.xz"])
def test_no_sample_ships_the_experimenters_hand(name: str) -> None:
    """In the recordings that come with the program nothing of the experiment's settings gets through."""
    text = repr([reading.body for reading in readings(ROOT / name)])
    assert "injected" not in text
    assert "drop_p" not in text


def test_an_archive_reads_like_the_folder_it_was_made_of() -> None:
    """A packed recording gives the same entries as the same recording unpacked."""
    folder = read_recording(ROOT / "samples/dns_outage_direct")
    packed = read_recording(ROOT / "corpus/recordings/dns_outage_direct.tar.xz")
    assert packed == folder


def test_an_archive_without_a_top_folder_is_read(tmp_path: Path) -> None:
    """Files at the root of an archive are a recording as well."""
    folder = make(tmp_path / "one", {"registry.log": cancelled(1, "r1"), "metrics.jsonl": cpu(1)})
    with tarfile.open(tmp_path / "one.tar.gz", "w:gz") as archive:
        for file in sorted(folder.iterdir()):
            archive.add(file, file.name)
    assert read_recording(tmp_path / "one.tar.gz") == read_recording(folder)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, r"looked for plan_<instance>\.json"),
        ({"registry.log": "x"}, r"looked for plan_<instance>\.json"),
        ({"plan_a.json": ""}, r"no telemetry beside it; looked for registry\.log"),
        (
            {"plan_a.json": "", "plan_b.json": "", "registry.log": "x"},
            "one plan_<instance>.json per instance",
        ),
    ],
)
def test_a_folder_that_is_no_recording_is_refused_in_words(
    tmp_path: Path, files: dict[str, str], words: str
) -> None:
    """The error names what was looked for."""
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(NotARecordingError, match=words):
        read_recording(tmp_path)


def test_a_file_that_is_no_archive_is_refused_in_words(tmp_path: Path) -> None:
    """Neither a folder nor an archive: said so."""
    (tmp_path / "x.txt").write_text("hello")
    with pytest.raises(NotARecordingError, match="neither a folder nor a tar archive"):
        read_recording(tmp_path / "x.txt")
    with pytest.raises(NotARecordingError, match="no such folder"):
        read_recording(tmp_path / "absent")


def test_missing_files_are_noted(tmp_path: Path) -> None:
    """A recording without metrics is read, and says what it lacks."""
    recording = read_recording(make(tmp_path, {"registry.log": cancelled(1, "r1")}))
    assert recording.notes == (
        "registry-a: no dns.log",
        "registry-a: no metrics.jsonl",
        "registry-a: no s3.jsonl",
        "registry-a: no dns_upstream.jsonl",
        "registry-a: no registry_metrics/index.jsonl",
    )


def test_a_line_is_read_when_the_file_had_come_to_it(tmp_path: Path) -> None:
    """A line is read at its own time; without one, or with an earlier one, with the line before it."""
    log = "\n".join([cancelled(1, "r1"), access(0), "\tgoroutine 7 [running]:", cancelled(4, "r4")])
    folder = make(tmp_path, {"registry.log": log})
    assert [entry.at - START for entry in read_recording(folder).entries] == [1.5, 1.5, 1.5, 4.5]


def test_an_absurd_time_does_not_move_the_lines_after_it(tmp_path: Path) -> None:
    """A line from 1970 or 2099 is read where it stands, and the next ones at their own time."""
    absurd = [
        'time="2099-01-01T00:00:00Z" level=error msg=x',
        'time="1970-01-01T00:00:00Z" level=error msg=y',
    ]
    lines = [cancelled(1, "r1"), *absurd, *(cancelled(second, "r") for second in range(2, 12))]
    entries = read_recording(make(tmp_path, {"registry.log": "\n".join(lines)})).entries
    assert [entry.at - START for entry in entries] == [
        1.5,
        1.5,
        1.5,
        *(second + 0.5 for second in range(2, 12)),
    ]


def test_streams_are_told_apart(tmp_path: Path) -> None:
    """The access log is stdout; everything else a registry says is stderr."""
    log = "\n".join([cancelled(1, "r1"), access(1), "2026/11/23 09:10:02 http: superfluous call", "[::1] x"])
    assert [line.stream for line in log_lines(make(tmp_path, {"registry.log": log}))] == [
        "stderr",
        "stdout",
        "stderr",
        "stderr",
    ]


def test_a_broken_line_is_kept_as_it_is(tmp_path: Path) -> None:
    """What is no JSON object is not dropped: it is handed on for the intake to judge."""
    folder = make(tmp_path, {"metrics.jsonl": f'{cpu(1)}\n{{"ts": 17954\n[1]\nNaN\n{cpu(3)}'})
    assert [reading.raw for reading in readings(folder)] == [None, b'{"ts": 17954', b"[1]", b"NaN", None]
    assert [reading.at - START for reading in readings(folder)] == [1, 1, 1, 1, 3]


def test_a_reading_without_a_usable_time_keeps_what_it_has(tmp_path: Path) -> None:
    """Its place in the file says when it came; its own time goes on as recorded."""
    odd = cpu(2).replace("1795425002.0", '"yesterday"')
    found = readings(make(tmp_path, {"metrics.jsonl": f"{cpu(1)}\n{odd}\n{cpu(3)}"}))
    assert [reading.body["time"] for reading in found] == [START + 1, "yesterday", START + 3]
    assert [reading.at - START for reading in found] == [1, 1, 3]


def test_a_failed_scrape_is_a_reading_and_a_lost_one_is_not(tmp_path: Path) -> None:
    """`up` 0 is shipped; a scrape that should be there and is not is noted, never taken for a zero."""
    index = (
        '{"ts":1795425001.0,"file":"1.prom","up":1}\n'
        '{"ts":1795425006.0,"up":0}\n'
        '{"ts":1795425011.0,"file":"2.prom","up":1}'
    )
    folder = make(
        tmp_path, {"registry_metrics/index.jsonl": index, "registry_metrics/1.prom": "go_goroutines 7"}
    )
    recording = read_recording(folder)
    assert [entry.body for entry in recording.entries if isinstance(entry, Reading)] == [
        {"time": START + 1, "up": 1, "text": "go_goroutines 7\n"},
        {"time": START + 6, "up": 0},
    ]
    assert "registry-a: registry_metrics/2.prom is in the index but not there" in recording.notes


def test_scrapes_without_an_index_are_timed_by_their_names(tmp_path: Path) -> None:
    """A scrape's file name is its time."""
    folder = make(tmp_path, {"registry_metrics/1795425001.070.prom": "go_goroutines 7"})
    assert [reading.body["time"] for reading in readings(folder)] == [START + 1.07]
