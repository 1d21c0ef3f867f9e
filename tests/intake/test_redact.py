"""Secrets never leave the raw topics."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.redact import HIDDEN, redact, redact_bytes, redactor

SECRETS = [
    ("key AKIAIOSFODNN7EXAMPLE used", "AKIAIOSFODNN7EXAMPLE"),
    ("key ASIAIOSFODNN7EXAMPLE used", "ASIAIOSFODNN7EXAMPLE"),
    ("GET /b?X-Amz-Signature=00c0ffee&x=1", "00c0ffee"),
    ("GET /b?X-Amz-Credential=abc%2F2026%2Fs3&x=1", "abc%2F2026"),
    ("GET /b?X-Amz-Security-Token=FwoGZXIvYXdz&x=1", "FwoGZXIvYXdz"),
    ("PATCH /v2/a/blobs/uploads/1?_state=kX9_secretstate== HTTP/1.1", "kX9_secretstate"),
    ("Authorization: Bearer abcdef123456", "abcdef123456"),
    ("authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
    ('{"Authorization":"Bearer abcdef123456"}', "abcdef123456"),
    ('{\\"Authorization\\":\\"Bearer abcdef123456\\"}', "abcdef123456"),
    ("map[Authorization:[Basic dXNlcjpwYXNz] Accept:[*/*]]", "dXNlcjpwYXNz"),
    ("Cookie: session=s3cr3t; other=hush", "hush"),
    ("Set-Cookie: session=s3cr3t; Path=/", "s3cr3t"),
    ("redis://user:hunter2@10.0.0.1:6379/0", "hunter2"),
    ("https://token123@example.com/", "token123"),
    ("password=hunter2 next", "hunter2"),
    ('"secret_access_key": "wJalrXUtnFEMI"', "wJalrXUtnFEMI"),
    ("aws_secret_access_key=wJalrXUtnFEMI", "wJalrXUtnFEMI"),
    ("api-key: 12345678", "12345678"),
    ("AuthorizationHeader: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/eu, Signature=fe5f80", "fe5f80"),
    ("GET https://storage.example.com/b?X-Goog-Signature=0badc0de&x=1", "0badc0de"),
    ("GET https://a.blob.example.net/c?sv=2026&sig=pl%2Bmn%3D&se=1", "pl%2Bmn"),
    ("docker login -p dckr_pat_abcdefghijklmnop", "abcdefghijklmnop"),
    ("pull with ghp_0123456789abcdefghij", "0123456789abcdefghij"),
    ("slack xoxb-000000000000-secretsecret", "secretsecret"),
    ("X-Registry-Auth-Token: opaqueopaque", "opaqueopaque"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----", "MIIEow"),
    ("\xd9lAKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
    ("jwt eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSMeKKF", "eyJzdWIiOiIx"),
]


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_a_secret_is_hidden_and_its_name_stays(text: str, secret: str) -> None:
    """What kind of secret it was may be seen; the secret may not."""
    hidden = redact(text)
    assert secret not in hidden
    assert HIDDEN in hidden


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_redacting_twice_changes_nothing(text: str, secret: str) -> None:
    """Text passes several hands, and each may redact."""
    once = redact(text)
    assert redact(once) == once


@pytest.mark.parametrize(
    "text",
    [
        'time="2026-11-23T09:10:30Z" level=error msg="response completed with error" err.code=unknown',
        "s3aws: RequestCanceled: request context canceled\ncaused by: context canceled",
        "http.request.uri=/v2/_catalog?last=some%2Frepo&n=30 http.request.useragent=curl/7.88.1",
        "dial tcp: lookup s3.example.com on 10.0.0.2:53: read udp 10.1.1.1:4->10.0.0.2:53: i/o timeout",
        "error authorizing context: authorization token required",
        'Get "http://s3.registry.test:9000/registry?list-type=2&prefix=docker": EOF',
    ],
)
def test_an_ordinary_line_stays_as_it_is(text: str) -> None:
    """A reader must still recognise the error."""
    assert redact(text) == text


def test_addresses_of_people_are_hidden_if_asked() -> None:
    """Off by default: a log line often says who has to be asked."""
    text = "push by jane.doe+ci@mail.example.co.uk to registry@sha256:00ff"
    assert redactor()(text) == text
    assert redactor(emails=True)(text) == "push by [redacted] to registry@sha256:00ff"


@given(st.text(alphabet=st.sampled_from("a.@-_%+ ,"), max_size=60))
def test_hiding_addresses_twice_changes_nothing(text: str) -> None:
    """Nor does what is left of one make another."""
    once = redactor(emails=True)(text)
    assert redactor(emails=True)(once) == once


@given(st.binary(max_size=200), st.integers(0, 200))
def test_bytes_that_hold_no_secret_stay_as_they_are(value: bytes, bytes_max: int) -> None:
    """A dead letter is evidence: whatever its bytes are, they come back the same."""
    assume(redact(value.decode("utf-8", "surrogateescape")) == value.decode("utf-8", "surrogateescape"))
    assert redact_bytes(value, bytes_max) == (value[:bytes_max], False)


@given(st.text(max_size=300))
def test_any_text_can_be_redacted_twice_to_the_same(text: str) -> None:
    """No text makes it raise or run on."""
    once = redact(text)
    assert redact(once) == once


@pytest.mark.parametrize(
    "text", ["a-" * 2_000, "authorization:" * 300, "://" + "a" * 4_000, "eyJ" * 1_300, "token=" * 600]
)
def test_hostile_text_of_a_few_kilobytes_is_redacted_at_once(text: str) -> None:
    """Every pattern is bounded; this would hang if one were not."""
    assert len(redact(text)) < 10_000
