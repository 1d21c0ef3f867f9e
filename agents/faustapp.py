"""Faust as it is used here: what is turned off, what is done otherwise, and where its warnings are fatal."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import Any

import faust
from mode.utils.queues import FlowControlEvent

from agents import oauth
from agents.connection import STATE_BYTES_MAX, brokers, heartbeat_seconds, rebalance_timeout_seconds, tls
from agents.settings import Kafka, Settings

UNFINISHED_SECONDS = 5.0
"""How long a stop or a rebalance waits for records that are being worked on."""

RECOVERY_SECONDS = 10.0
"""A recovery of which nothing has come for so long begins anew."""

STREAM_RECORDS = 64
"""Records of signals or changes that wait in memory: a frame may be a megabyte."""

Act = Callable[[], Awaitable[object]]


class Flow(FlowControlEvent):
    """Whether records may go to the agents and to the tables that are recovering.

    Resuming empties their queues, which is right after a pause: what lies there is from before a rebalance.
    But Faust resumes again and again while records flow, once right after it has let the fetcher read on from
    the committed offset. What came in between was thrown away, read and never seen: after a recovery an agent
    went on behind its first record, and a recovery whose changelog record was gone waited for it for ever.
    """

    def resume(self) -> None:
        """Go on after a pause; nothing happens where there was none."""
        if not self.is_active():
            super().resume()


class FaustApp(faust.App):
    """Faust without its command line, its web server and its folders: the tables live in memory."""

    settled = False
    """Set while stopping, when everything handled has been committed; what follows only closes."""

    checkpoint: Act | None = None
    """What to do before partitions go to others; set by a stage that has something to do then."""

    @cached_property
    def flow_control(self) -> FlowControlEvent:
        """See `Flow`."""
        return Flow(loop=self.loop)

    def recover_again(self) -> None:
        """Let a recovery under way begin anew as after a rebalance, each partition where it stands."""
        if self._recovery.in_recovery:
            self.log.warning("Nothing comes of a state topic: its recovery begins anew")
            self._recovery.signal_recovery_start.set()

    @property
    def _recovery(self) -> Any:
        tables: Any = self.tables  # its declared type knows less than what it is
        return tables.recovery

    async def on_first_start(self) -> None:
        """Faust would make folders for tables on disk here."""
        self._recovery.event_timeout_secs = RECOVERY_SECONDS

    async def _consumer_wait_empty(self, consumer: Any, logger: Any) -> None:
        """Wait for the records being worked on, but not for ever.

        What is not finished is not acknowledged either, and comes again; a rebalance must not wait for
        a person's messages to get through.
        """
        waiting = asyncio.ensure_future(super()._consumer_wait_empty(consumer, logger))
        try:
            async with asyncio.timeout(UNFINISHED_SECONDS):
                while not waiting.done():
                    if self.checkpoint is not None:
                        await self.checkpoint()
                    await asyncio.wait({waiting}, timeout=0.1)
                await waiting
        except TimeoutError:
            self.log.warning("Records left unfinished: they will come again")
        finally:
            waiting.cancel()

    async def on_stop(self) -> None:
        """Stop reading, let the agents finish their records, commit."""
        await super().on_stop()
        self.settled = True

    def _on_rebalance_when_stopped(self) -> None:
        """Do nothing about a rebalance that comes while stopping: the consumer is about to leave anyway.

        Faust closes the consumer's connections here, from another thread than theirs, and then waits
        until its session has expired.
        """


class LostStateError(RuntimeError):
    """Faust could not read a state topic and would go on with less than what was stored."""


class RecoveryWatch(logging.Handler):
    """Acts on what Faust only warns of while it reads state topics.

    A record it cannot read: it goes on without it, so the worker must end. A partition of which nothing
    comes: seen after two rebalances in quick succession on a starved machine, when it waited for ever, with
    every partition of the worker. `again` lets it begin anew, from as far as it had come.
    """

    def __init__(self, fail: Callable[[BaseException], None], again: Callable[[], None]) -> None:
        super().__init__(logging.WARNING)
        self._fail = fail
        self._again = again

    def emit(self, record: logging.LogRecord) -> None:
        """Turn the warning into a failure of the worker, or into another try."""
        message = record.getMessage()
        if message.startswith("Error in recovery"):
            self._fail(LostStateError(f"a state topic cannot be read, nothing was changed: {message}"))
        elif "No event received for active tp" in message:  # behind the name of Faust's service
            self._again()


def faust_options(settings: Settings) -> dict[str, Any]:
    """For Faust: the brokers, and everything of Faust that is decided here.

    At-least-once with a plain memory table is what held under `kill -9`; topics are created by
    agents/topics.py, so Faust declares none.
    """
    kafka = settings.kafka
    return {
        "broker": [f"kafka://{server}" for server in brokers(settings)],
        "broker_credentials": _credentials(kafka),
        "broker_session_timeout": kafka.session_timeout_seconds,
        "broker_heartbeat_interval": heartbeat_seconds(settings),
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
        **_lasting_name(kafka.group_instance_id),
    }


def _lasting_name(name: str | None) -> dict[str, Any]:
    """For a worker that keeps its place in the group over a restart.

    Faust's assignment bears the address of whoever it was made for and is refused at another, such as a
    container's new host name; nobody is ever sent there.
    """
    return {"consumer_group_instance_id": name, "canonical_url": f"http://{name}"} if name else {}


def _credentials(kafka: Kafka) -> Any:
    """Encryption and log-in, as Faust spells it; None for neither."""
    if kafka.bears_token:
        return faust.OAuthCredentials(oauth_cb=oauth.ForAiokafka(oauth.Tokens(kafka)), ssl_context=tls(kafka))
    if kafka.logs_in and kafka.password is not None:
        return faust.SASLCredentials(
            username=kafka.username,
            password=kafka.password.get_secret_value(),
            mechanism=kafka.sasl_mechanism,
            ssl_context=tls(kafka),
        )
    return faust.SSLCredentials(tls(kafka)) if kafka.is_encrypted else None
