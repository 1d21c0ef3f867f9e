"""By which names the page may be called, in which language it speaks, and what it counts."""

import random
import re

import pytest

from agents.page.hosts import names_of, without_port
from agents.page.site import Site
from agents.settings import Page
from agents.telemetry import PREFIX, Telemetry
from pipeline.page import Answers, Book, Limits
from pipeline.page.answers import Slice, Wanted
from pipeline.render.pagewords import ENGLISH_PAGE
from pipeline.render.words import catalogue
from schemas import IncidentState
from tests.page.conftest import served
from tests.page.records import NODE_7, dead_letter, decision, incident_change, replayed

NOW = 2_000_000_000.0


def site(language: str = "en", telemetry: Telemetry | None = None, **settings: object) -> Site:
    """The cascade, with some of everything."""
    made = Site(
        Book(Limits()),
        catalogue(language),
        lambda: NOW,
        Page.model_validate(settings),
        telemetry=telemetry,
    )
    outcome = replayed("cpu_cascade")
    for record in (*outcome.changes, *outcome.decisions, decision(1), dead_letter(1), *NODE_7):
        made.receive(record)
    return made


# --- names ---


@pytest.mark.parametrize("host", ["localhost:6067", "127.0.0.1", "[::1]:80", "LOCALHOST", "a.example.org"])
async def test_a_page_answers_to_its_names(host: str) -> None:
    """Loopback's own, and those that the settings name."""
    asked = {"headers": {"Host": host}}
    async with served(site(allowed_hosts=("A.example.org",))) as client, client.get("/", **asked) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("path", ["/", "/api/v1/incidents", "/static/page.js", "/nowhere", "/api/v1/events"])
async def test_a_foreign_name_leads_nowhere(path: str) -> None:
    """A site whose name was made to mean this machine reads nothing, and a person learns what to set."""
    for host in ("evil.example:6067", "127.0.0.1.evil.example", "localhost.evil.example", ""):
        async with served(site()) as client, client.get(path, headers={"Host": host}) as answer:
            assert answer.status == 403
            text = await answer.text()
            assert "page.allowed_hosts lists its names" in text
            assert "registry" not in text


def test_a_page_bound_to_others_answers_to_any_name_until_some_are_said() -> None:
    """Then whoever reaches the port sees it anyway."""
    assert names_of("0.0.0.0", ()) is None
    assert names_of("10.0.0.7", ("a.example",)) == {"a.example", "10.0.0.7", "127.0.0.1", "::1", "localhost"}
    assert names_of("127.0.0.2", ()) == {"127.0.0.2", "127.0.0.1", "::1", "localhost"}


@pytest.mark.parametrize(
    ("host", "name"),
    [("[::1]:6067", "::1"), ("A.b:1", "a.b"), ("a.b.", "a.b"), ("", ""), ("[", ""), ("a:b:c", "a")],
)
def test_the_port_is_no_part_of_a_name(host: str, name: str) -> None:
    """However it is written."""
    assert without_port(host) == name


# --- language ---


async def test_a_chinese_page_has_no_english_heading() -> None:
    """Each text of the page itself is in the language of the settings, and the page says which it is."""
    identity = replayed("cpu_cascade").incidents[0].id
    texts = [re.sub(r"\{.*?\}", "", text).strip() for text in ENGLISH_PAGE.values()]
    english = {text for text in texts if len(text) > 5 and not text.islower()}
    assert {"Dead letters", "What was said, and when", "The curves as a table"} <= english
    async with served(site("zh")) as client:
        for path in (
            "/?state=all",
            f"/incidents/{identity}",
            "/noise",
            "/dead-letters",
            "/sources",
            "/incidents/x",
        ):
            async with client.get(path) as answer:
                html = await answer.text()
            assert '<html lang="zh-Hans">' in html
            shown = re.sub(r"<pre.*?</pre>|<code>.*?</code>", "", html, flags=re.S)
            assert sorted(text for text in english if text in shown) == [], path
    async with served(site("en")) as client, client.get("/") as answer:
        assert '<html lang="en">' in await answer.text()


# --- metrics ---


async def test_what_is_asked_is_counted_by_route_and_status() -> None:
    """Routes are patterns: no id, and nothing that a stranger makes up, becomes a label."""
    telemetry = Telemetry()
    async with served(site(telemetry=telemetry)) as client:
        identity = replayed("cpu_cascade").incidents[0].id
        paths = (
            f"/incidents/{identity}",
            "/incidents/x",
            "/incidents/y",
            "/a",
            "/b",
        )
        for path in (*paths, "/noise?outcome=x"):
            async with client.get(path):
                pass
        async with client.get("/api/v1/events") as stream:
            await stream.content.readuntil(b": hello\n\n")
            assert value(telemetry, "page_listeners") == 1
    counted = {
        (found.labels["route"], found.labels["status"]): found.value
        for metric in telemetry.registry.collect()
        for found in metric.samples
        if found.name == f"{PREFIX}page_requests_total"
    }
    assert counted == {
        ("/incidents/{id}", "200"): 1,
        ("/incidents/{id}", "404"): 2,
        ("(none)", "404"): 2,
        ("/noise", "400"): 1,
        ("/api/v1/events", "200"): 1,
    }
    assert value(telemetry, "page_answer_seconds_count", route="/incidents/{id}") == 3
    assert value(telemetry, "page_answer_seconds_count", route="/api/v1/events") is None
    assert value(telemetry, "page_listeners") == 0


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    """One value as Prometheus would read it."""
    return telemetry.registry.get_sample_value(PREFIX + name, labels)


# --- what is received ---


@pytest.mark.parametrize("seed", range(3))
async def test_a_list_shows_what_the_book_holds_in_whatever_order_it_came(seed: int) -> None:
    """Lines that were made as changes came are those that would be made of the book."""
    changes = [incident_change(n, state, seq) for n in range(9) for seq, state in enumerate(IncidentState, 1)]
    random.Random(seed).shuffle(changes)
    book = Book(Limits())
    made = Site(book, catalogue("en"), lambda: NOW)
    for one in changes:
        made.receive(one)
    async with served(made) as client, client.get("/api/v1/incidents?state=all") as answer:
        shown = await answer.json()
    afresh = Answers(book, catalogue("en")).incidents(Wanted("all"), Slice(), NOW)
    assert shown == afresh.model_dump(mode="json")
    assert {one["state"] for one in shown["incidents"]} == {"resolved"}
