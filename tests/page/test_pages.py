"""The pages as plain HTML, who may see them, and the two commands."""

import asyncio
import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from aiohttp import ClientSession, web
from click.testing import CliRunner, Result

from agents.cli import main
from agents.commands.page import Replay
from agents.page.auth import admits
from agents.page.site import Site
from agents.recordings.ship import MAX_SPEED
from agents.settings import Page, SettingsError, load_settings, warnings
from agents.web import listen
from pipeline.page import Book, Limits
from pipeline.render.words import catalogue
from schemas.page import IncidentList
from tests.page.records import HOSTILE_CHANGE, HOSTILE_SOURCES, NODE_7, arrivals_of, incident_change, replayed

PASSWORD = "tröt & 中"


async def test_each_page_answers_and_links_to_the_next(client: ClientSession, site: Site) -> None:
    """A list longer than a page says where it goes on, with what was asked for."""
    for number in range(120):
        site.receive(incident_change(number))
    for path in ("/", "/?state=all", "/noise", "/dead-letters"):
        async with client.get(path) as answer:
            assert answer.status == 200
            assert answer.content_type == "text/html"
    async with client.get("/?state=all&cause=dns_outage") as answer:
        text = await answer.text()
    assert 'rel="next" href="/?state=all' not in text
    async with client.get("/") as answer:
        text = await answer.text()
    assert 'rel="next" href="/?before=' in text
    assert text.count("row incident") == 50


@pytest.mark.parametrize(
    ("path", "status", "why"),
    [
        ("/incidents/%3Cb%3Enobody", 404, "There is no incident &lt;b&gt;nobody"),
        ("/?state=%3Cb%3E", 400, "State: expected one of active"),
        ("/noise?before=zzz", 400, "Before: expected a cursor"),
        ("/static/..%2Fpages.py", 404, "404"),
    ],
)
async def test_what_cannot_be_shown_says_why(client: ClientSession, path: str, status: int, why: str) -> None:
    """An old or broken link ends on a page that says what is wrong, and never runs what it was given."""
    async with client.get(path) as answer:
        assert answer.status == status
        assert why in await answer.text()


@contextmanager
def served(page: Page) -> Iterator[str]:
    """A site in a thread of its own, for commands that wait for their answer."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start() -> tuple[web.AppRunner, str]:
        site = Site(Book(Limits()), catalogue("en"), lambda: 2e9, page)
        for record in (*replayed("cpu_cascade").changes, HOSTILE_CHANGE, *NODE_7, *HOSTILE_SOURCES):
            site.receive(record)
        application = web.Application()
        site.attach(application)
        runner = web.AppRunner(application, shutdown_timeout=1.0)
        return runner, await listen(runner, "127.0.0.1", 0)

    runner, address = asyncio.run_coroutine_threadsafe(start(), loop).result(30)
    try:
        yield address
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


def protected(auth: str) -> dict[str, str]:
    return {"UNDERCURRENT_PAGE_AUTH": auth, "UNDERCURRENT_PAGE_PASSWORD": PASSWORD}


@pytest.mark.parametrize("auth", ["basic", "header"])
async def test_without_the_password_nothing_is_shown(auth: str) -> None:
    """Pages, API, stream and assets are behind it; the right one opens them."""
    page = load_settings(None, protected(auth)).page
    with served(page) as address:
        async with ClientSession(address) as stranger:
            for path in ("/", "/api/v1/incidents", "/api/v1/events", "/static/page.css", "/nowhere"):
                async with stranger.get(path) as answer:
                    assert answer.status == 401
                    assert ("WWW-Authenticate" in answer.headers) is (auth == "basic")
                    assert "registry" not in await answer.text()
        login = base64.b64encode(f"undercurrent:{PASSWORD}".encode()).decode()
        right = (
            {"Authorization": f"Basic {login}"} if auth == "basic" else {"X-Undercurrent-Password": PASSWORD}
        )
        async with ClientSession(address, headers=right) as friend, friend.get("/") as answer:
            assert answer.status == 200


@pytest.mark.parametrize(
    "given",
    [
        "",
        "Basic",
        "Basic !!",
        "Bearer x",
        f"Basic {base64.b64encode(b'undercurrent:').decode()}",
        "basic\x00",
    ],
)
def test_a_wrong_log_in_is_refused(given: str) -> None:
    """Whatever stands in the header, it is compared and not believed."""
    page = load_settings(None, protected("basic")).page
    assert not admits(page, {"Authorization": given})
    right = base64.b64encode(f"undercurrent:{PASSWORD}".encode()).decode()
    assert admits(page, {"Authorization": f"Basic {right}"})


def test_a_page_that_asks_for_a_password_needs_one() -> None:
    """A forgotten variable does not leave the page open, and the word says which one it is."""
    with pytest.raises(SettingsError, match="auth basic needs UNDERCURRENT_PAGE_PASSWORD"):
        load_settings(None, {"UNDERCURRENT_PAGE_AUTH": "basic"})


def test_a_page_open_to_all_is_told_of() -> None:
    """Whoever opens the port hears what can be read there, unless a password or nothing stands behind it."""
    opened = {"UNDERCURRENT_WEB_HOST": "0.0.0.0"}
    (warning,) = warnings(load_settings(None, opened), {})
    assert warning.startswith("page.auth is none and web.host is 0.0.0.0: whoever reaches the port")
    for closed in (
        protected("basic"),
        {"UNDERCURRENT_PAGE_ENABLED": "false"},
        {"UNDERCURRENT_WEB_HOST": "::1"},
    ):
        assert warnings(load_settings(None, {**opened, **closed}), {}) == []


def incidents(*options: str, **variables: str) -> Result:
    return CliRunner().invoke(main, ["incidents", *options], env=variables)


def test_the_command_shows_what_the_page_shows() -> None:
    """By the same API, behind the same password, with nothing from a log that acts in a terminal."""
    with served(load_settings(None, protected("basic")).page) as address:
        refused = incidents("--url", address)
        assert (refused.exit_code, "a password is needed" in refused.output) == (1, True)
        listed = incidents("--url", address, "--state", "all", **protected("basic"))
        assert listed.exit_code == 0, listed.output
        assert "✓ Resolved CPU saturation (container limit), 90 % confidence" in listed.output
        as_json = incidents("--url", address, "--state", "all", "--json", **protected("basic"))
        assert IncidentList.model_validate_json(as_json.stdout).total == 2
        one = incidents(HOSTILE_CHANGE.incident.id, "--url", address, **protected("basic"))
        assert "\\x1b[31mred" in one.output.replace("\n", "")
        sources = CliRunner().invoke(main, ["sources", "--url", address], env=protected("basic"))
        assert sources.exit_code == 0, sources.output
        assert "! no CPU and throttling metrics from node-7 for 4 min" in sources.output
        assert "\\x1b[31mred" in sources.output
        for shown in (listed, one, as_json, sources):
            assert "\x1b" not in shown.output
            assert "\u202e" not in shown.output
        missing = incidents("nobody", "--url", address, **protected("basic"))
        assert (missing.exit_code, "there is no incident nobody" in missing.output) == (1, True)
    gone = incidents("--url", address)
    assert (gone.exit_code, "is a worker running there?" in gone.output) == (1, True)


async def test_a_recording_is_served_as_it_is_replayed() -> None:
    """`undercurrent page` shows at the end exactly what a replay says."""
    settings = load_settings(None, {})
    replay = Replay(settings, arrivals_of("cpu_cascade"))
    await replay.run(MAX_SPEED)
    application = web.Application()
    replay.site.attach(application)
    runner = web.AppRunner(application, shutdown_timeout=1.0)
    try:
        address = await listen(runner, "127.0.0.1", 0)
        async with ClientSession(address) as client:
            for incident in replayed("cpu_cascade").incidents:
                async with client.get(f"/api/v1/incidents/{incident.id}") as answer:
                    assert (await answer.json())["incident"] == incident.model_dump(mode="json")
    finally:
        await runner.cleanup()
