"""The command line: `undercurrent COMMAND`, and the same as `python -m agents COMMAND`.

A command is one line in COMMANDS; its module is imported when the command is used, so `--help` and a
shell's completion stay quick.
"""

import importlib

import click

COMMANDS = {
    "worker": ("agents.commands.worker:worker", "Read, correlate and tell: the one long-running process."),
    "topics": ("agents.commands.topics:topics", "Check Kafka's topics, or create them."),
    "check-config": ("agents.commands.check_config:check_config", "Say all that is wrong with the settings."),
    "rules": ("agents.commands.rules:rules", "Print all rules with what they mean, to copy and change."),
    "ship": ("agents.commands.ship:ship", "Ship a recording into the raw topics."),
    "replay": ("agents.commands.replay:replay", "Run a recording through the pipeline without Kafka."),
    "explain": (
        "agents.commands.explain:explain",
        "Say why: of an incident, a DNS decision or a raw record.",
    ),
    "slack": ("agents.commands.slack:slack", "Preview the messages for Slack, and test the way there."),
    "score": (
        "agents.commands.score:score",
        "Measure the diagnosis on recordings and scenarios with known truth.",
    ),
    "demo": ("agents.commands.demo:demo", "Show the main job from end to end, without Kafka."),
}
"""Command → where it is, and what it does in one sentence."""


class LazyGroup(click.Group):
    """Knows the commands by name and imports them one at a time."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command, None for a name that is none."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}:{name} is no click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, help_) in COMMANDS.items()])


@click.group(cls=LazyGroup)
@click.version_option(package_name="undercurrent", prog_name="undercurrent")
def main() -> None:
    """Find the cause under a wave of container-registry alerts, and say it once."""
