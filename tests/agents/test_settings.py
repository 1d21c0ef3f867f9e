"""Settings: whoever makes mistakes learns of all of them at once, and where they stand."""

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from agents.cli import main
from agents.settings import PREFIX, SECRETS, Settings, SettingsError, load_settings, variables, warnings
from agents.settingsdoc import leaves, rows

ROOT = Path(__file__).resolve().parents[2]


def problems(path: Path | None, **environ: str) -> list[str]:
    """What is wrong with these settings."""
    with pytest.raises(SettingsError) as caught:
        load_settings(path, environ)
    return caught.value.problems


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A settings file to write."""
    return tmp_path / "undercurrent.yaml"


def test_nothing_needs_to_be_set() -> None:
    """Without a file and with an empty environment the defaults hold."""
    settings = load_settings(None, {})
    assert settings.brokers == "127.0.0.1:9092"
    assert settings.topics.raw == ("registry.logs", "registry.metrics", "dns.logs")
    assert settings.intake_config().default_domain == "default"


def test_the_environment_wins_over_the_file(file: Path) -> None:
    """What the environment says beats what the file says, setting by setting."""
    file.write_text("brokers: file:1\ntopics:\n  partitions: 8\n  logs: app.logs\n")
    settings = load_settings(file, {"UNDERCURRENT_TOPICS_PARTITIONS": "2"})
    assert (settings.brokers, settings.topics.partitions, settings.topics.logs) == ("file:1", 2, "app.logs")


def test_every_mistake_is_told_at_once_with_file_line_and_key(file: Path) -> None:
    """All mistakes of a file come in one go, each where it stands."""
    file.write_text(
        "brokers: kafka:9092\n"
        "topics:\n"
        "  partitons: 8\n"  # line 3
        "  raw_partitions: many\n"  # line 4
        "web:\n"
        "  port: 99999\n"  # line 6
        "domains:\n"
        "  - domain: shop\n"
        "    match: {}\n"  # line 9
        "  - match: {namespace: b}\n"  # line 10
        "rules:\n"
        "  burst:\n"
        "    requests: 0\n"  # line 13
        "colour: blue\n"  # line 14
    )
    found = problems(file, UNDERCURRENT_WEB_STALL_SECONDS="soon")
    assert f"{file}:3: topics.partitons: unknown setting, did you mean partitions?" in found
    assert any(
        line.startswith(f"{file}:4: topics.raw_partitions: Input should be a valid integer") for line in found
    )
    assert any(line.startswith(f"{file}:6: web.port: Input should be less than") for line in found)
    assert any(line.startswith(f"{file}:9: domains.0.match: ") for line in found)
    assert f"{file}:10: domains.1.domain: Field required" in found
    assert any(line.startswith(f"{file}:13: rules.burst.requests: ") for line in found)
    assert f"{file}:14: colour: unknown setting" in found
    assert any(
        line.startswith("environment: UNDERCURRENT_WEB_STALL_SECONDS: Input should be") for line in found
    )
    assert len(found) == 8


def test_a_key_that_stands_twice_is_a_mistake(file: Path) -> None:
    """YAML would silently take the second value."""
    file.write_text("brokers: a:1\nweb:\n  port: 1\nbrokers: b:1\n")
    assert problems(file) == [f"{file}:4: brokers: stands twice, first on line 1"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("brokers: [a\n", ":2: not YAML: "),
        ("- brokers\n", ":1: settings are `key: value` lines"),
        ("\tbrokers: a\n", ":1: not YAML: "),
    ],
)
def test_a_file_that_is_no_settings_file_is_told_with_its_line(file: Path, text: str, expected: str) -> None:
    """Broken YAML is one more problem with a place, not a traceback."""
    file.write_text(text)
    (problem,) = problems(file)
    assert problem.startswith(f"{file}{expected}")


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    """A missing file and a file that is no text are told by name."""
    missing = tmp_path / "missing.yaml"
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    assert problems(missing) == [f"{missing}: cannot be read: No such file or directory"]
    assert problems(binary) == [f"{binary}: cannot be read: it is not UTF-8 text"]


def test_topics_need_names_of_their_own(file: Path) -> None:
    """Two topics of one name would read each other's records."""
    file.write_text("topics:\n  logs: same\n  dns: same\n")
    assert problems(file) == [f"{file}:1: topics: each topic needs a name of its own, same is used twice"]


def test_a_secret_in_the_file_is_refused_without_being_shown(file: Path) -> None:
    """Files get committed and copied; secrets come from the environment."""
    file.write_text("slack:\n  token: xoxb-hush\n  channel: ops\n")
    (problem,) = problems(file)
    assert problem.startswith(f"{file}:2: slack.token: secrets are not read from files: set ")
    assert "SLACK_BOT_TOKEN" in problem
    assert "hush" not in problem


def test_a_token_comes_from_the_environment_or_from_a_file_it_names(tmp_path: Path) -> None:
    """Slack's own variable, ours, and the file of either are all read; a file's newline is not."""
    secret = tmp_path / "token"
    secret.write_text("xoxb-1\n")
    for environ in (
        {"SLACK_BOT_TOKEN": "xoxb-1"},
        {"UNDERCURRENT_SLACK_TOKEN": "xoxb-1"},
        {"SLACK_BOT_TOKEN_FILE": str(secret)},
        {"UNDERCURRENT_SLACK_TOKEN_FILE": str(secret)},
    ):
        token = load_settings(None, environ).slack.token
        assert token is not None
        assert token.get_secret_value() == "xoxb-1"


def test_a_secret_never_shows_in_what_is_printed_of_the_settings() -> None:
    """Neither repr nor str nor JSON of the settings has the token in it."""
    settings = load_settings(None, {"SLACK_BOT_TOKEN": "xoxb-hush"})
    assert "hush" not in f"{settings!r} {settings} {settings.model_dump_json()}"


def test_a_secret_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    """The message names the variable and the file, so that a wrong mount is found."""
    missing = tmp_path / "token"
    assert problems(None, SLACK_BOT_TOKEN_FILE=str(missing)) == [
        f"environment: SLACK_BOT_TOKEN_FILE: cannot read {missing}: No such file or directory"
    ]


def test_texts_from_the_environment_are_taken_as_they_stand() -> None:
    """A channel named like a number or a comment stays what it is."""
    for channel in ("#registry", "12345", "null", "yes"):
        assert load_settings(None, {"UNDERCURRENT_SLACK_CHANNEL": channel}).slack.channel == channel


def test_lists_from_the_environment_are_yaml() -> None:
    """Domain rules fit into one variable."""
    rules = '[{"domain": "shop", "match": {"namespace": "shop-*"}}]'
    settings = load_settings(None, {"UNDERCURRENT_DOMAINS": rules})
    assert settings.intake_config().domains[0].match == {"namespace": "shop-*"}


def test_a_variable_that_is_nearly_a_setting_gets_a_warning() -> None:
    """A typo in a variable's name is told; what Kubernetes sets for a service of our name is not ours."""
    environ = {"UNDERCURRENT_WEB_PROT": "3", "UNDERCURRENT_SERVICE_HOST": "10.0.0.1"}
    found = warnings(load_settings(None, environ), environ)
    assert found == ["environment: UNDERCURRENT_WEB_PROT is no setting, did you mean UNDERCURRENT_WEB_PORT?"]


def test_a_token_without_a_channel_gets_a_warning() -> None:
    """Whoever sets a token expects Slack."""
    environ = {"SLACK_BOT_TOKEN": "xoxb-1"}
    assert any("slack.channel" in line for line in warnings(load_settings(None, environ), environ))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("security: sasl_ssl", "security sasl_ssl needs kafka.username and UNDERCURRENT_KAFKA_PASSWORD"),
        ("ca_file: /etc/hostname", "certificates are not used with security plaintext"),
        ("{security: ssl, cert_file: /etc/hostname}", "cert_file and key_file belong together"),
        ("{security: ssl, ca_file: /nowhere.pem}", "Path does not point to a file"),
        ("security: tls", "Input should be 'plaintext', 'ssl', 'sasl_plaintext' or 'sasl_ssl'"),
    ],
)
def test_half_a_connection_is_a_mistake(file: Path, text: str, expected: str) -> None:
    """What would fail at the first connection, or silently not be used, is told beforehand."""
    file.write_text(f"kafka: {text}\n" if text.startswith("{") else f"kafka:\n  {text}\n")
    (problem,) = problems(file)
    assert expected in problem
    assert problem.startswith(f"{file}:")


def test_a_password_comes_from_the_environment_only(file: Path) -> None:
    """Kafka's password is a secret like Slack's token."""
    file.write_text("kafka: {security: sasl_ssl, username: u, password: hush}\n")
    (problem,) = problems(file, UNDERCURRENT_KAFKA_PASSWORD="right")
    assert "kafka.password: secrets are not read from files" in problem
    assert "hush" not in problem


def test_check_config_prints_every_problem_and_exits_with_2(file: Path) -> None:
    """The command says what load_settings says, line by line."""
    file.write_text("brokers: ''\nweb:\n  port: no\n")
    result = CliRunner().invoke(
        main, ["check-config", str(file)], env={"UNDERCURRENT_INTAKE_FLUSH_SECONDS": "0"}
    )
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert {line.split(": ")[0] for line in lines} == {f"{file}:1", f"{file}:3", "environment"}


def test_check_config_says_that_all_is_well(file: Path) -> None:
    """Usable settings exit with 0."""
    file.write_text("brokers: kafka:9092\n")
    result = CliRunner().invoke(main, ["check-config", str(file)])
    assert (result.exit_code, result.stdout) == (0, "The settings can be used.\n")


def test_the_example_shows_every_setting_of_a_file_with_its_default() -> None:
    """undercurrent.example.yaml can be copied and changed: it holds, and it leaves nothing out."""
    path = ROOT / "undercurrent.example.yaml"
    assert load_settings(path, {}) == load_settings(None, {})
    shown = yaml.safe_load(path.read_text())
    for place, _ in leaves(Settings):
        section = shown
        for part in place[:-1]:
            section = section[part]
        if place not in SECRETS:
            assert place[-1] in section, f"run `python -m tools.settings_docs`: {'.'.join(place)}"


def test_the_documentation_lists_every_setting() -> None:
    """docs/settings.md has each setting's key, variable, default and meaning; the table is `rows`."""
    text = (ROOT / "docs" / "settings.md").read_text()
    missing = [row for row in rows(Settings, PREFIX, SECRETS) if row not in text]
    assert not missing, "run `python -m tools.settings_docs`: docs/settings.md lacks\n" + "\n".join(missing)
    for name in variables():
        assert name in text
