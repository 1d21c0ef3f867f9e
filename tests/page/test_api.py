"""The JSON API: what it answers is what its description says, and nothing in it acts."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import ClientSession
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from agents.page.site import Site
from pipeline.page.openapi import OPERATIONS, ROOT, document
from pipeline.page.safejson import inert
from tests.page.records import HOSTILE_CHANGE, MEAN, decision, incident_change, replayed
from tools import json_schemas

DOCUMENT = document()


def schema_of(operation: str, status: str) -> Draft202012Validator:
    """What the description says about an answer."""
    (path,) = [one.path for one in OPERATIONS if one.name == operation]
    answer = DOCUMENT["paths"][f"{ROOT}{path}"]["get"]["responses"][status]
    schema = answer["content"]["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]})


async def ask(client: ClientSession, path: str) -> tuple[int, Any, str]:
    async with client.get(f"{ROOT}{path}") as answer:
        text = await answer.text()
        return answer.status, json.loads(text), text


def strings(body: Any) -> Iterator[str]:
    """All text in an answer."""
    if isinstance(body, str):
        yield body
    elif isinstance(body, dict | list):
        for one in body.values() if isinstance(body, dict) else body:
            yield from strings(one)


def test_the_description_is_valid_and_in_the_docs() -> None:
    """docs/openapi.json is what the models say; `make schemas` writes it."""
    validate(DOCUMENT)
    assert json_schemas.OPENAPI.read_text(encoding="utf-8") == json_schemas.openapi()


async def test_the_description_is_served(client: ClientSession) -> None:
    """Whoever finds the API finds what it can do."""
    status, body, _ = await ask(client, "/openapi.json")
    assert (status, body) == (200, json.loads(json.dumps(DOCUMENT)))


@pytest.mark.parametrize(
    ("operation", "path"),
    [
        ("incidents", "/incidents?state=all"),
        ("incidents", "/incidents"),
        ("incidents", "/incidents?state=resolved&cause=cpu_saturation&domain=default&limit=1"),
        ("incident", "/incidents/{cascade}"),
        ("incident", f"/incidents/{HOSTILE_CHANGE.incident.id}"),
        ("decisions", "/decisions?limit=200"),
        ("decisions", "/decisions?incident={cascade}&outcome=suppressed&limit=3"),
        ("dead_letters", "/dead-letters"),
        ("sources", "/sources"),
        ("sources", "/sources?domain=shop&limit=1"),
    ],
)
async def test_every_answer_is_as_described(client: ClientSession, operation: str, path: str) -> None:
    """Each answer fits the schema, and the schema would notice a missing or a foreign key."""
    status, body, _ = await ask(client, path.format(cascade=replayed("cpu_cascade").incidents[0].id))
    schema = schema_of(operation, "200")
    assert status == 200
    schema.validate(body)
    for broken in ({**body, "colour": "blue"}, {key: body[key] for key in list(body)[1:]}):
        assert not schema.is_valid(broken)


@pytest.mark.parametrize(
    ("operation", "path", "status", "error"),
    [
        ("incidents", "/incidents?state=bad", 400, "state: expected one of active, open"),
        ("incidents", "/incidents?limit=0", 400, "limit: expected a whole number from 1 to 200"),
        ("decisions", "/decisions?limit=1e3", 400, "limit: expected a whole number"),
        ("decisions", "/decisions?outcome=x", 400, "outcome: expected one of suppressed"),
        ("decisions", "/decisions?before=x", 400, "before: expected a cursor"),
        ("dead_letters", "/dead-letters?before=~", 400, "before: expected a cursor"),
        ("sources", "/sources?before=shop", 400, "before: expected a cursor"),
        ("incident", "/incidents/nobody", 404, "there is no incident nobody"),
    ],
)
async def test_what_cannot_be_answered_is_told_why(
    client: ClientSession, operation: str, path: str, status: int, error: str
) -> None:
    """An error is JSON like everything else, and says what was expected."""
    found, body, _ = await ask(client, path)
    assert found == status
    schema_of(operation, str(status)).validate(body)
    assert body["error"].startswith(error)


async def test_pages_are_turned_by_their_cursor(client: ClientSession) -> None:
    """`next` given back as `before` leads on."""
    _, first, _ = await ask(client, "/decisions?limit=9")
    _, second, _ = await ask(client, f"/decisions?limit=9&before={first['next']}")
    ids = [one["id"] for one in (*first["decisions"], *second["decisions"])]
    assert len(set(ids)) == min(18, first["total"])


@pytest.mark.parametrize(
    "path",
    [
        f"/incidents/{HOSTILE_CHANGE.incident.id}",
        "/incidents?state=all",
        "/decisions",
        "/dead-letters",
        "/sources",
    ],
)
async def test_hostile_text_is_exact_and_inert(client: ClientSession, path: str) -> None:
    """The value is what the log said; on the wire nothing of it can colour a terminal or open a tag."""
    _, body, text = await ask(client, path)
    assert any(MEAN in one for one in strings(body))
    assert text.isprintable()
    assert not set("<>&") & set(text)


def test_inert_json_reads_back_as_it_was() -> None:
    """Only the spelling changes, also beyond the basic plane and for languages of people."""
    for value in (MEAN, "中文 ok", "\U000e0001 tag", "\u2028", "é"):
        text = inert(json.dumps(value, ensure_ascii=False))
        assert json.loads(text) == value
        assert text.isprintable()
    assert "中文" in inert(json.dumps("中文", ensure_ascii=False))


async def test_only_reading_is_possible(client: ClientSession) -> None:
    """There is nothing to write to."""
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        async with client.request(method, f"{ROOT}/incidents") as answer:
            assert answer.status == 405


async def test_every_answer_forbids_what_is_foreign(client: ClientSession) -> None:
    """The policy that a browser enforces is there, on errors too."""
    for path in (f"{ROOT}/incidents", f"{ROOT}/incidents/nobody", "/nowhere"):
        async with client.get(path) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cache-Control"] == "no-store"


async def test_news_reach_an_open_page(client: ClientSession, site: Site) -> None:
    """What comes in together is told together; what is known already is not told."""
    async with client.get(f"{ROOT}/events") as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        await asyncio.wait_for(stream.content.readuntil(b": hello\n\n"), 10)
        site.receive(HOSTILE_CHANGE)
        for number in range(50):
            site.receive(incident_change(number))
        site.receive(decision(4, "i7"))
        event = await asyncio.wait_for(stream.content.readuntil(b"\n\n"), 10)
    name, data = event.decode().strip().split("\n")
    assert name == "event: news"
    told = json.loads(data.removeprefix("data: "))
    assert told["lists"] == ["decisions", "incidents"]
    assert told["incidents"] == sorted([*(incident_change(n).incident.id for n in range(50)), "i7"])
