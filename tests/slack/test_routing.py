"""Who hears of what: routes, calls, quiet hours, and what happens when nobody answers."""

import json
from typing import Any

import pytest

from agents.settings import Settings, SettingsError, load_settings
from agents.tell.hours import hours_of
from agents.tell.routing import Routing
from agents.tell.slack import Manners
from agents.tell.speakers import speaker_of
from pipeline.render.buttons import pressed
from pipeline.telling import Memory
from schemas import Change, ChangeKind, Impact
from tests.render.incidents import CASCADE, DNS_OUTAGE
from tests.render.incidents import change as make_change
from tests.slack.blockkit import mentions, refusal
from tests.slack.conftest import TOKEN, Clock, Speakers
from tests.slack.server import Channel, FakeSlack
from tests.slack.socket import press
from tests.slack.stories import payload, roots, tell_all, thread

INCIDENT = CASCADE[0].incident.id
MINOR, MAJOR, CRITICAL = (
    Impact(requests_failed=lost, requests_total=total) for lost, total in ((3, 900), (50, 900), (500, 900))
)
NIGHT, NOON = 1795395600.0, 1795435200.0
"""01:00 and 12:00 UTC of one day."""


def told(
    seq: int, impact: Impact, at: float = NOON, kind: ChangeKind = ChangeKind.OPENED, **more: Any
) -> Change:
    incident = CASCADE[1].incident.model_copy(update={"impact": impact, **more})
    return make_change(seq, kind, at, "Because.", incident)


def routing(**slack: Any) -> Routing:
    return Routing(Settings.model_validate({"slack": slack}).slack, "C0REGISTRY")


ROUTES = [
    {"domains": ["pay-*"], "to": ["C0PAYMENT"]},
    {"causes": ["dns_outage"], "severity": "critical", "to": ["C0NETWORK", "U0ALICE"]},
    {"hours": "22:00-06:00", "severity": "major", "to": ["U0ROBERT"], "mention": ["U0ROBERT"]},
]


@pytest.mark.parametrize(
    ("change", "places"),
    [
        (told(0, MINOR), ("C0REGISTRY",)),
        (told(0, MINOR, domain="pay-eu"), ("C0PAYMENT",)),
        (told(0, CRITICAL, cause="dns_outage"), ("C0NETWORK", "U0ALICE")),
        (told(0, MAJOR, cause="dns_outage"), ("C0REGISTRY",)),
        (told(0, MAJOR, NIGHT), ("U0ROBERT",)),
        (told(0, MINOR, NIGHT), ("C0REGISTRY",)),
    ],
)
def test_the_first_route_that_matches_decides(change: Change, places: tuple[str, ...]) -> None:
    """By domain, cause, severity and hour; without a route it is the channel."""
    assert routing(routes=ROUTES).places_of(change) == places


@pytest.mark.parametrize(
    ("hours", "zone", "at", "hold"),
    [
        ("22:00-07:00", "UTC", NIGHT, True),
        ("22:00-07:00", "UTC", NOON, False),
        ("08:00-18:00", "UTC", NOON, True),
        ("20:00-22:00", "Asia/Shanghai", NOON, True),
        ("00:00-24:00", "Europe/Berlin", NIGHT, True),
    ],
)
def test_hours(hours: str, zone: str, at: float, hold: bool) -> None:
    """Hours may lie over midnight, and are those of the zone."""
    assert hours_of(hours).hold(at, zone) is hold


def test_who_is_called() -> None:
    """Nobody about what is minor, nobody in quiet hours, but about what is critical always."""
    manners = routing(mention=["here", "S0ONCALL"], quiet_hours="22:00-07:00", routes=ROUTES)
    call = manners.callers()
    everybody = ("<!here>", "<!subteam^S0ONCALL>")
    assert call(told(0, MINOR)) == ()
    assert call(told(0, MAJOR)) == everybody
    assert call(told(0, MAJOR, NIGHT)) == ()
    assert call(told(0, CRITICAL, NIGHT)) == ("<@U0ROBERT>",)
    assert call(told(0, CRITICAL)) == everybody


def called(slack: FakeSlack) -> list[str]:
    """The calls in messages as they were posted: an update calls nobody."""
    posted = [call.arguments for call in slack.calls("chat.postMessage")]
    return [token for one in posted for token in dict.fromkeys(mentions({"blocks": one["blocks"]}))]


def manners(clock: Clock, **more: Any) -> Manners:
    return Manners(mention=lambda change: ("<!here>",), now=clock.now, **more)


async def test_a_message_calls_once(slack: FakeSlack, speaker: Speakers, clock: Clock) -> None:
    """The first message calls, its updates and replies do not, and the fallback text never does."""
    await tell_all(speaker(manners=manners(clock)), CASCADE)
    assert called(slack) == ["!here"]
    (root,) = roots(slack, INCIDENT)
    assert root["blocks"][1]["text"]["text"] == "🔔 <!here>"
    assert mentions({"text": root["text"]}) == []


async def test_an_incident_that_gets_worse_calls_in_its_thread(
    slack: FakeSlack, speaker: Speakers, clock: Clock
) -> None:
    """What was minor at first calls in the reply that tells it no longer is, once."""
    call = routing(mention=["here"]).callers()
    one = speaker(manners=Manners(mention=call))
    kinds = (ChangeKind.OPENED, ChangeKind.ESCALATED, ChangeKind.ESCALATED)
    await tell_all(
        one,
        tuple(
            told(n, impact, kind=kind)
            for n, (impact, kind) in enumerate(zip((MINOR, MAJOR, CRITICAL), kinds, strict=True))
        ),
    )
    assert called(slack) == ["!here"]
    (root,) = roots(slack, INCIDENT)
    assert ["<!here>" in one["text"] for one in slack.channel.thread(root["ts"])] == [False, True, False]


@pytest.fixture
def waiting(clock: Clock) -> Manners:
    return Manners(escalate_after_seconds=900.0, escalate_to=("<!subteam^S0BOSS>",), now=clock.now)


async def test_with_nobody_answering_others_are_called_once(
    slack: FakeSlack, speaker: Speakers, clock: Clock, waiting: Manners
) -> None:
    """After a quarter of an hour the thread calls who is next; after that it is their turn."""
    one = speaker(with_buttons=True, manners=waiting)
    memory = await tell_all(one, CASCADE[:2])
    assert one.remind(memory) == memory
    for _ in range(3):
        clock.seconds += 900
        memory = await one.flush(json.loads(json.dumps(one.remind(memory))))
    (root,) = roots(slack, INCIDENT)
    said = [message["text"] for message in slack.channel.thread(root["ts"])]
    assert said[2:] == ["⏰ Nobody has taken this for 15 min: <!subteam^S0BOSS>"]
    assert refusal(slack.channel.thread(root["ts"])[-1]) is None


@pytest.mark.parametrize("action", ["acknowledge", "snooze", "resolved"])
async def test_who_answers_is_left_alone(
    slack: FakeSlack, speaker: Speakers, clock: Clock, waiting: Manners, action: str
) -> None:
    """An acknowledged, a snoozed and a resolved incident call nobody."""
    one = speaker(with_buttons=True, manners=waiting)
    memory: Memory = await tell_all(one, CASCADE[:2])
    (root,) = roots(slack, INCIDENT)
    if action == "resolved":
        memory = await tell_all(one, CASCADE, memory)
    else:
        feedback = pressed(press(root, action, "3600" if action == "snooze" else None), clock.now())
        assert feedback is not None
        memory = await one.flush(one.hear(feedback, memory, None))
    clock.seconds += 1000
    assert one.remind(memory) == memory
    clock.seconds += 3600
    assert (one.remind(memory) != memory) == (action == "snooze")


async def test_each_place_has_the_incident_and_its_story(
    slack: FakeSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A channel and a person hear of it; one that matches later joins with the state as it is then."""
    slack.gap_seconds = 0.0
    slack.channels["C0NETWORK"] = Channel("C0NETWORK", "network")
    environ = {
        "SLACK_BOT_TOKEN": TOKEN,
        "UNDERCURRENT_SLACK_CHANNEL": "C0REGISTRY",
        "UNDERCURRENT_SLACK_BASE_URL": slack.url,
        "UNDERCURRENT_SLACK_ROUTES": json.dumps(ROUTES[1:2]),
    }
    monkeypatch.setattr("agents.tell.slack_api.MESSAGE_GAP_SECONDS", 0.0)
    everyone = speaker_of(load_settings(None, environ), lambda act, outcome: None)
    memory = None
    changes = (
        told(0, MAJOR, cause="dns_outage"),
        told(1, CRITICAL, kind=ChangeKind.ESCALATED, cause="dns_outage"),
        told(2, CRITICAL, kind=ChangeKind.RECOVERING, cause="dns_outage"),
    )
    for change in changes:
        memory = json.loads(json.dumps(await everyone.say(change, memory)))
    assert thread(slack, INCIDENT) == [0, 1, 2]
    for place in ("C0NETWORK", "D0ALICE"):
        top = slack.channels[place].top()
        assert [payload(one)["seq"] for one in top] == [2]
        assert len(slack.channels[place].thread(top[0]["ts"])) == 2


def test_every_mistake_in_routes_is_reported() -> None:
    """All of them at once, each with its place."""
    wrong = {
        "UNDERCURRENT_SLACK_QUIET_HOURS": "10pm-7am",
        "UNDERCURRENT_SLACK_TIMEZONE": "Mars/Olympus",
        "UNDERCURRENT_SLACK_MENTION": '["everyone else"]',
        "UNDERCURRENT_SLACK_ROUTES": '[{"to": []}, {"to": ["!"], "severity": "bad", "hours": "25:00-26:00"}]',
    }
    with pytest.raises(SettingsError) as raised:
        load_settings(None, wrong)
    names = [problem.split(":")[1] for problem in raised.value.problems]
    told_of = {name.removeprefix(" UNDERCURRENT_SLACK_") for name in names}
    assert told_of == {"QUIET_HOURS", "TIMEZONE", "MENTION", "ROUTES"}
    assert sum("ROUTES" in problem for problem in raised.value.problems) >= 4
    with pytest.raises(SettingsError, match="SLACK_APP_TOKEN"):
        load_settings(
            None,
            {
                "UNDERCURRENT_SLACK_ESCALATE_AFTER_SECONDS": "900",
                "UNDERCURRENT_SLACK_ESCALATE_TO": "[here]",
            },
        )
    assert DNS_OUTAGE.incident.id != INCIDENT
