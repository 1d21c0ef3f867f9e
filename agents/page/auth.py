"""Who may see the page: whoever reaches it, or whoever knows the password."""

import base64
import hashlib
import hmac
from collections.abc import Mapping

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from agents.page.api import refuse
from agents.settings import Page

OPEN = ("/metrics", "/healthz", "/readyz")
"""Asked by Prometheus and the orchestrator; they say nothing of logs."""


def gate(settings: Page) -> Middleware:
    """A middleware that lets through whoever may, and refuses others with 401."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in OPEN or admits(settings, request.headers):
            return await handler(request)
        response = refuse(401, "a password is needed")
        if settings.auth == "basic":
            response.headers["WWW-Authenticate"] = 'Basic realm="undercurrent", charset="UTF-8"'
        return response

    return check


def admits(settings: Page, headers: Mapping[str, str]) -> bool:
    """Whether a request with these headers may see the page."""
    if settings.auth == "none":
        return True
    secret = "" if settings.password is None else settings.password.get_secret_value()
    if settings.auth == "header":
        return bool(secret) and _same(headers.get(settings.auth_header, ""), secret)
    expected = base64.b64encode(f"{settings.username}:{secret}".encode()).decode()
    scheme, _, given = headers.get("Authorization", "").partition(" ")
    return bool(secret) and scheme.lower() == "basic" and _same(given.strip(), expected)


def _same(given: str, expected: str) -> bool:
    """Compare in a time that tells nothing, not even of lengths."""
    left, right = (
        hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest() for text in (given, expected)
    )
    return hmac.compare_digest(left, right)
