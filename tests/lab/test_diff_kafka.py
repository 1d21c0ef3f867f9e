"""A span of a real Kafka under two sets of rules: the same difference as over the recording itself."""

from datetime import UTC, datetime
from pathlib import Path

import orjson
from click.testing import CliRunner

from agents.cli import main
from agents.recordings.recording import read_recording
from tests.kafka.workers import Cluster

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "cpu_cascade"


def test_a_span_of_kafka_is_compared_like_its_recording(kafka: str, tmp_path: Path) -> None:
    """Shipped and read back by time, history differs by the same incident; without a topic it ends with 2."""
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: {burst: {requests: 1000, proven_requests: 1000}}\n")
    with Cluster(kafka, "diff") as cluster:
        shipped = cluster.ship(read_recording(SAMPLE))
        span = [
            datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            for at in (shipped[0].at - 60, (shipped[-1].record.timestamp_ms or 0) / 1000 + 1)
        ]
        asked = ["diff", "--rules", str(rules), "--json", "--from", span[0], "--to", span[1]]
        result = CliRunner().invoke(main, asked, env=cluster.environ)
        assert result.exit_code == 1, result.output
        body = orjson.loads(result.stdout)
        (told,) = body["differences"][0]["incidents"]
        assert (told["kind"], told["old"][0]["cause"]) == ("lost", "cpu_saturation")
        refused = CliRunner().invoke(main, [*asked, "--topic", "absent"], env=cluster.environ)
        assert refused.exit_code == 2
        assert "there is no topic absent" in refused.output
