"""Webhooks, Alertmanager's API and several speakers as one: nothing lost, nothing said out of order."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from click.testing import CliRunner

from agents.commands.slack import slack as command
from agents.settings import SettingsError, load_settings
from agents.tell.bodies import alerts, changes, messages
from agents.tell.post import PostingSpeaker, Render
from agents.tell.several import SeveralSpeakers
from agents.tell.speakers import speaker_of
from pipeline.render.slack import Look
from pipeline.render.words import catalogue
from pipeline.severity import Severity, severity
from pipeline.telling import Memory, intend
from schemas import Change, ChangeKind, Impact, decode
from tests.render.incidents import CASCADE, DNS_OUTAGE
from tests.slack.blockkit import mentions, refusal
from tests.slack.conftest import Clock, Speakers
from tests.slack.receiver import Receiver
from tests.slack.server import FakeSlack
from tests.slack.stories import roots, thread

WORDS = catalogue("en")
INCIDENT = CASCADE[0].incident.id


@pytest.fixture
async def receiver(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Receiver]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with Receiver() as one:
        yield one


def poster(
    receiver: Receiver, clock: Clock, heard: list[tuple[str, str]], render: Render | None = None
) -> PostingSpeaker:
    def note(act: str, outcome: str) -> None:
        heard.append((act, outcome))

    return PostingSpeaker("webhook", receiver.url, render or changes(), clock=clock, heard=note)


async def tell_all(one: PostingSpeaker, told: tuple[Change, ...], memory: Memory | None = None) -> Memory:
    for change in told:
        memory = json.loads(json.dumps(await one.say(change, memory)))
    return memory or {}


async def test_the_webhook_gets_every_change_as_it_is(
    receiver: Receiver, clock: Clock, heard: list[tuple[str, str]]
) -> None:
    """What is posted is the record of undercurrent.changes, once, with an id that tells repetitions."""
    one = poster(receiver, clock, heard)
    memory = await tell_all(one, CASCADE)
    assert [decode(Change, json.dumps(body).encode()) for body in receiver.taken] == list(CASCADE)
    assert receiver.identities == [change.id for change in CASCADE]
    await tell_all(one, CASCADE, memory)
    assert len(receiver.taken) == len(CASCADE)
    assert set(heard) == {("webhook", "posted")}


@pytest.mark.parametrize("status", [401, 404, 410, 429, 500, 503])
async def test_what_cannot_be_posted_is_kept_in_order(
    receiver: Receiver, clock: Clock, heard: list[tuple[str, str]], logged: list[str], status: int
) -> None:
    """Whatever the trouble, all is posted at last; nobody is pestered meanwhile; one line says so."""
    one = poster(receiver, clock, heard)
    receiver.statuses.extend([status] * 2)
    memory = await tell_all(one, CASCADE)
    assert one.owes(memory)
    assert receiver.asked == 1
    for _ in range(2):
        clock.seconds += 60
        memory = await one.flush(memory)
    assert not one.owes(memory)
    assert receiver.identities == [change.id for change in CASCADE]
    assert sum("nothing can be posted" in line for line in logged) == 1
    assert not [line for line in logged if "secretsecret" in line]


async def test_an_address_that_does_not_answer_loses_nothing(
    receiver: Receiver, clock: Clock, heard: list[tuple[str, str]]
) -> None:
    """No connection is an outage like any other."""
    memory = await tell_all(
        PostingSpeaker("webhook", "http://127.0.0.1:1/", changes(), clock=clock), CASCADE[:2]
    )
    memory = await poster(receiver, clock, heard).flush(memory)
    assert receiver.identities == [change.id for change in CASCADE[:2]]


async def test_what_will_never_be_taken_is_dropped(
    receiver: Receiver, clock: Clock, heard: list[tuple[str, str]]
) -> None:
    """A body the other side cannot use does not block those behind it."""
    one = poster(receiver, clock, heard)
    receiver.statuses.append(422)
    memory = await tell_all(one, CASCADE)
    assert not one.owes(memory)
    assert receiver.identities == [change.id for change in CASCADE[1:]]
    assert heard[0] == ("webhook", "dropped")


async def test_an_incoming_webhook_gets_messages_that_slack_takes(
    receiver: Receiver, clock: Clock, heard: list[tuple[str, str]]
) -> None:
    """A message for each change that is worth one; no thread, no metadata, nobody mentioned."""
    one = poster(receiver, clock, heard, messages(WORDS, Look()))
    await tell_all(one, CASCADE)
    kinds = [change.kind for change in CASCADE]
    assert kinds == [ChangeKind.OPENED, ChangeKind.DIAGNOSED, ChangeKind.RECOVERING, ChangeKind.RESOLVED]
    assert receiver.identities == [CASCADE[n].id for n in (0, 1, 3)]
    for body in receiver.taken:
        assert set(body) == {"text", "blocks", "unfurl_links"}
        assert refusal(body) is None
        assert mentions(body) == []


async def test_an_alert_fires_while_the_incident_is_open(
    receiver: Receiver, clock: Clock, heard: list[tuple[str, str]]
) -> None:
    """One alert an incident; it ends with it; where its cause becomes known the alert without it ends."""
    links = {"page": "https://u/{incident}", "runbook": "https://wiki/{cause}"}
    await tell_all(poster(receiver, clock, heard, alerts(WORDS, links)), CASCADE)
    opened, named, _, resolved = receiver.taken
    assert [one["labels"]["cause"] for one in opened] == ["unproven"]
    assert [one["labels"]["cause"] for one in named] == ["unproven", "cpu_saturation"]
    assert named[0]["endsAt"] < named[1]["endsAt"]
    assert resolved[-1]["endsAt"] < named[1]["endsAt"]
    assert named[1]["generatorURL"] == f"https://u/{INCIDENT}"
    assert named[1]["annotations"]["runbook"] == "https://wiki/cpu_saturation"
    assert named[1]["annotations"]["summary"].startswith("🔴 Open: CPU saturation")
    assert {one["startsAt"] for one in (*opened, *named, *resolved)} == {"2026-11-23T09:10:49.300Z"}


@pytest.mark.parametrize(
    ("failed", "slow", "total", "word"),
    [
        (3, 0, 100, "minor"),
        (19, 1, None, "major"),
        (70, 30, 1000, "major"),
        (70, 30, 400, "critical"),
        (900, 100, None, "critical"),
    ],
)
def test_severity(failed: int, slow: int, total: int | None, word: str) -> None:
    """It goes by what users lost."""
    loss = Impact(requests_failed=failed, requests_slow=slow, requests_total=total)
    assert severity(CASCADE[0].incident.model_copy(update={"impact": loss})).word == word
    assert Severity.MINOR < Severity.MAJOR < Severity.CRITICAL


# --- several ---


async def test_one_speakers_outage_is_nobody_elses(
    slack: FakeSlack,
    speaker: Speakers,
    receiver: Receiver,
    clock: Clock,
    heard: list[tuple[str, str]],
) -> None:
    """While the webhook is away Slack gets everything, and the webhook the rest later, each once."""
    receiver.statuses.append(503)
    several = SeveralSpeakers({"people": speaker(), "webhook": poster(receiver, clock, heard)})
    memory: Memory = {}
    for change in CASCADE:
        memory = json.loads(json.dumps(await several.say(change, memory or None)))
    assert several.owes(memory)
    assert thread(slack, INCIDENT) == [0, 1, 2, 3]
    clock.seconds += 60
    memory = await several.flush(memory)
    assert not several.owes(memory)
    assert receiver.identities == [change.id for change in CASCADE]
    assert len(roots(slack, INCIDENT)) == 1


async def test_a_crash_repeats_nothing_in_slack(
    slack: FakeSlack,
    speaker: Speakers,
    receiver: Receiver,
    clock: Clock,
    heard: list[tuple[str, str]],
) -> None:
    """After a crash Slack is asked what stands there; the webhook hears it again, with the same id."""
    memory: Memory | None = None
    for change in CASCADE:
        await SeveralSpeakers({"people": speaker(), "webhook": poster(receiver, clock, heard)}).say(
            change, memory
        )
        again = SeveralSpeakers({"people": speaker(), "webhook": poster(receiver, clock, heard)})
        memory = await again.say(change, intend(memory, change))
    assert len(roots(slack, INCIDENT)) == 1
    assert thread(slack, INCIDENT) == [0, 1, 2, 3]
    assert sorted(set(receiver.identities)) == [change.id for change in CASCADE]


async def test_a_new_output_joins_in_the_middle(
    slack: FakeSlack,
    speaker: Speakers,
    receiver: Receiver,
    clock: Clock,
    heard: list[tuple[str, str]],
) -> None:
    """What one speaker alone has said is not said again once there are two."""
    memory = await speaker().say(CASCADE[0], None)
    several = SeveralSpeakers({"people": speaker(), "webhook": poster(receiver, clock, heard)})
    memory = await several.say(CASCADE[1], memory)
    assert thread(slack, INCIDENT) == [0, 1]
    assert receiver.identities == [CASCADE[1].id]


def test_the_settings_say_who_is_told() -> None:
    """One speaker stays itself; with more each is one of several; a wrong address is an error."""

    def of(**environ: str) -> str:
        return type(speaker_of(load_settings(None, environ), lambda act, outcome: None)).__name__

    assert of() == "ConsoleSpeaker"
    assert of(UNDERCURRENT_SLACK_WEBHOOK_URL="https://hooks.slack.com/services/T/B/x") == "PostingSpeaker"
    assert of(UNDERCURRENT_OUTPUTS_ALERTMANAGER_URL="http://alertmanager:9093") == "SeveralSpeakers"
    wrong = {"UNDERCURRENT_OUTPUTS_WEBHOOK_URL": "hooks", "UNDERCURRENT_OUTPUTS_ALERTMANAGER_URL": "am"}
    with pytest.raises(SettingsError) as raised:
        load_settings(None, wrong)
    assert len(raised.value.problems) == 2
    assert "hooks" not in str(raised.value)
    assert DNS_OUTAGE.incident.cause == "dns_outage"


@pytest.mark.parametrize(("status", "code"), [(200, 0), (410, 1)])
async def test_slack_test_tries_the_webhook(receiver: Receiver, status: int, code: int) -> None:
    """`slack test` posts one message marked as a test; the address stays unsaid."""
    receiver.statuses.append(status)
    environ = {"UNDERCURRENT_SLACK_WEBHOOK_URL": receiver.url, "SLACK_BOT_TOKEN": None}
    done = await asyncio.to_thread(CliRunner().invoke, command, ["test"], env=environ)
    assert done.exit_code == code, done.output
    assert [body["text"].startswith("🧪 Test") for body in receiver.taken] == [True] * (1 - code)
    assert "secretsecret" not in done.output
