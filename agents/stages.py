"""The Faust half of a worker: correlate and notify, whichever of them the worker is there for.

Both belong to one consumer group whatever their workers' roles, so that a cluster may go from workers
that do everything to workers of one role each, and back, without a record read by nobody or by two.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any

from aiokafka.errors import IllegalStateError, KafkaError

from agents import log, topics
from agents.correlate import Correlate
from agents.deadletters import DeadLetters
from agents.faustapp import Act, FaustApp, faust_options
from agents.health import Health
from agents.hearing import Listener
from agents.notify import OWED_SECONDS, Notify
from agents.outbox import Outbox
from agents.roles import Role
from agents.settings import Settings
from agents.statetable import StateTable
from agents.telemetry import Telemetry
from agents.tell.feedback import FeedbackTopic
from agents.tell.slack_buttons import SlackButtons
from agents.tell.speakers import speaker_of

LOOK_SECONDS = 2.0
"""How often a stage's pulse is felt."""

Handle = Callable[[Any, Act], Awaitable[None]]
"""Works off an event; calls what it is given besides when the event need not come again."""

EventTimes = Callable[[], Mapping[int, float]]
"""Event time up to which each partition of a stage has been worked off."""


class Stages:
    """The agents of one worker. `fail` is told what must end the worker."""

    def __init__(
        self,
        settings: Settings,
        roles: Iterable[Role],
        outbox: Outbox,
        telemetry: Telemetry,
        health: Health,
        fail: Callable[[BaseException], None],
    ) -> None:
        self._settings = settings
        self._outbox = outbox
        self._telemetry = telemetry
        self._health = health
        self._fail = fail
        self._journal = log.get("worker")
        self._handled: dict[Any, int] = {}
        self._stages: dict[Role, tuple[str, EventTimes]] = {}
        self.app = FaustApp(settings.app_id, **faust_options(settings))
        dead_letters = DeadLetters(settings, outbox, telemetry)
        add = {Role.CORRELATE: self._add_correlate, Role.NOTIFY: self._add_notify}
        for role in sorted(add.keys() & set(roles)):
            add[role](dead_letters)
        self.app.timer(LOOK_SECONDS, name="look")(self._look)
        self._on_rebalance(self._forget)

    def _add_correlate(self, dead_letters: DeadLetters) -> None:
        names = self._settings.topics
        listener = Listener(self._settings, self._outbox, self._telemetry)
        correlate = Correlate(
            self._settings,
            StateTable(self.app, topics.DOMAINS_TABLE, names.partitions),
            self._outbox,
            dead_letters,
            self._telemetry,
            lambda tp: self.app.consumer.highwater(tp),
            listener.hear,
        )
        self.app.checkpoint = correlate.checkpoint
        self._agent(Role.CORRELATE, names.signals, correlate.handle, correlate.event_times)
        self._on_rebalance(correlate.forget)
        self._on_rebalance(listener.forget)
        self.app.task(self._guarded(listener.run))

    def _add_notify(self, dead_letters: DeadLetters) -> None:
        names = self._settings.topics
        speaker = speaker_of(self._settings, self._telemetry.heard)
        feedback = FeedbackTopic(self._settings, self._outbox)
        notify = Notify(
            self._settings,
            StateTable(self.app, topics.TOLD_TABLE, names.partitions),
            dead_letters,
            speaker,
            self._telemetry,
            self._assigned_changes,
            feedback.suppressed,
            self._changes_left,
        )
        self._agent(Role.NOTIFY, names.changes, notify.handle, notify.event_times)
        self._listen("feedback", names.feedback, notify.hear)
        slack = self._settings.slack
        if slack.app_token is not None and slack.token is not None:
            token = slack.app_token.get_secret_value()
            heard = self._telemetry.heard
            buttons = SlackButtons(token, feedback.deliver, base_url=slack.base_url, heard=heard)
            self.app.task(self._guarded(buttons.run))
        self.app.task(self._guarded(speaker.start))
        self.app.timer(OWED_SECONDS, name="owed")(self._guarded(notify.pay))
        self._on_rebalance(notify.forget)

    def _agent(self, role: Role, topic: str, handle: Handle, event_times: EventTimes) -> None:
        """Register an agent whose `handle` says itself when a record is done with.

        Faust by itself acknowledges the record an agent dies on, and starts the agent anew behind it.
        An exception here is a bug, and skipping a record would hide it: the worker fails instead, and
        the record is read again by whoever comes next.
        """
        self._stages[role] = topic, event_times
        self._listen(role.value, topic, handle)

    def _listen(self, name: str, topic: str, handle: Handle) -> None:
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
                    self._fail(error)
                    await asyncio.Event().wait()  # until the process ends
                self._handled[event.message.tp] = event.message.offset

        self.app.agent(channel, name=name)(agent)

    def _on_rebalance(self, act: Callable[[], None]) -> None:
        async def heard(*_: Any, **__: Any) -> None:
            act()

        self.app.on_partitions_revoked.connect(heard, weak=False)
        self.app.on_partitions_assigned.connect(heard, weak=False)

    def _forget(self) -> None:
        self._handled.clear()
        for role in self._stages:
            self._health.reset(role)
        self._telemetry.reassigned("agents")

    def _guarded(self, act: Act) -> Callable[[], Awaitable[None]]:
        async def guarded() -> None:
            try:
                await act()
            except Exception as error:
                self._journal.exception("timer_failed")
                self._fail(error)

        return guarded

    def _assigned_changes(self) -> set[int]:
        """Partitions of undercurrent.changes that are this worker's, none while that is being settled."""
        if self.app.rebalancing:
            return set()
        changes = self._settings.topics.changes
        return {tp.partition for tp in self.app.consumer.assignment() if tp.topic == changes}

    def _changes_left(self) -> int:
        """Records of undercurrent.changes that this worker has not read yet, as far as it knows."""
        consumer, changes = self.app.consumer, self._settings.topics.changes
        handled = {tp: offset for tp, offset in self._handled.items() if tp.topic == changes}
        return sum(max(0, (consumer.highwater(tp) or 0) - offset - 1) for tp, offset in handled.items())

    async def _look(self) -> None:
        """Feel the pulse of each stage: how far it is and how much is left."""
        consumer = self.app.consumer
        ours = {topic for topic, _ in self._stages.values()}
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
        lags = {tp: max(0, ends[tp] - self._handled[tp] - 1) for tp in partitions}
        for role, (topic, event_times) in self._stages.items():
            of_stage = {tp.partition: lag for tp, lag in lags.items() if tp.topic == topic}
            position = sum(self._handled[tp] + 1 for tp in lags if tp.topic == topic)
            self._telemetry.working(topic, of_stage, event_times())
            if self._health.beat(role, position, sum(of_stage.values()), time.monotonic()):
                self._telemetry.alive(role)
