"""Where an incident is told and whom its message calls, by domain, cause, severity and hour.

The first route that matches decides; where none does, it is the channel of the settings. A place that
an incident was told in keeps hearing of it, whatever becomes of its cause or severity. Hours are those
of event time: a replay of last night is told where last night's incidents were.
"""

from collections.abc import Callable
from fnmatch import fnmatchcase

from agents.sections import Route, Slack
from agents.tell.hours import hours_of
from pipeline.severity import Severity, severity
from schemas import Change


class Routing:
    """The routes and manners of `slack` settings."""

    def __init__(self, slack: Slack, channel: str) -> None:
        self._slack = slack
        self._channel = channel

    @property
    def places(self) -> tuple[str, ...]:
        """Every channel and person that may be told, the channel of the settings first."""
        routed = (place for route in self._slack.routes for place in route.to)
        return tuple(dict.fromkeys((self._channel, *routed)))

    def places_of(self, change: Change) -> tuple[str, ...]:
        """Where `change` is told, if its incident is not told anywhere yet."""
        route = self._route(change)
        return (self._channel,) if route is None else route.to

    def callers(self) -> Callable[[Change], tuple[str, ...]]:
        """Whom the message about a change calls, as mrkdwn; nobody in quiet hours, but for the critical."""
        return self._called

    def may_call(self, change: Change) -> bool:
        """Whether anybody may be called about the incident at all now."""
        bad = severity(change.incident)
        quiet = self._slack.quiet_hours
        if quiet is not None and bad < Severity.CRITICAL:
            return not hours_of(quiet).hold(change.at, self._slack.timezone) and bad >= self._least
        return bad >= self._least

    @property
    def _least(self) -> Severity:
        return Severity[self._slack.mention_from.upper()]

    def _called(self, change: Change) -> tuple[str, ...]:
        if not self.may_call(change):
            return ()
        route = self._route(change)
        wanted = self._slack.mention if route is None or route.mention is None else route.mention
        return mentions_of(wanted)

    def _route(self, change: Change) -> Route | None:
        return next((route for route in self._slack.routes if self._matches(route, change)), None)

    def _matches(self, route: Route, change: Change) -> bool:
        incident = change.incident
        return (
            (not route.domains or any(fnmatchcase(incident.domain, one) for one in route.domains))
            and (not route.causes or str(incident.cause) in route.causes)
            and severity(incident) >= Severity[route.severity.upper()]
            and (route.hours is None or hours_of(route.hours).hold(change.at, self._slack.timezone))
        )


def mentions_of(names: tuple[str, ...]) -> tuple[str, ...]:
    """`here`, `channel`, users (U…, W…) and groups (S…) as Slack calls them."""
    return tuple(_mention(name) for name in names)


def _mention(name: str) -> str:
    if name in ("here", "channel"):
        return f"<!{name}>"
    return f"<!subteam^{name}>" if name.startswith("S") else f"<@{name}>"
