"""What is saved for others to read holds no secret, whatever a record is packed in or made of."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cramjam
import msgpack
import orjson
import pytest
import zstandard
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData

from agents.history import FileHistory, Span, groups
from agents.history.saved import Head
from agents.history.saving import Saved, write_records
from agents.settings import Settings
from pipeline.intake import RawRecord

SECRETS = (b"hunter2hunter2", b"abcdef123456", b"AKIAIOSFODNN7EXAMPLE")
ROW = {
    "log": "GET / Authorization: Bearer abcdef123456 key AKIAIOSFODNN7EXAMPLE",
    "password": "hunter2hunter2",
    "stream": "stderr",
}
TEXT = orjson.dumps(ROW)
HEAD = Head(Span(0, 10), ("registry.logs",))


def protobuf() -> bytes:
    """An OTLP message, short enough to be UTF-8 by chance."""
    data = LogsData()
    record = data.resource_logs.add().scope_logs.add().log_records.add()
    record.body.string_value = "hunter2hunter2"
    attribute = record.attributes.add()
    attribute.key, attribute.value.string_value = "password", "abcdef123456 AKIAIOSFODNN7EXAMPLE"
    return bytes(data.SerializeToString())


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda value: value,
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
    "snappy-framed": lambda value: bytes(cramjam.snappy.compress(value)),
}


def record(value: bytes | None, key: bytes | None = None) -> RawRecord:
    return RawRecord("registry.logs", 0, 7, 1000, key, value)


def save(path: Path, *records: RawRecord, **options: Any) -> tuple[Saved, bytes]:
    saved = write_records(path, HEAD, records, **options)
    with zstandard.open(path) as lines:
        return saved, lines.read()


@pytest.mark.parametrize("pack", PACKED)
def test_what_is_packed_is_looked_into(tmp_path: Path, pack: str) -> None:
    """The text inside is written without secrets, and is still the JSON it was."""
    saved, text = save(tmp_path / "one.zst", record(PACKED[pack](TEXT), b"password=hunter2hunter2"))
    assert saved == Saved(1, 0)
    assert [secret for secret in SECRETS if secret in text] == []
    row = orjson.loads(orjson.loads(text.splitlines()[1])["value"])
    assert (row["stream"], row["password"]) == ("stderr", "[redacted]")


BINARIES = {
    "msgpack": msgpack.packb([1, ROW]),
    "protobuf": protobuf(),
    "snappy block": bytes(cramjam.snappy.compress_raw(TEXT * 3)),
    "packed twice": gzip.compress(gzip.compress(TEXT)),
    "packed and cut off": gzip.compress(TEXT)[:-9],
    "msgpack, packed": zstandard.compress(msgpack.packb(ROW)),
}


@pytest.mark.parametrize("kind", BINARIES)
def test_what_is_no_text_is_left_out_unless_it_is_asked_for(tmp_path: Path, kind: str) -> None:
    """By default neither its secrets nor anything else of it is in the file; asked for, it is there whole."""
    one = record(BINARIES[kind])
    saved, text = save(tmp_path / "without.zst", one, record(b"a line"))
    assert saved == Saved(1, 1)
    assert len(text.splitlines()) == 2
    kept, _ = save(tmp_path / "with.zst", one, with_binary=True)
    assert kept == Saved(1, 1)
    settings = Settings()
    history = FileHistory([tmp_path / "with.zst"], settings.topics.logs, groups(settings), 1000.0)
    assert [arrival.record for arrival in history.arrivals()] == [one]


def test_a_secret_that_is_a_number_or_stands_in_a_list_goes_as_well(tmp_path: Path) -> None:
    """Rather no JSON than a secret; a key that is no text is left out."""
    numbers = record(b'{"password": 1234567890, "a": 1}', b"\xff\x00")
    _, text = save(tmp_path / "one.zst", numbers)
    assert b"1234567890" not in text
    assert orjson.loads(text.splitlines()[1]).keys() & {"key", "key_base64"} == set()


def test_text_in_any_language_and_colour_is_text(tmp_path: Path) -> None:
    """Chinese, terminal colours, tabs and a tombstone are written as they are."""
    values = ["拉取失败\t原因".encode(), b"\x1b[31merror\x1b[0m", None, b""]
    saved, text = save(tmp_path / "all.zst", *map(record, values))
    assert saved == Saved(4, 0)
    rows = [orjson.loads(line) for line in text.splitlines()[1:]]
    assert [row.get("value") for row in rows] == [None if v is None else v.decode() for v in values]
