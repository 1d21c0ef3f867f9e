"""The command line: `undercurrent COMMAND`, and the same as `python -m agents COMMAND`.

A command is one line in COMMANDS; its module is imported when the command is used, so `--help` and a
shell's completion stay quick.
"""

import click

from agents.commands.lazy import LazyGroup

COMMANDS = {
    "worker": ("agents.commands.worker:worker", "Read, correlate and tell: the one long-running process."),
    "topics": ("agents.commands.topics:topics", "Check Kafka's topics, or create them."),
    "check-config": ("agents.commands.check_config:check_config", "Say all that is wrong with the settings."),
    "rules": ("agents.commands.rules:rules", "Print all rules with what they mean, to copy and change."),
    "test-rules": ("agents.commands.stories:test_rules", "Tell stories to the rules, and compare."),
    "ship": (
        "agents.commands.ship:ship",
        "Ship a recording, logs, cgroups or Prometheus series to Kafka.",
    ),
    "doctor": (
        "agents.commands.doctor:doctor",
        "Say what the raw topics hold, and which causes can be proven.",
    ),
    "replay": (
        "agents.commands.replay:replay",
        "Run a recording, files or a span of Kafka through the pipeline.",
    ),
    "diff": ("agents.commands.diff:diff", "Compare what two sets of rules say of a history."),
    "tune": ("agents.commands.tune:tune", "Try other thresholds on labelled history, and show the trade."),
    "capacity": (
        "agents.commands.capacity:capacity",
        "What requests cost in CPU, and which limit and how many instances hold more.",
    ),
    "loadtest": ("agents.commands.loadtest:loadtest", "Drive a registry, and see whether it holds."),
    "record": ("agents.commands.record:record", "Save a span of Kafka's raw topics as a file."),
    "verify": ("agents.commands.verify:verify", "Check that a replay says what the live system said."),
    "explain": (
        "agents.commands.explain:explain",
        "Say why: of an incident, a DNS decision or a raw record.",
    ),
    "dead-letters": (
        "agents.commands.dead_letters:dead_letters",
        "Look at the records nobody could read, and put them back.",
    ),
    "decode": ("agents.commands.decode:decode", "Say what is understood of one raw record."),
    "page": ("agents.commands.page:page", "Serve the incident page over a recording, without Kafka."),
    "incidents": (
        "agents.commands.incidents:incidents",
        "List the incidents a running worker knows, or show one.",
    ),
    "sources": ("agents.commands.sources:sources", "Say which sources are heard, and which fell silent."),
    "slack": ("agents.commands.slack:slack", "Preview the messages for Slack, and test the way there."),
    "feedback": (
        "agents.commands.feedback:feedback",
        "Read what people said by buttons, or export it as cases.",
    ),
    "score": (
        "agents.commands.score:score",
        "Measure the diagnosis on recordings and scenarios with known truth.",
    ),
    "demo": ("agents.commands.demo:demo", "Show the main job from end to end, without Kafka."),
}
"""Command → where it is, and what it does in one sentence."""


@click.group(cls=LazyGroup, commands_by_name=COMMANDS)
@click.version_option(package_name="undercurrent", prog_name="undercurrent")
def main() -> None:
    """Find the cause under a wave of container-registry alerts, and say it once."""
