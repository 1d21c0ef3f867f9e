"""How long partitions stand still while one of two workers is restarted: with a lasting name and without.

`python -m bench.restart`. A real Kafka, eight partitions, a marker into each partition of registry.logs
every tenth of a second. What is measured is what Kafka sees: for each partition, the longest time in which
its committed position did not move, from the SIGTERM until five seconds after the successor is ready; and
before, for as long, what a partition shows that is left in peace.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import orjson
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

from tests.kafka.broker import KafkaBroker
from tests.kafka.test_static import NAMES, settled
from tests.kafka.workers import Cluster, Worker

EACH_SECONDS = 0.1
LOOK_SECONDS = 0.1
AFTER_SECONDS = 5.0
PEACE_SECONDS = 10.0
SESSION_SECONDS = {True: "60", False: "10"}
"""With names longer than a restart; without, what notices a dead worker soon."""
Positions = dict[tuple[str, int], int]


@contextmanager
def traffic(cluster: Cluster) -> Iterator[None]:
    """A marker into each partition of registry.logs, all the time."""
    settings, over = cluster.settings, threading.Event()

    def write() -> None:
        producer = KafkaProducer(bootstrap_servers=settings.brokers)
        while not over.wait(EACH_SECONDS):
            now = time.time()  # noqa: TID251  the time of a line that is written now
            line = orjson.dumps({"undercurrent_progress": {"event_time": now}})
            for number in range(settings.topics.raw_partitions):
                producer.send(settings.topics.logs, line, partition=number)
        producer.close()

    writing = threading.Thread(target=write)
    writing.start()
    try:
        yield
    finally:
        over.set()
        writing.join()


class Watch:
    """The longest time each partition's committed position stood still."""

    def __init__(self, cluster: Cluster) -> None:
        self._admin = KafkaAdminClient(bootstrap_servers=cluster.settings.brokers)
        app, topics = cluster.settings.app_id, cluster.settings.topics
        self._places = {f"{app}-intake": topics.logs, app: topics.signals}
        self._last: dict[tuple[str, int], tuple[int, float]] = {}
        self.longest: dict[tuple[str, int], float] = {}

    def look(self) -> None:
        """Take the positions as they are now."""
        now = time.monotonic()
        for group, topic in self._places.items():
            answer = self._admin.list_group_offsets({group: None})[group]
            for place, committed in answer.items():
                if place.topic == topic:
                    self._see((group, place.partition), committed.offset, now)

    def _see(self, place: tuple[str, int], offset: int, now: float) -> None:
        before, since = self._last.get(place, (offset, now))
        self._last[place] = (offset, since if offset == before else now)
        self.longest[place] = max(self.longest.get(place, 0.0), now - since)

    def during(self, happening: threading.Thread) -> None:
        """Look until it has happened, and a little longer."""
        happening.start()
        end = float("inf")
        while time.monotonic() < end:
            self.look()
            time.sleep(LOOK_SECONDS)
            if end == float("inf") and not happening.is_alive():
                end = time.monotonic() + AFTER_SECONDS


def measure(bootstrap: str, named: bool) -> None:
    """Restart one of two workers and print what stood still."""
    variables = {
        "UNDERCURRENT_KAFKA_SESSION_TIMEOUT_SECONDS": SESSION_SECONDS[named],
        "UNDERCURRENT_TOPICS_PARTITIONS": "8",
        "UNDERCURRENT_TOPICS_RAW_PARTITIONS": "8",
    }
    with Cluster(bootstrap, f"restart-{named}".lower(), **variables) as cluster, traffic(cluster):

        def worker(name: str) -> Worker:
            return cluster.worker(**({"UNDERCURRENT_KAFKA_GROUP_INSTANCE_ID": name} if named else {}))

        workers = [worker(name) for name in NAMES]
        settled(cluster, *workers)
        times: list[float] = []

        def restart() -> None:
            began = time.monotonic()
            workers[1].signal(signal.SIGTERM)
            workers[1].wait(20)
            worker(NAMES[1]).wait_until_ready()
            times.append(time.monotonic() - began)

        print("named" if named else "nameless")
        tell(cluster, "in peace", threading.Thread(target=time.sleep, args=(PEACE_SECONDS,)))
        tell(cluster, "while one restarts", threading.Thread(target=restart))
        print(f"  restarted and ready after {times[0]:.1f} s")


def tell(cluster: Cluster, when: str, happening: threading.Thread) -> None:
    """Print the longest pause of each partition while something happens."""
    watch = Watch(cluster)
    watch.during(happening)
    for group in sorted({group for group, _ in watch.longest}):
        still = sorted(seconds for (of, _), seconds in watch.longest.items() if of == group)
        print(f"  {when}: {group}: {', '.join(f'{seconds:.1f}' for seconds in still)} s")


if __name__ == "__main__":
    with KafkaBroker() as server:
        for with_names in (False, True):
            measure(server.bootstrap, with_names)
