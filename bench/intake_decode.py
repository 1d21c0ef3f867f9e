"""How fast intake decodes: records per second of processor time, without Kafka.

    python bench/intake_decode.py [--records 100000]

Records are written as Fluent Bit writes them, about 600 bytes each. *healthy*: two access-log lines for
three lines of requests that went well. *errors*: cancelled requests, each record one. *split*: the
same errors in two records each, as release 2 writes them. *json*: errors of release 3's json formatter.
"""

import argparse
import hashlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import process_time

import orjson

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.intake import Intake, IntakeConfig, RawRecord

START = 1_795_425_000
PER_SECOND = 1_000
FLUSH_EVERY = 5_000
INSTANCES = 8


def _request_id(number: int) -> str:
    digits = hashlib.blake2b(str(number).encode(), digest_size=16).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _fluent_bit(number: int, log: str) -> bytes:
    pod = f"registry-6d9f7c7b9d-{number % INSTANCES:05}"
    return orjson.dumps(
        {
            "@timestamp": START + number / PER_SECOND,
            "time": f"{_iso(number)}Z",
            "stream": "stderr",
            "_p": "F",
            "log": log,
            "kubernetes": {
                "pod_name": pod,
                "namespace_name": "registry",
                "container_name": "registry",
                "host": f"node-{number % INSTANCES}",
                "labels": {"app": "registry"},
            },
        }
    )


def _iso(number: int) -> str:
    seconds, part = divmod(number, PER_SECOND)
    return f"2026-11-23T{9 + seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{part * 10**6:09}"


_REQUEST = (
    'go.version=go1.20.8 http.request.host="10.1.2.3:5000" http.request.id={id} http.request.method=GET '
    'http.request.remoteaddr="10.1.2.9:41234" http.request.uri="/v2/_catalog?n=300" '
    'http.request.useragent="registry-ui/2.5 (catalog-sync)" '
)


def healthy(number: int) -> Iterator[bytes]:
    if number % 5 < 2:
        line = (
            '10.1.2.9 - - [23/Nov/2026:09:10:00 +0000] "GET /v2/team/app/manifests/latest HTTP/1.1" 200 528 '
            '"" "docker/20.10.5 go/go1.15.15 git-commit/363e9a8 kernel/5.10.0 os/linux arch/amd64"'
        )
    else:
        line = (
            f'time="{_iso(number)}Z" level=info msg="response completed" '
            + _REQUEST.format(id=_request_id(number))
            + 'http.response.contenttype="application/json" http.response.duration=12.2ms '
            "http.response.status=200 http.response.written=104 "
        )
    yield _fluent_bit(number, line)


_ERROR_HEAD = (
    'time="{time}Z" level=error msg="response completed with error" err.code=unknown '
    'err.detail="s3aws: RequestCanceled: request context canceled'
)
_ERROR_TAIL = (
    'caused by: context canceled" err.message="unknown error" '
    + _REQUEST
    + 'http.response.contenttype="application/json; charset=utf-8" http.response.duration=5.2006s '
    "http.response.status=500 http.response.written=104 "
)


def errors(number: int) -> Iterator[bytes]:
    head, tail = _ERROR_HEAD.format(time=_iso(number)), _ERROR_TAIL.format(id=_request_id(number))
    yield _fluent_bit(number, f"{head}\\n{tail}")


def split(number: int) -> Iterator[bytes]:
    yield _fluent_bit(number, _ERROR_HEAD.format(time=_iso(number)))
    yield _fluent_bit(number, _ERROR_TAIL.format(id=_request_id(number)))


def json_errors(number: int) -> Iterator[bytes]:
    fields = {
        "err.code": "unknown",
        "err.detail": "s3aws: RequestCanceled: request context canceled\ncaused by: context canceled",
        "err.message": "unknown error",
        "http.request.id": _request_id(number),
        "http.request.uri": "/v2/_catalog?n=300",
        "http.request.useragent": "registry-ui/2.5 (catalog-sync)",
        "http.response.duration": "5.2006s",
        "http.response.status": 500,
        "level": "error",
        "msg": "response completed with error",
        "time": f"{_iso(number)}Z",
    }
    yield _fluent_bit(number, orjson.dumps(fields).decode())


def measure(name: str, write: Callable[[int], Iterator[bytes]], records: int) -> None:
    values = [value for number in range(records) for value in write(number)][:records]
    raw = [RawRecord("registry.logs", n % 4, n, None, None, value) for n, value in enumerate(values)]
    intake = Intake(IntakeConfig())
    signals = kept = 0
    start = process_time()
    for number, record in enumerate(raw, 1):
        intake.receive(record)
        if number % FLUSH_EVERY == 0:
            batch = intake.flush()
            signals += sum(len(frame.signals) for frame in batch.frames)
            kept += sum(batch.counts.records.values())
    elapsed = process_time() - start
    size = sum(map(len, values)) / len(values)
    rate = records / elapsed
    print(f"{name:8} {rate:>9,.0f} records/s   {size:4.0f} bytes   kept {kept:,}, signals {signals:,}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=100_000)
    records = parser.parse_args().records
    for name, write in (("healthy", healthy), ("errors", errors), ("split", split), ("json", json_errors)):
        measure(name, write, records)


if __name__ == "__main__":
    main()
