"""History from a real Kafka: a span of time, exactly, and nothing of Kafka's is changed by it."""

from collections import Counter
from pathlib import Path

import pytest

from agents.history import HistoryError, Span, groups, kafka_history
from agents.recordings.recording import read_recording
from pipeline.replay import Arrival
from tests.kafka.workers import Cluster, write

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "dns_outage_direct"


def place(arrival: Arrival) -> tuple[str, int, int]:
    return arrival.record.topic, arrival.record.partition, arrival.record.offset


def content(arrival: Arrival) -> tuple[str, int, bytes | None]:
    return arrival.record.topic, arrival.record.partition, arrival.record.value


def test_a_span_gives_the_records_that_were_shipped_in_it_in_order_of_time(kafka: str) -> None:
    """All of them, each once, at the times they bear; a second reading gives the same."""
    with Cluster(kafka, "span") as cluster:
        shipped = cluster.ship(read_recording(SAMPLE))
        first, last = shipped[0].at, shipped[-1].at
        middle = round((first + last) / 2)
        names = cluster.settings.topics
        # The last markers declare an end that lies far ahead, and bear its time.
        whole = Span(first - 60, (shipped[-1].record.timestamp_ms or 0) / 1000 + 1)
        with kafka_history(cluster.settings, whole, names.raw) as history:
            found = list(history.arrivals())
            assert list(history.arrivals()) == found
            assert history.records_max == len(shipped)
        assert Counter(map(content, found)) == Counter(map(content, shipped))
        assert len({place(one) for one in found}) == len(found)
        assert [one.at for one in found] == sorted(one.at for one in found)
        assert {one.group for one in found} == set(groups(cluster.settings).values())
        with kafka_history(cluster.settings, Span(middle, whole.end), names.raw) as history:
            later = list(history.arrivals())
        assert {place(one) for one in later} == {place(one) for one in found if one.at >= middle}


@pytest.mark.parametrize(
    ("shift_seconds", "topic", "words", "exit_code"),
    [
        (-86_400, "logs", "nothing was written to", 3),
        (0, "absent", "there is no topic absent", 5),
    ],
)
def test_what_is_not_there_is_said(
    kafka: str, shift_seconds: float, topic: str, words: str, exit_code: int
) -> None:
    """An empty span and an unknown topic have words and exit codes of their own."""
    with Cluster(kafka, f"absent-history-{exit_code}") as cluster:
        names = cluster.settings.topics
        write(cluster.settings, names.logs, b"a line", None)
        span = Span(1_700_000_000.0 + shift_seconds, 1_700_000_100.0 + shift_seconds)
        asked = [names.logs if topic == "logs" else topic]
        with (
            pytest.raises(HistoryError, match=words) as refused,
            kafka_history(cluster.settings, span, asked),
        ):
            pass
        assert refused.value.exit_code == exit_code


def test_a_kafka_that_does_not_answer_is_said() -> None:
    """Within seconds, with its address."""
    cluster = Cluster("127.0.0.1:9", "nobody", checked=False, UNDERCURRENT_KAFKA_REQUEST_TIMEOUT_SECONDS="2")
    with (
        pytest.raises(HistoryError, match=r"Kafka at 127\.0\.0\.1:9 does not answer") as refused,
        kafka_history(cluster.settings, Span(0, 1), cluster.settings.topics.raw),
    ):
        pass
    assert refused.value.exit_code == 1
