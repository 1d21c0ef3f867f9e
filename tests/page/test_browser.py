"""The page in real Chromium: readable, quiet, usable with keyboard and screen reader, and never fooled."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright, expect

from agents.page.site import Site
from tests.page.records import HOSTILE_CHANGE, SCRIPT, incident_change, replayed

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.needs("chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDTHS = {"desktop": (1180, 900), "phone": (390, 844)}
PICTURES = os.environ.get("UNDERCURRENT_PICTURES")
"""A folder: pictures of the page are written there (docs/page.md)."""

CASCADE = "/incidents/{cascade}"
PAGES = {
    "incidents": "/?state=all",
    "incident": CASCADE,
    "noise": "/noise?outcome=suppressed",
    "dead-letters": "/dead-letters",
    "sources": "/sources?domain=shop",
    "hostile": f"/incidents/{HOSTILE_CHANGE.incident.id}",
}


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            yield started
        finally:
            await started.close()


async def opened(browser: Browser, url: str, complaints: list[str], **options: object) -> Page:
    """A page of its own context, whose errors, dialogs and foreign requests are complaints."""
    context = await browser.new_context(**options)  # type: ignore[arg-type]
    page = await context.new_page()
    page.on("console", lambda one: complaints.append(one.text) if one.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda one: complaints.append(f"dialog: {one.message}"))
    here = url.split("/", 3)[2]
    page.on("request", lambda one: None if f"//{here}/" in one.url else complaints.append(one.url))
    await page.goto(url)
    return page


def path_of(name: str) -> str:
    return PAGES[name].format(cascade=replayed("cpu_cascade").incidents[0].id)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
async def test_every_page_is_clean_at_every_width(
    browser: Browser, address: str, width: str, scheme: str
) -> None:
    """axe finds nothing serious, the console is silent, nothing is wider than the screen."""
    size = {"width": WIDTHS[width][0], "height": WIDTHS[width][1]}
    for name in PAGES:
        complaints: list[str] = []
        page = await opened(browser, address + path_of(name), complaints, viewport=size, color_scheme=scheme)
        await expect(page.locator("#live")).to_have_text("Live")
        found = await Axe().run(page)
        grave = [one for one in found.response["violations"] if one["impact"] in ("serious", "critical")]
        assert not grave, f"{name}: {found.generate_report()}"
        assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), name
        assert complaints == [], name
        if PICTURES:
            await page.screenshot(path=Path(PICTURES) / f"page-{name}-{width}-{scheme}.png")
        await page.context.close()


@pytest.mark.parametrize("script", [True, False])
@pytest.mark.parametrize("name", ["hostile", "incidents", "noise", "dead-letters", "sources"])
async def test_hostile_text_is_text(browser: Browser, address: str, name: str, script: bool) -> None:
    """HTML is shown as it was logged, escapes are spelled out, and nothing runs, loads or pops up."""
    complaints: list[str] = []
    path = f"/{name}" if name in ("noise", "sources") else path_of(name)
    page = await opened(browser, address + path, complaints, java_script_enabled=script)
    text = await page.locator("main").text_content() or ""
    if name != "incidents":
        assert SCRIPT in text
        assert "\\x1b[31mred\\x1b[0m \\u202egnp.exe\\n" in text
        assert "<!channel> *bold* _it_ `x`" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert await page.locator("main script, main img").count() == 0
    assert complaints == []


async def test_news_come_without_a_reload(browser: Browser, address: str, site: Site) -> None:
    """A new incident appears in the list, and an open one changes, while the page stays what it is."""
    complaints: list[str] = []
    page = await opened(browser, f"{address}/", complaints)
    await expect(page.locator("#live")).to_have_text("Live")
    await page.evaluate("window.stays = true")
    first = page.locator(".row.incident h2 a").first
    await first.focus()
    focused = await first.get_attribute("href")
    site.receive(incident_change(5))
    await page.locator(f"#i-{5:016x}").wait_for()
    assert await page.evaluate("window.stays")
    assert await page.evaluate("document.activeElement.getAttribute('href')") == focused
    assert complaints == []


async def test_without_javascript_everything_is_there(browser: Browser, address: str) -> None:
    """Lists, pages, filters and the incident itself are plain HTML."""
    page = await opened(browser, f"{address}/?state=resolved", [], java_script_enabled=False)
    await page.locator(".row.incident h2 a").first.click()
    assert "CPU saturation" in (await page.locator("h1").text_content() or "")
    assert await page.locator(".lane a").count() > 5
    assert await page.locator(".graph path").count() > 10
    assert "up to 151 %" in (await page.locator(".legend").first.text_content() or "")
    await page.get_by_text("The curves as a table").click()
    assert await page.locator(".numbers tbody tr").count() > 30
    await page.get_by_role("link", name="suppressed").first.click()
    assert await page.locator(".row.decision").count() > 5
    assert not await page.locator("#live").is_visible()


async def test_the_curves_are_read_with_a_slider(browser: Browser, address: str) -> None:
    """Each step of it says what every curve shows then, also to a screen reader; zooming goes along."""
    page = await opened(browser, address + path_of("incident"), [])
    slider = page.get_by_label("Read the curves at")
    await slider.focus()
    for _ in range(20):
        await page.keyboard.press("ArrowRight")
    told = await slider.get_attribute("aria-valuetext") or ""
    assert await page.locator("#reading").text_content() == told
    assert "use, of its limit " in told
    row = page.locator(".numbers tbody tr", has_text=told[:8])
    assert (await row.locator("td").nth(1).text_content() or "?") in told
    whole = await page.locator(".graph").first.get_attribute("viewBox")
    await page.get_by_role("button", name="Zoom in").click()
    zoomed = (await page.locator(".graph").first.get_attribute("viewBox") or "").split()
    assert whole == "0 0 1000 100"
    assert float(zoomed[0]) > 0
    assert float(zoomed[2]) == pytest.approx(500, abs=1)


async def test_the_timeline_is_walked_with_the_keyboard(browser: Browser, address: str) -> None:
    """Arrows go from mark to mark and say what each is, plus and zero zoom, and Enter leads to its text."""
    page = await opened(browser, address + path_of("incident"), [])
    await page.locator(".tools").wait_for()
    marks = page.locator(".lane.step a")
    await marks.first.focus()
    await page.keyboard.press("ArrowRight")
    second = await marks.nth(1).get_attribute("aria-label")
    assert await page.locator("#told").text_content() == second
    place = "document.querySelectorAll('.lane.step circle')[1].getAttribute('cx')"
    before = await page.evaluate(place)
    await page.keyboard.press("+")
    assert await page.evaluate(place) != before
    await page.keyboard.press("0")
    await asyncio.sleep(0)
    assert round(float((await page.evaluate(place)).rstrip("%")), 1) == round(float(before.rstrip("%")), 1)
    await page.keyboard.press("Enter")
    assert page.url.endswith("#step-1")
    await page.keyboard.press("Tab")
    await page.goto(f"{address}/")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.className") == "skip"
