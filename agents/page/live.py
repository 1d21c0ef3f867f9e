"""Tells open pages that there is something new: server-sent events, at most one a second each."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import orjson
from aiohttp import web

from pipeline.page.book import Touched
from pipeline.page.safejson import inert

LISTENERS_MAX = 100
"""Open pages per worker; more are refused, and work without news."""

PAUSE_SECONDS = 1.0
HEARTBEAT_SECONDS = 15.0
"""So often a silent stream says that it is alive, for proxies that would close it."""

IDS_MAX = 200


class Listener:
    """One open page: what it has not been told yet."""

    def __init__(self) -> None:
        self.incidents: set[str] = set()
        self.lists: set[str] = set()
        self.news = asyncio.Event()

    def touch(self, touched: Touched) -> None:
        """Note something new."""
        if touched.news is not None:
            self.lists.add(touched.news)
        if touched.incident_id is not None and len(self.incidents) < IDS_MAX:
            self.incidents.add(touched.incident_id)
        self.news.set()

    def take(self) -> bytes:
        """Everything noted so far, as one event."""
        body = {"incidents": sorted(self.incidents), "lists": sorted(self.lists)}
        self.incidents, self.lists = set(), set()
        self.news.clear()
        return f"event: news\ndata: {inert(orjson.dumps(body).decode())}\n\n".encode()


class Live:
    """All open pages; `count` is told how many there are."""

    def __init__(self, count: Callable[[int], None]) -> None:
        self._count = count
        self._listeners: set[Listener] = set()
        self._closing = asyncio.Event()

    def touch(self, touched: Touched) -> None:
        """Something was received."""
        if touched.news is not None:
            for listener in self._listeners:
                listener.touch(touched)

    def close(self) -> None:
        """End all streams: the server stops."""
        self._closing.set()
        for listener in self._listeners:
            listener.news.set()

    async def stream(self, request: web.Request) -> web.StreamResponse | None:
        """Answer with a stream that ends when either side does; None when there are too many."""
        if len(self._listeners) >= LISTENERS_MAX:
            return None
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
            }
        )
        listener = Listener()
        self._listeners.add(listener)
        self._count(len(self._listeners))
        try:
            await response.prepare(request)
            await response.write(b"retry: 3000\n: hello\n\n")
            await self._tell(listener, response)
        except ConnectionError:
            pass  # the reader has left
        finally:
            self._listeners.discard(listener)
            self._count(len(self._listeners))
        return response

    async def _tell(self, listener: Listener, response: web.StreamResponse) -> None:
        while not self._closing.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await listener.news.wait()
            if self._closing.is_set():
                return
            if listener.news.is_set():
                await response.write(listener.take())
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), PAUSE_SECONDS)
            else:
                await response.write(b": still here\n\n")
