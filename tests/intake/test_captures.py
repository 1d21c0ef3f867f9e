"""Logs captured from real registries of both releases: every error gets its class, and noise none."""

import pytest

from schemas import SymptomKind
from tests.intake.feed import captured, feed, kinds, symptoms

K = SymptomKind

V2_REQUESTS = {
    K.PROCESS_STARTED: 1,
    K.REQUEST_CANCELLED: 1,
    K.STORAGE_THROTTLED: 1,
    K.STORAGE_TIMEOUT: 1,
    K.REQUEST_OK: 1,
}
V3_REQUESTS = {
    K.PROCESS_STARTED: 1,
    K.REQUEST_CANCELLED: 2,
    K.STORAGE_THROTTLED: 2,
    K.STORAGE_TIMEOUT: 1,
    K.CONNECTION_RESET: 1,
    K.REQUEST_OK: 1,
}

EXPECTED = {
    "v2.8.3-text.stderr": V2_REQUESTS | {K.CONNECTION_RESET: 2},
    "v2.8.3-json.stderr": V2_REQUESTS | {K.CONNECTION_RESET: 1, K.STORAGE_THROTTLED: 2},
    "v2.8.3-logstash.stderr": V2_REQUESTS | {K.CONNECTION_RESET: 1, K.REQUEST_FAILED: 1},
    "v3.1.1-text.stderr": V3_REQUESTS,
    "v3.1.1-json.stderr": V3_REQUESTS,
    "v3.1.1-logstash.stderr": V3_REQUESTS,
    "v2.8.3-text-dns-timeout.stderr": {K.PROCESS_STARTED: 1, K.DNS_TIMEOUT: 1},
    "v2.8.3-json-dns-timeout.stderr": {K.PROCESS_STARTED: 1, K.DNS_TIMEOUT: 1},
    "v3.1.1-text-dns-timeout.stderr": {K.PROCESS_STARTED: 1, K.DNS_TIMEOUT: 1},
    "v3.1.1-json-dns-timeout.stderr": {K.PROCESS_STARTED: 1, K.DNS_TIMEOUT: 1},
    "v2.8.3-text-dns-nxdomain.stderr": {K.PROCESS_STARTED: 1, K.DNS_NXDOMAIN: 1},
    "v2.8.3-json-dns-nxdomain.stderr": {K.PROCESS_STARTED: 1, K.DNS_NXDOMAIN: 1},
    "v3.1.1-text-dns-nxdomain.stderr": {K.PROCESS_STARTED: 1, K.DNS_NXDOMAIN: 1},
    "v3.1.1-json-dns-nxdomain.stderr": {K.PROCESS_STARTED: 1, K.DNS_NXDOMAIN: 1},
    "v3.1.1-text-dns-timeout-masked-as-RequestCanceled.stderr": {
        K.PROCESS_STARTED: 1,
        K.REQUEST_CANCELLED: 1,
    },
    "v2.8.3-access.stdout": {},
    "v3.1.1-access.stdout": {},
}


@pytest.mark.parametrize("name", EXPECTED)
def test_each_captured_line_has_its_class_and_nothing_is_refused(name: str) -> None:
    """Release 2 and 3, text, json and logstash; the bare lines, split where the text has newlines."""
    batch = feed(captured(name))
    assert kinds(batch) == {kind.value: count for kind, count in EXPECTED[name].items()}
    assert batch.dead_letters == ()
    assert batch.counts.partial == 0


def test_a_failed_lookup_keeps_its_request_its_server_and_its_question() -> None:
    """A lookup error of a request counts as DNS and as a failed request: nothing of it is lost."""
    for name in ("v2.8.3-text-dns-timeout.stderr", "v3.1.1-json-dns-timeout.stderr"):
        (symptom,) = [one for one in symptoms(feed(captured(name))) if one.kind is K.DNS_TIMEOUT]
        (observation,) = symptom.observations
        assert symptom.upstream == "127.0.0.10"
        assert symptom.question == "my-bucket.s3.us-east-1.example.com"
        assert observation.request is not None
        assert observation.duration_seconds is not None
        assert observation.duration_seconds > 4
        assert (observation.route, observation.status) == ("blob_upload", 500)


def test_routes_and_durations_of_captured_errors() -> None:
    """`_catalog` is the catalog, an upload an upload, and a duration is the one the line states."""
    found = {
        (symptom.kind, observation.route, round(observation.duration_seconds or 0.0, 9))
        for symptom in symptoms(feed(captured("v2.8.3-text.stderr")))
        for observation in symptom.observations
    }
    assert (K.REQUEST_CANCELLED, "catalog", 2.001731815) in found
    assert (K.STORAGE_THROTTLED, "tags", 6.015745251) in found
    assert (K.CONNECTION_RESET, "blob_upload", 16.83012834) in found
    assert (K.STORAGE_TIMEOUT, "blob_upload", 0.346202067) in found
