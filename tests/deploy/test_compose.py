"""docker-compose.yaml and the Dockerfile: they fit their schema and each other, and run with few rights."""

import re
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from jsonschema import Draft7Validator

from agents.cli import COMMANDS
from pipeline.intake import Intake, IntakeConfig, RawRecord
from tests.needs import checker

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = Path(__file__).with_name("schemas") / "compose-spec.json"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
HADOLINT = checker("hadolint")
COMPOSE_CONFIG = checker("compose-config")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
    return document


def test_it_is_what_compose_understands(compose: dict[str, Any]) -> None:
    """The Compose Specification's own schema takes it; a misspelt key would be refused."""
    check = Draft7Validator(orjson.loads(SCHEMA.read_bytes()))
    assert [error.message for error in check.iter_errors(compose)] == []
    broken = {**compose, "services": {**compose["services"], "worker": {"buld": "."}}}
    assert list(check.iter_errors(broken))


@pytest.mark.needs("compose-config")
def test_docker_compose_config_takes_it(compose: dict[str, Any], tmp_path: Path) -> None:
    """Compose's own loader, as `docker compose config` runs it, with all profiles: it has nothing to say."""
    printed = compose_config(ROOT / "docker-compose.yaml")
    assert (printed.returncode, printed.stderr) == (0, "")
    assert set(yaml.safe_load(printed.stdout)["services"]) == set(compose["services"])
    page = tmp_path / "docker-compose.yaml"
    page.write_text(
        (ROOT / "docker-compose.yaml").read_text().replace("condition: service_", "condition: srv_")
    )
    refused = compose_config(page)
    assert refused.returncode == 1
    assert "condition" in refused.stderr


def compose_config(page: Path) -> subprocess.CompletedProcess[str]:
    assert COMPOSE_CONFIG is not None
    command = [COMPOSE_CONFIG, str(page)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_services_wait_for_what_they_need(compose: dict[str, Any]) -> None:
    """Kafka, then topics, then workers; what is mounted is there, and what is dialled listens."""
    services = compose["services"]
    assert set(services) == {"kafka", "topics", "worker", "prometheus", "grafana", "registry", "fluent-bit"}
    for name, service in services.items():
        assert ("image" in service) != ("build" in service), name
        assert set(service.get("depends_on", {})) <= set(services), name
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in compose["volumes"], name
    assert services["worker"]["depends_on"]["topics"]["condition"] == "service_completed_successfully"
    assert services["topics"]["depends_on"]["kafka"]["condition"] == "service_healthy"
    listeners = services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    for name in ("topics", "worker"):
        assert f"://{services[name]['environment']['UNDERCURRENT_BROKERS']}" in listeners
        assert services[name]["command"][0] in COMMANDS
    shipper = yaml.safe_load((ROOT / "deploy/fluent-bit/fluent-bit.yaml").read_text())["pipeline"]
    assert f"://{shipper['outputs'][0]['brokers']}" in listeners
    assert str(shipper["inputs"][0]["port"]) in services["registry"]["logging"]["options"]["fluentd-address"]


def test_nothing_runs_with_more_rights_than_it_needs(compose: dict[str, Any]) -> None:
    """Pinned versions, ports on loopback only; our own containers write nowhere but /tmp."""
    for name, service in compose["services"].items():
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", service.get("image", "x:1.2.3")), name
        assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", ())), name
        assert not service.get("privileged"), name
        if "build" in service:
            assert service["read_only"], name
            assert service["tmpfs"] == ["/tmp"], name
            assert service["cap_drop"] == ["ALL"], name


def test_a_registry_line_as_this_fluent_bit_ships_it_is_read() -> None:
    """Docker's fluentd driver names its fields its own way."""
    line = (
        'time="2026-11-23T09:10:49Z" level=error msg="response completed with error" http.response.status=503'
    )
    record = {
        "@timestamp": "2026-11-23T09:10:49.276Z",
        "container_id": "0" * 64,
        "container_name": "/undercurrent-registry-1",
        "source": "stderr",
        "log": line,
    }
    intake = Intake(IntakeConfig())
    intake.receive(RawRecord("registry.logs", 0, 0, None, None, orjson.dumps(record)))
    (frame,) = intake.flush().frames
    assert frame.signals[0].instance == "undercurrent-registry-1"


def test_the_image_is_built_in_stages_and_runs_as_nobody_special() -> None:
    """Two stages from one pinned base; no root, no shell form, a health check, the lock with its hashes."""
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:\d+\.\d+\.\d+-slim-\w+", bases[0])
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", last, re.MULTILINE)
    assert "HEALTHCHECK" in last
    assert not re.search(r"^(RUN|ADD) ", last, re.MULTILINE)
    for form in re.findall(r"^(?:ENTRYPOINT|CMD) (.+)$", last, re.MULTILINE):
        assert form.startswith("[")
    assert "--require-hashes" in DOCKERFILE
    assert re.search(r"^ENTRYPOINT \[\"undercurrent\"\]$", last, re.MULTILINE)


@pytest.mark.needs("hadolint")
def test_hadolint_has_nothing_to_say() -> None:
    """Its every rule, warnings included."""
    assert HADOLINT is not None
    done = subprocess.run(
        [HADOLINT, str(ROOT / "Dockerfile")], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout
