"""Examples with their real programs: a registry's log through them and Kafka, and the same incident."""

import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
import yaml

from pipeline.intake.entry import Reading
from pipeline.intake.envelope import decode
from schemas import SampleKind
from tests.examples.kubelet import LIMIT_CORES, USAGE_CORES, WORKING_SET_BYTES, kubelet
from tests.examples.programs import ROOT, built, example, rsyslogd, running, syslog_ng, wait_for
from tests.examples.recorded import Stage, cri, staged
from tests.shippers.exporter import Pages
from tools.ports import free_ports

FIXTURES = ROOT / "tests" / "formats" / "fixtures"


@pytest.mark.slow
@pytest.mark.needs("rsyslog")
def test_rsyslog_follows_a_registry_into_the_same_incident(kafka: str, tmp_path: Path) -> None:
    """Debian's rsyslogd with imfile and omkafka."""
    stage, log = staged(kafka, "rsyslog"), tmp_path / "registry.log"
    log.touch()
    config = example("rsyslog.conf", tmp_path, stage.places(log) | {"/var/spool/rsyslog": str(tmp_path)})
    program = rsyslogd()
    assert program is not None
    with running(program, "-n", "-f", str(config), "-i", str(tmp_path / "pid")) as said:
        stage.write(log)
        stage.ship_the_rest()
        stage.wait_for_lines(said)
    stage.expect_the_same_incident()


@pytest.mark.slow
@pytest.mark.needs("syslog-ng")
def test_syslog_ng_follows_a_registry_into_the_same_incident(kafka: str, tmp_path: Path) -> None:
    """Debian's syslog-ng with its kafka-c destination."""
    stage, log = staged(kafka, "syslog-ng"), tmp_path / "registry.log"
    log.touch()
    config = example("syslog-ng.conf", tmp_path, stage.places(log) | {"/var/lib/syslog-ng": str(tmp_path)})
    program = syslog_ng()
    assert program is not None
    files = (
        f"--persist-file={tmp_path}/persist",
        f"--pidfile={tmp_path}/pid",
        f"--control={tmp_path}/control",
    )
    libraries = {"LD_LIBRARY_PATH": str(Path(program[0]).parents[1] / "lib/syslog-ng")}
    with running(*program, "-F", "--no-caps", "-f", str(config), *files, **libraries) as said:
        stage.write(log)
        stage.ship_the_rest()
        stage.wait_for_lines(said)
    stage.expect_the_same_incident()


@pytest.mark.slow
def test_our_own_shipper_follows_a_registry_into_the_same_incident(kafka: str, tmp_path: Path) -> None:
    """`undercurrent ship logs`, with the file's name as the container's."""
    stage, log = staged(kafka, "own"), tmp_path / "registry-a.log"
    log.touch()
    topics = {"UNDERCURRENT_TOPICS_LOGS": stage.settings.topics.logs, "PYTHONPATH": str(ROOT)}
    words = ("ship", "logs", str(log), "--from", "beginning", "--brokers", kafka, "--state", str(tmp_path))
    with running(sys.executable, "-m", "agents", *words, **topics) as said:
        stage.write(log)
        stage.ship_the_rest()
        stage.wait_for_lines(said)
    stage.expect_the_same_incident()


@pytest.mark.slow
@pytest.mark.needs("telegraf")
def test_telegraf_follows_a_registry_into_the_same_incident(kafka: str, tmp_path: Path) -> None:
    """Telegraf's tail as influx lines; its cgroup plugin's readings are understood as well."""
    stage, log = staged(kafka, "telegraf"), tmp_path / "registry.log"
    log.touch()
    cgroup = tmp_path / "cgroup" / f"docker-{'9f1c' * 16}.scope"
    cgroup.mkdir(parents=True)
    (cgroup / "cpu.stat").write_text("usage_usec 5000000\nnr_periods 10\nnr_throttled 9\nthrottled_usec 7\n")
    (cgroup / "cpu.max").write_text("12000 100000\n")
    places = stage.places(log) | {
        "/sys/fs/cgroup/system.slice": str(cgroup.parent),
        "registry.metrics": stage.settings.topics.decisions,  # apart from the recording's own
    }
    config = example("telegraf.conf", tmp_path, places)
    program = built("telegraf")
    assert program is not None
    with running(program, str(config)) as said:
        stage.write(log)
        stage.wait_for_lines(said)
        readings = list(stage.records(stage.settings.topics.decisions))
    assert any(b"cpu.stat.nr_throttled" in (one.value or b"") for one in readings)
    stage.ship_the_rest()
    stage.expect_the_same_incident()


@pytest.mark.slow
@pytest.mark.needs("filebeat")
def test_filebeat_follows_a_registry_into_the_same_incident(kafka: str, tmp_path: Path) -> None:
    """Elastic's Filebeat with filestream and its container parser, where kubelet links a container's log."""
    stage, folder = staged(kafka, "filebeat"), tmp_path / "containers"
    folder.mkdir()
    log = folder / f"registry-a_prod_registry-{'9f1c' * 16}.log"
    log.touch()
    places = {
        "kafka:9092": kafka,
        "/var/log/containers": str(folder),
        "registry.logs": stage.settings.topics.logs,
        "dns.logs": stage.settings.topics.dns,
    }
    config = example("filebeat.yml", tmp_path, places)
    config.chmod(0o600)
    program = built("filebeat")
    assert program is not None
    with running(program, "-e", "-c", str(config), "--path.home", str(tmp_path), NODE_NAME="node-1") as said:
        stage.write(log, as_=cri)
        stage.ship_the_rest()
        stage.wait_for_lines(said)
    stage.expect_the_same_incident()


@pytest.mark.slow
@pytest.mark.needs("otelcol")
def test_the_collectors_filelog_ends_in_the_same_incident(kafka: str, tmp_path: Path) -> None:
    """OpenTelemetry's filelog receiver and container operator, then OTLP in protobuf, zstd, many a record."""
    stage = staged(kafka, "filelog")
    log = tmp_path / "pods" / f"prod_registry-a_{'0' * 8}-1111-2222-3333-{'4' * 12}" / "registry" / "0.log"
    log.parent.mkdir(parents=True)
    log.touch()
    places = {
        "kafka:9092": kafka,
        "registry.logs": stage.settings.topics.logs,
        "/var/log/pods": str(tmp_path / "pods"),
        "/var/lib/otelcol": str(tmp_path / "storage"),
    }
    config = example("otel-collector.yaml", tmp_path, places)
    only(config, "logs", "filelog")
    program = built("otelcol")
    assert program is not None
    with running(program, f"--config=file:{config}") as said:
        stage.write(log, as_=cri)
        stage.ship_the_rest()
        lines = len(stage.log)
        wait_for(lambda: lines_in(stage) >= lines, said)
    stage.expect_the_same_incident()


@pytest.mark.slow
@pytest.mark.needs("otelcol")
def test_the_collectors_kubeletstats_tell_use_and_limit(kafka: str, tmp_path: Path) -> None:
    """The kubeletstats receiver at a kubelet's pages: CPU and memory of the container, limits from shares."""
    stage = staged(kafka, "kubeletstats")
    with kubelet() as pages:
        places = {
            "kafka:9092": kafka,
            "registry.metrics": stage.settings.topics.metrics,
            "auth_type: serviceAccount": "auth_type: none",
            "${env:K8S_NODE_NAME}:10250": pages.url,
            "/var/lib/otelcol": str(tmp_path / "storage"),
            "5s": "1s",
        }
        config = example("otel-collector.yaml", tmp_path, places)
        only(config, "metrics", "kubeletstats")
        program = built("otelcol")
        assert program is not None
        with running(program, f"--config=file:{config}") as said:
            wait_for(lambda: len(list(stage.records(stage.settings.topics.metrics))) >= 2, said)
    found: dict[SampleKind, dict[str, float]] = {SampleKind.CPU: {}, SampleKind.MEMORY: {}}
    for record in stage.records(stage.settings.topics.metrics):
        for entry in decode(record.value or b"")[1]:
            if isinstance(entry, Reading) and entry.kind in found:
                assert (entry.labels.pod, entry.labels.container) == ("registry-a", "registry")
                found[entry.kind].update({name: value or 0.0 for name, value in entry.values.items()})
    assert found[SampleKind.CPU]["usage_cores"] == pytest.approx(USAGE_CORES)
    assert found[SampleKind.CPU]["limit_cores"] == pytest.approx(LIMIT_CORES)
    assert found[SampleKind.MEMORY]["working_set_bytes"] == WORKING_SET_BYTES


@pytest.mark.slow
@pytest.mark.needs("metricbeat")
def test_metricbeat_tells_use_and_limit(kafka: str, tmp_path: Path) -> None:
    """Elastic's Metricbeat at the pages of a kubelet and of kube-state-metrics."""
    stage = staged(kafka, "metricbeat")
    limits = (FIXTURES / "kube-state-metrics.prom").read_bytes()
    with kubelet() as node, Pages(lambda *_: (200, limits)) as state:
        places = {
            "kafka:9092": kafka,
            "registry.metrics": stage.settings.topics.metrics,
            "https://${NODE_NAME}:10250": node.url,
            "    bearer_token_file: /var/run/secrets/kubernetes.io/serviceaccount/token\n": "",
            "kube-state-metrics:8080": state.url,
        }
        config = example("metricbeat.yml", tmp_path, places)
        config.chmod(0o600)
        program = built("metricbeat")
        assert program is not None
        with running(program, "-e", "-c", str(config), "--path.home", str(tmp_path)) as said:
            wait_for(lambda: {"usage_cores", "limit_cores"} <= values_in(stage).keys(), said)
    found = values_in(stage)
    assert found["usage_cores"] == pytest.approx(USAGE_CORES)
    assert found["working_set_bytes"] == WORKING_SET_BYTES
    assert found["limit_cores"] == 0.2, "as the page of kube-state-metrics says"


def values_in(stage: Stage) -> dict[str, float | None]:
    """The values of all readings in the topic of metrics, by name; the last of each."""
    found: dict[str, float | None] = {}
    for record in stage.records(stage.settings.topics.metrics):
        for entry in decode(record.value or b"")[1]:
            if isinstance(entry, Reading):
                found |= entry.values
    return found


def lines_in(stage: Stage) -> int:
    """Lines in the topic of logs, however many a record holds."""
    return sum(len(decode(one.value or b"")[1]) for one in stage.records(stage.settings.topics.logs))


@pytest.mark.slow
@pytest.mark.needs("otelcol")
def test_the_collectors_protobuf_ends_in_the_same_incident(kafka: str, tmp_path: Path) -> None:
    """OpenTelemetry's kafka exporter in otlp_proto, zstd, many lines a record."""
    stage = staged(kafka, "otel")
    (port,) = free_ports(1)
    places = {
        "kafka:9092": kafka,
        "registry.logs": stage.settings.topics.logs,
        "4318": str(port),
        "/var/lib/otelcol": str(tmp_path / "storage"),
    }
    config = example("otel-collector.yaml", tmp_path, places)
    only(config, "logs", "otlp")
    program = built("otelcol")
    assert program is not None
    with running(program, f"--config=file:{config}") as said:
        batches = send_otlp(stage, f"http://127.0.0.1:{port}/v1/logs", said)
        stage.ship_the_rest()
        stage.wait_for_lines(said, batches)
    stage.expect_the_same_incident()


def only(config: Path, signal: str, receiver: str) -> None:
    """Leave one receiver of the example: a node with a kubelet is not here, and ports are others'."""
    body = yaml.safe_load(config.read_text())
    body["receivers"] = {receiver: body["receivers"][receiver]}
    body["service"]["pipelines"] = {signal: {"receivers": [receiver], "exporters": ["kafka"]}}
    body["service"]["telemetry"] = {"metrics": {"level": "none"}}
    config.write_text(yaml.safe_dump(body))


def send_otlp(stage: Stage, url: str, said: Callable[[], str]) -> int:
    """The log as the filelog receiver's container operator has it, in batches; returns their number."""
    resource = {"attributes": [
        {"key": name, "value": {"stringValue": value}}
        for name, value in (("k8s.pod.name", "registry-a"), ("k8s.container.name", "registry"))
    ]}  # fmt: skip
    log = stage.log
    batches = [log[at : at + 20] for at in range(0, len(log), 20)]
    stream = {"key": "log.iostream", "value": {"stringValue": "stderr"}}
    for batch in batches:
        records = [
            {
                "timeUnixNano": str(round(line.at * 1e9)),  # of the runtime, which dates each line
                "body": {"stringValue": line.text.decode()},
                "attributes": [stream],
            }
            for line in batch
        ]
        body = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]}
        request = urllib.request.Request(url, orjson.dumps(body), {"Content-Type": "application/json"})

        def accepted(request: urllib.request.Request = request) -> bool:
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return bool(answer.status == 200)
            except OSError:
                return False

        wait_for(accepted, said)
    return len(batches)
