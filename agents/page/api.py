"""The JSON API: one handler per operation of pipeline/page/openapi.py, read only."""

from collections.abc import Awaitable, Callable, Mapping

import orjson
from aiohttp import web

from agents.page.live import Live
from pipeline.page import Answers
from pipeline.page.answers import (
    PAGE_LENGTH,
    PAGE_LENGTH_MAX,
    STATES,
    CursorError,
    Slice,
    UnknownError,
    Wanted,
)
from pipeline.page.openapi import OPERATIONS, ROOT, document
from pipeline.page.safejson import as_json, inert
from schemas import Outcome
from schemas.base import Noun
from schemas.page import DeadLetterList, DecisionList, IncidentList, IncidentView, Problem, SourceList

Clock = Callable[[], float]
Query = Mapping[str, str]


class UsageError(ValueError):
    """A parameter cannot be used; the message names it and says what is expected."""


class Questions:
    """What can be asked, with its parameters as text: the same for the API and for the pages."""

    def __init__(self, answers: Answers, now: Clock) -> None:
        self._answers = answers
        self._now = now

    def incidents(self, query: Query) -> IncidentList:
        """A page of incidents. Raises UsageError, CursorError."""
        wanted = Wanted(
            state=_one_of("state", query.get("state"), STATES) or STATES[0],
            cause=query.get("cause") or None,
            domain=query.get("domain") or None,
        )
        return self._answers.incidents(wanted, _slice(query), self._now())

    def incident(self, incident_id: str) -> IncidentView:
        """One incident. Raises UnknownError."""
        return self._answers.incident(incident_id, self._now())

    def decisions(self, query: Query) -> DecisionList:
        """A page of decisions. Raises UsageError, CursorError."""
        outcome = _one_of("outcome", query.get("outcome"), tuple(Outcome))
        chosen = None if outcome is None else Outcome(outcome)
        return self._answers.decisions(query.get("incident") or None, chosen, _slice(query), self._now())

    def dead_letters(self, query: Query) -> DeadLetterList:
        """A page of dead letters. Raises UsageError, CursorError."""
        return self._answers.dead_letters(_slice(query), self._now())

    def sources(self, query: Query) -> SourceList:
        """A page of domains with their sources. Raises UsageError, CursorError."""
        return self._answers.sources(query.get("domain") or None, _slice(query), self._now())


class Api:
    """The routes below `/api/v1`."""

    def __init__(self, questions: Questions, live: Live) -> None:
        self._questions = questions
        self._live = live

    def routes(self) -> list[web.RouteDef]:
        """One per operation, and the description itself."""
        handlers = {
            "incidents": self._list(self._questions.incidents),
            "incident": self._incident,
            "decisions": self._list(self._questions.decisions),
            "dead_letters": self._list(self._questions.dead_letters),
            "sources": self._list(self._questions.sources),
            "events": self._events,
        }
        described = [web.get(f"{ROOT}{one.path}", handlers[one.name]) for one in OPERATIONS]
        return [*described, web.get(f"{ROOT}/openapi.json", self._openapi)]

    def _list(self, ask: Callable[[Query], Noun]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                return respond(ask(request.query))
            except (UsageError, CursorError) as error:
                return refuse(400, str(error))

        return answer

    async def _incident(self, request: web.Request) -> web.StreamResponse:
        try:
            return respond(self._questions.incident(request.match_info["id"]))
        except UnknownError as error:
            return refuse(404, str(error))

    async def _events(self, request: web.Request) -> web.StreamResponse:
        return await self._live.stream(request) or refuse(
            503, "too many pages are open: this one has no news"
        )

    async def _openapi(self, request: web.Request) -> web.StreamResponse:
        text = inert(orjson.dumps(document()).decode())
        return web.Response(text=text, content_type="application/json")


def respond(noun: Noun, status: int = 200) -> web.Response:
    """An answer as JSON."""
    return web.Response(text=as_json(noun), content_type="application/json", status=status)


def refuse(status: int, why: str) -> web.Response:
    """No answer, and why."""
    return respond(Problem(error=why), status)


def _slice(query: Query) -> Slice:
    text = query.get("limit", str(PAGE_LENGTH))
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= PAGE_LENGTH_MAX):
        raise UsageError(f"limit: expected a whole number from 1 to {PAGE_LENGTH_MAX}")
    return Slice(query.get("before") or None, int(text))


def _one_of(name: str, value: str | None, known: tuple[str, ...]) -> str | None:
    if not value:
        return None
    if value not in known:
        raise UsageError(f"{name}: expected one of {', '.join(known)}")
    return value
