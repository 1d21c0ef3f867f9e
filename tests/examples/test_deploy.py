"""What is deployed starts: commands of units and of the DaemonSet are accepted, what they need is mounted."""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from agents.cli import main
from agents.settings import load_settings
from tests.examples.programs import ROOT

UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
ENVIRONMENT = dict(
    line.split("=", 1)
    for line in (ROOT / "deploy" / "systemd" / "ship.env").read_text().splitlines()
    if line and not line.startswith("#")
)
MANIFESTS = list(yaml.safe_load_all((ROOT / "deploy" / "kubernetes" / "shippers.yaml").read_text()))


def accepted(words: list[str]) -> None:
    """The command line knows all of these words, up to the point where it would begin."""
    shown = CliRunner().invoke(main, [*words, "--help"])
    assert shown.exit_code == 0, shown.output
    assert shown.output.startswith(f"Usage: main {words[0]} {words[1]}")


def command_of(unit: Path) -> list[str]:
    """The words of ExecStart, variables filled in as systemd does."""
    line = next(line for line in unit.read_text().splitlines() if line.startswith("ExecStart="))
    for name, value in ENVIRONMENT.items():
        line = line.replace(f"${name}", value)
    assert "$" not in line
    return shlex.split(line.removeprefix("ExecStart="))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_runs_a_command_there_is(unit: Path) -> None:
    """Its command is accepted with the environment file that comes with it."""
    program, *words = command_of(unit)
    assert program.endswith("/undercurrent")
    accepted(words)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
@pytest.mark.needs("systemd-analyze")
def test_systemd_understands_a_unit(unit: Path, tmp_path: Path) -> None:
    """Its own checker knows every key."""
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("/opt/undercurrent/bin/undercurrent", sys.executable))
    command = ["systemd-analyze", "verify", "--man=no", str(copy)]
    environ = {**os.environ, "SYSTEMD_LOG_LEVEL": "warning"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    about_it = [line for line in done.stderr.splitlines() if unit.name in line]
    assert about_it == [], done.stderr


def test_the_environment_file_holds_settings_that_can_be_used() -> None:
    """Its variables of ours are settings, and the rest is what the units put into their commands."""
    load_settings(None, ENVIRONMENT)
    units = "".join(unit.read_text() for unit in UNITS)
    assert all(name.startswith("UNDERCURRENT_") or f"${name}" in units for name in ENVIRONMENT)


def containers() -> list[dict[str, Any]]:
    """The containers of the DaemonSet."""
    (daemons,) = (one for one in MANIFESTS if one["kind"] == "DaemonSet")
    found: list[dict[str, Any]] = daemons["spec"]["template"]["spec"]["containers"]
    return found


@pytest.mark.parametrize("container", containers(), ids=lambda container: container["name"])
def test_a_container_runs_a_command_there_is_and_is_asked_how_it_is(
    container: dict[str, Any], tmp_path: Path
) -> None:
    """Its command is accepted, its state survives it, its probes ask the port it listens on."""
    options = dict(word.split("=", 1) for word in container["args"] if word.startswith("--"))
    accepted([word.replace("/host/sys/fs/cgroup", str(tmp_path)) for word in container["args"]])
    port = int(options["--listen"].rpartition(":")[2])
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": port}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": port}
    mounted = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    assert options["--state"].startswith(mounted["state"])
    assert options.get("--root", mounted.get("cgroup")) == mounted.get("cgroup")


def test_every_volume_is_there_and_every_log_read_only() -> None:
    """What is mounted is declared; of the machine only the state folder may be written."""
    (daemons,) = (one for one in MANIFESTS if one["kind"] == "DaemonSet")
    volumes = {one["name"]: one for one in daemons["spec"]["template"]["spec"]["volumes"]}
    for container in containers():
        for mount in container["volumeMounts"]:
            is_of_the_machine = "hostPath" in volumes[mount["name"]] and mount["name"] != "state"
            assert mount.get("readOnly", False) == is_of_the_machine
    (config,) = (one for one in MANIFESTS if one["kind"] == "ConfigMap")
    load_settings(None, config["data"])
