"""What all tests share: a real Kafka, and a plain word about the tests that had to be left out."""

import os
from collections.abc import Iterator

import pytest

from tests.kafka import broker

REQUIRE_KAFKA = bool(os.environ.get("UNDERCURRENT_REQUIRE_KAFKA"))
FIXTURES = {"kafka", "kafka_broker"}
LEFT_OUT = pytest.StashKey[int]()


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> Iterator[str]:
    """Bootstrap address of a real broker that all tests share: take topic names of your own."""
    server = broker.KafkaBroker()
    try:
        server.start()
        yield server.bootstrap
    finally:
        server.close(keep_log=request.session.testsfailed > 0)


@pytest.fixture
def kafka_broker(request: pytest.FixtureRequest) -> Iterator[broker.KafkaBroker]:
    """A running broker of the test's own, to be killed, frozen and restarted.

    Another version: `@pytest.mark.parametrize("kafka_broker", ["3.9.1"], indirect=True)`.
    """
    server = broker.KafkaBroker(getattr(request, "param", broker.VERSION))
    failed_before = request.session.testsfailed
    try:
        server.start()
        yield server
    finally:
        server.close(keep_log=request.session.testsfailed > failed_before)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs a real Kafka, and leave it out where the machine cannot run one."""
    for item in items:
        if FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.kafka)
    marked = [item for item in items if item.get_closest_marker("kafka")]
    lacking = broker.missing() if marked else None
    if lacking is None:
        return
    if REQUIRE_KAFKA:
        raise pytest.UsageError(
            f"UNDERCURRENT_REQUIRE_KAFKA is set and {lacking}: {len(marked)} tests cannot run; "
            + broker.HOW_TO_GET
        )
    for item in marked:
        item.add_marker(pytest.mark.skip(reason=f"needs a real Kafka, and {lacking}"))
    config.stash[LEFT_OUT] = len(marked)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say plainly which tests were left out, and how to get them."""
    if config.stash.get(LEFT_OUT, 0) == 0:
        return
    left_out = [
        report
        for report in terminalreporter.stats.get("skipped", [])
        if "needs a real Kafka" in str(report.longrepr)
    ]
    terminalreporter.section("tests left out")
    for report in left_out:
        terminalreporter.line(report.nodeid)
    terminalreporter.line(f"{len(left_out)} tests need a real Kafka. To get them: {broker.HOW_TO_GET}.")
