"""Somebody who is posted to: keeps what came, and answers as told."""

from collections import deque
from typing import Any

from aiohttp import web


class Receiver:
    """Start it with `async with`; `url` is where to post."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.identities: list[str] = []
        self.statuses: deque[int] = deque()
        self.asked = 0

    async def __aenter__(self) -> "Receiver":
        app = web.Application(client_max_size=10_000_000)
        app.router.add_post("/{tail:.*}", self._take)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/hook?token=secretsecret"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        self.asked += 1
        status = self.statuses.popleft() if self.statuses else 200
        if status < 300:
            self.taken.append(await request.json())
            self.identities.append(request.headers["Idempotency-Key"])
        return web.Response(status=status)
