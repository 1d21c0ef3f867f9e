"""Signatures: the user's own error texts win over our classes, and nobody can write himself into one."""

import orjson
import pytest

from pipeline.intake import Batch, IntakeConfig
from schemas import Signature, SymptomKind
from tests.intake.feed import feed, fluent_bit, only, symptoms

EXPIRED = Signature(name="tls_expired", match=("x509: certificate has expired",))
FULL = Signature(name="disk_full", match=("no space left",), kind=SymptomKind.STORAGE_ERROR)

DETAIL = (
    's3aws: RequestError: send request failed\\ncaused by: Get \\"https://s3.example.com/bucket\\": '
    "tls: failed to verify certificate: x509: certificate has expired or is not yet valid"
)
FAILED = (
    'time="2026-11-23T09:10:30.123456789Z" level=error msg="response completed with error" '
    'err.code=unknown err.detail="{detail}" err.message="unknown error" '
    'http.request.id=5f0c http.request.uri="/v2/_catalog" http.request.useragent="{agent}" '
    "http.response.duration=12ms http.response.status=500"
)


def line(detail: str = DETAIL, agent: str = "crane") -> str:
    """A request that failed for the reason in `detail`."""
    return FAILED.format(detail=detail, agent=agent)


def fed(*lines: str, signatures: tuple[Signature, ...] = (EXPIRED, FULL)) -> Batch:
    return feed(lines, IntakeConfig(signatures=signatures))


def test_a_signature_names_kind_and_observation() -> None:
    """A line that bears it is of its kind, and its observation says which signature it was."""
    symptom, observation = only(fed(line()))
    assert (symptom.kind, observation.signature) == (SymptomKind.REQUEST_FAILED, "tls_expired")
    assert (observation.request, observation.route, observation.status) == ("5f0c", "catalog", 500)


def test_without_signatures_nothing_changes() -> None:
    """The same line keeps its own class where no signature is set."""
    symptom, observation = only(fed(line(), signatures=()))
    assert (symptom.kind, observation.signature) == (SymptomKind.REQUEST_FAILED, None)


def test_a_signature_wins_over_the_built_in_class() -> None:
    """A text that we would call cancelled is what the user says it is."""
    cancelled = line("s3aws: RequestCanceled: request context canceled; no space left on device")
    symptom, observation = only(fed(cancelled))
    assert (symptom.kind, observation.signature) == (SymptomKind.STORAGE_ERROR, "disk_full")


def test_the_first_signature_that_fits_counts() -> None:
    """Order decides between two that fit."""
    both = line(f"{DETAIL}: no space left")
    assert only(fed(both))[1].signature == "tls_expired"
    assert only(fed(both, signatures=(FULL, EXPIRED)))[1].signature == "disk_full"


def test_several_patterns_must_all_be_found() -> None:
    """A list of patterns is an `and`, in any order."""
    two = (Signature(name="both", match=("send request failed", r"tls: .* x509")),)
    assert only(fed(line(), signatures=two))[1].signature == "both"
    other = line("s3aws: RequestError: send request failed\\ncaused by: connect: no route to host")
    assert only(fed(other, signatures=two))[1].signature is None


def test_no_client_can_write_itself_into_a_signature() -> None:
    """User agent, address and access log are the client's words, not the error's."""
    agent = line("s3aws: RequestCanceled: request context canceled", agent=DETAIL.replace("\\", ""))
    assert only(fed(agent))[1].signature is None
    access = (
        '10.0.0.9 - - [23/Nov/2026:09:10:30 +0000] "GET /x509: certificate has expired error HTTP/1.1" 200 1'
    )
    assert symptoms(fed(fluent_bit(access).decode())) == []


def test_only_error_lines_are_looked_at() -> None:
    """What a line says at level info is no failure, whatever it says."""
    said = 'time="2026-11-23T09:10:30Z" level={level} msg="x509: certificate has expired (no error)"'
    assert symptoms(fed(said.format(level="info"))) == []
    assert [s.kind for s in symptoms(fed(said.format(level="error")))] == [SymptomKind.REQUEST_FAILED]


@pytest.mark.parametrize("level", ["fatal", "panic"])
def test_the_byte_test_lets_through_what_a_signature_may_want(level: str) -> None:
    """A fatal line holds none of our words; with signatures in force it is read all the same."""
    said = f'time="2026-11-23T09:10:30Z" level={level} msg="mkdir /var/lib: no space left on device"'
    assert fed(said, signatures=()).counts.dropped == {"irrelevant": 1}
    symptom, observation = only(fed(said))
    assert (symptom.kind, observation.signature) == (SymptomKind.STORAGE_ERROR, "disk_full")


def test_a_program_without_levels_is_understood() -> None:
    """Go's own log package writes no level; its errors count."""
    said = "2026/11/23 09:10:30 http: TLS handshake error from 10.0.0.7:4711: x509: certificate has expired"
    (symptom,) = symptoms(fed(fluent_bit(said).decode()))
    assert symptom.observations[0].signature == "tls_expired"


def test_half_a_line_bears_the_signature_of_its_text() -> None:
    """The rest of a split error, whose head is lost, is still known by its text."""
    rest = DETAIL.split("\\n")[1].replace('\\"', '"')
    symptom, observation = only(fed(fluent_bit(rest).decode()))
    assert (symptom.partial, observation.signature) == (1, "tls_expired")


def test_json_and_text_of_one_error_are_one_event() -> None:
    """The signature changes neither identity nor rejoining: two tellings of a line count once."""
    fields = {
        "time": "2026-11-23T09:10:30.123456789Z",
        "level": "error",
        "msg": "response completed with error",
        "err.detail": DETAIL.replace("\\n", "\n").replace('\\"', '"'),
        "http.request.id": "5f0c",
        "http.request.uri": "/v2/_catalog",
        "http.request.useragent": "crane",
        "http.response.status": 500,
    }
    (symptom,) = symptoms(
        fed(fluent_bit(line()).decode(), fluent_bit(orjson.dumps(fields).decode()).decode())
    )
    assert symptom.count == 1


def test_a_lookup_keeps_what_it_asked() -> None:
    """A signature of a DNS kind keeps upstream and question, so that it is held like any lookup."""
    lookup = line("dial tcp: lookup s3.example.com on 10.0.0.2:53: no such host (split horizon)")
    split = (Signature(name="split_horizon", match=("split horizon",), kind=SymptomKind.DNS_NXDOMAIN),)
    symptom, _ = only(fed(lookup, signatures=split))
    assert (symptom.upstream, symptom.question) == ("10.0.0.2", "s3.example.com")
    other = (Signature(name="split_horizon", match=("split horizon",)),)
    symptom, _ = only(fed(lookup, signatures=other))
    assert (symptom.upstream, symptom.question) == (None, None)
