"""`undercurrent demo`: the main job from end to end, without Kafka, in less than a minute."""

import os
from pathlib import Path

import click
from rich.console import Console

from agents.broker import API_VERSION, embedded_broker
from agents.commands.options import Speed, load_recording, quiet_kafka, settings_from
from agents.commands.ship_recording import progress_bar
from agents.demo import DemoError, demo_environment, ended_by_signals, running_worker, wait_for_the_end
from agents.recordings.envelopes import fluent_bit
from agents.recordings.recording import Recording
from agents.recordings.ship import Pacer, ShipError, Shipment, shipper
from agents.settings import Settings
from pipeline.render.clean import visible
from pipeline.render.console import WIDTH_MAX, incident_panel
from pipeline.render.words import catalogue
from schemas import Change

DEFAULT_RECORDING = Path(__file__).parents[2] / "samples" / "cpu_cascade"
DELIVERY_SECONDS = 30.0


@click.command("demo")
@click.argument(
    "recording",
    metavar="[RECORDING]",
    type=click.Path(exists=True, path_type=Path),
    default=DEFAULT_RECORDING,
)
@click.option("--speed", type=Speed(), default="20", show_default=True, help="Times real time, or max.")
@click.option(
    "--timeout",
    "timeout_seconds",
    type=click.FloatRange(min=1),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the incident once the recording is shipped.",
)
def demo(recording: Path, speed: float, timeout_seconds: float) -> None:
    """Show the main job on a recording: broker, worker, shipper, incident.

    Starts an embedded broker and the real worker, ships RECORDING (by default a CPU starvation that
    looks like an S3 and DNS outage), and prints what Slack would be told. With SLACK_BOT_TOKEN and
    UNDERCURRENT_SLACK_CHANNEL set, Slack is told as well.

    Exit code 0: an incident with a verdict came out; 1: none did, or something failed; 2: wrong usage.
    """
    console = Console()
    quiet_kafka()
    read = load_recording(recording)
    settings_from(
        None, demo_environment(os.environ, "127.0.0.1:1")
    )  # mistakes are told before anything starts
    try:
        with ended_by_signals():
            changes = _run(read, speed, timeout_seconds, console)
    except (DemoError, ShipError) as error:
        raise click.ClickException(_visible_lines(str(error))) from error
    _show(changes, console)
    if not any(change.incident.verdict_at is not None for change in changes):
        raise click.ClickException("no incident with a verdict came out")


def _run(recording: Recording, speed: float, timeout_seconds: float, console: Console) -> list[Change]:
    with embedded_broker() as brokers:
        console.print(f"Broker    embedded, at {brokers}")
        with running_worker(demo_environment(os.environ, brokers)) as worker:
            with console.status("Worker    starting"):
                worker.wait_until_ready()
            console.print(f"Worker    ready, process {worker.process.pid}")
            shipment = Shipment(recording, fluent_bit, split=True)
            with shipper(brokers, DELIVERY_SECONDS, API_VERSION) as connected:
                topics = worker.settings.topics
                arrivals = shipment.arrivals(topics, connected.partitions(topics), worker.settings.rules)
                with progress_bar(recording.name, arrivals, console) as on_progress:
                    connected.ship(arrivals, Pacer(speed), on_progress)
            with console.status("Waiting   until the incident is over in event time"):
                changes = wait_for_the_end(worker, shipment.end(worker.settings.rules), timeout_seconds)
            told = "Slack and here" if _goes_to_slack(worker.settings) else "here"
            console.print(f"Done      {len(arrivals)} records, incidents: {len(changes)}, told {told}")
            return changes


def _show(changes: list[Change], console: Console) -> None:
    words = catalogue("en")
    for change in changes:
        console.print(incident_panel(change, words), width=min(console.width, WIDTH_MAX))


def _goes_to_slack(settings: Settings) -> bool:
    return settings.slack.token is not None and settings.slack.channel is not None


def _visible_lines(text: str) -> str:
    return "\n".join(visible(line) for line in text.splitlines())
