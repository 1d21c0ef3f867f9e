"""Does the recommended CPU limit hold? A real registry on a real S3, under cgroup limits below and at it.

    python -m bench.registry_limits [--minio PATH] [--rate N] [--seconds N] [--keep DIR]

1. Debian's docker-registry on MinIO (files instead, if there is no MinIO: it is said) gets a whole core and
   is driven at a rate by the load test; then at the same rate under a limit it starves at, 0.6 of what it
   used. Log and CPU are kept as a recording.
2. `capacity` reads that recording: what the starved run tells alone, and what it tells with the calm before.
3. The registry is driven again: at a limit raised too little (0.85 of the peak told), and at the one advised.

Needs root, a cgroup with a CPU controller and about five minutes of two cores. Ends what it starts.
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from yarl import URL

from agents.lab.driver import Driven, Plan, drive
from agents.recordings.arrivals import lay_out, layout_of
from agents.recordings.envelopes import docker
from agents.recordings.recording import read_recording
from agents.settings import load_settings
from pipeline.demand import peak_cores, wanted_cores
from pipeline.lab.capacity import Capacity, CapacityError, examine, least_of
from pipeline.lab.capacity_words import lines
from pipeline.lab.held import StepResult, sum_up
from pipeline.lab.load import LoadReader, Window
from tools.local_registry import fill, registry, wait_for
from tools.ports import free_ports

PERIOD_US = 100_000
REPOSITORIES = 300
MIX = {"catalog": 1.0, "tags": 4.0, "pull": 8.0, "probe": 1.0}
CPU, CPUACCT, UNIFIED = (Path("/sys/fs/cgroup", name) for name in ("cpu", "cpuacct", "."))
clock = time.time  # noqa: TID251  readings bear the time of the log they are set beside
ACCESS, SECRET = "registry", "registry-secret"
STARVED_RATIO = 0.6
"""The limit it starves at, as a share of what it used with a whole core."""
TOO_LITTLE_RATIO = 0.85
"""A raise that cannot do, as a share of the peak demand told."""


@dataclass(frozen=True)
class Group:
    """One cgroup: its CPU controller and where its CPU time is counted, which version 1 keeps apart."""

    cpu: Path
    account: Path
    is_v2: bool

    def limit(self, cores: float) -> None:
        if self.is_v2:
            (self.cpu / "cpu.max").write_text(f"{round(cores * PERIOD_US)} {PERIOD_US}")
        else:
            (self.cpu / "cpu.cfs_quota_us").write_text(str(round(cores * PERIOD_US)))

    def reading(self, cores: float) -> dict[str, float]:
        """What an exporter would say now."""
        stat = dict(line.split() for line in (self.cpu / "cpu.stat").read_text().splitlines())
        if self.is_v2:
            used = int(stat["usage_usec"]) / 1e6
        else:
            used = int((self.account / "cpuacct.usage").read_text()) / 1e9
        return {
            "ts": clock(),
            "cpu_limit_cores": cores,
            "cpu_usage_seconds_total": used,
            "nr_periods": int(stat["nr_periods"]),
            "nr_throttled": int(stat["nr_throttled"]),
        }


@contextmanager
def group(pid: int) -> Iterator[Group]:
    """Put a process and its threads into a cgroup of its own, and take the cgroup away at the end."""
    name = f"undercurrent-bench-{os.getpid()}"
    is_v2 = not (CPU / "cpu.cfs_quota_us").exists() and (UNIFIED / "cgroup.controllers").exists()
    found = Group(UNIFIED / name, UNIFIED / name, True) if is_v2 else Group(CPU / name, CPUACCT / name, False)
    folders = {found.cpu, found.account}
    for folder in folders:
        folder.mkdir()
    try:
        for folder in folders:
            (folder / "cgroup.procs").write_text(str(pid))
        yield found
    finally:
        for folder in folders:
            for member in (folder / "cgroup.procs").read_text().split():
                (folder.parent / "cgroup.procs").write_text(member)
            folder.rmdir()


@contextmanager
def minio(program: str, folder: Path) -> Iterator[dict[str, object]]:
    """Start MinIO on loopback with one bucket; gives the registry's storage section."""
    (port,) = free_ports(1)
    (folder / "s3" / "registry").mkdir(parents=True)
    environ = {**os.environ, "MINIO_ROOT_USER": ACCESS, "MINIO_ROOT_PASSWORD": SECRET, "MINIO_BROWSER": "off"}
    with (folder / "minio.log").open("wb") as log:
        process = subprocess.Popen(
            [program, "server", "--address", f"127.0.0.1:{port}", str(folder / "s3")],
            stdout=log, stderr=log, env=environ,
        )  # fmt: skip
        try:
            wait_for(port)
            yield {
                "s3": {
                    "accesskey": ACCESS, "secretkey": SECRET, "region": "us-east-1", "bucket": "registry",
                    "regionendpoint": f"http://127.0.0.1:{port}", "secure": False, "v4auth": True,
                },
                "redirect": {"disable": True},
            }  # fmt: skip
        finally:
            process.terminate()
            process.wait(20)


@dataclass(frozen=True)
class Run:
    """One rate under one limit, and what came of it."""

    rate: float
    limit: float
    start: float
    end: float
    result: StepResult
    driven: Driven
    throttled_ratio: float
    used_cores: float


class Bench:
    """Drives one registry in one cgroup, and writes down what its exporter would."""

    def __init__(self, address: str, cgroup: Group, folder: Path, seconds: float) -> None:
        self._address = address
        self._group = cgroup
        self._metrics = folder / "metrics.jsonl"
        self._seconds = seconds

    def run(self, rate: float, limit: float, seed: int) -> Run:
        self._group.limit(limit)
        time.sleep(2)
        plan = Plan(
            (URL(f"http://{self._address}"),), (rate,), self._seconds, concurrency=50, timeout_seconds=5,
            mix=MIX, seed=seed,
        )  # fmt: skip
        done = threading.Event()
        sampler = threading.Thread(target=self._sample, args=(limit, done.is_set))
        first, start = self._group.reading(limit), clock()
        sampler.start()
        try:
            driven = asyncio.run(_driven(plan))
        finally:
            done.set()
            sampler.join()
        last = self._group.reading(limit)
        periods = last["nr_periods"] - first["nr_periods"]
        throttled = (last["nr_throttled"] - first["nr_throttled"]) / periods if periods else 0.0
        used = (last["cpu_usage_seconds_total"] - first["cpu_usage_seconds_total"]) / (
            last["ts"] - first["ts"]
        )
        (result,) = sum_up(driven.attempts, [rate])
        found = Run(rate, limit, start, clock(), result, driven, throttled, used)
        print(_row(found), flush=True)
        return found

    def _sample(self, limit: float, is_done: Callable[[], bool]) -> None:
        with self._metrics.open("a") as file:
            while not is_done():
                file.write(json.dumps(self._group.reading(limit)) + "\n")
                time.sleep(1)


async def _driven(plan: Plan) -> Driven:
    return await drive(plan, asyncio.Event(), lambda step, driven: None)


def load_of(folder: Path, runs: list[Run]) -> list[Window]:
    """The windows of these runs, as `undercurrent capacity` reads them from the recording."""
    settings = load_settings(None, {})
    reader = LoadReader(settings.intake_config())
    for arrival in lay_out(read_recording(folder), layout_of(docker, False, settings.topics)):
        reader.receive(arrival.record)
    windows = reader.windows(settings.default_domain, "registry")
    return [w for w in windows if any(r.start <= w.start and w.start + w.seconds <= r.end for r in runs)]


HEAD = (
    "| rate | limit | used | throttled | sent | failed or timed out | unsent | p50 | p95 | backed off | |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|"
)


def _row(run: Run) -> str:
    one = run.result
    p50, p95 = ("-" if value is None else f"{value:.3f} s" for value in (one.p50_seconds, one.p95_seconds))
    verdict = "holds" if one.holds(0.01, 1.0) and not run.driven.back_offs else "does not hold"
    return (
        f"| {run.rate:g}/s | {run.limit:g} | {run.used_cores:.3f} | {run.throttled_ratio:.0%} | {one.sent} "
        f"| {one.failed + one.timeouts} | {one.unsent} | {p50} | {p95} | {run.driven.back_offs} | {verdict} |"
    )


def peak_used(windows: list[Window]) -> float:
    """Highest mean use over ten seconds."""
    return peak_cores([(one.start, one.start + one.seconds, one.used_cores) for one in windows]) or 0.0


def measure(bench: Bench, rate: float, windows_of: Callable[[list[Run]], list[Window]]) -> None:
    """Calm, starved, raised too little, raised as advised; and how far off the advice was."""
    calm = bench.run(rate, 1.0, seed=1)
    starved = bench.run(rate, round(STARVED_RATIO * calm.used_cores, 3), seed=2)
    alone = least_of(windows_of([starved]))
    print(f"\nfrom the starved run alone: {_bound(alone)}", flush=True)
    told: Capacity | None = None
    try:
        told = examine(windows_of([calm, starved]), [1.0])
    except CapacityError as error:
        print(f"with the calm run before it: refused: {error}", flush=True)
    else:
        print("with the calm run before it:", *lines(told), sep="\n  ", flush=True)
    demand = told.peak_cores if told is not None else alone[0] if alone is not None else calm.used_cores
    print(f"\n{HEAD}", flush=True)
    bench.run(rate, round(TOO_LITTLE_RATIO * demand, 3), seed=3)
    raised = bench.run(rate, wanted_cores(demand, starved.limit), seed=4)
    used = peak_used(windows_of([raised]))
    errors = [f"with the calm before {demand / used - 1:+.0%}"] if told is not None else []
    errors += [f"starved alone {alone[0] / used - 1:+.0%}"] if alone is not None else []
    print(f"\nused in the ten busiest seconds after the raise: {used:.3f} cores; {', '.join(errors)}")


def _bound(found: tuple[float, float] | None) -> str:
    if found is None:
        return "no window was held back and in trouble"
    least, limit = found
    return f"at least {least:.3f} cores, a limit of {wanted_cores(least, limit):g}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minio", default=shutil.which("minio"), help="MinIO's program")
    parser.add_argument("--rate", type=float, default=6.0)
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--keep", type=Path, help="keep the recording there")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="undercurrent-bench-")))
        print(f"storage: {'MinIO' if options.minio else 'files, because there is no MinIO'}", flush=True)
        storage = stack.enter_context(minio(options.minio, folder)) if options.minio else None
        recording = options.keep or folder / "recording"
        recording.mkdir(parents=True, exist_ok=True)
        address, pid = stack.enter_context(registry(folder, storage))
        (recording / "plan_registry.json").write_text("{}")
        fill(address, REPOSITORIES)
        bench = Bench(address, stack.enter_context(group(pid)), recording, options.seconds)

        def windows_of(runs: list[Run]) -> list[Window]:
            shutil.copy(folder / "registry.log", recording / "registry-json.log")
            return load_of(recording, runs)

        print(HEAD, flush=True)
        measure(bench, options.rate, windows_of)
    return 0


if __name__ == "__main__":
    sys.exit(main())
