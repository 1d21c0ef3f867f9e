"""Where a program is missing, the tests that need it are left out aloud, or stop everything."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def _pytest_without_java(**environment: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "JAVA_HOME": "/nonexistent", **environment}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/kafka/test_broker.py"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_tests_without_kafka_are_named_with_a_way_to_get_them() -> None:
    """Without Java the run passes, names each test left out, and says what to install."""
    done = _pytest_without_java(UNDERCURRENT_REQUIRE_PROGRAMS="")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_a_broker_that_cannot_start_says_why" in done.stdout
    assert "4 tests, because there is no Java" in done.stdout
    assert "apt-get install" in done.stdout


def test_a_missing_program_fails_the_run_where_all_are_required() -> None:
    """With UNDERCURRENT_REQUIRE_PROGRAMS set, a machine without Java fails before any test."""
    done = _pytest_without_java(UNDERCURRENT_REQUIRE_PROGRAMS="1")
    assert done.returncode == 4, done.stdout + done.stderr
    assert "there is no Java" in done.stderr
