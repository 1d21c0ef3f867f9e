"""A shipper that has not looked up the container still tells it: the path of the log does."""

import json
from typing import Any

import pytest

from pipeline.intake.entry import Labels, LogLine
from pipeline.intake.envelope import decode
from pipeline.intake.logpath import place_of_log

ID = "9f1c" * 16
LINK = f"/var/log/containers/registry-6d9f_prod_registry-{ID}.log"
POD = "/var/log/pods/prod_registry-6d9f_3f0c2b61-7d5e-4a1b-9c34-5be1f7a20d98/registry/0.log"
DOCKER = f"/var/lib/docker/containers/{ID}/{ID}-json.log"


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (LINK, Labels("prod", "registry-6d9f", "registry", ID)),
        (f"/var/log/containers/core-dns-7_kube-system_my-dns-{ID}.log",
         Labels("kube-system", "core-dns-7", "my-dns", ID)),
        (POD, Labels("prod", "registry-6d9f", "registry")),
        (POD + ".20261130-101500", Labels("prod", "registry-6d9f", "registry")),
        (DOCKER, Labels(container_id=ID)),
        (DOCKER + ".1", Labels(container_id=ID)),
        ("/var/log/registry/registry.log", None),
        ("/srv/logs/team_registry_eu/nginx/1.log", None),
        (f"/var/log/containers/{ID}.log", None),
        ("/" * 10_000, None),
        ("", None),
    ],
)  # fmt: skip
def test_a_path_tells_whose_log_it_is(path: str, place: Labels | None) -> None:
    """As kubelet and Docker name their files, rotated or not; any other name tells nothing."""
    assert place_of_log(path) == place


TEXT = 'level=error msg="response completed with error"'
TIME = "2026-11-24T00:43:19.5Z"
RECORDS: dict[str, dict[str, Any]] = {
    "Filebeat": {
        "@timestamp": TIME, "@metadata": {"beat": "filebeat"}, "message": TEXT,
        "host": {"name": "node-05"}, "log": {"offset": 9, "file": {"path": LINK}},
    },
    "Fluent Bit with Path_Key": {"@timestamp": TIME, "log": TEXT, "filename": LINK, "host": "node-05"},
    "Vector's file source": {
        "timestamp": TIME, "source_type": "file", "message": TEXT, "file": LINK, "host": "node-05",
    },
    "the Collector with include_file_path": {"resourceLogs": [{
        "resource": {"attributes": [{"key": "host.name", "value": {"stringValue": "node-05"}}]},
        "scopeLogs": [{"logRecords": [{
            "timeUnixNano": "1795480999500000000", "body": {"stringValue": TEXT},
            "attributes": [{"key": "log.file.path", "value": {"stringValue": LINK}}],
        }]}],
    }]},
    "Telegraf's tail": {
        "name": "docker_log", "timestamp": 1795480999, "fields": {"message": TEXT},
        "tags": {"path": LINK, "host": "node-05"},
    },
}  # fmt: skip


@pytest.mark.parametrize("shipper", RECORDS)
def test_the_path_names_the_container_where_nothing_else_does(shipper: str) -> None:
    """Two registries on one node stay two instances, each with the readings that kubelet gives of it."""
    (entry,) = decode(json.dumps(RECORDS[shipper]).encode())[1]
    assert isinstance(entry, LogLine)
    assert entry.labels == Labels("prod", "registry-6d9f", "registry", ID, "node-05")


@pytest.mark.parametrize(
    ("shipper", "more"),
    [
        ("Filebeat", {"kubernetes": {"pod": {"name": "registry-0"}, "namespace": "other"}}),
        (
            "Telegraf's tail",
            {"tags": {"path": LINK, "pod_name": "registry-0", "namespace": "other", "host": "node-05"}},
        ),
    ],
)
def test_what_a_shipper_has_looked_up_comes_first(shipper: str, more: dict[str, Any]) -> None:
    """A path is a fallback: the metadata of the pod says more."""
    (entry,) = decode(json.dumps(RECORDS[shipper] | more).encode())[1]
    assert isinstance(entry, LogLine)
    assert (entry.labels.namespace, entry.labels.pod) == ("other", "registry-0")
