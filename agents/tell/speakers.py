"""Who tells people: a visible choice, made once at start."""

from collections.abc import Callable

from agents.settings import Settings
from agents.tell.bodies import alerts, changes, messages
from agents.tell.console import ConsoleSpeaker
from agents.tell.post import PostingSpeaker
from agents.tell.routing import Routing, mentions_of
from agents.tell.several import SeveralSpeakers
from agents.tell.slack import Manners, SlackSpeaker
from agents.tell.speaker import Speaker
from pipeline.render.slack import Look
from pipeline.render.words import catalogue

Heard = Callable[[str, str], None]


def speaker_of(settings: Settings, heard: Heard) -> Speaker:
    """Everyone who is to be told: people first, then machines."""
    found = {"people": _people(settings, heard), **_machines(settings, heard)}
    return found["people"] if len(found) == 1 else SeveralSpeakers(found)


def _people(settings: Settings, heard: Heard) -> Speaker:
    """Slack where there are a token and a channel, or an incoming webhook; else the console."""
    slack = settings.slack
    look = Look(links=settings.links.templates())
    if slack.token is not None and slack.channel is not None:
        routing = Routing(slack, slack.channel)
        places = {place: _place(settings, routing, place, heard) for place in routing.places}
        if len(places) == 1:
            return places[slack.channel]
        return SeveralSpeakers(places, route=routing.places_of, digests=(slack.channel,))
    if slack.webhook_url is not None:
        render = messages(catalogue(settings.language), look)
        return PostingSpeaker("slack_webhook", slack.webhook_url.get_secret_value(), render, heard=heard)
    return ConsoleSpeaker(language=settings.language, heard=heard)


def _place(settings: Settings, routing: Routing, place: str, heard: Heard) -> Speaker:
    """Slack, in one channel or with one person."""
    slack = settings.slack
    assert slack.token is not None
    return SlackSpeaker(
        slack.token.get_secret_value(),
        place,
        language=settings.language,
        look=Look(links=settings.links.templates()),
        pictures=None if slack.pictures == "off" else slack.pictures,
        with_buttons=slack.app_token is not None,
        manners=Manners(
            mention=routing.callers(),
            may_call=routing.may_call,
            escalate_after_seconds=slack.escalate_after_seconds,
            escalate_to=mentions_of(slack.escalate_to),
        ),
        base_url=slack.base_url,
        heard=heard,
    )


def _machines(settings: Settings, heard: Heard) -> dict[str, Speaker]:
    found: dict[str, Speaker] = {}
    outputs = settings.outputs
    if outputs.webhook_url is not None:
        url = outputs.webhook_url.get_secret_value()
        found["webhook"] = PostingSpeaker("webhook", url, changes(), heard=heard)
    if outputs.alertmanager_url is not None:
        url = outputs.alertmanager_url.rstrip("/") + "/api/v2/alerts"
        render = alerts(catalogue(settings.language), settings.links.templates())
        found["alertmanager"] = PostingSpeaker("alertmanager", url, render, heard=heard)
    return found
