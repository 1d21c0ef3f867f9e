"""What all tests share: a real Kafka, and a plain word about the tests that had to be left out."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests import needs
from tests.kafka import broker

pytest_plugins = ("tests.golden",)

# How long an example takes says nothing where four processes share two cores.
settings.register_profile("patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

FIXTURES = {"kafka", "kafka_broker"}


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> Iterator[str]:
    """Bootstrap address of a real broker that all tests of a process share: take topic names of your own."""
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


def pytest_configure(config: pytest.Config) -> None:
    """Where all programs are required, end before the first test if one is missing."""
    if not hasattr(config, "workerinput"):  # a worker of xdist: its master has looked
        needs.require_all()


@pytest.hookimpl(tryfirst=True)  # before xdist looks at the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs a real Kafka, leave out what needs a program that is not there, share the work out."""
    for item in items:
        if FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.kafka)
        if item.get_closest_marker("kafka"):
            item.add_marker(pytest.mark.needs("kafka"))
    needs.leave_out(items)
    if config.getoption("loadgroup", default=False):
        _share_out(items)


def _share_out(items: list[pytest.Item]) -> None:
    """For the processes of xdist: slow tests one by one and first, the others by their files."""
    for item in items:
        if not item.get_closest_marker("slow") and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(str(item.path.relative_to(item.config.rootpath))))
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say plainly which tests were left out, and how to get them."""
    reports = terminalreporter.stats.get("skipped", [])
    reasons: dict[str, list[str]] = {}
    for report in reports:
        _, found, why = str(report.longrepr[2]).partition(needs.LEFT_OUT)
        if found:
            reasons.setdefault(why, []).append(report.nodeid)
    if not reasons:
        return
    terminalreporter.section("tests left out")
    for why, names in sorted(reasons.items()):
        terminalreporter.line(f"{len(names)} tests, because {why}:")
        for name in sorted(names):
            terminalreporter.line(f"  {name}")
