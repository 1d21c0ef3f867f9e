"""Real workers on a real Kafka: whatever happens to them, they say what a quiet replay says, once."""

import asyncio
import signal
import time
from base64 import b64decode
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from agents.recordings.recording import Recording, read_recording
from agents.topics import DOMAINS_TABLE, changelog, check
from pipeline.replay import Arrival
from schemas import Change, DeadLetter, DeadLetterReason, Decision, IncidentState, decode, encode
from tests.kafka.broker import KafkaBroker
from tests.kafka.workers import Cluster, write

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
STOP_SECONDS = 15.0
FAST = 40.0
"""Times real time: a recording of four minutes takes six seconds."""

QUICK_RULES = {
    "UNDERCURRENT_RULES_LATENESS_SECONDS": "1",
    "UNDERCURRENT_RULES_EVIDENCE_GRACE_SECONDS": "2",
    "UNDERCURRENT_RULES_HOLD_SECONDS": "2",
    "UNDERCURRENT_RULES_LIFECYCLE_RECOVERING_AFTER_SECONDS": "2",
    "UNDERCURRENT_RULES_LIFECYCLE_RESOLVED_AFTER_SECONDS": "6",
    "UNDERCURRENT_INTAKE_IDLE_SECONDS": "1",
}
"""Waits short enough to be seen on the wall clock."""


@pytest.fixture(scope="module")
def cascade() -> Recording:
    """CPU starvation with DNS noise."""
    return read_recording(SAMPLES / "cpu_cascade")


def told(outputs: Iterable[Change | Decision]) -> dict[str, bytes]:
    """Outputs by id, in full; two of one id must be the same."""
    found: dict[str, bytes] = {}
    for output in outputs:
        value = encode(output)
        assert found.setdefault(output.id, value) == value, f"{output.id} was said in two ways"
    return found


class Shipping:
    """Shipping that goes on while the test does something to the workers."""

    def __init__(self, cluster: Cluster, arrivals: list[Arrival], speed: float) -> None:
        pool = ThreadPoolExecutor(1)
        self._done = pool.submit(cluster.ship_arrivals, arrivals, speed)
        pool.shutdown(wait=False)

    def join(self) -> None:
        """Wait for its end, and fail as it did."""
        self._done.result()


def in_the_background(
    cluster: Cluster, recording: Recording, speed: float = FAST
) -> tuple[Shipping, list[Arrival]]:
    """Ship until `join`; returns when the workers have read the first hundred records."""
    arrivals = cluster.arrivals(recording)
    shipping = Shipping(cluster, arrivals, speed)
    cluster.wait_for(lambda: cluster.records_read() > 100)
    return shipping, arrivals


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cpu_cascade", "mixed", "dns_outage_direct"])
def test_two_workers_on_four_partitions_say_what_a_replay_says(kafka: str, name: str) -> None:
    """However the partitions are shared, changes and decisions are those of the replay, byte for byte."""
    with Cluster(kafka, f"two-{name}") as cluster:
        workers = [cluster.worker(), cluster.worker()]
        for worker in workers:
            worker.wait_until_ready()
        arrivals = cluster.ship(read_recording(SAMPLES / name))
        cluster.wait_until_read(arrivals[-1].at)
        assert told(cluster.said()) == told(cluster.replayed(arrivals))
        read = [worker.metric("records_read_total") or 0 for worker in workers]
        assert sum(read) == len(arrivals)
        assert min(read) > 0, "both have read their share"


@pytest.mark.slow
def test_workers_of_one_role_each_say_what_a_replay_says(kafka: str, cascade: Recording) -> None:
    """Roles scale apart: one intake, two that correlate and one that notifies do what one worker does.

    A worker that does everything may join and leave them, as in an upgrade from one form to the other.
    """
    with Cluster(kafka, "roles") as cluster:
        whole = cluster.worker().wait_until_ready()
        split = [cluster.worker(*roles) for roles in (["intake"], ["correlate"], ["correlate"], ["notify"])]
        for worker in split:
            worker.wait_until_ready()
        shipping, arrivals = in_the_background(cluster, cascade)
        time.sleep(1.0)
        whole.signal(signal.SIGTERM)
        assert whole.wait(STOP_SECONDS) == 0, whole.written()
        shipping.join()
        cluster.wait_until_read(arrivals[-1].at)
        assert told(cluster.said()) == told(cluster.replayed(arrivals))
        intake, one, other, notify = split
        assert (intake.metric("records_read_total") or 0) > 0
        assert intake.metric("frames_received_total") == 0
        frames = [worker.metric("frames_received_total") or 0 for worker in (one, other, notify)]
        assert max(frames[:2]) > 0
        assert frames[2] == 0, "who only notifies does not correlate"
        assert (notify.metric("notifications_total") or 0) > 0


@pytest.mark.slow
def test_domains_live_apart_and_each_says_what_a_replay_says(kafka: str) -> None:
    """Two deployments in the same topics, told apart by a label: each has its partition and incidents."""
    rules = (
        '[{"domain": "north", "match": {"pod": "registry-a"}},'
        ' {"domain": "south", "match": {"pod": "registry-b"}}]'
    )
    with Cluster(kafka, "domains", UNDERCURRENT_DOMAINS=rules) as cluster:
        workers = [cluster.worker(), cluster.worker()]
        for worker in workers:
            worker.wait_until_ready()
        arrivals = cluster.ship(read_recording(SAMPLES / "mixed"))
        cluster.wait_until_read(arrivals[-1].at)
        said = cluster.said()
        assert told(said) == told(cluster.replayed(arrivals))
        assert {one.incident.domain for one in said if isinstance(one, Change)} == {"north", "south"}


@pytest.mark.slow
def test_a_killed_worker_loses_nothing_and_repeats_nothing_new(kafka: str, cascade: Recording) -> None:
    """After `kill -9` at any instant everything is said, and what is said again is the same, by its id."""
    with Cluster(kafka, "killed") as cluster:
        victims = [cluster.worker().wait_until_ready(), cluster.worker().wait_until_ready()]
        shipping, arrivals = in_the_background(cluster, cascade)
        for victim in victims:
            time.sleep(1.5)
            victim.signal(signal.SIGKILL)
            cluster.worker()
        shipping.join()
        cluster.wait_until_read(arrivals[-1].at)
        assert told(cluster.said()) == told(cluster.replayed(arrivals))


@pytest.mark.slow
def test_a_stopped_worker_ends_in_time_and_its_successor_goes_on(kafka: str, cascade: Recording) -> None:
    """SIGTERM in the middle of work: exit code 0 within 15 seconds, nothing lost or said in two ways."""
    with Cluster(kafka, "stopped") as cluster:
        first = cluster.worker().wait_until_ready()
        shipping, arrivals = in_the_background(cluster, cascade)
        time.sleep(1.0)
        first.signal(signal.SIGTERM)
        assert first.wait(STOP_SECONDS) == 0, first.written()
        cluster.worker().wait_until_ready()
        shipping.join()
        cluster.wait_until_read(arrivals[-1].at)
        assert told(cluster.said()) == told(cluster.replayed(arrivals))


@pytest.mark.slow
def test_a_split_line_survives_a_handover_between_its_halves(kafka: str, cascade: Recording) -> None:
    """A worker stops with half a line in hand: it leaves it in Kafka, and the next one reads both halves."""
    with Cluster(kafka, "halves") as cluster:
        first = cluster.worker().wait_until_ready()
        arrivals = cluster.arrivals(cascade)
        tail = next(i for i, one in enumerate(arrivals) if b"caused by: context canceled" in one.record.value)
        cluster.ship_arrivals(arrivals[:tail])
        cluster.wait_for(lambda: first.metric("lines_held") == 1)
        first.signal(signal.SIGTERM)
        assert first.wait(STOP_SECONDS) == 0, first.written()
        second = cluster.worker().wait_until_ready()
        cluster.ship_arrivals(arrivals[tail:])
        cluster.wait_until_read(arrivals[-1].at)
        assert told(cluster.said()) == told(cluster.replayed(arrivals))
        assert second.metric("lines_partial_total") == 0


@pytest.mark.slow
def test_a_frozen_worker_that_wakes_up_spoils_nothing(kafka: str, cascade: Recording) -> None:
    """A worker stopped for longer than its session loses its partitions, and may still write what it meant.

    It wakes up while the recording is still being shipped: copies are known again as long as their time
    is kept (`rules.retention_seconds`), and the end of a recording lies further ahead than that.
    """
    with Cluster(kafka, "frozen") as cluster:
        sleeper = cluster.worker().wait_until_ready()
        shipping, arrivals = in_the_background(cluster, cascade, speed=12.0)
        time.sleep(1.0)
        sleeper.signal(signal.SIGSTOP)
        cluster.worker()
        time.sleep(cluster.settings.kafka.session_timeout_seconds + 3)
        sleeper.signal(signal.SIGCONT)
        shipping.join()
        cluster.wait_until_read(arrivals[-1].at)
        assert told(cluster.said()) == told(cluster.replayed(arrivals))


@pytest.mark.slow
def test_a_broker_that_dies_and_comes_back_costs_no_record(
    kafka_broker: KafkaBroker, cascade: Recording
) -> None:
    """Workers outlive their Kafka: they retry, and go on where they were."""
    with Cluster(kafka_broker.bootstrap, "outage") as cluster:
        worker = cluster.worker().wait_until_ready()
        shipping, arrivals = in_the_background(cluster, cascade)
        time.sleep(1.0)
        kafka_broker.kill()
        time.sleep(4.0)
        kafka_broker.start()
        shipping.join()
        cluster.wait_until_read(arrivals[-1].at)
        assert worker.process.poll() is None
        written = cluster.as_they_lie(arrivals)
        assert told(cluster.said()) == told(cluster.replayed(written))


@pytest.mark.kafka
@pytest.mark.parametrize("declares", ["true", "false"])
def test_a_worker_may_be_started_before_kafka_and_stopped_meanwhile(declares: str) -> None:
    """In a compose file everything starts at once; a worker that waits for Kafka still obeys."""
    server = KafkaBroker()
    variables = {"UNDERCURRENT_KAFKA_DECLARE_TOPICS": declares}
    try:
        with Cluster(server.bootstrap, "early", checked=False, **variables) as cluster:
            waiting = cluster.worker()
            stopped = cluster.worker()
            cluster.wait_for(lambda: "retry_seconds" in stopped.written())
            stopped.signal(signal.SIGTERM)
            assert stopped.wait(STOP_SECONDS) == 0, stopped.written()
            server.start()
            check(cluster.settings, create=True)
            waiting.wait_until_ready()
    finally:
        server.close(keep_log=False)


@pytest.mark.slow
def test_silence_lets_time_pass_and_the_incident_end(kafka: str, cascade: Recording) -> None:
    """Without markers and new records event time follows the clock, so an incident resolves by itself.

    Four minutes within a second, without markers, would be late where a partition comes first: they are
    there before the worker, whom what is left to read then keeps in order.
    """
    with Cluster(kafka, "silent", **QUICK_RULES) as cluster:
        cluster.ship(cascade, markers=False)
        cluster.worker().wait_until_ready()
        cluster.wait_for(lambda: states(cluster)[-1:] == [IncidentState.RESOLVED])


@pytest.mark.slow
def test_a_worker_started_into_silence_knows_what_time_it_is(kafka: str, cascade: Recording) -> None:
    """Event time is remembered with the position: an incident left open by a dead worker still ends."""
    patient = QUICK_RULES | {"UNDERCURRENT_RULES_LIFECYCLE_RESOLVED_AFTER_SECONDS": "15"}
    with Cluster(kafka, "remembers", **patient) as cluster:
        cut = cluster.arrivals(cascade, markers=False)
        middle = [arrival for arrival in cut if arrival.at < cut[0].at + 90]
        cluster.ship_arrivals(middle)  # before anybody reads, as above
        first = cluster.worker().wait_until_ready()
        cluster.wait_for(lambda: bool(states(cluster)))
        first.signal(signal.SIGKILL)
        first.wait(5)
        assert states(cluster)[-1] is not IncidentState.RESOLVED
        cluster.worker().wait_until_ready()
        cluster.wait_for(lambda: states(cluster)[-1] is IncidentState.RESOLVED)


ASTRAY = """
from faust.tables.recovery import Recovery

seek = Recovery._seek_offsets


async def astray(self, consumer, tps, offsets, title):
    Recovery._seek_offsets = seek
    await consumer.seek_wait(await consumer.highwaters(*tps))


Recovery._seek_offsets = astray
"""
"""For Python's start: the first recovery reads on from the ends of its topics, where nothing comes."""


@pytest.mark.slow
def test_a_recovery_of_which_nothing_comes_is_begun_again(
    kafka: str, cascade: Recording, tmp_path: Path
) -> None:
    """Faust would wait for ever for state that it has passed by, and no partition would be worked on."""
    (tmp_path / "sitecustomize.py").write_text(ASTRAY)
    with Cluster(kafka, "astray") as cluster:
        first = cluster.worker().wait_until_ready()
        shipping, arrivals = in_the_background(cluster, cascade)
        cluster.wait_for(lambda: cluster.end_of(changelog(cluster.settings, DOMAINS_TABLE)) > 0)
        first.signal(signal.SIGKILL)
        second = cluster.worker(PYTHONPATH=str(tmp_path))
        shipping.join()
        cluster.wait_until_read(arrivals[-1].at)
        assert "its recovery begins anew" in second.written()
        assert told(cluster.said()) == told(cluster.replayed(arrivals))


@pytest.mark.slow
def test_what_a_shipper_takes_back_was_never_said(kafka: str) -> None:
    """Records of an aborted transaction are not read, and nothing seems left to read behind them."""
    with Cluster(kafka, "aborted") as cluster:
        worker = cluster.worker("intake").wait_until_ready()
        topic = cluster.settings.topics.metrics
        asyncio.run(in_transactions(kafka, topic, {b"\xfe kept": True, b"\xff taken back": False}))
        cluster.wait_for(lambda: len(kept(cluster)) > 0 and worker.metric("consumer_lag_records") == 0)
        assert {value for value, _, _ in kept(cluster)} == {b"\xfe kept"}


async def in_transactions(bootstrap: str, topic: str, values: dict[bytes, bool]) -> None:
    """Write each value in a transaction of its own, and commit or abort it."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=topic) as producer:
        for value, commits in values.items():
            await producer.begin_transaction()
            await producer.send_and_wait(topic, value, partition=0)
            await (producer.commit_transaction() if commits else producer.abort_transaction())


@pytest.mark.slow
def test_what_cannot_be_read_is_kept_and_stops_nothing(kafka: str, cascade: Recording) -> None:
    """Broken records, newer versions and foreign bytes end as dead letters, with their bytes."""
    with Cluster(kafka, "poison") as cluster:
        topics = cluster.settings.topics
        bad = {
            b"\xff\xfe": (topics.signals, b"default", DeadLetterReason.MALFORMED),
            b'{"v":99,"type":"frame"}': (topics.signals, b"default", DeadLetterReason.UNKNOWN_VERSION),
            b'{"v":1,"type":"progress"}': (topics.signals, None, DeadLetterReason.MALFORMED),
            b'{"v":99,"type":"change"}': (topics.changes, b"default", DeadLetterReason.UNKNOWN_VERSION),
            b"[]": (topics.changes, b"default", DeadLetterReason.MALFORMED),
        }
        for value, (topic, key, _) in bad.items():
            write(cluster.settings, topic, value, key)
        write(cluster.settings, topics.signals, None, b"default")  # a tombstone
        cluster.worker().wait_until_ready()
        arrivals = cluster.ship(cascade)
        raw = b"\x00\x01 no shipper writes this"
        bad[raw] = (topics.metrics, None, DeadLetterReason.UNDECODABLE)
        write(
            cluster.settings, topics.metrics, raw, None
        )  # behind the others: their offsets are in the replay
        wanted = {(value, topic, reason) for value, (topic, _, reason) in bad.items()}
        cluster.wait_for(lambda: wanted <= kept(cluster))
        cluster.wait_until_read(arrivals[-1].at)
        assert told(cluster.said(but=bad.keys())) == told(cluster.replayed(arrivals))


def test_a_state_topic_that_cannot_be_read_ends_the_worker(kafka: str) -> None:
    """Faust would go on with empty state and a warning; a worker that has lost its memory must not speak."""
    with Cluster(kafka, "unreadable") as cluster:
        state = changelog(cluster.settings, DOMAINS_TABLE)
        write(cluster.settings, state, b"\xff not ours", b"\xff")
        worker = cluster.worker()
        assert worker.wait(30) == 1
        assert "a state topic cannot be read" in worker.written()


def test_topics_of_another_shape_end_the_worker_with_the_fix(kafka: str) -> None:
    """A worker does not start on topics that would send domains to the wrong partition."""
    with Cluster(kafka, "shape"):
        pass
    with Cluster(kafka, "shape", checked=False, UNDERCURRENT_TOPICS_PARTITIONS="2") as cluster:
        worker = cluster.worker()
        assert worker.wait(30) == 1
        assert "set topics.partitions to 4" in worker.written()


def kept(cluster: Cluster) -> set[tuple[bytes, str, DeadLetterReason]]:
    """Bytes, topic and reason of every dead letter so far."""
    records = cluster.records(cluster.settings.topics.dead_letters)
    letters = [decode(DeadLetter, record.value) for record in records]
    return {(b64decode(letter.value_base64), letter.origin.topic, letter.reason) for letter in letters}


def states(cluster: Cluster) -> list[IncidentState]:
    """State of the incident after each change, in order."""
    changes = [output for output in cluster.said() if isinstance(output, Change)]
    return [change.incident.state for change in sorted(changes, key=lambda change: change.seq)]
