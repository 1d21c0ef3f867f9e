"""`undercurrent ship`: a recording, log files, cgroups or Prometheus series into the raw topics."""

import click

from agents.commands.lazy import LazyGroup

COMMANDS = {
    "recording": (
        "agents.commands.ship_recording:ship_recording",
        "A recorded outage, as fast as wanted.",
    ),
    "logs": (
        "agents.commands.ship_logs:ship_logs",
        "Log files or standard input, followed through rotation and restarts.",
    ),
    "cgroup": (
        "agents.commands.ship_cgroup:ship_cgroup",
        "CPU, memory and pressure of this machine's containers.",
    ),
    "prometheus": (
        "agents.commands.ship_prometheus:ship_prometheus",
        "What exporters, or a Prometheus server, know.",
    ),
}


@click.group(cls=LazyGroup, commands_by_name=COMMANDS)
def ship() -> None:
    """Write to the raw topics: a recording, or what happens here and now (docs/shipping.md)."""
