"""The composition root: one process, one event loop, all stages. Nothing connects before `run`."""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import faust
from aiokafka.errors import IllegalStateError, KafkaError

from agents import log, topics
from agents.connection import faust_options
from agents.correlate import Correlate
from agents.deadletters import DeadLetters
from agents.health import Health
from agents.intake import IntakeService
from agents.notify import OWED_SECONDS, Notify
from agents.outbox import Outbox
from agents.settings import Settings, warnings
from agents.speakers import speaker_of
from agents.statetable import StateTable
from agents.telemetry import Telemetry
from agents.web import WebServer

STOP_SECONDS = 12.0
"""How long a stop may take before it is cut short; what was not committed is read again."""

UNFINISHED_SECONDS = 5.0
"""How long a stop or a rebalance waits for records that are being worked on."""

RETRY_SECONDS = 2.0
LOOK_SECONDS = 2.0

Act = Callable[[], Awaitable[object]]
Handle = Callable[[Any, Act], Awaitable[None]]
"""Works off an event; calls what it is given besides when the event need not come again."""


class FaustApp(faust.App):
    """Faust without its command line, its web server and its folders: the tables live in memory."""

    settled = False
    """Set while stopping, when everything handled has been committed; what follows only closes."""

    checkpoint: Act
    """What to do before partitions go to others; set by the worker."""

    async def on_first_start(self) -> None:
        """Faust would make folders for tables on disk here."""

    async def _consumer_wait_empty(self, consumer: Any, logger: Any) -> None:
        # What is not finished is not acknowledged either, and comes again; a rebalance must not wait
        # for a person's messages to get through.
        """Wait for the records being worked on, but not for ever."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(UNFINISHED_SECONDS):
                waiting = asyncio.ensure_future(super()._consumer_wait_empty(consumer, logger))
                while not waiting.done():
                    await self.checkpoint()
                    await asyncio.wait({waiting}, timeout=0.1)

    async def on_stop(self) -> None:
        """Stop reading, let the agents finish their records, commit."""
        await super().on_stop()
        self.settled = True

    def _on_rebalance_when_stopped(self) -> None:
        # Faust closes the consumer's connections here, from another thread than theirs, and then waits
        # until its session has expired. The consumer is about to leave the group anyway.
        """Do nothing about a rebalance that comes while stopping."""


class LostStateError(RuntimeError):
    """Faust could not read a state topic and would go on with less than what was stored."""


class _RecoveryWatch(logging.Handler):
    """Faust reports a state record it cannot read as a warning, and then goes on without it."""

    def __init__(self, fail: Callable[[BaseException], None]) -> None:
        super().__init__(logging.WARNING)
        self._fail = fail

    def emit(self, record: logging.LogRecord) -> None:
        """Turn the warning into a failure of the worker."""
        message = record.getMessage()
        if message.startswith("Error in recovery"):
            self._fail(LostStateError(f"a state topic cannot be read, nothing was changed: {message}"))


class Worker:
    """Everything one worker runs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._journal = log.get("worker")
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._handled: dict[Any, int] = {}
        self.telemetry = Telemetry()
        self.health = Health(("intake", "agents"), settings.web.stall_seconds)
        self.outbox = Outbox(settings)
        self.web = WebServer(settings.web, self.telemetry, self.health)
        self.app = FaustApp(settings.app_id, **faust_options(settings))
        self.intake = IntakeService(settings, self.outbox, self.telemetry, self.health)
        self._compose()

    def _compose(self) -> None:
        settings, names, app = self._settings, self._settings.topics, self.app
        dead_letters = DeadLetters(settings, self.outbox, self.telemetry)
        domains = StateTable(app, topics.DOMAINS_TABLE, names.partitions)
        told = StateTable(app, topics.TOLD_TABLE, names.partitions)
        correlate = Correlate(
            settings,
            domains,
            self.outbox,
            dead_letters,
            self.telemetry,
            lambda tp: app.consumer.highwater(tp),
        )
        speaker = speaker_of(settings, self.telemetry.heard)
        notify = Notify(settings, told, dead_letters, speaker, self.telemetry)
        app.checkpoint = correlate.checkpoint
        self._agent("correlate", names.signals, correlate.handle)
        self._agent("notify", names.changes, notify.handle)
        app.task(self._guarded(speaker.start))
        app.timer(OWED_SECONDS, name="owed")(self._guarded(notify.pay))
        app.timer(LOOK_SECONDS, name="look")(self._look)
        app.service(self.intake)  # type: ignore[arg-type]  # Faust takes an instance as well

        async def forget(*_: Any, **__: Any) -> None:
            correlate.forget()
            notify.forget()
            self._handled.clear()
            self.health.reset("agents")
            self.telemetry.reassigned("agents")

        app.on_partitions_revoked.connect(forget, weak=False)
        app.on_partitions_assigned.connect(forget, weak=False)

    def _agent(self, name: str, topic: str, handle: Handle) -> None:
        """Register an agent whose `handle` says itself when a record is done with.

        Faust by itself acknowledges the record an agent dies on, and starts the agent anew behind it.
        An exception here is a bug, and skipping a record would hide it: the worker fails instead, and
        the record is read again by whoever comes next.
        """
        channel = self.app.topic(
            topic,
            key_serializer="raw",
            value_serializer="raw",
            partitions=self._settings.topics.partitions,
        )

        async def agent(stream: Any) -> None:
            manual = stream.noack()
            async for event in manual.events():
                try:
                    await handle(event, partial(manual.ack, event))
                except Exception as error:
                    self._journal.exception("agent_failed", agent=name, offset=event.message.offset)
                    self.fail(error)
                    await asyncio.Event().wait()  # until the process ends
                self._handled[event.message.tp] = event.message.offset

        self.app.agent(channel, name=name)(agent)

    def fail(self, error: BaseException) -> None:
        """End the worker because of `error`; only the first one counts."""
        if not self._failure.done():
            self._failure.set_exception(error)

    async def start(self) -> None:
        """Start all stages; returns when the agents have recovered their state and intake reads."""
        watch = _RecoveryWatch(self.fail)
        logging.getLogger("faust.tables.recovery").addHandler(watch)
        await self.web.start()
        await self.outbox.start()
        await self.app.start()
        self._journal.info("started", app_id=self._settings.app_id)

    async def live(self) -> None:
        """Start, and return when the worker has ended by itself. Raises what ended it."""
        life = asyncio.ensure_future(self._live())
        try:
            # A failure may come while Faust still waits for its tables, and then it waits for ever.
            await asyncio.wait({life, self._failure}, return_when=asyncio.FIRST_COMPLETED)
            await (self._failure if self._failure.done() else life)
        finally:
            life.cancel()

    async def _live(self) -> None:
        await self.start()
        await self.app.wait_until_stopped()
        reason = self.app.crash_reason
        if reason is not None:
            raise reason

    async def stop(self) -> None:
        """Write, commit and close everything, in the order of the data."""
        await self.intake.stop()
        await self.app.stop()
        await self.outbox.stop()
        await self.web.stop()

    def _guarded(self, act: Act) -> Callable[[], Awaitable[None]]:
        async def guarded() -> None:
            try:
                await act()
            except Exception as error:
                self._journal.exception("timer_failed")
                self.fail(error)

        return guarded

    async def _look(self) -> None:
        """Feel the pulse of the agents: how far they are and how much is left."""
        consumer = self.app.consumer
        ours = {self._settings.topics.signals, self._settings.topics.changes}
        partitions = {tp for tp in consumer.assignment() if tp.topic in ours}
        if self.app.rebalancing:
            return
        try:
            ends = await consumer.highwaters(*partitions) if partitions else {}
            for tp in partitions - self._handled.keys():
                # Nothing handled yet: the position right after recovery is the committed one.
                self._handled[tp] = (await consumer.position(tp) or 0) - 1
        except IllegalStateError:
            return  # a rebalance came between
        except KafkaError as error:
            self._journal.warning("look_failed", error=repr(error))
            return
        position = sum(self._handled[tp] + 1 for tp in partitions)
        lag = sum(max(0, ends[tp] - self._handled[tp] - 1) for tp in partitions)
        self.telemetry.agents_lag(lag)
        self.health.beat("agents", position, lag, time.monotonic())


async def run(settings: Settings) -> int:
    """Run one worker until SIGTERM or SIGINT (returns 0) or a failure (returns 1)."""
    journal = log.get("worker")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if settings.kafka.declare_topics and not await _topics_stand(settings, stop, journal):
        return 0 if stop.is_set() else 1
    worker = Worker(settings)
    code = 0
    life = asyncio.ensure_future(worker.live())
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({life, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if life.done() and (error := life.exception()) is not None:
        journal.critical("failed", error=repr(error), exc_info=error)
        code = 1
    else:
        journal.info("stopping")
    life.cancel()
    try:
        await asyncio.wait_for(worker.stop(), STOP_SECONDS)
        journal.info("stopped")
    except TimeoutError:
        journal.error("stop_cut_short", seconds=STOP_SECONDS, committed=worker.app.settled)
        code = code or (0 if worker.app.settled else 1)
    return code


async def _topics_stand(settings: Settings, stop: asyncio.Event, journal: Any) -> bool:
    """Create missing topics and check the others, waiting for Kafka as long as it takes."""
    while not stop.is_set():
        try:
            findings = await asyncio.to_thread(topics.check, settings, create=True)
        except topics.KafkaError as error:
            journal.warning("kafka_unreachable", error=repr(error), retry_seconds=RETRY_SECONDS)
            await asyncio.wait({asyncio.ensure_future(stop.wait())}, timeout=RETRY_SECONDS)
            continue
        wrong = [finding for finding in findings if finding.fix]
        for finding in wrong:
            journal.error("topic_unfit", topic=finding.topic, state=finding.state, fix=finding.fix)
        return not wrong
    return False


def main(settings: Settings, environ: Mapping[str, str]) -> int:
    """Run a worker in this process. Returns its exit code."""
    log.configure(settings.log)
    for warning in warnings(settings, environ):
        log.get("worker").warning("settings", problem=warning)
    return asyncio.run(run(settings))
