"""OpenTelemetry beyond the fixtures: parsed bodies, deltas, shares of a limit; in both encodings."""

from typing import Any

import orjson
import pytest
from google.protobuf import json_format
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData

from tests.formats.reading import facts
from tests.intake.feed import captured

TIME = "1742380218536076098"
RESOURCE = {"attributes": [{"key": "k8s.pod.name", "value": {"stringValue": "registry-a"}}]}
CANCELLED = orjson.loads(next(one for one in captured("v3.1.1-json.stderr") if "RequestCanceled" in one))


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return {"kvlistValue": {"values": [{"key": key, "value": _value(one)} for key, one in value.items()]}}
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}


def _logs(body: dict[str, Any]) -> dict[str, Any]:
    record = {"timeUnixNano": TIME, "body": body}
    return {"resourceLogs": [{"resource": RESOURCE, "scopeLogs": [{"logRecords": [record]}]}]}


def _metrics(*metrics: dict[str, Any]) -> dict[str, Any]:
    return {"resourceMetrics": [{"resource": RESOURCE, "scopeMetrics": [{"metrics": list(metrics)}]}]}


def _gauge(name: str, value: float) -> dict[str, Any]:
    return {"name": name, "gauge": {"dataPoints": [{"timeUnixNano": TIME, "asDouble": value}]}}


def _both(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Facts of the same record in JSON and in protobuf, without the decoder's name."""
    form = LogsData() if "resourceLogs" in data else MetricsData()
    encoded = json_format.ParseDict(data, form).SerializeToString()
    found = [facts(orjson.dumps(data)), facts(encoded)]
    names = [one.pop("decoder") for one in found]
    assert names[1] == f"{names[0]}-protobuf"
    return found


@pytest.mark.parametrize(
    "body",
    [CANCELLED, {"MESSAGE": orjson.dumps(CANCELLED).decode(), "_HOSTNAME": "n", "PRIORITY": "6"}],
    ids=["fields of a parsed line", "journald's fields"],
)
def test_a_body_that_is_an_object_tells_the_same_as_its_text(body: dict[str, Any]) -> None:
    """A json parser, or the journald receiver, leaves an object where others leave text."""
    text = _both(_logs({"stringValue": orjson.dumps(CANCELLED).decode()}))
    assert text[0]["tells"][0]["kind"] == "request_cancelled"
    assert _both(_logs(_value(body))) == text


def test_a_body_that_is_a_list_is_of_no_use() -> None:
    """Understood, and nothing in it."""
    assert (
        _both(_logs({"arrayValue": {"values": [{"stringValue": "error"}]}}))
        == [{"dropped": "irrelevant"}] * 2
    )


def test_a_delta_is_no_counter() -> None:
    """Counters travel as read; the growth of one would be read as its value."""
    point = {"timeUnixNano": TIME, "asDouble": 5.0}
    delta = {"name": "container.cpu.time", "sum": {"aggregationTemporality": 1, "dataPoints": [point]}}
    assert _both(_metrics(delta)) == [{"dropped": "unknown_series"}] * 2


def test_a_share_of_a_limit_gives_the_limit_where_the_use_stands_beside_it() -> None:
    """0.5 cores that are a quarter of the limit: the limit is 2 cores. By itself a share says nothing."""
    share = _gauge("k8s.container.cpu_limit_utilization", 0.25)
    for one in _both(_metrics(share, _gauge("container.cpu.usage", 0.5))):
        values = {name: value for told in one["tells"] for name, value in told["values"].items()}
        assert values == {"usage_cores": 0.5, "limit_cores": 2.0}
    assert _both(_metrics(share)) == [{"dropped": "unknown_series"}] * 2
