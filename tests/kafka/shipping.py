"""Processes of `undercurrent ship …` for the tests: started, watched and ended by their process ids."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from agents.settings import Settings
from agents.topics import check
from tests.kafka.workers import ROOT


class Ship:
    """One `undercurrent ship` process, of logs or of another `kind`."""

    def __init__(self, bootstrap: str, *words: str, kind: str = "logs", **variables: str) -> None:
        self._output = tempfile.NamedTemporaryFile(prefix="undercurrent-ship-", suffix=".log")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-m", "agents", "ship", kind, "--brokers", bootstrap, *words],
            cwd=ROOT,
            env=clean(**variables),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )

    def written(self) -> str:
        """All it has said."""
        return Path(self._output.name).read_text()

    def has_said(self, words: str) -> bool:
        """Whether these are among what it has said."""
        return words in self.written()

    def end(self, number: signal.Signals = signal.SIGKILL) -> int:
        """Send it a signal and wait for its end."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(30)


def clean(**variables: str) -> dict[str, str]:
    """This environment with no settings but these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("UNDERCURRENT_")}
    return kept | variables


def get(port: int, path: str) -> str:
    """One page of a shipper, empty while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        return error.read().decode()
    except OSError:
        return ""


def wait_for(happened: Callable[[], bool], shipper: Ship) -> None:
    """Return when it has happened."""
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline, shipper.written()
        assert shipper.process.poll() is None, shipper.written()
        time.sleep(0.1)


def create(settings: Settings) -> None:
    """Make the topics."""
    assert not [finding for finding in check(settings, create=True) if finding.fix]
