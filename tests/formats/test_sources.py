"""Metric sources beyond single values: latency that is counted, and figures that are nobody's."""

import orjson
import pytest

from pipeline.history import Row, storage_readings
from pipeline.intake import Intake, IntakeConfig
from tests.formats.reading import KAFKA_MS, facts, fixtures
from tests.intake.feed import feed, record, samples

FIXTURES = fixtures()


def _rows(*scrapes: str) -> list[Row]:
    """Storage rows as the core has them, of scrapes ten seconds apart."""
    intake = Intake(IntakeConfig())
    for at, text in enumerate(scrapes):
        intake.receive(record(text, offset=at, at=KAFKA_MS / 1000 + 10 * at))
    rows: dict[float, Row] = {}
    for sample in samples(intake.flush(release_heads=True)):
        origin = (sample.origin.topic, sample.origin.partition, sample.origin.offset)
        row = rows.get(sample.time, Row(sample.time, {}, sample.source, origin))
        rows[sample.time] = row.merged(sample.values, origin)
    return [rows[time] for time in sorted(rows)]


def _minio(counts: dict[str, int]) -> str:
    name = "minio_s3_requests_ttfb_seconds_distribution"
    lines = [f'{name}{{api="getobject",le="{le}",server="s"}} {count}' for le, count in counts.items()]
    head = ["# TYPE minio_s3_requests_total counter", f"minio_s3_requests_total {counts['+Inf']}"]
    return "\n".join([*head, *lines])


def test_minios_buckets_give_median_and_percentile_of_each_interval() -> None:
    """As histogram_quantile has it: of 100 answers 50 came within 50 ms, 90 within 1 s, all within 2.5 s."""
    before = {"0.050": 10, "1.000": 10, "2.500": 10, "+Inf": 10}
    after = {"0.050": 60, "1.000": 100, "2.500": 110, "+Inf": 110}
    first, second = storage_readings(_rows(_minio(before), _minio(after)))
    assert (first.p50_seconds, first.p95_seconds) == (None, None)
    assert second.requests == 100
    assert second.p50_seconds == pytest.approx(0.05)
    assert second.p95_seconds == pytest.approx(1.0 + 1.5 * 0.5)


def test_what_is_slower_than_the_last_bucket_is_known_to_be_as_slow_as_that() -> None:
    """Nothing is made up beyond the bound."""
    before, after = {"0.050": 0, "10.000": 0, "+Inf": 0}, {"0.050": 0, "10.000": 0, "+Inf": 20}
    (_, second) = storage_readings(_rows(_minio(before), _minio(after)))
    assert (second.p50_seconds, second.p95_seconds) == (10.0, 10.0)


def test_a_restarted_storage_gives_no_latency_rather_than_a_wrong_one() -> None:
    """Counters that fell were reset."""
    before, after = {"0.050": 50, "+Inf": 60}, {"0.050": 3, "+Inf": 5}
    (_, second) = storage_readings(_rows(_minio(before), _minio(after)))
    assert (second.p50_seconds, second.p95_seconds) == (None, None)


def test_cephs_sums_give_the_mean_of_each_interval() -> None:
    """All gateways, reads and writes together; a mean is taken for the median, and there is no percentile."""
    text = FIXTURES["ceph-rgw.prom"].decode()
    later = text.replace(" 10.5\n", " 12.5\n").replace(" 900\n", " 920\n").replace(" 1020\n", " 1060\n")
    (_, second) = storage_readings(_rows(text, later))
    assert second.requests == 40
    assert second.p50_seconds == pytest.approx(2.0 / 20)
    assert second.p95_seconds is None


def test_figures_of_a_process_in_no_container_are_nobodys() -> None:
    """They must not pass for those of the host, and so of every container on it."""
    body = orjson.loads(FIXTURES["metricbeat-process-cgroup.json"])
    del body["container"]
    assert facts(orjson.dumps(body)) == {"decoder": "beats", "dropped": "unknown_series"}


def test_a_cgroup_that_is_no_containers_is_not_the_hosts() -> None:
    """A slice's throttling is its own."""
    _, _, figures = FIXTURES["telegraf-cgroup1.influx"].partition(b" ")
    value = b"cgroup,host=node-05,path=/sys/fs/cgroup/cpu/system.slice " + figures
    (sample,) = samples(feed([value]))
    assert sample.instance == "system.slice"


def test_labels_of_the_series_win_over_those_of_its_exporter() -> None:
    """kube-state-metrics without honor_labels: `pod` is the exporter's, `exported_pod` the container's."""
    text = (
        "# TYPE kube_pod_container_resource_limits gauge\n"
        'kube_pod_container_resource_limits{container="kube-state-metrics",exported_container="registry",'
        'exported_namespace="registry",exported_pod="registry-a",namespace="monitoring",pod="ksm-0",'
        'resource="cpu",unit="core"} 0.5 1795425030500\n'
    )
    (sample,) = samples(feed([text]))
    assert (sample.instance, sample.values) == ("registry-a", {"limit_cores": 0.5})
