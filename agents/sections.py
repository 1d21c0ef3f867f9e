"""The groups of settings, one model each; docs/settings.md lists every field."""

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FilePath,
    SecretStr,
    Strict,
    StringConstraints,
)
from pydantic import model_validator as validates_model

from agents.tell.hours import checked_hours, checked_zone
from pipeline.render.links import checked
from pipeline.render.words import catalogue

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
AppId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,100}$")]
TopicName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,200}$")]
TokenUrl = Annotated[
    str, StringConstraints(pattern=r"^(https://|http://(localhost|127\.0\.0\.1|\[::1\])[:/])\S+$")
]
"""A secret goes there: encrypted, or not out of the machine."""
Whole = Annotated[int, Strict()]
"""Strict, because YAML reads `no` as a truth value, and Python that as zero."""
Number = Annotated[float, Strict()]
Port = Annotated[Whole, Field(ge=0, le=65535)]


def _known_language(language: str) -> str:
    catalogue(language)  # raises ValueError, naming the languages there are
    return language


def _address(url: str) -> str:
    if not url.startswith(("http://", "https://")) or " " in url or len(url) < 10:
        raise ValueError("an address begins with http:// or https://")
    return url


def _secret_address(url: SecretStr) -> SecretStr:
    _address(url.get_secret_value())
    return url


Address = Annotated[str, AfterValidator(_address)]
SecretAddress = Annotated[SecretStr, AfterValidator(_secret_address)]
LinkTemplate = Annotated[str, AfterValidator(checked)]
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
    group_instance_id: AppId | None = Field(
        None,
        description="Name that this worker keeps over a restart and no other has: its partitions wait "
        "for it, for `session_timeout_seconds`",
    )
    request_timeout_seconds: Number = Field(
        40.0, ge=1, description="How long one request to a broker may take"
    )
    security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = Field(
        "plaintext", description="Encryption (`ssl`) and log-in (`sasl`) of the connection"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = Field(
        "PLAIN", description="How to log in, with `sasl_…`"
    )
    username: Name | None = Field(None, description="User, with `sasl_…`; the client id with a `token_url`")
    password: SecretStr | None = Field(
        None, description="Password, with `sasl_…`; the client's secret with a `token_url`; secret"
    )
    token_file: FilePath | None = Field(
        None,
        description="With OAUTHBEARER: a token that something else keeps fresh, read for each connection",
    )
    token_url: TokenUrl | None = Field(
        None, description="With OAUTHBEARER: where a token is to be had for `username` and `password`"
    )
    token_scope: Name | None = Field(None, description="Scope to ask for at `token_url`")
    ca_file: FilePath | None = Field(None, description="Certificates to trust, PEM; none: the system's")
    cert_file: FilePath | None = Field(None, description="Certificate of this client, PEM")
    key_file: FilePath | None = Field(None, description="Key of that certificate, PEM, not encrypted")

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS is spoken."""
        return self.security in ("ssl", "sasl_ssl")

    @property
    def logs_in(self) -> bool:
        """Whether a user logs in."""
        return self.security.startswith("sasl_")

    @property
    def bears_token(self) -> bool:
        """Whether the user logs in with a token."""
        return self.logs_in and self.sasl_mechanism == "OAUTHBEARER"

    @validates_model(mode="after")
    def _is_complete(self) -> Self:
        if self.bears_token and (self.token_file is None) == (self.token_url is None):
            raise ValueError("OAUTHBEARER needs either kafka.token_file or kafka.token_url")
        has_pair = self.username is not None and self.password is not None
        if self.logs_in and not has_pair and not (self.bears_token and self.token_file):
            raise ValueError(
                f"security {self.security} needs kafka.username and UNDERCURRENT_KAFKA_PASSWORD (or …_FILE)"
            )
        if not self.bears_token and (self.token_file or self.token_url):
            raise ValueError("a token is used with sasl_mechanism OAUTHBEARER only")
        if not self.is_encrypted and (self.ca_file or self.cert_file or self.key_file):
            raise ValueError(f"certificates are not used with security {self.security}")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together")
        return self


class Topics(Section):
    """Names and partition counts of the topics."""

    logs: TopicName = Field("registry.logs", description="Raw topic: log lines of the services")
    metrics: TopicName = Field("registry.metrics", description="Raw topic: metrics")
    dns: TopicName = Field("dns.logs", description="Raw topic: log lines of resolvers")
    signals: TopicName = Field("undercurrent.signals", description="What intake says to correlate")
    changes: TopicName = Field("undercurrent.changes", description="Changes of incidents")
    decisions: TopicName = Field("undercurrent.decisions", description="What became of held symptoms")
    feedback: TopicName = Field("undercurrent.feedback", description="What people said by buttons")
    sources: TopicName = Field("undercurrent.sources", description="Which source was last heard when")
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
        ours = (self.signals, self.changes, self.decisions, self.feedback, self.sources, self.dead_letters)
        names = [*self.raw, *ours]
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
    redact_emails: bool = Field(
        False, description="Hide e-mail addresses as well; keys, tokens and passwords are hidden anyway"
    )
    future_seconds_max: Number = Field(
        86_400.0, gt=0, description="Event time may be so far ahead of Kafka's"
    )


class Correlate(Section):
    """How signals are correlated, beyond the rules."""

    checkpoint_seconds: Number = Field(
        5.0,
        ge=0,
        le=60,
        description="How often state is stored, in a storm less; what came since is worked off again",
    )


SeverityName = Literal["minor", "major", "critical"]
Mention = Annotated[str, StringConstraints(pattern=r"^(here|channel|[UWS][A-Z0-9]{5,})$")]
"""`here`, `channel`, or the id of a user (U…, W…) or a user group (S…)."""
Place = Annotated[str, StringConstraints(pattern=r"^([CGDUW][A-Z0-9]{5,}|#?[a-z0-9][a-z0-9._-]{0,79})$")]
"""A channel by id or name, or a person by id."""


class Route(Section):
    """Incidents that match everything said here are told at `to`; docs/messages.md."""

    domains: tuple[Name, ...] = Field((), description="Names of domains, `*` stands for any text; none: all")
    causes: tuple[Name, ...] = Field((), description="Causes, `unproven` among them; none: all")
    severity: SeverityName = Field("minor", description="At least so bad")
    hours: Annotated[str, AfterValidator(checked_hours)] | None = Field(None, description="22:00-07:00")
    to: tuple[Place, ...] = Field(min_length=1, description="Channels, by id or name, and people, by id")
    mention: tuple[Mention, ...] | None = Field(None, description="Whom to call, instead of slack.mention")


class Slack(Section):
    """Where incidents are told. Without a token or a channel: on the console."""

    token: SecretStr | None = Field(None, description="Bot token, `xoxb-…`; secret")
    app_token: SecretStr | None = Field(
        None, description="App-level token for the buttons, `xapp-…`; none: no buttons; secret"
    )
    webhook_url: SecretAddress | None = Field(
        None, description="Incoming webhook instead of token and channel: posts only; secret"
    )
    channel: Name | None = Field(None, description="Channel id or name")
    pictures: Literal["dark", "light", "off"] = Field(
        "dark", description="Background of the timeline pictures, or none of them"
    )
    base_url: Name = Field("https://slack.com/api/", description="Slack's API; GovSlack has another")
    routes: tuple[Route, ...] = Field((), description="Where else incidents are told, first match wins")
    mention: tuple[Mention, ...] = Field((), description="Whom a message calls: here, channel, U…, S…")
    mention_from: SeverityName = Field("major", description="Nobody is called about less")
    quiet_hours: Annotated[str, AfterValidator(checked_hours)] | None = Field(
        None, description="Nobody is called then, but for critical incidents; such as 22:00-07:00"
    )
    timezone: Annotated[str, AfterValidator(checked_zone)] = Field("UTC", description="Zone of these hours")
    escalate_after_seconds: Number | None = Field(
        None, ge=60, description="With nobody acknowledging for so long, escalate_to is called"
    )
    escalate_to: tuple[Mention, ...] = Field((), description="Whom to call then")
    incidents_at_once: Whole = Field(
        10,
        ge=1,
        description="With more to tell at once, a digest comes first, and then the worst",
    )

    @validates_model(mode="after")
    def _somebody_can_answer(self) -> Self:
        if self.escalate_after_seconds is not None and not self.escalate_to:
            raise ValueError("escalate_after_seconds calls nobody without escalate_to")
        if self.escalate_after_seconds is not None and self.app_token is None:
            raise ValueError(
                "escalate_after_seconds needs SLACK_APP_TOKEN: nobody can answer without buttons"
            )
        if (self.routes or self.mention) and self.webhook_url is not None and self.token is None:
            raise ValueError("routes and mention need SLACK_BOT_TOKEN: an incoming webhook has one channel")
        return self


class Outputs(Section):
    """Who else is told, beside Slack or the console."""

    webhook_url: SecretAddress | None = Field(
        None, description="Address that gets every change as JSON; secret, for it may bear a token"
    )
    alertmanager_url: Address | None = Field(
        None, description="Alertmanager that gets incidents as alerts, such as http://alertmanager:9093"
    )


class Links(Section):
    """Where a message leads to; docs/messages.md lists the fields of an address."""

    page: LinkTemplate | None = Field(None, description="Address of the incident page")
    runbook: LinkTemplate | None = Field(None, description="Address of the runbook, say by `{cause}`")
    dashboards: dict[Name, LinkTemplate] = Field({}, description="Name to address of dashboards")

    def templates(self) -> dict[str, str]:
        """Label to template, in the order in which they are shown."""
        every = {"page": self.page, **self.dashboards, "runbook": self.runbook}
        return {label: template for label, template in every.items() if template is not None}


class Web(Section):
    """The worker's own web server: /metrics, /healthz, /readyz and the incident page."""

    host: Name = Field("127.0.0.1", description="Address to listen on")
    port: Port = Field(6067, description="Port to listen on, 0 for any free one")
    stall_seconds: Number = Field(
        60.0, gt=0, description="With lag left and no position moving for so long, the worker is not alive"
    )


class Page(Section):
    """The incident page and its JSON API, on the same port."""

    enabled: bool = Field(True, description="Serve the page and its API")
    auth: Literal["none", "basic", "header"] = Field(
        "none", description="Who may see it: anybody who reaches it, or whoever sends the password"
    )
    username: Name = Field("undercurrent", description="User, with `basic`")
    password: SecretStr | None = Field(None, description="Password, with `basic` and `header`; secret")
    auth_header: Name = Field(
        "X-Undercurrent-Password", description="Header that bears the password, with `header`"
    )
    allowed_hosts: tuple[Name, ...] = Field(
        (), description="Names in the Host header it answers to, beside loopback's; docs/page.md"
    )
    incidents_max: Whole = Field(5_000, ge=1, description="Incidents kept; resolved ones go first")
    decisions_max: Whole = Field(100_000, ge=1, description="Decisions kept, the newest")
    dead_letters_max: Whole = Field(1_000, ge=1, description="Dead letters kept, the newest")
    sources_max: Whole = Field(50_000, ge=1, description="Sources kept, the last heard")

    @validates_model(mode="after")
    def _has_a_password(self) -> Self:
        if self.auth != "none" and (self.password is None or not self.password.get_secret_value()):
            raise ValueError(f"auth {self.auth} needs UNDERCURRENT_PAGE_PASSWORD (or …_FILE)")
        return self


class Log(Section):
    """The worker's own log, on stderr."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level written")
    format: Literal["auto", "json", "text"] = Field(
        "auto", description="`auto`: text on a terminal, else JSON"
    )
