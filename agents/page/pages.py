"""The pages: each shows one answer of the API, asked with the same parameters."""

from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any

from aiohttp import web

from agents.page.api import Query, Questions, UsageError
from agents.page.html import environment
from pipeline.page.answers import CursorError, UnknownError
from pipeline.page.timeline import timeline
from pipeline.render.words import Words

ASSETS = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
"""Everything a page loads, and nothing from elsewhere."""

SHOWN_DECISIONS = "5"
SHOWN_DOMAINS = "20"
SHOWN_SILENT = "3"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Pages:
    """The HTML of the site."""

    def __init__(self, questions: Questions, words: Words) -> None:
        self._questions = questions
        self._words = words
        self._templates = environment(words)
        folder = files("agents.page") / "static"
        self._assets = {name: (folder / name).read_bytes() for name in ASSETS}

    def prepare(self) -> None:
        """Compile all templates, which otherwise happens when they are first needed."""
        for name in self._templates.list_templates():
            self._templates.get_template(name)

    def routes(self) -> list[web.RouteDef]:
        """One per page, and what they load."""
        return [
            web.get("/", self._page(self._incidents)),
            web.get("/incidents/{id}", self._page(self._incident)),
            web.get("/noise", self._page(self._noise)),
            web.get("/dead-letters", self._page(self._dead_letters)),
            web.get("/sources", self._page(self._sources)),
            web.get("/static/{name}", self._asset),
        ]

    def _incidents(self, request: web.Request) -> str:
        query = request.query
        silent = self._questions.sources({"limit": SHOWN_SILENT})
        answer = self._questions.incidents(query)
        return self._render("incidents.html", request, answer=answer, silent=silent)

    def _incident(self, request: web.Request) -> str:
        view = self._questions.incident(request.match_info["id"])
        decisions = self._questions.decisions({"incident": view.incident.id, "limit": SHOWN_DECISIONS})
        return self._render(
            "incident.html",
            request,
            view=view,
            decisions=decisions,
            silent=self._questions.sources({"domain": view.incident.domain}),
            timeline=timeline(view, self._words),
        )

    def _noise(self, request: web.Request) -> str:
        return self._render("noise.html", request, answer=self._questions.decisions(request.query))

    def _dead_letters(self, request: web.Request) -> str:
        return self._render("dead_letters.html", request, answer=self._questions.dead_letters(request.query))

    def _sources(self, request: web.Request) -> str:
        query = {"limit": SHOWN_DOMAINS, **request.query}
        return self._render("sources.html", request, answer=self._questions.sources(query))

    def _page(self, make: Callable[[web.Request], str]) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            status, why = 200, ""
            try:
                text = make(request)
            except (UsageError, CursorError) as error:
                status, why = 400, str(error)
            except UnknownError as error:
                status, why = 404, str(error)
            if why:
                text = self._render("problem.html", request, why=why)
            return web.Response(text=text, status=status, content_type="text/html", charset="utf-8")

        return answer

    def _render(self, template: str, request: web.Request, **fields: Any) -> str:
        asked: Query = request.query
        return self._templates.get_template(template).render(path=request.path, asked=asked, **fields)

    async def _asset(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in self._assets:
            raise web.HTTPNotFound
        headers = {"Cache-Control": "no-cache"}
        return web.Response(
            body=self._assets[name], content_type=ASSETS[name], charset="utf-8", headers=headers
        )
