"""The JSON API as an OpenAPI 3.1 description, from the models of its answers (docs/openapi.json)."""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from pipeline.page.answers import PAGE_LENGTH, PAGE_LENGTH_MAX, STATES
from schemas import Outcome
from schemas.base import Noun
from schemas.page import (
    DeadLetterList,
    DecisionList,
    IncidentList,
    IncidentView,
    Problem,
    SourceList,
)

ROOT = "/api/v1"
VERSION = "1.0.0"

Parameter = dict[str, Any]


def _query(name: str, description: str, **schema: Any) -> Parameter:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


_PAGE = (
    _query("before", "Cursor: `next` of the page before", type="string"),
    _query(
        "limit",
        "Length of the page",
        type="integer",
        minimum=1,
        maximum=PAGE_LENGTH_MAX,
        default=PAGE_LENGTH,
    ),
)
_ID: Parameter = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The incident's id",
    "schema": {"type": "string"},
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One question: its path below the root, what it answers with, and what it can be asked.

    `model` None: a stream of events.
    """

    name: str
    path: str
    summary: str
    model: type[Noun] | None
    parameters: tuple[Parameter, ...] = ()


OPERATIONS = (
    Operation(
        "incidents",
        "/incidents",
        "Incidents, open ones first",
        IncidentList,
        (
            _query("state", "Only these", type="string", enum=[str(one) for one in STATES], default="active"),
            _query("cause", "Only of this cause", type="string"),
            _query("domain", "Only of this domain", type="string"),
            *_PAGE,
        ),
    ),
    Operation("incident", "/incidents/{id}", "One incident in full", IncidentView, (_ID,)),
    Operation(
        "decisions",
        "/decisions",
        "What became of held symptoms, newest first",
        DecisionList,
        (
            _query("incident", "Only those that have to do with this incident", type="string"),
            _query("outcome", "Only these", type="string", enum=[one.value for one in Outcome]),
            *_PAGE,
        ),
    ),
    Operation(
        "dead_letters", "/dead-letters", "Records nobody could read, newest first", DeadLetterList, _PAGE
    ),
    Operation(
        "sources",
        "/sources",
        "What was heard last when, by domain, those where something fell silent first",
        SourceList,
        (_query("domain", "Only of this domain", type="string"), *_PAGE),
    ),
    Operation("events", "/events", "Says when there is something new", None),
)


def document() -> dict[str, Any]:
    """The whole description as a JSON object."""
    models: list[type[BaseModel]] = [Problem, *(one.model for one in OPERATIONS if one.model is not None)]
    mode: Literal["serialization"] = "serialization"
    _, defined = models_json_schema(
        [(model, mode) for model in models],
        ref_template="#/components/schemas/{model}",
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Undercurrent",
            "version": VERSION,
            "description": "Incidents, their causes, what was set aside as noise, and how sources are. "
            "Read only. Times are unix seconds of event time.",
        },
        "paths": {f"{ROOT}{one.path}": {"get": _operation(one)} for one in OPERATIONS},
        "components": {"schemas": defined["$defs"]},
    }


def _operation(one: Operation) -> dict[str, Any]:
    failures = {"401": "Not logged in, where a password is set"}
    if one.parameters:
        failures["400"] = "A parameter cannot be used"
    if one.model is None:
        failures["503"] = "Too many listeners"
    if _ID in one.parameters:
        failures["404"] = "There is no such incident"
    return {
        "operationId": one.name,
        "summary": one.summary,
        "parameters": list(one.parameters),
        "responses": {
            "200": {"description": one.summary, "content": _content(one)},
            **{
                code: {"description": text, "content": {"application/json": {"schema": _ref(Problem)}}}
                for code, text in sorted(failures.items())
            },
        },
    }


def _content(one: Operation) -> dict[str, Any]:
    if one.model is None:
        schema = {
            "type": "string",
            "description": "Server-sent events. `news`: a JSON object with `incidents` (ids that changed) "
            "and `lists` (`incidents`, `decisions`, `dead_letters`, `sources`); at most one a second.",
        }
        return {"text/event-stream": {"schema": schema}}
    return {"application/json": {"schema": _ref(one.model)}}


def _ref(model: type[Noun]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}
