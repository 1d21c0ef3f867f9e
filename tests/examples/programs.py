"""Real shippers for the tests: an example's configuration, with its places exchanged, and its program."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
UNPACKED = ROOT / ".programs"
"""Programs that are no package's on this machine: unpacked by .ci/run, or built by `make programs`."""

SYSLOG_NG = UNPACKED / "syslog-ng"
WAIT_SECONDS = 60.0


def example(name: str, folder: Path, places: dict[str, str]) -> Path:
    """Write examples/<name> into `folder` with each place (a file, a broker, a topic) exchanged for another.

    A place that does not stand in the example is an error: the test would not test it.
    """
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    for old, new in places.items():
        assert old in text, f"examples/{name} does not hold {old}"
        text = text.replace(old, new)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@contextmanager
def running(*command: str, **variables: str) -> Iterator[Callable[[], str]]:
    """Run a program while the context is open; gives what it has said so far, and fails if it ends early."""
    with tempfile.NamedTemporaryFile(prefix="undercurrent-program-") as output:
        process = subprocess.Popen(
            command,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )

        def said() -> str:
            text = Path(output.name).read_text(encoding="utf-8", errors="replace")
            assert process.poll() is None, f"{command[0]} ended with {process.returncode}:\n{text[-3000:]}"
            return text

        try:
            yield said
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(happened: Callable[[], bool], said: Callable[[], str]) -> None:
    """Return when it has happened."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not happened():
        told = said()
        assert time.monotonic() < deadline, f"it did not happen in time:\n{told[-3000:]}"
        time.sleep(0.2)


def rsyslogd() -> str | None:
    """Debian's rsyslogd, if its Kafka module is there."""
    has_module = any(Path("/usr/lib").glob("*/rsyslog/omkafka.so"))
    return shutil.which("rsyslogd", path="/usr/sbin:/usr/bin") if has_module else None


def syslog_ng() -> tuple[str, ...] | None:
    """syslog-ng with its Kafka module, unpacked or installed (Debian lets only one syslog be installed)."""
    if (SYSLOG_NG / "usr/sbin/syslog-ng").exists():
        modules = next((SYSLOG_NG / "usr/lib/syslog-ng").glob("[0-9]*"))
        return str(SYSLOG_NG / "usr/sbin/syslog-ng"), f"--module-path={modules}"
    found = shutil.which("syslog-ng", path="/usr/sbin:/usr/bin")
    return (found,) if found and any(Path("/usr/lib/syslog-ng").glob("*/libkafka.so")) else None


def built(name: str) -> str | None:
    """A program that `make programs` has built."""
    path = UNPACKED / name
    return str(path) if path.exists() else None
