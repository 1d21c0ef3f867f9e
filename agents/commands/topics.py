"""`undercurrent topics`: are Kafka's topics as they must be?"""

import os
from pathlib import Path

import click

from agents.commands.options import config_option, settings_from
from agents.topics import Finding, KafkaError, check


@click.command("topics")
@click.option("--create", is_flag=True, help="Create the topics that are missing.")
@config_option
def topics(create: bool, config: Path | None) -> None:
    """Check the topics: that they are there, their partition counts and cleanup policies.

    Exit code 0: all is well; 1: something is not, and the fix is printed; 2: wrong usage.
    """
    settings = settings_from(config, os.environ)
    try:
        findings = check(settings, create=create)
    except KafkaError as error:
        raise click.ClickException(f"Kafka at {settings.brokers} does not answer: {error!r}") from error
    for finding in findings:
        _print(finding)
    if any(finding.fix for finding in findings):
        raise SystemExit(1)


def _print(finding: Finding) -> None:
    mark = click.style("✗" if finding.fix else "✓", fg="red" if finding.fix else "green")
    click.echo(f"{mark} {finding.topic}: {finding.state}")
    if finding.fix:
        click.echo(f"    fix: {finding.fix}")
