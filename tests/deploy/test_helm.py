"""The Helm chart: what it renders fits Kubernetes' schemas, asks for few rights, and starts what there is."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from click.testing import CliRunner
from jsonschema import Draft7Validator

from agents.cli import main
from agents.settings import load_settings
from tests.needs import checker

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy" / "helm" / "undercurrent"
HELM = checker("helm")
VALIDATE = checker("kubernetes-validate")
KUBERNETES = "1.34"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())

needs_helm = pytest.mark.needs("helm")

EVERYTHING = (
    "split=true",
    "roles.intake.autoscaling.enabled=true",
    "roles.notify.autoscaling.enabled=true",
    "monitoring.serviceMonitor=true",
    "monitoring.rules=true",
    "monitoring.dashboard=true",
    "secrets.slack.name=slack-token",
    "secrets.kafkaPassword.name=kafka",
    "secrets.kafkaCertificates.name=kafka-tls",
    "settings.slack.channel=C0REGISTRY",
)
VARIANTS: dict[str, tuple[str, ...]] = {
    "default": (),
    "everything": EVERYTHING,
    "bare": ("networkPolicy.enabled=false", "topicsJob.enabled=false"),
    "static": (*EVERYTHING, "staticMembership.enabled=true"),
}


def helm(*words: str) -> subprocess.CompletedProcess[str]:
    assert HELM is not None
    environ = {**os.environ, "HELM_NO_PLUGINS": "1"}
    return subprocess.run(
        [HELM, *words], capture_output=True, text=True, timeout=60, check=False, env=environ
    )


def rendered(*settings: str) -> str:
    sets = [word for one in settings for word in ("--set", one)]
    done = helm("template", "try", str(CHART), "--kube-version", f"{KUBERNETES}.0", *sets)
    assert done.returncode == 0, done.stderr
    return done.stdout


def documents(variant: str) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(rendered(*VARIANTS[variant])) if one]


def pods(variant: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for one in documents(variant):
        if one["kind"] in ("Deployment", "StatefulSet", "Job"):
            yield one["metadata"]["name"], one["spec"]["template"]["spec"]


def test_the_default_values_are_allowed_and_secrets_are_not() -> None:
    """The chart's own schema takes its values, and neither a token nor a password among them."""
    check = Draft7Validator(orjson.loads((CHART / "values.schema.json").read_bytes()))
    assert [error.message for error in check.iter_errors(VALUES)] == []
    for wrong in (
        {**VALUES, "settings": {**VALUES["settings"], "slack": {"token": "xoxb-1"}}},
        {**VALUES, "settings": {**VALUES["settings"], "kafka": {"password": "hush"}}},
        {**VALUES, "replicas": 3},
        {**VALUES, "image": {"repository": "u", "tag": "latest"}},
    ):
        assert list(check.iter_errors(wrong)), wrong


def test_every_value_that_is_used_has_a_default() -> None:
    """A template that asks for a value nobody named would render nothing, silently."""
    used = {
        path
        for template in (CHART / "templates").iterdir()
        for path in re.findall(r"\.Values((?:\.[a-zA-Z]+)+)", template.read_text())
    }
    assert used
    for path in sorted(used):
        value: Any = VALUES
        for part in path[1:].split("."):
            assert part in value, path
            value = value[part]


def test_the_settings_in_the_values_are_settings(tmp_path: Path) -> None:
    """What goes into the ConfigMap is read by the program as it stands."""
    page = tmp_path / "settings.yaml"
    page.write_text(yaml.safe_dump(VALUES["settings"]))
    settings = load_settings(page, {})
    for role in VALUES["roles"].values():
        assert role["autoscaling"]["maxReplicas"] <= settings.topics.partitions


@needs_helm
def test_helm_has_nothing_to_say() -> None:
    """`helm lint --strict`, and a value that is no value is refused."""
    done = helm("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout
    refused = helm("template", "try", str(CHART), "--kube-version", "1.34.0", "--set", "slpit=true")
    assert refused.returncode != 0
    assert "slpit" in refused.stderr


@needs_helm
@pytest.mark.needs("kubernetes-validate")
@pytest.mark.parametrize("variant", list(VARIANTS))
def test_kubernetes_would_take_it(variant: str, tmp_path: Path) -> None:
    """Kubernetes' own OpenAPI schemas, strictly: a field it does not know is an error."""
    assert VALIDATE is not None
    page = tmp_path / "chart.yaml"
    page.write_text(rendered(*VARIANTS[variant]))
    command = [VALIDATE, "--strict", "--no-warn", "-k", KUBERNETES, str(page)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("passed for resource") >= 4
    page.write_text(page.read_text().replace("maxUnavailable: 1\n", "maxUnavailabel: 1\n", 1))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0


@needs_helm
@pytest.mark.parametrize("variant", list(VARIANTS))
def test_pods_have_few_rights_and_can_be_stopped(variant: str, tmp_path: Path) -> None:
    """Restricted as Kubernetes' pod security standard says; what they run and mount is there."""
    configs = {one["metadata"]["name"]: one for one in documents(variant) if one["kind"] == "ConfigMap"}
    for name, pod in pods(variant):
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        (container,) = pod["containers"]
        rights = container["securityContext"]
        assert rights["readOnlyRootFilesystem"]
        assert not rights["allowPrivilegeEscalation"]
        assert rights["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]
        volumes = {volume["name"] for volume in pod["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes
        places = [mount["mountPath"] for mount in container["volumeMounts"]]
        for variable in container["env"]:
            if variable["name"].endswith("_FILE"):
                assert any(variable["value"].startswith(f"{place}/") for place in places)
        words = [word for word in container["args"] if not word.startswith("--config")]
        shown = CliRunner().invoke(main, [*words, "--help"])
        assert shown.exit_code == 0, shown.output
        config = next(
            volume["configMap"]["name"] for volume in pod["volumes"] if volume["name"] == "settings"
        )
        page = tmp_path / f"{name}.yaml"
        page.write_text(configs[config]["data"]["settings.yaml"])
        assert load_settings(page, {}).kafka.declare_topics == (variant == "bare")


@needs_helm
def test_pods_that_keep_their_names_are_known_by_them() -> None:
    """With static membership each worker goes by its pod's name, and is waited for as long as is said."""
    found = documents("static")
    assert not [one for one in found if one["kind"] == "Deployment"]
    sets = [one for one in found if one["kind"] == "StatefulSet"]
    assert len(sets) == 3
    for one in sets:
        (container,) = one["spec"]["template"]["spec"]["containers"]
        (name,) = (v for v in container["env"] if v["name"] == "UNDERCURRENT_KAFKA_GROUP_INSTANCE_ID")
        assert name["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
        assert one["spec"]["serviceName"] in [s["metadata"]["name"] for s in found if s["kind"] == "Service"]
    settings = next(
        one for one in found if (one["kind"], one["metadata"]["name"]) == ("ConfigMap", "try-undercurrent")
    )
    kafka = yaml.safe_load(settings["data"]["settings.yaml"])["kafka"]
    assert kafka["session_timeout_seconds"] == VALUES["staticMembership"]["sessionTimeoutSeconds"]


@needs_helm
@pytest.mark.parametrize(("variant", "kind"), [("everything", "Deployment"), ("static", "StatefulSet")])
def test_what_belongs_together_finds_each_other(variant: str, kind: str) -> None:
    """Budgets, scalers and services select pods that exist; rules and dashboard are those of deploy/."""
    found = documents(variant)
    deployments = {one["metadata"]["name"]: one for one in found if one["kind"] == kind}
    assert set(deployments) == {f"try-undercurrent-{role}" for role in ("intake", "correlate", "notify")}
    labels = {name: one["spec"]["template"]["metadata"]["labels"] for name, one in deployments.items()}
    for name, one in deployments.items():
        assert f"--only={name.rpartition('-')[2]}" in one["spec"]["template"]["spec"]["containers"][0]["args"]
        assert one["spec"]["selector"]["matchLabels"].items() <= labels[name].items()
    budgets = [one for one in found if one["kind"] == "PodDisruptionBudget"]
    for one in budgets:
        wanted = one["spec"]["selector"]["matchLabels"].items()
        assert [name for name, has in labels.items() if wanted <= has.items()] == [one["metadata"]["name"]]
    assert len(budgets) == 3
    scalers = [one for one in found if one["kind"] in ("HorizontalPodAutoscaler", "ScaledObject")]
    assert {one["kind"] for one in scalers} == {"HorizontalPodAutoscaler", "ScaledObject"}
    for one in scalers:
        target = one["spec"]["scaleTargetRef"]["name"]
        assert one["spec"]["scaleTargetRef"]["kind"] == kind
        assert "replicas" not in deployments[target]["spec"]
    (rule,) = (one for one in found if one["kind"] == "PrometheusRule")
    assert rule["spec"] == yaml.safe_load((ROOT / "deploy/prometheus/undercurrent.rules.yaml").read_text())
    (board,) = (one for one in found if one["metadata"]["name"].endswith("-dashboard"))
    kept = (ROOT / "deploy/grafana/dashboards/undercurrent.json").read_bytes()
    assert orjson.loads(board["data"]["undercurrent.json"]) == orjson.loads(kept)
