"""`undercurrent ship logs`: log files or standard input into a raw topic."""

import sys
from pathlib import Path

import click

from agents.commands.options import config_option
from agents.shippers.containers import Container, of_log_file
from agents.shippers.options import running, shared
from agents.shippers.spool import Spool
from agents.shippers.stdin import read_into
from agents.shippers.tail import Tail

STDIN = "-"


@click.command("logs")
@click.argument("files", metavar="FILE…|-", nargs=-1, required=True)
@click.option(
    "--to",
    type=click.Choice(["logs", "dns"]),
    default="logs",
    show_default=True,
    help="The raw topic: of services, or of resolvers.",
)
@click.option(
    "--instance", metavar="NAME", help="The container these lines are of. [default: by the files' names]"
)
@click.option(
    "--from",
    "start",
    type=click.Choice(["end", "beginning"]),
    default="end",
    show_default=True,
    help="Where to begin with files that are there at the very first start.",
)
@click.option("--once", is_flag=True, help="Stop when everything that is there now has been shipped.")
@shared
@config_option
def ship_logs(
    files: tuple[str, ...],
    to: str,
    instance: str | None,
    start: str,
    once: bool,
    host: str,
    buffer_bytes_max: int,
    config: Path | None,
    brokers: str | None,
    state: Path | None,
    listen: tuple[str, int] | None,
) -> None:
    """Follow FILES, patterns such as '/var/log/containers/registry-*.log', or standard input (-).

    Lines go as they are: Docker's json-file, CRI, syslog and bare ones are told apart downstream. Rotation
    by renaming and by truncating is followed; rotated files are found by themselves and need no pattern.
    Every line reaches Kafka at least once, and one that is sent twice is counted once.

    Exit code 0: stopped as asked, and Kafka has what was read; 1: the state cannot be used; 2: wrong usage;
    3: stopped while Kafka was away, what it has not taken goes first next time.
    """
    if STDIN in files and len(files) > 1:
        raise click.UsageError("standard input (-) is shipped alone")
    name = (lambda _path: Container(container=instance)) if instance else of_log_file
    with running("logs" if to == "logs" else "dns-logs", config, brokers, state, listen) as shipper:
        topic = shipper.settings.topics.logs if to == "logs" else shipper.settings.topics.dns
        if files == (STDIN,):
            spool = Spool(shipper.state, shipper.figures, buffer_bytes_max, waits=True)
            ended = read_into(spool, sys.stdin.buffer, host, instance or host)
            shipper.ship(spool, topic, at_end=ended)
            return
        tail = Tail(
            files, shipper.state, host, shipper.figures,
            from_end=start == "end", buffer_bytes_max=buffer_bytes_max, name=name,
        )  # fmt: skip
        shipper.ship(tail, topic, at_end=(lambda: True) if once else (lambda: False))
