"""The worker's own web server: /metrics, /healthz (alive?), /readyz (of use now?), and the incident page."""

import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from agents import log
from agents.health import Health
from agents.page.site import Site
from agents.settings import Web
from agents.telemetry import Telemetry


class WebServer:
    """Serves metrics, health and the page, if there is one, on a port of its own."""

    def __init__(self, settings: Web, telemetry: Telemetry, health: Health, site: Site | None = None) -> None:
        self._settings = settings
        self._telemetry = telemetry
        self._health = health
        self._site = site
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Listen; returns the address, as `http://host:port`. Raises OSError when the port is taken."""
        application = web.Application()
        application.router.add_get("/metrics", self._metrics)
        application.router.add_get("/healthz", self._answer(self._health.stalled))
        application.router.add_get("/readyz", self._answer(self._health.unready))
        if self._site is not None:
            self._site.attach(application)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        address = await listen(self._runner, self._settings.host, self._settings.port)
        log.get("web").info("listening", address=address)
        return address

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _metrics(self, request: web.Request) -> web.Response:
        headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        return web.Response(body=self._telemetry.exposition(), headers=headers)

    def _answer(
        self, ask: Callable[[float], list[str]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            wrong = ask(time.monotonic())
            return web.Response(status=503 if wrong else 200, text="\n".join(wrong or ["ok"]) + "\n")

        return answer


async def listen(runner: web.AppRunner, host: str, port: int) -> str:
    """Serve on `host` and `port`, 0 for any free one; returns the address, as `http://host:port`.

    Raises:
        OSError: the port is taken.
    """
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    host, port = runner.addresses[0][:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
