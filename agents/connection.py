"""How each Kafka client of the shell reaches the brokers: one place for three spellings."""

import ssl
from collections.abc import Callable
from typing import Any

from agents import oauth
from agents.settings import Kafka, Settings

STATE_BYTES_MAX = 8 * 1024 * 1024
"""Largest state of one domain that Kafka is asked to take; its own default is 1 MiB."""

HEARTBEAT_SECONDS_MAX = 3.0
"""However long a session is: a rebalance waits until the last member has heard of it."""

BOOTSTRAP_SECONDS_MAX = 5.0
"""How long somebody at a terminal waits to hear that Kafka does not answer."""


def brokers(settings: Settings) -> list[str]:
    """Bootstrap servers, one each."""
    return [server.strip() for server in settings.brokers.split(",") if server.strip()]


def aiokafka_options(settings: Settings) -> dict[str, Any]:
    """What aiokafka's consumer, producer and admin client share."""
    return {
        "bootstrap_servers": brokers(settings),
        "request_timeout_ms": round(settings.kafka.request_timeout_seconds * 1000),
        **security_options(settings, oauth.ForAiokafka),
    }


def kafka_python_options(settings: Settings) -> dict[str, Any]:
    """What kafka-python's clients share."""
    return {"bootstrap_servers": brokers(settings), **security_options(settings)}


def admin_options(settings: Settings) -> dict[str, Any]:
    """For kafka-python's admin client."""
    timeout_seconds = settings.kafka.request_timeout_seconds
    return {
        **kafka_python_options(settings),
        "bootstrap_timeout_ms": round(min(timeout_seconds, BOOTSTRAP_SECONDS_MAX) * 1000),
        "request_timeout_ms": round(timeout_seconds * 1000),
        "client_id": settings.app_id,
    }


def security_options(
    settings: Settings, provider: Callable[[oauth.Tokens], Any] = oauth.ForKafkaPython
) -> dict[str, Any]:
    """Encryption and log-in, as aiokafka and kafka-python both spell it.

    They differ in what they take tokens from: `provider`.
    """
    kafka = settings.kafka
    options: dict[str, Any] = {"security_protocol": kafka.security.upper(), "ssl_context": tls(kafka)}
    if kafka.bears_token:
        options |= {
            "sasl_mechanism": kafka.sasl_mechanism,
            "sasl_oauth_token_provider": provider(oauth.Tokens(kafka)),
        }
    elif kafka.logs_in and kafka.password is not None:
        options |= {
            "sasl_mechanism": kafka.sasl_mechanism,
            "sasl_plain_username": kafka.username,
            "sasl_plain_password": kafka.password.get_secret_value(),
        }
    return options


def tls(kafka: Kafka) -> ssl.SSLContext | None:
    """What to encrypt with and whom to trust; None without encryption."""
    if not kafka.is_encrypted:
        return None
    context = ssl.create_default_context(cafile=kafka.ca_file)
    if kafka.cert_file is not None:
        context.load_cert_chain(kafka.cert_file, kafka.key_file)
    return context


def heartbeat_seconds(settings: Settings) -> float:
    """How often a worker is heard of, and hears that its group is being dealt out anew."""
    return min(HEARTBEAT_SECONDS_MAX, settings.kafka.session_timeout_seconds / 4)


def rebalance_timeout_seconds(settings: Settings) -> float:
    """How long a rebalance waits for a member to hand over what it has.

    A worker killed while it joins is waited for so long, and nothing moves meanwhile: not too long.
    """
    return 2 * settings.kafka.session_timeout_seconds
