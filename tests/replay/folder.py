"""Makes small recording folders for tests."""

from collections.abc import Mapping
from pathlib import Path

import orjson

START = 1_795_425_000.0
"""2026-11-23T09:10:00Z."""


def cancelled(second: int, request: str, quoted: bool = True) -> str:
    """A v2 text line of a cancelled catalog request, `second` seconds after the start."""
    newline = "\\n" if quoted else "\n"
    return (
        f'time="2026-11-23T09:{10 + second // 60}:{second % 60:02d}.5Z" level=error '
        'msg="response completed with error" err.code=unknown '
        f'err.detail="s3aws: RequestCanceled: request context canceled{newline}caused by: context canceled" '
        f'err.message="unknown error" http.request.id={request} http.request.uri="/v2/_catalog?n=300" '
        "http.response.duration=5.1s http.response.status=500"
    )


def access(second: int) -> str:
    """An access log line of a request that began `second` seconds after the start."""
    return (
        f"127.0.0.1 - - [23/Nov/2026:09:{10 + second // 60}:{second % 60:02d} +0000] "
        '"GET /v2/_catalog?n=300 HTTP/1.1" 500 104 "" "registry-ui/2.5"'
    )


def cpu(second: int, **fields: object) -> str:
    """A reading of the container's CPU."""
    reading = {
        "ts": START + second,
        "cpu_limit_cores": 0.1,
        "cpu_usage_seconds_total": second * 0.1,
        **fields,
    }
    return orjson.dumps(reading).decode()


def make(folder: Path, files: Mapping[str, str | bytes], instance: str = "registry-a") -> Path:
    """Write a recording of one instance into `folder`; a text without a final newline gets one."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"plan_{instance}.json").write_text("this is no JSON: nobody may read it")
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            content = content.encode() if content.endswith("\n") or not content else f"{content}\n".encode()
        file.write_bytes(content)
    return folder
