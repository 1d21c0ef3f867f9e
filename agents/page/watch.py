"""Counts what the page is asked: by route and status, and how long answers took."""

import time
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from agents.page.auth import OPEN
from pipeline.page.openapi import ROOT

Observe = Callable[[str, int, float | None], None]
"""Told of each answer: its route, its status, and the seconds it took; None for a stream of events."""

STREAM = f"{ROOT}/events"
NO_ROUTE = "(none)"


def watch(observe: Observe) -> Middleware:
    """A middleware that tells of each answer. Routes are patterns, so that there are few of them."""

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        began, status = time.perf_counter(), 500
        try:
            response = await handler(request)
            status = response.status
            return response
        except web.HTTPException as answer:
            status = answer.status
            raise
        finally:
            route = route_of(request)
            if route not in OPEN:
                seconds = None if route == STREAM else time.perf_counter() - began
                observe(route, status, seconds)

    return count


def route_of(request: web.Request) -> str:
    """The pattern of a request's route."""
    resource = request.match_info.route.resource
    return NO_ROUTE if resource is None else resource.canonical
