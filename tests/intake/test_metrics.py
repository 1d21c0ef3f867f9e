"""Readings become samples in canonical names; what an experiment has set never gets in."""
# ruff: noqa: E501 - a row of a table stands on one line

from typing import Any

import orjson
import pytest

from pipeline.intake import Batch
from pipeline.intake.envelope import BINARY_DECODERS, TEXT_DECODERS
from pipeline.intake.envelopes import JSON_DECODERS
from pipeline.intake.exposition import SUMMED_SERIES
from pipeline.intake.metrics import CANONICAL, SOURCES
from pipeline.intake.series import PLAIN_SERIES
from schemas import DeadLetterReason, SampleKind, SymptomKind
from tests.intake.feed import AT, FIXTURES, dead, feed, only, samples

CGROUP = {
    "ts": AT,
    "cpu_limit_cores": 0.12,
    "cpu_usage_seconds_total": 4.5,
    "nr_periods": 100,
    "nr_throttled": 98,
    "throttled_seconds": 30.25,
    "psi_cpu_some_total_us": 1_500_000,
    "host_cpu_busy_seconds_total": 1827.5,
    "host_cpu_idle_seconds_total": 2817.5,
    "host_cpu_steal_seconds_total": 5.5,
    "cpu_shares": 1024,
    "process_up": 1,
    "threads": 5,
    "open_fds": 8,
    "rss_bytes": 23715840,
    "udp_rcvbuf_errors_host_total": 0,
}


def own(source: str, reading: dict[str, Any] | None = None, **more: Any) -> Batch:
    """One own metric record of `source`."""
    body = {"undercurrent_metric": 1, "source": source, "instance": "registry-a", "host": "node-1", **more}
    if reading is not None:
        body["reading"] = reading
    return feed([orjson.dumps(body)])


def by_kind(batch: Batch) -> dict[SampleKind, dict[str, float | None]]:
    return {sample.kind: sample.values for sample in samples(batch)}


def test_a_cgroup_reading_is_a_cpu_and_a_memory_sample() -> None:
    """Counters stay as read, microseconds become seconds, place and time are the record's."""
    batch = own("cgroup", CGROUP, time=AT)
    values = by_kind(batch)
    assert values[SampleKind.CPU] == {
        "usage_seconds_total": 4.5,
        "limit_cores": 0.12,
        "periods_total": 100.0,
        "throttled_periods_total": 98.0,
        "throttled_seconds_total": 30.25,
        "psi_some_seconds_total": 1.5,
        "host_busy_seconds_total": 1827.5,
        "host_idle_seconds_total": 2817.5,
        "host_steal_seconds_total": 5.5,
        "cpu_shares": 1024.0,
        "process_up": 1.0,
        "threads": 5.0,
        "open_fds": 8.0,
    }
    assert values[SampleKind.MEMORY] == {"process_up": 1.0, "rss_bytes": 23715840.0}
    for sample in samples(batch):
        assert (sample.instance, sample.host, sample.time, sample.source) == (
            "registry-a",
            "node-1",
            AT,
            "cgroup",
        )


def test_memory_readings_come_in_bytes_and_seconds() -> None:
    """The fields of a memory recording, the cgroup's own resident set before the process's."""
    reading = {
        "ts": AT,
        "memory_usage_bytes": 100,
        "memory_cache_bytes": 20,
        "memory_rss_bytes": 70,
        "rss_bytes": 90,
        "memory_limit_bytes": 128,
        "memory_failcnt": 3,
        "memory_oom_kill": 1,
        "restarts_total": 2,
        "psi_memory_some_total_us": 250_000,
        "psi_memory_full_total_us": 125_000,
        "psi_io_some_total_us": 1_000_000,
        "psi_io_full_total_us": 500_000,
    }
    assert by_kind(own("cgroup", reading))[SampleKind.MEMORY] == {
        "usage_bytes": 100.0,
        "cache_bytes": 20.0,
        "rss_bytes": 70.0,
        "limit_bytes": 128.0,
        "failures_total": 3.0,
        "oom_kills_total": 1.0,
        "restarts_total": 2.0,
        "psi_some_seconds_total": 0.25,
        "psi_full_seconds_total": 0.125,
        "psi_io_some_seconds_total": 1.0,
        "psi_io_full_seconds_total": 0.5,
    }


@pytest.mark.parametrize("limit", [None, 0, -1, 9223372036854775807])
def test_no_limit_is_known_to_be_none_and_an_absent_limit_is_unknown(limit: float | None) -> None:
    """null, 0, -1 and the largest integer all say "unlimited"; silence says nothing."""
    named = by_kind(own("cgroup", CGROUP | {"cpu_limit_cores": limit}))[SampleKind.CPU]
    assert named["limit_cores"] is None
    silent = by_kind(own("cgroup", {"ts": AT, "nr_periods": 1}))[SampleKind.CPU]
    assert "limit_cores" not in silent


def test_storage_is_read_from_its_own_side_without_the_experimenters_hand() -> None:
    """Milliseconds become seconds; injected_* reaches no sample."""
    reading = {
        "ts": AT, "n": 44, "ttfb_ms_p50": 1.5, "ttfb_ms_p95": 4.0, "ttfb_ms_max": 5.0, "total_ms_p95": 6.0,
        "status_4xx": 1, "status_5xx": 2, "aborted_by_client": 3, "inflight": 4, "new_conns": 5,
        "injected_max_ms": 15000, "injected_min_ms": 3000, "ops": {"get": 44},
    }  # fmt: skip
    assert by_kind(own("s3-proxy", reading)) == {
        SampleKind.STORAGE: pytest.approx(
            {
                "requests": 44,
                "ttfb_p50_seconds": 0.0015,
                "ttfb_p95_seconds": 0.004,
                "ttfb_max_seconds": 0.005,
                "total_p95_seconds": 0.006,
                "errors_4xx": 1,
                "errors_5xx": 2,
                "aborted_by_client": 3,
                "in_flight": 4,
                "new_connections": 5,
            }
        )
    }


def test_dns_seconds_count_and_single_lost_queries_do_not_count_again() -> None:
    """The line of a second holds the losses; each lost query's own line is counted elsewhere."""
    second = {
        "ts": AT,
        "event": "second",
        "queries": 9,
        "answered": 7,
        "dropped": 2,
        "delayed": 1,
        "drop_p": 0.3,
    }
    batch = own("dns-upstream", second, upstream="10.0.0.2")
    (sample,) = samples(batch)
    assert sample.values == {"queries": 9.0, "answered": 7.0, "failed": 2.0, "delayed": 1.0}
    assert sample.upstream == "10.0.0.2"
    lost = {"ts": AT, "event": "dropped", "q": "s3.registry.test.", "client": "10.1.1.1:5", "type": "A"}
    assert own("dns-upstream", lost).counts.dropped == {"counted_elsewhere": 1}


@pytest.mark.parametrize("release", ["v2.8.3", "v3.1.1"])
def test_a_scrape_of_the_registry_is_summed_over_its_labels(release: str) -> None:
    """Both releases: in-flight requests, requests and 5xx answers, storage time, over all handlers."""
    text = (FIXTURES / f"captured-registry-{release}.metrics.prom").read_text()
    batch = own("registry", time=AT, up=1, text=text)
    (sample,) = samples(batch)
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#")]
    total = sum(float(value) for name, value in lines if name.startswith("registry_http_requests_total"))
    errors = sum(
        float(value) for name, value in lines if name.startswith('registry_http_requests_total{code="5')
    )
    stored = [float(value) for name, value in lines if name.startswith("registry_storage_action_seconds_sum")]
    assert errors > 0
    assert sample.kind is SampleKind.REQUESTS
    assert sample.values["up"] == 1.0
    assert sample.values["requests_total"] == total
    assert sample.values["errors_total"] == errors
    assert sample.values["storage_seconds_sum_total"] == pytest.approx(sum(stored))
    assert sample.values["in_flight"] == 0.0
    assert batch.counts.records == {"undercurrent-metric": 1}


def test_a_failed_scrape_is_down_and_never_a_zero() -> None:
    """No text: nothing else is known than that nobody answered."""
    assert by_kind(own("registry", time=AT, up=0)) == {SampleKind.REQUESTS: {"up": 0.0}}


def test_go_and_process_figures_count_only_beside_the_registrys_own() -> None:
    """Every Go program exports goroutines; those of another service say nothing about requests."""
    other = "# TYPE go_goroutines gauge\ngo_goroutines 34\nprocess_resident_memory_bytes 5\n"
    assert by_kind(own("registry", time=AT, up=1, text=other)) == {SampleKind.REQUESTS: {"up": 1.0}}
    mine = 'registry_http_in_flight_requests{handler="base"} 2\nregistry_http_in_flight_requests{handler="blob"} 3\n'
    values = by_kind(own("registry", time=AT, up=1, text=other + mine))[SampleKind.REQUESTS]
    assert values == {"up": 1.0, "in_flight": 5.0, "goroutines": 34.0, "resident_bytes": 5.0}


def test_the_runtime_reports_exits_and_starts() -> None:
    """137 is SIGKILL; the status of an exit is its code."""
    symptom, observation = only(own("runtime", {"ts": AT, "event": "container_exit", "exit_code": 137}))
    assert (symptom.kind, symptom.instance, observation.status) == (
        SymptomKind.PROCESS_EXITED,
        "registry-a",
        137,
    )
    started, _ = only(own("runtime", {"ts": AT, "event": "container_start", "restarts": 1}))
    assert started.kind is SymptomKind.PROCESS_STARTED


def test_ready_made_values_take_known_names_only() -> None:
    """Any exporter may write canonical values; an unknown name is left out, none at all is no sample."""
    batch = own(
        "mine", time=AT, kind="cpu", values={"usage_cores": 0.9, "limit_cores": None, "injected_ms": 9}
    )
    assert by_kind(batch) == {SampleKind.CPU: {"usage_cores": 0.9, "limit_cores": None}}
    nothing = own("mine", time=AT, kind="cpu", values={"injected_ms": 9})
    assert nothing.counts.dropped == {"unknown_series": 1}


def test_a_metric_may_name_its_domain() -> None:
    """An explicit domain wins over matchers."""
    (frame,) = own("cgroup", CGROUP, domain="eu-registry").frames
    assert frame.domain == "eu-registry"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"undercurrent_metric": 2, "source": "cgroup", "reading": CGROUP}, DeadLetterReason.MALFORMED),
        ({"undercurrent_metric": 1, "reading": CGROUP}, DeadLetterReason.MALFORMED),
        ({"undercurrent_metric": 1, "source": "unheard", "reading": CGROUP}, DeadLetterReason.MALFORMED),
        ({"undercurrent_metric": 1, "source": "cgroup", "reading": [1]}, DeadLetterReason.MALFORMED),
        (
            {"undercurrent_metric": 1, "source": "cgroup", "time": AT, "reading": {"nr_periods": "many"}},
            DeadLetterReason.MALFORMED,
        ),
        (
            {"undercurrent_metric": 1, "source": "a", "time": AT, "kind": "mood", "values": {}},
            DeadLetterReason.MALFORMED,
        ),
        ({"undercurrent_metric": 1, "source": "registry", "time": AT, "up": 1}, DeadLetterReason.MALFORMED),
        (
            {"undercurrent_metric": 1, "source": "cgroup", "instance": 5, "time": AT, "reading": CGROUP},
            DeadLetterReason.MALFORMED,
        ),
        (
            {"undercurrent_metric": 1, "source": "cgroup", "time": "noon", "reading": CGROUP},
            DeadLetterReason.TIME_OUT_OF_RANGE,
        ),
        (
            {"undercurrent_metric": 1, "source": "cgroup", "time": 12, "reading": CGROUP},
            DeadLetterReason.TIME_OUT_OF_RANGE,
        ),
    ],
)
def test_a_broken_metric_is_a_dead_letter_that_says_why(
    fields: dict[str, Any], reason: DeadLetterReason
) -> None:
    """Wrong version, source, type, kind or time: refused with a reason, counted once."""
    batch = feed([orjson.dumps(fields)])
    (letter,) = dead(batch)
    assert letter.reason is reason
    assert letter.detail
    assert batch.frames == ()


def test_every_source_has_a_row_in_the_docs() -> None:
    """docs/signals.md is the contract with whoever writes metric records."""
    text = (FIXTURES.parents[2] / "docs" / "signals.md").read_text()
    for source in SOURCES:
        assert f"| `{source}` |" in text


def _adapter(name: str, value: object, **labels: str) -> bytes:
    return orjson.dumps(
        {
            "labels": {"__name__": name, "pod": "registry-a", "container": "registry", **labels},
            "name": name,
            "timestamp": "2026-11-23T09:10:30Z",
            "value": value,
        }
    )


@pytest.mark.parametrize(
    ("name", "value", "labels", "kind", "expected"),
    [
        ("container_cpu_usage_seconds_total", "12.5", {}, SampleKind.CPU, {"usage_seconds_total": 12.5}),
        ("container_cpu_usage_seconds_total", "12.5", {"cpu": "total"}, SampleKind.CPU, {"usage_seconds_total": 12.5}),
        ("container_spec_cpu_quota", "20000", {}, SampleKind.CPU, {"limit_cores": 0.2}),
        ("container_spec_cpu_quota", "-1", {}, SampleKind.CPU, {"limit_cores": None}),
        ("kube_pod_container_resource_limits", "0.2", {"resource": "cpu"}, SampleKind.CPU, {"limit_cores": 0.2}),
        ("kube_pod_container_resource_limits", "1024", {"resource": "memory"}, SampleKind.MEMORY, {"limit_bytes": 1024.0}),
        ("container_spec_memory_limit_bytes", "0", {}, SampleKind.MEMORY, {"limit_bytes": None}),
        ("container_spec_memory_limit_bytes", "9.223372036854772e+18", {}, SampleKind.MEMORY, {"limit_bytes": None}),
        ("container_spec_memory_limit_bytes", "+Inf", {}, SampleKind.MEMORY, {"limit_bytes": None}),
        ("container_oom_events_total", "3", {}, SampleKind.MEMORY, {"oom_kills_total": 3.0}),
        ("container_pressure_cpu_waiting_seconds_total", "7", {}, SampleKind.CPU, {"psi_some_seconds_total": 7.0}),
    ],
)  # fmt: skip
def test_a_series_is_a_sample_with_its_one_value(
    name: str, value: str, labels: dict[str, str], kind: SampleKind, expected: dict[str, float | None]
) -> None:
    """cAdvisor and kube-state-metrics through the Prometheus adapter; no limit is None."""
    (sample,) = samples(feed([_adapter(name, value, **labels)]))
    assert (sample.kind, sample.values, sample.instance) == (kind, expected, "registry-a")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (_adapter("container_cpu_usage_seconds_total", "NaN"), "not_a_number"),
        (_adapter("container_cpu_usage_seconds_total", "+Inf"), "not_a_number"),
        (_adapter("container_cpu_usage_seconds_total", "1", cpu="cpu03"), "unknown_series"),
        (_adapter("container_cpu_usage_seconds_total", "1", container="POD"), "unknown_series"),
        (_adapter("kube_pod_container_resource_limits", "1", resource="ephemeral_storage"), "unknown_series"),
        (_adapter("registry_http_requests_total", "1", code="500"), "part_of_sum"),
        (_adapter("node_load1", "1"), "unknown_series"),
    ],
)
def test_a_series_of_no_use_is_dropped_and_counted(value: bytes, reason: str) -> None:
    """An unknown or partial series is no dead letter: there are thousands of them."""
    batch = feed([value])
    assert batch.counts.dropped == {reason: 1}
    assert batch.dead_letters == ()


def test_a_whole_scrape_corrects_a_quota_by_its_period() -> None:
    """20 ms of every 40 ms are half a core, whatever the default period would make of it."""
    text = (
        "# TYPE container_spec_cpu_quota gauge\n"
        'container_spec_cpu_period{container="registry",pod="registry-a"} 40000\n'
        'container_spec_cpu_quota{container="registry",pod="registry-a"} 20000 1795425030500\n'
        'container_spec_cpu_quota{container="other",pod="registry-b"} 20000 1795425030500\n'
    )
    found = {sample.instance: sample.values for sample in samples(feed([text]))}
    assert found == {"registry-a": {"limit_cores": 0.5}, "registry-b": {"limit_cores": 0.2}}


def test_opentelemetry_json_holds_many_points_and_lines() -> None:
    """otlp_json from the collector: whole numbers in strings, one record with several entries."""
    batch = feed([(FIXTURES / "otlp_metrics.json").read_bytes()])
    assert {name: value for sample in samples(batch) for name, value in sample.values.items()} == {
        "usage_cores": 0.998,
        "limit_cores": 1.0,
        "usage_seconds_total": 3605.25,
        "throttled_periods_total": 1834.0,
    }
    assert batch.counts.records == {"otlp-metrics": 1}
    symptom, _ = only(feed([(FIXTURES / "otlp_logs.json").read_bytes()]))
    assert (symptom.kind, symptom.instance) == (SymptomKind.REQUEST_CANCELLED, "registry-6d9f7c7b9d-abcde")


def test_every_decoder_and_every_canonical_name_is_in_the_docs() -> None:
    """A name nobody can look up is not a contract."""
    text = (FIXTURES.parents[2] / "docs" / "signals.md").read_text()
    decoders = {*JSON_DECODERS, *TEXT_DECODERS, *BINARY_DECODERS}
    names = {name for known in CANONICAL.values() for name in known}
    names |= {target.name for targets in PLAIN_SERIES.values() for target in targets}
    names |= {target.name for targets in SUMMED_SERIES.values() for target in targets}
    names |= {kind.value for kind in SymptomKind} | {kind.value for kind in SampleKind}
    assert {name for name in decoders | names if f"`{name}`" not in text} == set()
