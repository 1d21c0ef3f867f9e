"""Who tells people: a visible choice, made once at start."""

from collections.abc import Callable

from agents.console import ConsoleSpeaker
from agents.settings import Settings
from agents.slack import SlackSpeaker
from agents.speaker import Speaker


def speaker_of(settings: Settings, heard: Callable[[str, str], None]) -> Speaker:
    """Slack where there are a token and a channel, else the console."""
    slack = settings.slack
    if slack.token is not None and slack.channel is not None:
        return SlackSpeaker(
            slack.token.get_secret_value(),
            slack.channel,
            language=settings.language,
            base_url=slack.base_url,
            heard=heard,
        )
    return ConsoleSpeaker(language=settings.language, heard=heard)
