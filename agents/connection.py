"""How each Kafka client of the shell reaches the brokers: one place for three spellings."""

from typing import Any

from agents.settings import Settings

STATE_BYTES_MAX = 8 * 1024 * 1024
"""Largest state of one domain that Kafka is asked to take; its own default is 1 MiB."""

STREAM_RECORDS = 64
"""Records of signals or changes that wait in memory: a frame may be a megabyte."""


def brokers(settings: Settings) -> list[str]:
    """Bootstrap servers, one each."""
    return [server.strip() for server in settings.brokers.split(",") if server.strip()]


def aiokafka_options(settings: Settings) -> dict[str, Any]:
    """What aiokafka's consumer and producer share."""
    return {
        "bootstrap_servers": brokers(settings),
        "request_timeout_ms": round(settings.kafka.request_timeout_seconds * 1000),
    }


def admin_options(settings: Settings) -> dict[str, Any]:
    """For kafka-python's admin client."""
    return {
        "bootstrap_servers": brokers(settings),
        "request_timeout_ms": round(settings.kafka.request_timeout_seconds * 1000),
        "client_id": settings.app_id,
    }


def rebalance_timeout_seconds(settings: Settings) -> float:
    """How long a rebalance waits for a member to hand over what it has.

    A worker killed while it joins is waited for so long, and nothing moves meanwhile: not too long.
    """
    return 2 * settings.kafka.session_timeout_seconds


def faust_options(settings: Settings) -> dict[str, Any]:
    """For Faust: the brokers, and everything of Faust that is decided here.

    At-least-once with a plain memory table is what held under `kill -9`; topics are created by
    agents/topics.py, so Faust declares none.
    """
    kafka = settings.kafka
    return {
        "broker": [f"kafka://{server}" for server in brokers(settings)],
        "broker_session_timeout": kafka.session_timeout_seconds,
        "broker_heartbeat_interval": kafka.session_timeout_seconds / 4,
        "broker_rebalance_timeout": rebalance_timeout_seconds(settings),
        "broker_request_timeout": max(kafka.request_timeout_seconds, kafka.session_timeout_seconds + 1),
        "broker_commit_interval": 1.0,
        "store": "memory://",
        "table_standby_replicas": 0,
        "producer_max_request_size": STATE_BYTES_MAX,
        "stream_buffer_maxsize": STREAM_RECORDS,
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "web_enabled": False,
    }
