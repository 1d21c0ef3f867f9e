"""`undercurrent ship prometheus`: what exporters or a Prometheus server know, into the metrics topic."""

from pathlib import Path

import click

from agents.commands.options import config_option
from agents.shippers.options import interval_option, pair_of, running, shared
from agents.shippers.sampler import sample_into
from agents.shippers.scrape import Scraper
from agents.shippers.server import Server
from agents.shippers.spool import Spool
from agents.shippers.web import Client, address

TIMEOUT_SECONDS_MAX = 10.0


def _web_address(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else address(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command("prometheus")
@click.option(
    "--scrape",
    "targets",
    multiple=True,
    callback=pair_of("NAME=URL", address),
    metavar="NAME=URL",
    help="An exporter, such as registry-a=http://127.0.0.1:5001/metrics, by its instance. Again for more.",
)
@click.option(
    "--server", callback=_web_address, metavar="URL", help="A Prometheus server to ask for the series."
)
@click.option(
    "--select",
    "selector",
    default="",
    metavar="MATCHERS",
    help="""With --server: which series, such as 'namespace="registry"'. [default: all that are known]""",
)
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A bearer token to show; read again each time.",
)
@click.option(
    "--ca-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Certificates to trust, PEM. [default: the system's]",
)
@interval_option(5.0)
@shared
@config_option
def ship_prometheus(
    targets: dict[str, str],
    server: str | None,
    selector: str,
    token_file: Path | None,
    ca_file: Path | None,
    interval_seconds: float,
    host: str,
    buffer_bytes_max: int,
    config: Path | None,
    brokers: str | None,
    state: Path | None,
    listen: tuple[str, int] | None,
) -> None:
    """Scrape exporters (--scrape) or ask a Prometheus server (--server), and ship what is read of it.

    Those are the registry's own, cAdvisor's and kubelet's, kube-state-metrics', MinIO's and CoreDNS'
    (docs/signals.md). From a server come the samples as it scraped them, with their own times. What Kafka
    cannot take now is kept on disk, the newest first; a sample that is sent twice is counted once.

    Exit code 0: stopped as asked; 1: the state cannot be used; 2: wrong usage; 3: stopped while Kafka was
    away, what it has not taken goes first next time.
    """
    if bool(targets) == bool(server):
        raise click.UsageError("say either --scrape NAME=URL, once or more, or --server URL")
    client = Client(min(TIMEOUT_SECONDS_MAX, max(1.0, interval_seconds)), token_file, ca_file)
    with running("prometheus", config, brokers, state, listen) as shipper:
        spool = Spool(shipper.state, shipper.figures, buffer_bytes_max, waits=False)
        position = shipper.state.folder / "asked.until"
        reader = (
            Server(server, selector, client, position, shipper.figures)
            if server
            else Scraper(targets, client, host, shipper.figures)
        )
        sample_into(spool, shipper.figures, interval_seconds, reader.read, shipper.stop)
        shipper.ship(spool, shipper.settings.topics.metrics)
