"""Settings: one optional YAML file, then the environment, which wins. Secrets from the environment only.

Every setting is a field of a model below; its YAML key is the path of the field (`web.port`) and its
variable the same path in capitals (`UNDERCURRENT_WEB_PORT`). A secret also has a `_FILE` variable
that names a file holding it. All problems are collected and reported at once.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    Strict,
    StringConstraints,
    ValidationError,
)
from pydantic import model_validator as validates_model

from agents import yamlmarks
from agents.settingsdoc import is_text, leaves, suggestion
from pipeline.intake import DomainRule, IntakeConfig
from pipeline.render.words import catalogue
from schemas import Rules

PREFIX = "UNDERCURRENT_"
SLACK_TOKEN = "SLACK_BOT_TOKEN"  # noqa: S105  the name of a variable, not a token
"""Slack's own name for its token; stands for UNDERCURRENT_SLACK_TOKEN."""

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
TopicName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,200}$")]
Whole = Annotated[int, Strict()]
"""Strict, because YAML reads `no` as a truth value, and Python that as zero."""
Number = Annotated[float, Strict()]
Port = Annotated[Whole, Field(ge=0, le=65535)]


def _known_language(language: str) -> str:
    catalogue(language)  # raises ValueError, naming the languages there are
    return language


Language = Annotated[str, AfterValidator(_known_language)]


class Section(BaseModel):
    """A group of settings. Unknown keys are errors: a typo must not silently mean the default."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Kafka(Section):
    """How to reach Kafka, beyond its address."""

    declare_topics: bool = Field(True, description="Create missing topics when the worker starts")
    replication_factor: Whole = Field(1, ge=1, description="Replicas of the topics that are created")
    session_timeout_seconds: Number = Field(
        10.0, ge=6, le=300, description="A worker unheard of for so long loses its partitions"
    )
    request_timeout_seconds: Number = Field(
        40.0, ge=1, description="How long one request to a broker may take"
    )


class Topics(Section):
    """Names and partition counts of the topics."""

    logs: TopicName = Field("registry.logs", description="Raw topic: log lines of the services")
    metrics: TopicName = Field("registry.metrics", description="Raw topic: metrics")
    dns: TopicName = Field("dns.logs", description="Raw topic: log lines of resolvers")
    signals: TopicName = Field("undercurrent.signals", description="What intake says to correlate")
    changes: TopicName = Field("undercurrent.changes", description="Changes of incidents")
    decisions: TopicName = Field("undercurrent.decisions", description="What became of held symptoms")
    dead_letters: TopicName = Field("undercurrent.dead-letters", description="Records nobody could read")
    partitions: Whole = Field(
        4,
        ge=1,
        le=1024,
        description="Partitions of signals, changes and decisions: the most workers that share",
    )
    raw_partitions: Whole = Field(4, ge=1, le=1024, description="Partitions of raw topics that are created")

    @property
    def raw(self) -> tuple[str, str, str]:
        """The topics shippers write to."""
        return self.logs, self.metrics, self.dns

    @validates_model(mode="after")
    def _names_differ(self) -> Self:
        names = [*self.raw, self.signals, self.changes, self.decisions, self.dead_letters]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"each topic needs a name of its own, {', '.join(twice)} is used twice")
        return self


class Domain(Section):
    """One registry deployment: records whose labels match everything in `match` belong to it."""

    domain: Name = Field(description="Its name: the partition key, and the name in messages")
    match: dict[Name, str] = Field(min_length=1, description="Label to value, `*` stands for any text")


class Intake(Section):
    """How raw records are read."""

    flush_seconds: Number = Field(0.5, gt=0, le=10, description="How often what was read goes to correlate")
    flush_records: Whole = Field(
        20_000, ge=1, description="… or after so many records, whichever comes first"
    )
    idle_seconds: Number = Field(
        3.0, gt=0, description="Silence after which event time moves on with the clock"
    )
    alignment_seconds: Number = Field(
        60.0, ge=1, description="Event time by which one partition may be read ahead of another with lag"
    )
    declared_seconds: Number = Field(
        30.0, ge=1, description="A shipper's progress markers hold event time for so long after the last one"
    )
    observations_per_rollup: Whole = Field(256, ge=1, description="Observations kept of one roll-up")
    record_bytes_max: Whole = Field(1_048_576, ge=1024, description="Larger raw records are dead letters")
    dead_letter_bytes_max: Whole = Field(65_536, ge=0, description="Bytes of a dead letter that are kept")
    future_seconds_max: Number = Field(
        86_400.0, gt=0, description="Event time may be so far ahead of Kafka's"
    )


class Correlate(Section):
    """How signals are correlated, beyond the rules."""

    checkpoint_seconds: Number = Field(
        5.0, ge=0, le=60, description="How often state is stored; so much is worked off again after a crash"
    )


class Slack(Section):
    """Where incidents are told. Without a token or a channel: on the console."""

    token: SecretStr | None = Field(None, description="Bot token, `xoxb-…`; secret")
    channel: Name | None = Field(None, description="Channel id or name")
    base_url: Name = Field("https://slack.com/api/", description="Slack's API; GovSlack has another")


class Web(Section):
    """The page for /metrics, /healthz and /readyz."""

    host: Name = Field("127.0.0.1", description="Address to listen on")
    port: Port = Field(6067, description="Port to listen on, 0 for any free one")
    stall_seconds: Number = Field(
        60.0, gt=0, description="With lag left and no position moving for so long, the worker is not alive"
    )


class Log(Section):
    """The worker's own log, on stderr."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level written")
    format: Literal["auto", "json", "text"] = Field(
        "auto", description="`auto`: text on a terminal, else JSON"
    )


class Settings(Section):
    """All settings."""

    brokers: Name = Field("127.0.0.1:9092", description="Kafka's bootstrap servers, with commas between")
    app_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,100}$")] = Field(
        "undercurrent",
        description="Names the consumer groups and state topics; workers that share it share work",
    )
    default_domain: Name = Field("default", description="Domain of records no rule matches")
    language: Language = Field("en", description="Language of what is told")
    domains: tuple[Domain, ...] = Field((), description="Rules that map records to domains, first match wins")
    kafka: Kafka = Kafka()
    topics: Topics = Topics()
    intake: Intake = Intake()
    correlate: Correlate = Correlate()
    rules: Rules = Rules()
    slack: Slack = Slack()
    web: Web = Web()
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
        )


SECRETS = {("slack", "token")}
"""Paths that may only come from the environment."""


class SettingsError(ValueError):
    """The settings cannot be used. `problems`: one line each, `place: key: message`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def variables() -> dict[str, tuple[str, ...]]:
    """Every variable of the environment that is a setting, and the path of its field."""
    named = {PREFIX + "_".join(path).upper(): path for path, _ in leaves(Settings)}
    return {**named, SLACK_TOKEN: ("slack", "token")}


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
