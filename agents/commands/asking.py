"""A question to a running worker's page: any worker answers for all."""

import base64
from typing import TypeVar

import click
import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout
from pydantic import ValidationError

from agents.settings import Page, Settings
from pipeline.page.openapi import ROOT
from pipeline.render.clean import visible
from schemas.base import Noun
from schemas.page import Problem

N = TypeVar("N", bound=Noun)
TIMEOUT_SECONDS = 10.0

url_option = click.option("--url", metavar="URL", help="Any worker's page. [default: web.host and web.port]")
json_option = click.option(
    "--json", "as_text", is_flag=True, help="Print the API's answer (docs/openapi.json)."
)


def api_of(settings: Settings, url: str | None) -> str:
    """Where the API is."""
    return f"{(url or f'http://{settings.web.host}:{settings.web.port}').rstrip('/')}{ROOT}"


async def ask(address: str, page: Page, model: type[N]) -> N:
    """Ask the API.

    Raises:
        click.ClickException: nobody answers, or what answers is no page of ours, or it refuses.
    """
    try:
        timeout = ClientTimeout(total=TIMEOUT_SECONDS)
        async with (
            ClientSession(timeout=timeout) as session,
            session.get(address, headers=_login(page)) as answer,
        ):
            status, body = answer.status, await answer.read()
    except (ClientError, TimeoutError, ValueError) as error:
        raise click.ClickException(
            f"{visible(address)} does not answer ({type(error).__name__}): is a worker running there? (--url)"
        ) from error
    try:
        if status != 200:
            raise click.ClickException(visible(Problem.model_validate_json(body).error))
        return model.model_validate(orjson.loads(body))
    except (ValidationError, ValueError) as error:
        raise click.ClickException(
            f"{visible(address)} is no page of this version (status {status})"
        ) from error


def _login(page: Page) -> dict[str, str]:
    if page.auth == "none" or page.password is None:
        return {}
    secret = page.password.get_secret_value()
    if page.auth == "header":
        return {page.auth_header: secret}
    return {"Authorization": f"Basic {base64.b64encode(f'{page.username}:{secret}'.encode()).decode()}"}
