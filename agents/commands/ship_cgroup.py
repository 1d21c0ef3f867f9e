"""`undercurrent ship cgroup`: what the kernel counts for containers into the metrics topic."""

from functools import partial
from pathlib import Path

import click

from agents.commands.options import config_option
from agents.shippers import containers
from agents.shippers.cgroups import Cgroups
from agents.shippers.options import interval_option, pair_of, running, shared
from agents.shippers.sampler import sample_into
from agents.shippers.spool import Spool


@click.command("cgroup")
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default="/sys/fs/cgroup",
    show_default=True,
    help="Where the cgroups are.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="PATTERN",
    help="Containers whose pod, name or id matches, such as '*registry*'. Again for more. [default: all]",
)
@click.option(
    "--cgroup",
    "named",
    multiple=True,
    callback=pair_of("NAME=PATH"),
    metavar="NAME=PATH",
    help="What is no container, such as registry=system.slice/docker-registry.service. Again for more.",
)
@click.option(
    "--docker",
    type=click.Path(path_type=Path),
    default=containers.DOCKER,
    show_default=True,
    help="Where Docker says how containers are called.",
)
@click.option(
    "--kubernetes",
    type=click.Path(path_type=Path),
    default=containers.KUBERNETES,
    show_default=True,
    help="Where kubelet says it.",
)
@interval_option(1.0)
@shared
@config_option
def ship_cgroup(
    root: Path,
    only: tuple[str, ...],
    named: dict[str, str],
    docker: Path,
    kubernetes: Path,
    interval_seconds: float,
    host: str,
    buffer_bytes_max: int,
    config: Path | None,
    brokers: str | None,
    state: Path | None,
    listen: tuple[str, int] | None,
) -> None:
    """Read what the kernel counts for containers (cgroup version 1 or 2) and the machine, and ship it.

    Use, limit and throttling of the CPU, memory and its limit, kills for want of memory, and pressure (PSI).
    A container bears the name its log lines bear. What Kafka cannot take now is kept on disk, the newest
    first; a reading that is sent twice is counted once.

    Exit code 0: stopped as asked; 1: the state cannot be used; 2: wrong usage; 3: stopped while Kafka was
    away, what it has not taken goes first next time.
    """
    with running("cgroup", config, brokers, state, listen) as shipper:
        spool = Spool(shipper.state, shipper.figures, buffer_bytes_max, waits=False)
        name = partial(containers.of_id, docker=docker, kubernetes=kubernetes)
        cgroups = Cgroups(root, host, named, only or ("*",), name, shipper.figures)
        sample_into(spool, shipper.figures, interval_seconds, cgroups.read, shipper.stop)
        shipper.ship(spool, shipper.settings.topics.metrics)
