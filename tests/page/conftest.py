"""A page over a book of the test's own, on loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest_asyncio
from aiohttp import ClientSession, web

from agents.page.site import Site
from agents.web import listen
from pipeline.page import Book, Limits
from pipeline.render.words import catalogue
from tests.page.records import HOSTILE_CHANGE, HOSTILE_SOURCES, MEAN, NODE_7, dead_letter, decision, replayed


@pytest_asyncio.fixture
async def site() -> Site:
    """The cascade, and what means harm."""
    outcome = replayed("cpu_cascade")
    made = Site(Book(Limits()), catalogue("en"), lambda: outcome.incidents[0].opened_at + 60)
    harm = decision(1, HOSTILE_CHANGE.incident.id, reason=MEAN)
    letter = dead_letter(1, MEAN.encode(), MEAN)
    for record in (
        *outcome.changes,
        *outcome.decisions,
        HOSTILE_CHANGE,
        harm,
        letter,
        *NODE_7,
        *HOSTILE_SOURCES,
    ):
        made.receive(record)
    return made


@asynccontextmanager
async def served(site: Site) -> AsyncIterator[ClientSession]:
    """A client of a site that is served on loopback."""
    application = web.Application()
    site.attach(application)
    runner = web.AppRunner(application, shutdown_timeout=1.0)
    try:
        async with ClientSession(await listen(runner, "127.0.0.1", 0)) as session:
            yield session
    finally:
        await runner.cleanup()


@pytest_asyncio.fixture
async def address(site: Site) -> AsyncIterator[str]:
    """Where the site is served."""
    application = web.Application()
    site.attach(application)
    runner = web.AppRunner(application, shutdown_timeout=1.0)
    try:
        yield await listen(runner, "127.0.0.1", 0)
    finally:
        await runner.cleanup()


@pytest_asyncio.fixture
async def client(address: str) -> AsyncIterator[ClientSession]:
    """Asks the site."""
    async with ClientSession(address) as session:
        yield session
