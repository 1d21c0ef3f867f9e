"""`undercurrent loadtest`: drive a registry at given rates, and see whether it holds."""

import asyncio
import signal
import ssl
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console
from rich.table import Table

from agents.lab.driver import Driven, Plan, addresses_of, drive
from agents.lab.registry_client import OPERATIONS, LookAroundError
from pipeline.lab.held import StepResult, sum_up
from pipeline.render.clean import visible

RATE_MAX, CONCURRENCY_MAX, SECONDS_MAX = 500.0, 200, 3600.0
MIX = "catalog=1,tags=4,pull=8,probe=1"


def _mix(_context: click.Context, _option: click.Parameter, value: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in value.split(","):
        name, _, weight = part.strip().partition("=")
        try:
            found[name] = float(weight)
        except ValueError:
            raise click.BadParameter(f"expected {MIX}, found {value!r}") from None
    if not found.keys() <= set(OPERATIONS) or min(found.values()) < 0 or not sum(found.values()) > 0:
        raise click.BadParameter(f"weights of {', '.join(OPERATIONS)} are expected, one of them above 0")
    return found


@click.command("loadtest")
@click.argument("addresses", metavar="ADDRESS...", nargs=-1, required=True)
@click.option(
    "--rate", "rates", type=click.FloatRange(0, RATE_MAX, min_open=True), multiple=True, default=(5.0,),
    show_default=True, metavar="N", help="Operations a second; repeatable: one step after the other.",
)  # fmt: skip
@click.option(
    "--seconds", "step_seconds", type=click.FloatRange(1, SECONDS_MAX), default=60.0, show_default=True,
    help="Length of each step.",
)  # fmt: skip
@click.option(
    "--concurrency", type=click.IntRange(1, CONCURRENCY_MAX), default=50, show_default=True,
    help="At most so many under way at once; what comes on top is counted as unsent.",
)  # fmt: skip
@click.option(
    "--timeout", "timeout_seconds", type=click.FloatRange(0.05, 120), default=5.0, show_default=True,
    help="After so many seconds a client gives up.",
)  # fmt: skip
@click.option(
    "--mix", callback=_mix, default=MIX, show_default=True, help=f"Weights of {', '.join(OPERATIONS)}."
)
@click.option(
    "--catalog-entries", type=click.IntRange(1, 10_000), default=100, show_default=True, metavar="N",
    help="How many names a catalog request asks for.",
)  # fmt: skip
@click.option("--push-to", metavar="REPOSITORY", help="Where `push` in --mix writes blobs of 20 kB.")
@click.option(
    "--auth-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help="File with the value of the Authorization header, such as `Basic dXNlcjpwYXNz`.",
)  # fmt: skip
@click.option(
    "--ca-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help="Certificate authority of the registry, in PEM.",
)  # fmt: skip
@click.option(
    "--failed-max", type=click.FloatRange(0, 1), default=0.01, show_default=True, metavar="SHARE",
    help="Larger a share must not fail, time out or stay unsent.",
)  # fmt: skip
@click.option(
    "--p95-max", type=click.FloatRange(min=0), default=1.0, show_default=True, metavar="SECONDS",
    help="19 of 20 must be answered within this time.",
)  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="For the moments and the order.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (docs/capacity.md).")
@click.option(
    "--out", type=click.Path(dir_okay=False, writable=True, path_type=Path), metavar="FILE",
    help="Write every attempt there, as JSON Lines.",
)  # fmt: skip
def loadtest(
    addresses: tuple[str, ...],
    failed_max: float,
    p95_max: float,
    auth_file: Path | None,
    ca_file: Path | None,
    as_json: bool,
    out: Path | None,
    **options: Any,
) -> None:
    """Drive the registries at ADDRESS (and nothing else), one rate after the other.

    Only what is listed is asked: no redirect, token server or proxy. It only reads, unless --mix has push.
    When one request in five fails, the rate is halved; when that does not help, it stops.

    Exit code 0: every rate held; 1: one did not, or it had to back off or stop; 2: wrong usage, or no
    registry there.
    """
    if options["mix"].get("push") and not options["push_to"]:
        raise click.UsageError("push in --mix needs --push-to REPOSITORY: it writes there")
    try:
        plan = Plan(
            addresses_of(addresses),
            authorization=auth_file.read_text(encoding="utf-8").strip() if auth_file else None,
            tls=ssl.create_default_context(cafile=str(ca_file)) if ca_file else None,
            **options,
        )
        driven = asyncio.run(_drive(plan))
    except (ValueError, LookAroundError, ssl.SSLError) as error:
        raise click.UsageError(visible(str(error))) from error
    if out is not None:
        out.write_bytes(b"".join(orjson.dumps(asdict(one)) + b"\n" for one in driven.attempts))
    results = sum_up(driven.attempts, plan.rates)
    held = [one.holds(failed_max, p95_max) for one in results]
    if as_json:
        click.echo(orjson.dumps(_object(driven, results, held), option=orjson.OPT_INDENT_2))
    else:
        Console(width=max(Console().width, 100)).print(_table(results, held))
        if driven.back_offs:
            click.echo(f"backed off {driven.back_offs} times because requests failed")
        if driven.stopped:
            click.echo(f"stopped: {driven.stopped}")
    if not all(held) or driven.back_offs or driven.stopped:
        raise SystemExit(1)


async def _drive(plan: Plan) -> Driven:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    with Console(stderr=True).status("looking around") as status:

        def tell(step: int, driven: Driven) -> None:
            done = len(driven.attempts)
            status.update(f"{plan.rates[step]:g}/s, step {step + 1} of {len(plan.rates)}: {done:,} attempts")

        try:
            return await drive(plan, stop, tell)
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)


def _table(results: list[StepResult], held: list[bool]) -> Table:
    names = ("rate", "sent", "good", "failed", "timeout", "unsent", "p50", "p95", "p99", "")
    table = Table(*names, box=None, padding=(0, 1))
    for one, is_held in zip(results, held, strict=True):
        counts = (one.sent, one.good, one.failed, one.timeouts, one.unsent)
        times = (
            "-" if s is None else f"{s:.3f} s" for s in (one.p50_seconds, one.p95_seconds, one.p99_seconds)
        )
        table.add_row(
            f"{one.rate_per_second:g}/s", *map(str, counts), *times, "holds" if is_held else "does not hold"
        )
    return table


def _object(driven: Driven, results: list[StepResult], held: list[bool]) -> dict[str, Any]:
    return {
        "v": 1,
        "held": all(held) and not driven.back_offs and not driven.stopped,
        "back_offs": driven.back_offs,
        "stopped": driven.stopped,
        "steps": [{**asdict(one), "holds": is_held} for one, is_held in zip(results, held, strict=True)],
    }
