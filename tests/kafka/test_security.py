"""A Kafka that asks who is there and speaks TLS: worker and commands reach it, and only as they should."""

import base64
import http.server
import json
import os
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner
from kafka.admin import KafkaAdminClient, ScramMechanism, UserScramCredentialUpsertion

from agents.cli import main
from agents.recordings.recording import read_recording
from agents.settings import load_settings
from schemas import Change
from tests.kafka.broker import KafkaBroker
from tests.kafka.workers import ROOT, Cluster, read_all
from tools.ports import free_ports

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "dns_outage_direct"
pytestmark = [pytest.mark.kafka, pytest.mark.needs("openssl"), pytest.mark.xdist_group("doors")]
PASSWORD = "hush-hush"  # of a broker that lives for a test

LISTENERS = """
listeners=PLAINTEXT://127.0.0.1:{{port}},CONTROLLER://127.0.0.1:{{controller_port}},\\
  SAFE://127.0.0.1:{safe},MUTUAL://127.0.0.1:{mutual}
advertised.listeners=PLAINTEXT://127.0.0.1:{{port}},SAFE://127.0.0.1:{safe},MUTUAL://127.0.0.1:{mutual}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SAFE:SASL_SSL,MUTUAL:SSL
listener.name.safe.ssl.keystore.location={keys}/broker.pem
listener.name.safe.ssl.keystore.type=PEM
listener.name.safe.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
listener.name.safe.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule \\
  required user_shipper="{password}";
listener.name.safe.scram-sha-256.sasl.jaas.config=\\
  org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.safe.scram-sha-512.sasl.jaas.config=\\
  org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.safe.oauthbearer.sasl.jaas.config=\\
  org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required \\
  unsecuredLoginStringClaim_sub="broker";
listener.name.mutual.ssl.keystore.location={keys}/broker.pem
listener.name.mutual.ssl.keystore.type=PEM
listener.name.mutual.ssl.truststore.location={keys}/client.crt
listener.name.mutual.ssl.truststore.type=PEM
listener.name.mutual.ssl.client.auth=required
"""
"""Beside the plain listener that the broker is watched through: one with TLS and every log-in, one that
knows its clients by their certificates."""


def certify(folder: Path, name: str) -> None:
    """A key and a certificate signed by itself."""
    key, certificate = folder / f"{name}.key", folder / f"{name}.crt"
    words = ("-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}")
    more = ("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate))
    subprocess.run(["openssl", "req", "-x509", *words, *more], check=True, capture_output=True, timeout=60)
    (folder / f"{name}.pem").write_text(key.read_text() + certificate.read_text())


class Issuer(http.server.BaseHTTPRequestHandler):
    """An identity provider that knows one client: RFC 6749, section 4.4. Its tokens bear no signature."""

    def do_POST(self) -> None:
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        pair = base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode()
        known = form["grant_type"] == ["client_credentials"] and pair == f"shipper:{PASSWORD}"
        body = {"access_token": token(), "expires_in": 300} if known else {"error": "invalid_client"}
        self.send_response(200 if known else 401)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


def token(life_seconds: int = 300) -> str:
    """An unsigned token, as Kafka takes them where no validator is configured (RFC 7515, A.5)."""
    now = int(time.time())  # noqa: TID251  the broker's clock decides whether it has expired
    claims = {"sub": "shipper", "iat": now, "exp": now + life_seconds}
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), ""])


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """Address of an identity provider."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Issuer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/token"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory, issuer: str) -> Iterator[dict[str, dict[str, str]]]:
    """Every way into a broker: name → settings."""
    keys = tmp_path_factory.mktemp("keys")
    certify(keys, "broker")
    certify(keys, "client")
    (keys / "token").write_text(token(life_seconds=3000))
    safe, mutual = free_ports(2)
    server = KafkaBroker(more=LISTENERS.format(safe=safe, mutual=mutual, keys=keys, password=PASSWORD))
    server.start()
    for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
        user = UserScramCredentialUpsertion("shipper", mechanism, PASSWORD)
        assert server.admin(partial(KafkaAdminClient.alter_user_scram_credentials, alterations=[user])) == {
            "shipper": None
        }
    trusting = {
        "UNDERCURRENT_BROKERS": f"127.0.0.1:{safe}",
        "UNDERCURRENT_KAFKA_SECURITY": "sasl_ssl",
        "UNDERCURRENT_KAFKA_CA_FILE": str(keys / "broker.crt"),
    }
    named = {"UNDERCURRENT_KAFKA_USERNAME": "shipper", "UNDERCURRENT_KAFKA_PASSWORD": PASSWORD}
    mechanism = "UNDERCURRENT_KAFKA_SASL_MECHANISM"
    yield {
        "plain": trusting | named,
        "scram-256": trusting | named | {mechanism: "SCRAM-SHA-256"},
        "scram-512": trusting | named | {mechanism: "SCRAM-SHA-512"},
        "token-file": trusting
        | {mechanism: "OAUTHBEARER", "UNDERCURRENT_KAFKA_TOKEN_FILE": str(keys / "token")},
        "token-url": trusting | named | {mechanism: "OAUTHBEARER", "UNDERCURRENT_KAFKA_TOKEN_URL": issuer},
        "mtls": trusting
        | {
            "UNDERCURRENT_BROKERS": f"127.0.0.1:{mutual}",
            "UNDERCURRENT_KAFKA_SECURITY": "ssl",
            "UNDERCURRENT_KAFKA_CERT_FILE": str(keys / "client.crt"),
            "UNDERCURRENT_KAFKA_KEY_FILE": str(keys / "client.key"),
        },
    }
    server.close(keep_log=False)


NAMES = tuple(
    f"UNDERCURRENT_KAFKA_{name}"
    for name in ("USERNAME", "PASSWORD", "TOKEN_FILE", "TOKEN_URL", "CERT_FILE", "KEY_FILE", "SASL_MECHANISM")
)
DOORS = ("plain", "scram-256", "scram-512", "token-file", "token-url", "mtls")


@pytest.mark.parametrize("door", DOORS)
def test_topics_are_created_by_whoever_may(doors: dict[str, dict[str, str]], door: str) -> None:
    """The admin client enters through every door; the same settings check out a second time."""
    variables = {**dict.fromkeys(NAMES), **doors[door], "UNDERCURRENT_APP_ID": f"safe-{door}"}
    created = CliRunner().invoke(main, ["topics", "--create"], env=variables)
    assert created.exit_code == 0, created.output
    assert CliRunner().invoke(main, ["topics"], env=variables).exit_code == 0


@pytest.mark.parametrize(
    ("door", "wrong"),
    [
        ("plain", {"UNDERCURRENT_KAFKA_PASSWORD": "guessed"}),
        ("plain", {"UNDERCURRENT_KAFKA_CA_FILE": None}),
        ("plain", {"UNDERCURRENT_KAFKA_SECURITY": "plaintext", "UNDERCURRENT_KAFKA_CA_FILE": None}),
        ("scram-256", {"UNDERCURRENT_KAFKA_PASSWORD": "guessed"}),
        ("token-url", {"UNDERCURRENT_KAFKA_PASSWORD": "guessed"}),
        ("token-file", {"UNDERCURRENT_KAFKA_TOKEN_FILE": "pyproject.toml"}),
        ("mtls", {"UNDERCURRENT_KAFKA_CERT_FILE": None, "UNDERCURRENT_KAFKA_KEY_FILE": None}),
    ],
)
def test_a_stranger_is_refused(
    doors: dict[str, dict[str, str]], door: str, wrong: dict[str, str | None]
) -> None:
    """Neither side talks to a stranger; the message is one sentence without the password."""
    quick = {"UNDERCURRENT_KAFKA_REQUEST_TIMEOUT_SECONDS": "2"}
    variables: dict[str, str | None] = {**dict.fromkeys(NAMES), **doors[door], **quick, **wrong}
    result = CliRunner().invoke(main, ["topics"], env=variables)
    assert result.exit_code == 1, result.output
    assert "does not answer" in result.output
    assert PASSWORD not in result.output
    assert "guessed" not in result.output


@pytest.mark.slow
@pytest.mark.parametrize("door", ["plain", "scram-512", "token-url", "mtls"])
def test_a_worker_does_its_work_behind_every_door(doors: dict[str, dict[str, str]], door: str) -> None:
    """Every client in the worker gets in: admin, consumers, producers, Faust's own."""
    with Cluster(doors[door]["UNDERCURRENT_BROKERS"], f"safe-{door}", **doors[door]) as cluster:
        worker = cluster.worker().wait_until_ready()
        arrivals = cluster.ship(read_recording(SAMPLE))
        cluster.wait_until_read(arrivals[-1].at)
        said = {one.id for one in cluster.said()}
        assert said == {one.id for one in cluster.replayed(arrivals)}
        assert any(isinstance(one, Change) for one in cluster.said())
        assert PASSWORD not in worker.written()


@pytest.mark.parametrize("door", ["scram-256", "mtls"])
def test_a_shipper_gets_in(doors: dict[str, dict[str, str]], door: str, tmp_path: Path) -> None:
    """`ship logs` encrypts and logs in like everything else, and tells no password."""
    topic = f"safe-ship-{door}"
    variables = {**dict.fromkeys(NAMES), **doors[door], "UNDERCURRENT_TOPICS_LOGS": topic}
    assert CliRunner().invoke(main, ["topics", "--create"], env=variables).exit_code == 0
    (tmp_path / "a.log").write_text("one\ntwo\n")
    words = [str(tmp_path / "a.log"), "--from", "beginning", "--once", "--state", str(tmp_path / "state")]
    environ = {name: value for name, value in {**os.environ, **variables}.items() if value is not None}
    done = subprocess.run(
        [sys.executable, "-m", "agents", "ship", "logs", *words],
        env=environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stderr
    settings = load_settings(None, {name: value for name, value in environ.items() if name in doors[door]})
    assert len(list(read_all(settings, topic))) == 2
