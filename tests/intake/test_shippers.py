"""Every shipper's record gives the canonical event its layout says, whatever the envelope."""
# ruff: noqa: E501 - a row of a table stands on one line

import orjson
import pytest

from pipeline.intake import Intake, IntakeConfig
from schemas import SampleKind, SymptomKind
from tests.intake.feed import feed, only, record, samples, samples_of_shippers, symptoms

RECORDS = samples_of_shippers()

HEAD_TIME = 1742466618.536076098
POD = "registry-6d9f7c7b9d-abcde"

HEADS = {
    "fluentbit-cri-1of2": ("fluent-bit", POD, "node-05"),
    "fluentbit-cri-regex-parser": ("fluent-bit", None, None),
    "fluentbit-docker": ("fluent-bit", None, None),
    "fluentd-k8s": ("fluentd", POD, "node-05"),
    "vector-k8s": ("vector", POD, "node-05"),
    "filebeat-k8s": ("beats", POD, "node-05"),
    "rsyslog": ("plain", "registry", "node-05"),
    "syslog-ng": ("plain", "registry", "node-05"),
    "logstash-plain": ("plain", "node-05", "node-05"),
    "telegraf-docker_log": ("telegraf-influx", "registry", "node-05"),
}


@pytest.mark.parametrize("name", HEADS)
def test_the_head_of_a_split_error_is_the_same_event_from_every_shipper(name: str) -> None:
    """A lonely head is a cancelled request at the time the line itself bears, marked partial."""
    decoder, instance, host = HEADS[name]
    batch = feed([RECORDS[name]])
    symptom, observation = only(batch)
    assert symptom.kind is SymptomKind.REQUEST_CANCELLED
    assert (symptom.instance, symptom.host) == (instance, host)
    assert symptom.second == 1742466618
    assert symptom.partial == 1
    assert observation.time == pytest.approx(HEAD_TIME, abs=1e-6)
    assert observation.request is None
    assert observation.duration_seconds is None
    assert batch.counts.records == {decoder: 1}


def test_one_event_has_one_id_through_every_shipper_that_names_its_pod() -> None:
    """The id is of the event: Fluent Bit, Fluentd, Vector and Filebeat give the same."""
    names = [name for name, (_, instance, _) in HEADS.items() if instance == POD]
    ids = {only(feed([RECORDS[name]]))[1].id for name in names}
    assert len(names) == 4
    assert len(ids) == 1


@pytest.mark.parametrize(
    "names", [("fluentbit-cri-1of2", "fluentbit-cri-2of2"), ("fluentbit-cri-2of2", "fluentbit-cri-1of2")]
)
def test_head_and_tail_make_one_request_with_cause_time_and_duration(names: tuple[str, str]) -> None:
    """The head has the cause and the time, the tail the request: together they are one event."""
    batch = feed([RECORDS[name] for name in names])
    symptom, observation = only(batch)
    assert symptom.kind is SymptomKind.REQUEST_CANCELLED
    assert symptom.partial == 0
    assert observation.time == pytest.approx(HEAD_TIME, abs=1e-6)
    assert observation.duration_seconds == pytest.approx(12.200693372)
    assert observation.request == "3f0c2b61-7d5e-4a1b-9c34-5be1f7a20d98"
    assert observation.client == "python-httpx/0.27.2"
    assert observation.route == "catalog"
    assert observation.status == 500
    assert batch.counts.rejoined == 1
    assert batch.counts.partial == 0


def test_a_lonely_tail_still_counts_once() -> None:
    """The tail of a lost head tells request and duration, and takes its time from the envelope."""
    symptom, observation = only(feed([RECORDS["vector-docker"]]))
    assert symptom.kind is SymptomKind.REQUEST_CANCELLED
    assert (symptom.instance, symptom.host) == ("registry", "node-05")
    assert symptom.partial == 1
    assert observation.request == "3f0c2b61-7d5e-4a1b-9c34-5be1f7a20d98"
    assert observation.time == pytest.approx(1742466618.536437341, abs=1e-6)


def test_dockerd_through_journald_names_host_upstream_and_question() -> None:
    """A resolver line from journald names no container: only its host places it."""
    symptom, observation = only(feed([RECORDS["fluentbit-systemd-dockerd"]]))
    assert symptom.kind is SymptomKind.DNS_TIMEOUT
    assert (symptom.instance, symptom.host) == (None, "node-05")
    assert symptom.upstream == "10.0.0.2"
    assert symptom.question == "s3.eu-central-1.amazonaws.com"
    assert observation.time == pytest.approx(1742375162.462904328, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "kind", "instance", "time", "values"),
    [
        ("vector-metric", SampleKind.CPU, POD, 1742380215.000000011, {"throttled_periods_total": 1834.0}),
        ("prom-kafka-adapter", SampleKind.CPU, POD, 1742380215.0, {"throttled_periods_total": 1834.0}),
        ("metricbeat-docker-cpu", SampleKind.CPU, "registry", 1742380210.001, {"usage_cores": 0.998}),
        (
            "metricbeat-k8s-container",
            SampleKind.CPU,
            POD,
            1742380210.001,
            {"usage_cores": 0.998, "limit_cores": 1.0, "usage_seconds_total": 83.347618953},
        ),
        (
            "telegraf-influx",
            SampleKind.CPU,
            "registry",
            1742380210.0,
            {
                "usage_seconds_total": 0.117319068,
                "usage_cores": 0.998,
                "periods_total": 3936904.0,
                "throttled_periods_total": 6004.0,
                "throttled_seconds_total": 19175.137007,
            },
        ),
        (
            "telegraf-json",
            SampleKind.CPU,
            "registry",
            1742380210.0,
            {
                "usage_seconds_total": 0.117319068,
                "usage_cores": 0.998,
                "periods_total": 3936904.0,
                "throttled_periods_total": 6004.0,
                "throttled_seconds_total": 19175.137007,
            },
        ),
        (
            "telegraf-cgroup2-json",
            SampleKind.CPU,
            "9b1f0e7c2d4a",
            1742380210.0,
            {
                "usage_seconds_total": 98701.325189,
                "limit_cores": 1.0,
                "periods_total": 3936904.0,
                "throttled_periods_total": 6004.0,
                "throttled_seconds_total": 19175.137007,
            },
        ),
        (
            "cadvisor-kafka",
            SampleKind.CPU,
            "registry",
            1742380214.998,
            {
                "usage_seconds_total": 3605.25,
                "periods_total": 3936904.0,
                "throttled_periods_total": 6004.0,
                "throttled_seconds_total": 19175.137007,
                "psi_some_seconds_total": 293.391454,
                "psi_full_seconds_total": 277.111656,
            },
        ),
    ],
)
def test_readings_of_every_exporter_come_in_canonical_names_and_units(
    name: str, kind: SampleKind, instance: str, time: float, values: dict[str, float]
) -> None:
    """Nanoseconds, microseconds and percent become seconds and cores; counters stay as read."""
    (sample,) = samples(feed([RECORDS[name]]))
    assert sample.kind is kind
    assert sample.instance == instance
    assert sample.time == pytest.approx(time, abs=1e-6)
    assert sample.values == pytest.approx(values)


def test_cloudwatch_metric_streams_tell_of_storage_from_its_own_side() -> None:
    """One record holds several metrics, a line each; milliseconds become seconds."""
    latency, errors = samples(feed([RECORDS["cloudwatch-stream"]]))
    assert {latency.kind, errors.kind} == {SampleKind.STORAGE}
    values = {**latency.values, **errors.values}
    assert values == pytest.approx({"ttfb_mean_seconds": 0.035, "ttfb_max_seconds": 0.21, "errors_5xx": 3.0})


def test_alerts_are_known_and_left_out() -> None:
    """An Alertmanager webhook is no telemetry yet: dropped with its name, not a dead letter."""
    assert feed(
        [RECORDS["alertmanager-v4"].replace(b"CPUThrottlingHigh", b"RegistryErrors")]
    ).counts.dropped == {"alert": 1}


def test_every_fixture_is_read_or_dropped_and_none_is_a_dead_letter() -> None:
    """All 23 layouts are recognised."""
    batch = feed(RECORDS.values())
    assert len(RECORDS) == 23
    assert batch.dead_letters == ()


@pytest.mark.parametrize("nested", [False, True])
def test_fields_lifted_by_the_shipper_are_found_dotted_and_nested(nested: bool) -> None:
    """Merge_Log lifts a JSON line's fields; Elastic's and Vector's parsers nest them."""
    detail = "s3aws: SlowDown: Please reduce your request rate.\n\tstatus code: 503, request id: X"
    base = {"@timestamp": 1742466618.5, "level": "error", "msg": "response completed with error"}
    dotted = {
        "err.code": "unknown",
        "err.detail": detail,
        "http.request.id": "r1",
        "http.response.status": 500,
    }
    nest = {
        "err": {"code": "unknown", "detail": detail},
        "http": {"request": {"id": "r1"}, "response": {"status": 500}},
    }
    place = {"kubernetes": {"pod_name": "registry-a", "host": "n1"}}
    symptom, observation = only(feed([orjson.dumps({**base, **(nest if nested else dotted), **place})]))
    assert symptom.kind is SymptomKind.STORAGE_THROTTLED
    assert (symptom.instance, observation.request, observation.status) == ("registry-a", "r1", 500)


def test_dockers_own_log_file_names_its_container_by_its_tag() -> None:
    """json-file lines as they lie on disk, with the `tag` attribute of the logging driver."""
    line = 'time="2026-11-23T09:10:00Z" level=info msg="listening on 127.0.0.1:5000" go.version=go1.19.8'
    row = {
        "log": f"{line}\n",
        "stream": "stderr",
        "attrs": {"tag": "registry-q"},
        "time": "2026-11-23T09:10:00.1Z",
    }
    batch = feed([orjson.dumps(row)])
    symptom, _ = only(batch)
    assert (symptom.kind, symptom.instance) == (SymptomKind.PROCESS_STARTED, "registry-q")
    assert batch.counts.records == {"docker-json-file": 1}


def test_a_good_request_of_a_line_that_names_its_instance_is_counted_there() -> None:
    """Successes fall back on the line's own instance like failures do."""
    line = (
        'time="2026-11-23T09:10:00Z" level=info msg="response completed" go.version=go1.19.8 http.request.id=r1 '
        "http.response.duration=2ms http.response.status=200 instance=registry-q"
    )
    json_line = orjson.dumps(
        {
            "time": "2026-11-23T09:10:00Z", "level": "info", "msg": "response completed", "instance": "registry-q",
            "http.request.id": "r1", "http.response.duration": 2_000_000, "http.response.status": 200,
        }
    )  # fmt: skip
    (symptom,) = symptoms(feed([line, json_line]))
    assert (symptom.kind, symptom.instance, symptom.count) == (SymptomKind.REQUEST_OK, "registry-q", 1)


def test_several_json_lines_in_one_record_are_read_or_refused_together() -> None:
    """One record has one fate: a broken line among its lines makes it a dead letter."""
    value = RECORDS["cloudwatch-stream"]
    for broken in (value + b"{not json}\n", value + b"[1]\n", value.replace(b"}\n{", b"}\n{,", 1)):
        batch = feed([broken])
        assert [letter.reason.value for letter in batch.dead_letters] == ["undecodable"]
        assert batch.frames == ()


@pytest.mark.parametrize(
    ("value", "dropped"),
    [
        (RECORDS["vector-metric"].replace(b'"absolute"', b'"incremental"'), "unknown_series"),
        (RECORDS["metricbeat-docker-cpu"].replace(b'"docker":{"cpu"', b'"docker":{"disk"'), "unknown_series"),
        (RECORDS["cloudwatch-stream"].split(b"\n")[0].replace(b"FirstByteLatency", b"BucketSizeBytes"), "unknown_series"),
        (RECORDS["cloudwatch-stream"].split(b"\n")[0].replace(b'"count":120.0', b'"count":0').replace(b'"max"', b'"p99"'), "not_a_number"),
        (RECORDS["telegraf-json"].replace(b"cpu-total", b"cpu0"), "unknown_series"),
        (RECORDS["telegraf-json"].replace(b"docker_container_cpu", b"docker_container_net"), "unknown_series"),
        (b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"intValue":"1"},"error":1}]}]}]}', "irrelevant"),
        (b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"container.cpu.usage","gauge":{"dataPoints":[{"asDouble":"NaN"}]}}]}]}]}', "not_a_number"),
        (b'{"resourceMetrics":[]}', "nothing_inside"),
        (b'go_goroutines NaN\n', "not_a_number"),
    ],
)  # fmt: skip
def test_a_reading_of_no_use_is_dropped_for_a_reason(value: bytes, dropped: str) -> None:
    """Understood and useless is not broken."""
    batch = feed([value])
    assert batch.counts.dropped == {dropped: 1}
    assert batch.dead_letters == ()


@pytest.mark.parametrize(
    "value",
    [
        RECORDS["vector-metric"].replace(b"container_cpu_cfs_throttled_periods_total", b""),
        RECORDS["prom-kafka-adapter"].replace(b'"1834"', b'"many"'),
        RECORDS["prom-kafka-adapter"].replace(b'"1834"', b"[1834]"),
        RECORDS["prom-kafka-adapter"].replace(b"container_cpu_cfs_throttled_periods_total", b""),
        RECORDS["telegraf-docker_log"].replace(b"message=", b"note="),
        RECORDS["telegraf-influx"].replace(b" 1742380210000000000", b" noon"),
        RECORDS["filebeat-k8s"].replace(b'"stream":"stderr"', b'"stream":7'),
        b'{"resourceLogs":{"error":1}}',
        b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":"error"}]}]}]}',
        b"registry_http_requests_total{code=\"500\"} many\n",
        b"# TYPE registry_http_requests_total counter\nregistry_http_requests_total\n",
    ],
)  # fmt: skip
def test_a_record_of_a_known_shipper_that_is_broken_says_so(value: bytes) -> None:
    """Recognised and wrong: malformed, with the field at fault."""
    batch = feed([value])
    assert [letter.reason.value for letter in batch.dead_letters] == ["malformed"]
    assert batch.frames == ()


def test_docker_memory_through_telegraf() -> None:
    """A limit of the largest integer is none."""
    value = (
        b"docker_container_mem,container_name=registry,host=node-05 usage=100i,limit=9223372036854775807i,"
        b'cache=20i,container_id="9b1f" 1742380210000000000\n'
    )
    (sample,) = samples(feed([value]))
    assert (sample.kind, sample.instance) == (SampleKind.MEMORY, "registry")
    assert sample.values == {"usage_bytes": 100.0, "limit_bytes": None, "cache_bytes": 20.0}


def test_a_container_of_cadvisor_is_found_by_its_cgroup() -> None:
    """Without a name label, the id in the cgroup's path is the container's."""
    labels = {
        "__name__": "container_cpu_cfs_periods_total",
        "id": "/system.slice/docker-9b1f0e7c2d4a6b8c.scope",
    }
    row = {"labels": labels, "name": labels["__name__"], "timestamp": "2025-03-19T10:30:15Z", "value": "1"}
    (sample,) = samples(feed([orjson.dumps(row)]))
    assert sample.instance == "9b1f0e7c2d4a"


def test_what_a_bare_line_calls_its_instance_is_used_when_no_envelope_names_one() -> None:
    """Identity comes from the envelope first, then from the line."""
    line = (
        'time="2026-11-23T09:10:00Z" level=info msg="listening on 127.0.0.1:5000" go.version=go1.19.8 '
        "instance=registry-q instance.id=1 service=registry version=2.8.2"
    )
    symptom, _ = only(feed([line]))
    assert symptom.kind is SymptomKind.PROCESS_STARTED
    assert symptom.instance == "registry-q"


def test_a_marker_moves_its_source_and_gives_no_frame() -> None:
    """A progress marker is time as data: it raises the source and declares it, and says nothing else."""
    intake = Intake(IntakeConfig())
    intake.receive(record(b'{"undercurrent_progress":{"event_time":1795425100.25}}', partition=3))
    batch = intake.flush()
    assert batch.frames == ()
    assert batch.counts.markers == 1
    source = intake.sources()["registry.logs", 3]
    assert (source.high, source.declared) == (1795425100.25, True)
    assert symptoms(batch) == []
