"""The page on a real Kafka: any worker answers for every partition, and joins no group for it."""

import json
from typing import Any

from confluent_kafka import Producer

from agents.recordings.recording import read_recording
from schemas import DeadLetter, Decision, encode
from tests.kafka.workers import ROOT, Cluster, Worker
from tests.page.records import dead_letter, decision, incident_change

INCIDENTS = 12
SAMPLE = ROOT / "samples" / "cpu_cascade"


def ask(worker: Worker, path: str) -> Any:
    status, text = worker.get(f"/api/v1{path}")
    return json.loads(text) if status == 200 else None


def said(worker: Worker) -> Any:
    """All that a worker's page knows, without the time of asking."""
    answers = [ask(worker, path) for path in ("/incidents?state=all", "/decisions", "/dead-letters")]
    return [answer and {key: value for key, value in answer.items() if key != "as_of"} for answer in answers]


def write(producer: Producer, cluster: Cluster, numbers: range) -> None:
    """Incidents, decisions and dead letters over all partitions."""
    names, partitions = cluster.settings.topics, cluster.settings.topics.partitions
    for n in numbers:
        producer.produce(names.changes, encode(incident_change(n)), partition=n % partitions)
        records: list[tuple[str, Decision | DeadLetter]] = [
            (names.decisions, decision(n)),
            (names.dead_letters, dead_letter(n)),
        ]
        for topic, record in records:
            producer.produce(
                topic, encode(record), partition=n % partitions if topic == names.decisions else 0
            )
    assert producer.flush(30) == 0


def test_any_worker_answers_for_every_partition(kafka: str) -> None:
    """Two workers share the partitions, and each shows all incidents, from before its start and after."""
    with Cluster(kafka, "page") as cluster:
        producer = Producer({"bootstrap.servers": kafka})
        write(producer, cluster, range(INCIDENTS))
        producer.produce(cluster.settings.topics.decisions, b"not ours", partition=0)
        workers = [cluster.worker(), cluster.worker()]
        for count in (INCIDENTS, 2 * INCIDENTS):
            for worker in workers:
                worker.wait_until_ready()
                cluster.wait_for(lambda worker=worker, count=count: told(worker) == [count] * 3)  # type: ignore[misc]
            assert said(workers[0]) == said(workers[1])
            write(producer, cluster, range(INCIDENTS, 2 * INCIDENTS))


def test_any_worker_says_who_is_heard(kafka: str) -> None:
    """What correlate hears reaches every worker's page, and one that starts later knows it as well."""
    with Cluster(kafka, "page-sources") as cluster:
        first = cluster.worker()
        first.wait_until_ready()
        arrivals = cluster.ship(read_recording(SAMPLE))
        cluster.wait_until_read(arrivals[-1].at)
        cluster.wait_for(lambda: len(heard_by(first)) >= 6)
        second = cluster.worker()
        second.wait_until_ready()
        cluster.wait_for(lambda: heard_by(second) == heard_by(first))
        assert ("cpu", "registry-a", 1.0) in heard_by(second)


def heard_by(worker: Worker) -> list[tuple[str, str, float]]:
    """Which readings a worker's page knows of, and their interval."""
    domains = (ask(worker, "/sources") or {"domains": []})["domains"]
    found = [one for domain in domains for one in domain["sources"] if one["interval_seconds"] is not None]
    return sorted((one["kind"], one["place"], round(one["interval_seconds"], 1)) for one in found)


def told(worker: Worker) -> list[int]:
    """How many incidents, decisions and dead letters a worker's page knows."""
    return [answer["total"] if answer else 0 for answer in said(worker)]
