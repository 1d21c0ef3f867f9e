"""Tokens for OAUTHBEARER: kept while they are good, asked for again before they are not, never quoted."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from agents.oauth import TokenError, Tokens
from agents.sections import Kafka

SECRET = "do-not-tell"


@pytest.fixture
def issuer() -> Iterator[tuple[str, list[str]]]:
    """An identity provider that hands out numbered tokens for 100 seconds, and what it was asked."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(200 if self.path == "/token" else 500)
            self.end_headers()
            self.wfile.write(json.dumps({"access_token": f"t{len(asked)}", "expires_in": 100}).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def settings(**more: object) -> Kafka:
    return Kafka(security="sasl_plaintext", sasl_mechanism="OAUTHBEARER", **more)


def test_a_token_is_asked_for_once_and_again_before_it_expires(issuer: tuple[str, list[str]]) -> None:
    """A token is used for four fifths of its life, so that none is too old when it arrives."""
    url, asked = issuer
    now = 0.0
    known = settings(
        token_url=f"{url}/token", username="worker", password=SecretStr(SECRET), token_scope="kafka"
    )
    tokens = Tokens(known, lambda: now)
    assert [tokens.token(), tokens.token()] == ["t1", "t1"]
    now = 81.0
    assert tokens.token() == "t2"
    assert asked == ["grant_type=client_credentials&scope=kafka"] * 2


def test_a_refusal_says_where_and_never_the_secret(issuer: tuple[str, list[str]]) -> None:
    """The error names address, answer and client; the secret stays where it was."""
    known = settings(token_url=f"{issuer[0]}/wrong", username="worker", password=SecretStr(SECRET))
    with pytest.raises(TokenError, match=r"answers 500 to worker") as refused:
        Tokens(known).token()
    assert SECRET not in repr(refused.value)


def test_a_token_file_is_read_each_time(tmp_path: Path) -> None:
    """Whoever keeps the file fresh need not restart anything."""
    file = tmp_path / "token"
    file.write_text("first\n")
    tokens = Tokens(settings(token_file=file))
    assert tokens.token() == "first"
    file.write_text("second\n")
    assert tokens.token() == "second"
    file.unlink()
    with pytest.raises(TokenError, match="No such file"):
        tokens.token()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, "either kafka.token_file or kafka.token_url"),
        ({"token_url": "https://id.example/token"}, "needs kafka.username"),
        ({"token_url": "http://id.example/token"}, "should match pattern"),
    ],
)
def test_half_a_configuration_is_refused(more: dict[str, object], says: str) -> None:
    """A log-in that cannot work, or would send a secret in the clear, is told at start."""
    with pytest.raises(ValidationError, match=says):
        settings(**more)
