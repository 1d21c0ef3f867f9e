"""The page as a part of a web server: records go in, answers come out."""

import time

from aiohttp import web

from agents.page.api import Api, Clock, Questions
from agents.page.auth import gate
from agents.page.hosts import called, names_of
from agents.page.live import Live
from agents.page.pages import Pages
from agents.page.watch import watch
from agents.settings import Page, Settings
from agents.telemetry import Telemetry
from pipeline.page import Answers, Book, Limits, Record
from pipeline.render.words import Words, catalogue
from schemas import Change

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
"""On every answer that does not say otherwise: nothing from elsewhere, nothing inline, in nobody's frame."""


class Site:
    """The incident page over one book. `now` gives unix seconds on the clock that event time runs on.

    `host`: the address it is bound to, which decides by which names it may be called.
    """

    def __init__(
        self,
        book: Book,
        words: Words,
        now: Clock,
        settings: Page | None = None,
        host: str = "127.0.0.1",
        telemetry: Telemetry | None = None,
    ) -> None:
        self._book = book
        self._settings = settings or Page()
        self._host = host
        self._telemetry = telemetry or Telemetry()
        self._live = Live(self._telemetry.page_listeners)
        self._answers = Answers(book, words)
        questions = Questions(self._answers, now)
        self._pages = Pages(questions, words)
        self._routes = [*Api(questions, self._live).routes(), *self._pages.routes()]

    def receive(self, record: Record) -> None:
        """Take a record in, and tell open pages if it is news."""
        touched = self._book.receive(record)
        if isinstance(record, Change) and touched.news is not None:
            self._answers.learn(record)
        self._live.touch(touched)

    def prepare(self) -> None:
        """Do now what the first who asks would wait for."""
        self._pages.prepare()

    def attach(self, application: web.Application) -> None:
        """Add the routes to an application that has not been started."""
        names = names_of(self._host, self._settings.allowed_hosts)
        application.middlewares.extend(
            (watch(self._telemetry.page_answered), called(names), gate(self._settings))
        )
        application.on_response_prepare.append(_headers)
        application.add_routes(self._routes)
        application.on_shutdown.append(self._shut)

    async def _shut(self, _: web.Application) -> None:
        self._live.close()


async def _headers(_: web.Request, response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


def site_of(settings: Settings, telemetry: Telemetry) -> Site:
    """The incident page, still empty. Its clock is the wall's: live, that is what event time follows."""
    page = settings.page
    limits = Limits(page.incidents_max, page.decisions_max, page.dead_letters_max, page.sources_max)
    now = time.time  # noqa: TID251  how old an incident is, is asked of the wall
    site = Site(Book(limits), catalogue(settings.language), now, page, settings.web.host, telemetry)
    site.prepare()
    return site
