"""The composition root: one process, one event loop, its share of the stages. It connects in `run`."""

import asyncio
import logging
import signal
from collections.abc import Iterable, Mapping
from typing import Any

from kafka.errors import AuthorizationError
from mode import Service

from agents import log, rights, topics
from agents.faustapp import RecoveryWatch
from agents.health import Health
from agents.intake import IntakeService
from agents.outbox import Outbox
from agents.page.reader import PageReader
from agents.page.site import site_of
from agents.roles import ALL_ROLES, Role
from agents.settings import Settings, warnings
from agents.stages import Stages
from agents.telemetry import Telemetry
from agents.web import WebServer

STOP_SECONDS = 12.0
"""How long a stop may take before it is cut short; what was not committed is read again."""

RETRY_SECONDS = 2.0
CREATE_APART = "as a user who may: undercurrent topics --create; for workers: kafka.declare_topics: false"


class Worker:
    """Everything one worker runs."""

    def __init__(self, settings: Settings, roles: Iterable[Role]) -> None:
        self._settings = settings
        self._roles = frozenset(roles)
        self._journal = log.get("worker")
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.telemetry = Telemetry()
        self.health = Health(tuple(sorted(self._roles)), settings.web.stall_seconds)
        self.outbox = Outbox(settings)
        site = site_of(settings, self.telemetry) if settings.page.enabled else None
        self.reader = None if site is None else PageReader(settings, site.receive)
        self.web = WebServer(settings.web, self.telemetry, self.health, site)
        self.stages: Stages | None = None
        self.services: list[Service] = []
        """Who works, in the order of the data; a stop goes the same way."""
        if Role.INTAKE in self._roles:
            self.services.append(IntakeService(settings, self.outbox, self.telemetry, self.health))
        if self._roles - {Role.INTAKE}:
            self.stages = Stages(settings, self._roles, self.outbox, self.telemetry, self.health, self.fail)
            self.services.append(self.stages.app)

    @property
    def settled(self) -> bool:
        """Whether everything handled has been committed, so that what is left of a stop only closes."""
        return self.stages is None or self.stages.app.settled

    def fail(self, error: BaseException) -> None:
        """End the worker because of `error`; only the first one counts."""
        if not self._failure.done():
            self._failure.set_exception(error)

    async def start(self) -> None:
        """Start all stages; returns when the agents have recovered their state and intake reads."""
        if self.stages is not None:
            watch = RecoveryWatch(self.fail, self.stages.app.recover_again)
            logging.getLogger("faust.tables.recovery").addHandler(watch)
        await self.web.start()
        if self.reader is not None:
            self.reader.start()
        await self.outbox.start()
        for service in reversed(self.services):
            await service.start()
        self._journal.info("started", app_id=self._settings.app_id, roles=sorted(self._roles))

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
        ends = {asyncio.ensure_future(service.wait_until_stopped()) for service in self.services}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
        for service in self.services:
            if service.crash_reason is not None:
                raise service.crash_reason

    async def stop(self) -> None:
        """Write, commit and close everything, in the order of the data."""
        for service in self.services:
            await service.stop()
        await self.outbox.stop()
        if self.reader is not None:
            await self.reader.stop()
        await self.web.stop()


async def run(settings: Settings, roles: Iterable[Role]) -> int:
    """Run one worker until SIGTERM or SIGINT (returns 0) or a failure (returns 1)."""
    journal = log.get("worker")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    asking = asyncio.ensure_future(_say_rights(settings, frozenset(roles), journal))
    if settings.kafka.declare_topics and not await _topics_stand(settings, stop, journal):
        return 0 if stop.is_set() else 1
    worker = Worker(settings, roles)
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
    asking.cancel()
    try:
        await asyncio.wait_for(worker.stop(), STOP_SECONDS)
        journal.info("stopped")
    except TimeoutError:
        journal.error("stop_cut_short", seconds=STOP_SECONDS, committed=worker.settled)
        code = code or (0 if worker.settled else 1)
    return code


async def _say_rights(settings: Settings, roles: frozenset[Role], journal: Any) -> None:
    """Say which rights the worker lacks, all at once. It goes on: they may be granted while it runs."""
    try:
        lacking = await asyncio.to_thread(rights.missing, settings, roles)
    except (topics.KafkaError, OSError):
        return  # whoever works says so
    for one in lacking:
        journal.error(
            "right_missing", role=one.role, of=f"{one.kind} {one.name}", may_not=one.operations, fix=one.fix
        )


async def _topics_stand(settings: Settings, stop: asyncio.Event, journal: Any) -> bool:
    """Create missing topics and check the others, waiting for Kafka as long as it takes."""
    while not stop.is_set():
        try:
            findings = await asyncio.to_thread(topics.check, settings, create=True)
        except topics.KafkaError as error:
            if isinstance(error, AuthorizationError):
                journal.error(
                    "topics_refused", error=repr(error), fix=CREATE_APART, retry_seconds=RETRY_SECONDS
                )
            else:
                journal.warning("kafka_unreachable", error=repr(error), retry_seconds=RETRY_SECONDS)
            await asyncio.wait({asyncio.ensure_future(stop.wait())}, timeout=RETRY_SECONDS)
            continue
        wrong = [finding for finding in findings if finding.fix]
        for finding in wrong:
            journal.error("topic_unfit", topic=finding.topic, state=finding.state, fix=finding.fix)
        return not wrong
    return False


def main(settings: Settings, environ: Mapping[str, str], roles: Iterable[Role] = ALL_ROLES) -> int:
    """Run a worker in this process. Returns its exit code."""
    log.configure(settings.log)
    for warning in warnings(settings, environ):
        log.get("worker").warning("settings", problem=warning)
    return asyncio.run(run(settings, roles))
