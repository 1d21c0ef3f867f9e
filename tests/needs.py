"""The programs tests need, and how to get them: `@pytest.mark.needs("chromium")` names one of PROGRAMS.

A test whose program is missing is left out, and the end of the run says which and why. Where
UNDERCURRENT_REQUIRE_PROGRAMS is set, as in CI, nothing may be left out: the run ends before any test.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.examples.programs import ROOT, built, rsyslogd, syslog_ng
from tests.kafka import broker

REQUIRE = "UNDERCURRENT_REQUIRE_PROGRAMS"
CHECKERS = str(ROOT / ".venv" / "deploy" / "bin")
LEFT_OUT = "left out: "


def checker(name: str) -> str | None:
    """Path of a program that checks deploy/: one on the search path, or what `make deploy-tools` brought."""
    return shutil.which(name) or shutil.which(name, path=CHECKERS)


@dataclass(frozen=True)
class Program:
    """What says in one clause that it is missing (None: it is there), and what to do about it."""

    missing: Callable[[], str | None]
    how_to_get: str


def _debian(name: str, package: str) -> Program:
    return Program(
        lambda: None if shutil.which(name) else f"there is no {name}",
        f"on Debian: apt-get install {package}",
    )


def _checker(name: str) -> Program:
    return Program(
        lambda: None if checker(name) else f"there is no {name}", "make deploy-tools (with Go, for some)"
    )


def _built(name: str) -> Program:
    return Program(lambda: None if built(name) else f"there is no .programs/{name}", "make programs (Go)")


PROGRAMS = {
    "alertmanager": _debian("prometheus-alertmanager", "prometheus-alertmanager"),
    "chromium": _debian("chromium", "chromium fonts-dejavu-core"),
    "compose-config": _checker("compose-config"),  # built with Go
    "docker-registry": _debian("docker-registry", "docker-registry"),
    "filebeat": _built("filebeat"),
    "hadolint": _checker("hadolint"),
    "helm": _checker("helm"),  # built with Go
    "kafka": Program(broker.missing, broker.HOW_TO_GET),
    "kubernetes-validate": _checker("kubernetes-validate"),
    "metricbeat": _built("metricbeat"),
    "openssl": _debian("openssl", "openssl"),
    "otelcol": _built("otelcol"),
    "prometheus": _debian("prometheus", "prometheus"),
    "promtool": _debian("promtool", "prometheus"),
    "rsyslog": Program(
        lambda: None if rsyslogd() else "there is no rsyslogd with omkafka",
        "on Debian: apt-get install rsyslog rsyslog-kafka",
    ),
    "syslog-ng": Program(
        lambda: None if syslog_ng() else "there is no syslog-ng with its Kafka module",
        "unpack Debian's syslog-ng-core and syslog-ng-mod-rdkafka into .programs/syslog-ng, see .ci/run",
    ),
    "systemd-analyze": _debian("systemd-analyze", "systemd"),
    "telegraf": _built("telegraf"),
}
"""Name → program."""


def require_all() -> None:
    """Where programs are required, refuse to run without one.

    Raises:
        pytest.UsageError: names all that are missing, and how to get each.
    """
    if not os.environ.get(REQUIRE):
        return
    found = {name: one.missing() for name, one in PROGRAMS.items()}
    lacking = [f"{why} ({PROGRAMS[name].how_to_get})" for name, why in found.items() if why]
    if lacking:
        raise pytest.UsageError(f"{REQUIRE} is set, and {'; '.join(lacking)}")


def leave_out(items: list[pytest.Item]) -> None:
    """Mark those tests as skipped that need a program this machine does not have."""
    needed = {item: [mark.args[0] for mark in item.iter_markers("needs")] for item in items}
    for name in sorted({name for names in needed.values() for name in names}):
        if why := PROGRAMS[name].missing():
            reason = f"{LEFT_OUT}{why}; {PROGRAMS[name].how_to_get}"
            for item in (item for item, names in needed.items() if name in names):
                item.add_marker(pytest.mark.skip(reason=reason))
