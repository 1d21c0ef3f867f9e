"""Settings: one optional YAML file, then the environment, which wins. Secrets from the environment only.

Every setting is a field of a model below; its YAML key is the path of the field (`web.port`) and its
variable the same path in capitals (`UNDERCURRENT_WEB_PORT`). A secret also has a `_FILE` variable
that names a file holding it. All problems are collected and reported at once.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import Field, ValidationError

from agents import yamlmarks
from agents.sections import (
    AppId,
    Correlate,
    Domain,
    Intake,
    Kafka,
    Language,
    Links,
    Log,
    Name,
    Number,
    Outputs,
    Page,
    Section,
    Slack,
    Topics,
    Web,
)
from agents.settingsdoc import is_text, leaves, suggestion
from pipeline.intake import DomainRule, IntakeConfig
from schemas import Rules

__all__ = [
    "PREFIX",
    "SECRETS",
    "Correlate",
    "Domain",
    "Intake",
    "Kafka",
    "Links",
    "Log",
    "Outputs",
    "Page",
    "Settings",
    "SettingsError",
    "Slack",
    "Topics",
    "Web",
    "load_settings",
    "variables",
    "warnings",
]

PREFIX = "UNDERCURRENT_"
SLACK_TOKEN = "SLACK_BOT_TOKEN"  # noqa: S105  the name of a variable, not a token
"""Slack's own name for its token; stands for UNDERCURRENT_SLACK_TOKEN."""
SLACK_APP_TOKEN = "SLACK_APP_TOKEN"  # noqa: S105  the same, of the app-level token


class Settings(Section):
    """All settings."""

    brokers: Name = Field("127.0.0.1:9092", description="Kafka's bootstrap servers, with commas between")
    app_id: AppId = Field(
        "undercurrent",
        description="Names the consumer groups and state topics; workers that share it share work",
    )
    default_domain: Name = Field("default", description="Domain of records no rule matches")
    language: Language = Field("en", description="Language of what is told")
    behind_seconds: Number = Field(
        120.0, ge=0, description="Messages say how old their evidence is from this age on; 0: never"
    )
    domains: tuple[Domain, ...] = Field((), description="Rules that map records to domains, first match wins")
    kafka: Kafka = Kafka()
    topics: Topics = Topics()
    intake: Intake = Intake()
    correlate: Correlate = Correlate()
    rules: Rules = Rules()
    slack: Slack = Slack()
    links: Links = Links()
    outputs: Outputs = Outputs()
    web: Web = Web()
    page: Page = Page()
    log: Log = Log()

    def intake_config(self) -> IntakeConfig:
        """What pipeline/intake needs to know."""
        return IntakeConfig(
            domains=tuple(DomainRule(rule.domain, dict(rule.match)) for rule in self.domains),
            default_domain=self.default_domain,
            observations_per_rollup=self.intake.observations_per_rollup,
            record_bytes_max=self.intake.record_bytes_max,
            dead_letter_bytes_max=self.intake.dead_letter_bytes_max,
            future_seconds_max=self.intake.future_seconds_max,
            slow_request_seconds=self.rules.slow_request_seconds,
            signatures=self.rules.signatures,
            redact_emails=self.intake.redact_emails,
        )


SECRETS = {
    ("slack", "token"),
    ("slack", "app_token"),
    ("slack", "webhook_url"),
    ("outputs", "webhook_url"),
    ("kafka", "password"),
    ("page", "password"),
}
"""Paths that may only come from the environment."""


LOOPBACK = ("127.0.0.1", "::1", "localhost")


class SettingsError(ValueError):
    """The settings cannot be used. `problems`: one line each, `place: key: message`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def variables() -> dict[str, tuple[str, ...]]:
    """Every variable of the environment that is a setting, and the path of its field."""
    named = {PREFIX + "_".join(path).upper(): path for path, _ in leaves(Settings)}
    return {**named, SLACK_TOKEN: ("slack", "token"), SLACK_APP_TOKEN: ("slack", "app_token")}


def load_settings(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read the YAML file at `path`, if any, and the environment.

    Raises:
        SettingsError: with every problem found, in file and environment.
    """
    document = yamlmarks.read(path) if path is not None else yamlmarks.EMPTY
    problems = list(document.problems)
    for secret in sorted(SECRETS & document.lines.keys()):
        names = " or ".join(name for name, place in variables().items() if place == secret)
        problems.append(
            f"{document.place(secret)}: {_key(secret)}: secrets are not read from files: set {names}"
        )
    values = _without(document.values, SECRETS)
    places = {}
    for name, place in variables().items():
        text, complaint = _variable(name, place, environ)
        problems += complaint
        if text is not None:
            places[place] = name
            _put(values, place, yamlmarks.scalar(text) if place not in _TEXTS else text)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems += [_problem(one, document, places) for one in error.errors()]
    if problems:
        raise SettingsError(problems)
    return settings


def warnings(settings: Settings, environ: Mapping[str, str]) -> list[str]:
    """What is allowed and yet probably not meant, one sentence each."""
    known = variables().keys()
    found = []
    for name in sorted(environ):
        if name.startswith(PREFIX) and name.removesuffix("_FILE") not in known:
            bare = name.removeprefix(PREFIX)
            hint = suggestion(bare, [one.removeprefix(PREFIX) for one in known], cutoff=0.8, prefix=PREFIX)
            if hint:
                found.append(f"environment: {name} is no setting{hint}")
    if settings.slack.token is not None and settings.slack.channel is None:
        found.append("slack.channel is not set: incidents are told on the console although there is a token")
    if settings.page.enabled and settings.page.auth == "none" and settings.web.host not in LOOPBACK:
        found.append(
            f"page.auth is none and web.host is {settings.web.host}: whoever reaches the port reads "
            "incidents and log lines (docs/page.md)"
        )
    return found


_TEXTS = {path for path, info in leaves(Settings) if is_text(info.annotation)}


def _variable(name: str, place: tuple[str, ...], environ: Mapping[str, str]) -> tuple[str | None, list[str]]:
    """The value of one setting in the environment, and what is wrong with it."""
    if name in environ:
        return environ[name], []
    file = environ.get(f"{name}_FILE") if place in SECRETS else None
    if file is None:
        return None, []
    try:
        return Path(file).read_text(encoding="utf-8").strip(), []
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        return None, [f"environment: {name}_FILE: cannot read {file}: {reason}"]


def _problem(error: Any, document: yamlmarks.Document, places: Mapping[tuple[str, ...], str]) -> str:
    """One of pydantic's errors as `place: key: message`."""
    path = tuple(part for part in error["loc"] if part != "[key]")
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = f"unknown setting{suggestion(str(path[-1]), _siblings(path))}"
    variable = next((name for place, name in places.items() if path[: len(place)] == place), None)
    if variable is not None:
        return f"environment: {variable}: {message}"
    return f"{document.place(path)}: {_key(path) or 'settings'}: {message}"


def _siblings(path: tuple[str | int, ...]) -> list[str]:
    """Names of the fields where `path` ends in an unknown one."""
    kind: Any = Settings
    for part in path[:-1]:
        if isinstance(part, int):
            kind = next(iter(get_args(kind)), None)
        else:
            kind = kind.model_fields[part].annotation if part in getattr(kind, "model_fields", ()) else None
    return list(getattr(kind, "model_fields", ()))


def _key(path: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in path)


def _put(values: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for part in path[:-1]:
        inner = values.get(part)
        values[part] = dict(inner) if isinstance(inner, dict) else {}
        values = values[part]
    values[path[-1]] = value


def _without(values: dict[str, Any], paths: set[tuple[str, str]]) -> dict[str, Any]:
    kept = dict(values)
    for section, key in paths:
        if isinstance(kept.get(section), dict):
            kept[section] = {name: value for name, value in kept[section].items() if name != key}
    return kept
