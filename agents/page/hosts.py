"""By which names the page may be called: those it has, so that no foreign one leads a browser to it.

A page that only this machine reaches is still reached by a browser on it. A foreign site whose name is
made to mean 127.0.0.1 ("DNS rebinding") would read it as its own; but the browser tells that name.
"""

from collections.abc import Iterable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from agents.page.api import refuse
from agents.page.auth import OPEN
from agents.settings import LOOPBACK


def names_of(bound: str, allowed: Iterable[str]) -> frozenset[str] | None:
    """The names a page answers to that is bound to an address; None: any.

    Any means that the port is open to others anyway and nobody has said by which names.
    """
    said = frozenset(name.lower() for name in allowed)
    if bound in LOOPBACK or bound.startswith("127."):
        return said.union(LOOPBACK, {bound})
    return said.union(LOOPBACK, {bound.lower()}) if said else None


def called(names: frozenset[str] | None) -> Middleware:
    """A middleware that refuses requests to another host than these with 403."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        host = without_port(request.headers.get("Host", ""))
        if names is None or host in names or request.path in OPEN:
            return await handler(request)
        return refuse(403, f"this page is not called {host or 'nothing'}: page.allowed_hosts lists its names")

    return check


def without_port(host: str) -> str:
    """The name in a Host header, in small letters: `[::1]:6067` is `::1`."""
    name = host.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0].rstrip(".")
