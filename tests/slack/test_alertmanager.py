"""Debian's Alertmanager takes the alerts, shows them firing, and lets them go."""

import asyncio
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from agents.tell.bodies import alerts
from agents.tell.post import PostingSpeaker
from pipeline.render.words import catalogue
from tests.render.incidents import CASCADE
from tools.ports import free_ports

PROGRAM = shutil.which("prometheus-alertmanager")
CONFIG = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[str]:
    assert PROGRAM is not None
    (port,) = free_ports(1)
    (tmp_path / "am.yml").write_text(CONFIG)
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [
                PROGRAM, f"--config.file={tmp_path}/am.yml", f"--storage.path={tmp_path}/data",
                f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
            ],
            stdout=log,
            stderr=log,
        )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


async def firing(url: str) -> list[dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/api/v2/alerts") as answer:
        found: list[dict[str, Any]] = await answer.json()
    return found


async def ready(url: str) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            await firing(url)
        except aiohttp.ClientError:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
        else:
            return


@pytest.mark.needs("alertmanager")
async def test_alertmanager_takes_an_incident_from_its_beginning_to_its_end(
    alertmanager: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fires when it opens, under its cause once that is known, and is over when it is resolved."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    await ready(alertmanager)
    render = alerts(catalogue("en"), {"page": "https://u.example/{incident}"})
    one = PostingSpeaker("alertmanager", f"{alertmanager}/api/v2/alerts", render)
    memory, seen = None, []
    for change in CASCADE:
        memory = await one.say(change, memory)
        assert not one.owes(memory)
        seen.append([alert["labels"]["cause"] for alert in await firing(alertmanager)])
    assert seen == [["unproven"], ["cpu_saturation"], ["cpu_saturation"], []]
