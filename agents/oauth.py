"""Tokens for a log-in with OAUTHBEARER, for both kinds of Kafka client.

A token comes out of a file that somebody else keeps fresh (a projected service account, a sidecar), read
anew for each connection; or from an identity provider, asked with the client's id and secret (RFC 6749,
section 4.4) and kept until shortly before it expires. Neither token nor secret reaches a log or an error.
"""

import asyncio
import base64
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable

import orjson
from aiokafka.abc import AbstractTokenProvider as AiokafkaProvider
from aiokafka.errors import KafkaConnectionError as AiokafkaConnectionError
from kafka.errors import KafkaConnectionError as KafkaPythonConnectionError
from kafka.net.sasl.oauth import AbstractTokenProvider as KafkaPythonProvider

from agents.sections import Kafka

ANSWER_SECONDS_MAX = 10
ANSWER_BYTES_MAX = 1_000_000
FRESH_RATIO = 0.8
"""A token is used for so much of its life, and then a new one is asked for."""
LIFE_SECONDS_DEFAULT = 60.0
"""Life of a token whose issuer does not say (`expires_in` is only recommended)."""


class TokenError(RuntimeError):
    """There is no token to be had; the message says where it was looked for."""


class Tokens:
    """Where tokens come from, as the settings say. Safe to use from several threads."""

    def __init__(self, kafka: Kafka, clock: Callable[[], float] = time.monotonic) -> None:
        self._kafka = kafka
        self._clock = clock
        self._lock = threading.Lock()
        self._token: str | None = None
        self._stale_at = 0.0

    def token(self) -> str:
        """A token that is good now. Blocks for some seconds at most. Raises TokenError."""
        if self._kafka.token_file is not None:
            try:
                return self._kafka.token_file.read_text(encoding="ascii").strip()
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", None) or "it is not ASCII text"
                raise TokenError(f"cannot read {self._kafka.token_file}: {reason}") from None
        with self._lock:
            if self._token is None or self._clock() >= self._stale_at:
                asked_at = self._clock()
                self._token, life_seconds = self._asked()
                self._stale_at = asked_at + FRESH_RATIO * life_seconds
            return self._token

    def _asked(self) -> tuple[str, float]:
        """A new token from the identity provider, and the seconds it lives."""
        kafka = self._kafka
        assert kafka.token_url is not None
        assert kafka.password is not None
        # RFC 6749, section 2.3.1: both are form-encoded before they are joined.
        pair = ":".join(
            urllib.parse.quote_plus(one) for one in (kafka.username or "", kafka.password.get_secret_value())
        )
        form = {"grant_type": "client_credentials"} | (
            {"scope": kafka.token_scope} if kafka.token_scope else {}
        )
        request = urllib.request.Request(  # noqa: S310  the settings take https and loopback only
            kafka.token_url,
            urllib.parse.urlencode(form).encode(),
            {
                "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
                "Accept": "application/json",
            },
        )
        try:
            with urllib.request.urlopen(  # noqa: S310  as above
                request, timeout=ANSWER_SECONDS_MAX, context=_trust(kafka)
            ) as answer:
                body = orjson.loads(answer.read(ANSWER_BYTES_MAX))
            return str(body["access_token"]), float(body.get("expires_in", LIFE_SECONDS_DEFAULT))
        except urllib.error.HTTPError as error:
            raise TokenError(f"{kafka.token_url} answers {error.code} to {kafka.username}") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = getattr(error, "reason", None) or type(error).__name__
            raise TokenError(f"no token from {kafka.token_url}: {reason}") from None


class ForAiokafka(AiokafkaProvider):  # type: ignore[misc]  # untyped base
    """Tokens as aiokafka and Faust ask for them."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def token(self) -> str:
        """A token; what goes wrong looks like a broker that cannot be reached, and is tried again."""
        try:
            return await asyncio.to_thread(self._tokens.token)
        except TokenError as error:
            raise AiokafkaConnectionError(str(error)) from None


class ForKafkaPython(KafkaPythonProvider):  # type: ignore[misc]  # untyped base
    """Tokens as kafka-python asks for them."""

    def __init__(self, tokens: Tokens) -> None:
        super().__init__()
        self._tokens = tokens

    def token(self) -> str:
        """A token; what goes wrong looks like a broker that cannot be reached, and is tried again."""
        try:
            return self._tokens.token()
        except TokenError as error:
            raise KafkaPythonConnectionError(str(error)) from None


def _trust(kafka: Kafka) -> ssl.SSLContext:
    """The system's certificates, and whoever Kafka's own certificate is trusted by."""
    context = ssl.create_default_context()
    if kafka.ca_file is not None:
        context.load_verify_locations(kafka.ca_file)
    return context
