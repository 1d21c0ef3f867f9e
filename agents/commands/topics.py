"""`undercurrent topics`: are Kafka's topics as they must be, and may we use them?"""

import os
from collections.abc import Collection
from pathlib import Path

import click

from agents.commands.options import config_option, quiet_kafka, settings_from
from agents.rights import missing
from agents.roles import ALL_ROLES, Role
from agents.settings import Settings
from agents.topics import KafkaError, check


@click.command("topics")
@click.option("--create", is_flag=True, help="Create the topics that are missing.")
@click.option(
    "--rights",
    "with_rights",
    is_flag=True,
    help="Check instead what the user of these settings may do: all rights a worker lacks, at once.",
)
@click.option(
    "--only",
    "roles",
    type=click.Choice([role.value for role in Role]),
    multiple=True,
    help="With --rights: of a worker with this role alone; may be given twice. Default: all roles.",
)
@config_option
def topics(create: bool, with_rights: bool, roles: tuple[str, ...], config: Path | None) -> None:
    """Check the topics: that they are there, their partition counts and cleanup policies.

    With --rights: whether Kafka lets a worker with these settings do its work. It asks, and writes nothing.

    Exit code 0: all is well; 1: something is not, and the fix is printed; 2: wrong usage.
    """
    if with_rights and create:
        raise click.UsageError("--rights and --create are two things: who creates needs other rights")
    if roles and not with_rights:
        raise click.UsageError("--only goes with --rights")
    settings = settings_from(config, os.environ)
    quiet_kafka()
    try:
        if with_rights:
            wrong = _rights(settings, {Role(role) for role in roles} or ALL_ROLES)
        else:
            wrong = _topics(settings, create)
    except KafkaError as error:
        raise click.ClickException(f"Kafka at {settings.brokers} does not answer: {error!r}") from error
    if wrong:
        raise SystemExit(1)


def _topics(settings: Settings, create: bool) -> bool:
    """Say how each topic is; returns whether anything is wrong."""
    findings = check(settings, create=create)
    for finding in findings:
        _print(f"{finding.topic}: {finding.state}", finding.fix)
    return any(finding.fix for finding in findings)


def _rights(settings: Settings, roles: Collection[Role]) -> bool:
    """Say which rights are missing; returns whether any are."""
    lacking = missing(settings, roles)
    for one in lacking:
        _print(f"{one.role}: may not {' or '.join(one.operations)} {one.kind} {one.name}", one.fix)
    if not lacking:
        _print(f"{', '.join(sorted(roles))}: nothing is refused", None)
    return bool(lacking)


def _print(state: str, fix: str | None) -> None:
    mark = click.style("✗" if fix else "✓", fg="red" if fix else "green")
    click.echo(f"{mark} {state}")
    if fix:
        click.echo(f"    fix: {fix}")
