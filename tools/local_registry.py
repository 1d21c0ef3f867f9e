"""A real registry of one's own: Debian's docker-registry on loopback, filled with small images.

Used by tests and by bench/registry_limits.py. Whatever is started here is ended by its process id.
"""

import hashlib
import http.client
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tools.ports import free_ports

PROGRAM = "docker-registry"
READY_SECONDS = 20.0
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@contextmanager
def registry(folder: Path, storage: dict[str, Any] | None = None) -> Iterator[tuple[str, int]]:
    """Start one; gives its `host:port` and its process id. Its log is `folder`/registry.log.

    `storage`: its storage section, by default files in `folder`.
    """
    (port,) = free_ports(1)
    config = {
        "version": "0.1",
        "log": {"level": "info", "formatter": "json", "accesslog": {"disabled": True}},
        "storage": storage or {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    path = folder / "registry.yml"
    path.write_text(json.dumps(config))  # YAML reads JSON
    with (folder / "registry.log").open("ab") as log:
        process = subprocess.Popen([PROGRAM, "serve", str(path)], stdout=log, stderr=log, env=_clean())  # noqa: S603
        try:
            wait_for(port)
            yield f"127.0.0.1:{port}", process.pid
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _clean() -> dict[str, str]:
    """The environment without what would change a registry's settings or its S3 client's."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("REGISTRY_", "AWS_"))}


def wait_for(port: int) -> None:
    """Wait until something listens on a port of loopback.

    Raises:
        TimeoutError: nothing does.
    """
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"nothing listens on port {port} after {READY_SECONDS:.0f} s")


def fill(address: str, repositories: int) -> None:
    """Push one small image into each of so many repositories."""
    connection = http.client.HTTPConnection(address, timeout=30)
    for number in range(repositories):
        name = f"team-{number % 7}/app-{number}"
        layers = [
            _push_blob(connection, name, f"{kind} of {name} ".encode() * 300) for kind in ("config", "layer")
        ]
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": layers[0], "layers": [layers[1]]}
        headers = {"Content-Type": MANIFEST}
        _ask(connection, "PUT", f"/v2/{name}/manifests/1.0", json.dumps(manifest).encode(), headers)
    connection.close()


def _push_blob(connection: http.client.HTTPConnection, name: str, content: bytes) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    place = _ask(connection, "POST", f"/v2/{name}/blobs/uploads/", b"", {})
    path = place.partition("//")[2].partition("/")[2]
    _ask(connection, "PUT", f"/{path}&digest={digest}", content, {"Content-Type": "application/octet-stream"})
    return {"mediaType": "application/octet-stream", "size": len(content), "digest": digest}


def _ask(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes, headers: dict[str, str]
) -> str:
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    said = answer.read()
    if answer.status >= 300:
        raise RuntimeError(f"{method} {path}: {answer.status} {said[:200]!r}")
    return answer.headers.get("Location", "")
