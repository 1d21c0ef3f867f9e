"""A worker that keeps its name over a restart keeps its partitions, and nobody else notices."""

import signal
import time
from pathlib import Path

import pytest

from agents.recordings.recording import read_recording
from tests.chaos.differences import differences
from tests.kafka.test_worker import STOP_SECONDS, in_the_background, told
from tests.kafka.workers import Cluster, Worker

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "dns_outage_direct"
NAMES = ("worker-0", "worker-1")
SPEED = 8.0


@pytest.mark.slow
@pytest.mark.parametrize("named", [True, False], ids=["named", "nameless"])
def test_a_restart_under_a_lasting_name_moves_no_partitions(kafka: str, named: bool) -> None:
    """Each of two workers is restarted, so the group's leader too, while a recording streams by. The other
    one is never asked to give up its partitions, and nothing is lost; without names it is asked twice."""
    session = {"UNDERCURRENT_KAFKA_SESSION_TIMEOUT_SECONDS": "120"}
    with Cluster(kafka, f"names-{named}".lower(), **session) as cluster:

        def worker(name: str) -> Worker:
            return cluster.worker(**({"UNDERCURRENT_KAFKA_GROUP_INSTANCE_ID": name} if named else {}))

        workers = {name: worker(name) for name in NAMES}
        settled(cluster, *workers.values())
        shipping, arrivals = in_the_background(cluster, read_recording(SAMPLE), SPEED)
        for name, other in (NAMES, NAMES[::-1]):
            before = assignments(cluster, workers[other])
            workers[name].signal(signal.SIGTERM)
            assert workers[name].wait(STOP_SECONDS) == 0, workers[name].written()
            workers[name] = worker(name)
            settled(cluster, *workers.values())
            moved = assignments(cluster, workers[other]) != before
            assert moved != named, workers[other].written()
        shipping.join()
        cluster.wait_until_read(arrivals[-1].at)
        if named:  # what is said after partitions have moved is tried in test_worker.py
            assert not differences(told(cluster.said()), told(cluster.replayed(arrivals)))


def assignments(cluster: Cluster, worker: Worker) -> float:
    """How often the worker was given partitions; a busy one may take a while to answer."""
    found: list[float] = []

    def known() -> bool:
        found.extend(one for one in (worker.metric("rebalances_total"),) if one is not None)
        return bool(found)

    cluster.wait_for(known)
    return found[-1]


def settled(cluster: Cluster, *workers: Worker) -> None:
    """Return when all are ready and none has been given other partitions for two seconds."""
    before: list[float | None] = []

    def are() -> bool:
        nonlocal before
        time.sleep(2.0)
        now = [one.metric("rebalances_total") for one in workers if one.get("/readyz")[0] == 200]
        same, before = now == before, now
        return same and len(now) == len(workers)

    cluster.wait_for(are)
