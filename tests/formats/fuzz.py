"""Throws mutated records at the intake: `make fuzz`, or `python -m tests.formats.fuzz --inputs N --seed S`.

What must hold of every record: nothing is raised, the books balance, what comes out is bounded, and no
record takes longer than SECONDS_MAX of processor time. The first that breaks a law is written to a file.
"""

import argparse
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from time import process_time
from types import FrameType

from pipeline.intake import Batch, Intake, IntakeConfig
from pipeline.intake.packing import UNPACKED_BYTES_MAX
from schemas import encode
from tests.formats.mutations import mutations
from tests.formats.reading import CAPTURES, KAFKA_MS, fixtures
from tests.intake.feed import accounted, captured, record

SECONDS_MAX = 2.0
OUTPUT_BYTES, OUTPUT_TIMES = 262_144, 64
"""What a record may give, encoded: so many bytes, and so many times its own size."""

LETTER_CHARACTERS = 4 * (IntakeConfig().dead_letter_bytes_max // 3 + 1)
"""Base64 of the bytes of a dead letter that are kept."""

INTAKE_LIVES = 500
"""Records until the intake is a fresh one: halves of earlier ones wait in it."""


def corpus() -> list[bytes]:
    """Every fixture, every captured line, a scrape's first lines, and our own records."""
    lines = [
        line.encode()
        for path in sorted(CAPTURES.glob("captured-*.log"))
        for line in captured(path.name.removeprefix("captured-registry-").removesuffix(".log"))
    ]
    scrape = (CAPTURES / "captured-registry-v3.1.1.metrics.prom").read_bytes()[-6_000:]
    return [
        *fixtures().values(),
        *lines,
        scrape,
        b'{"undercurrent_progress":{"event_time":1795425100}}',
        b'{"undercurrent_metric":1,"source":"cgroup","time":1795425100,"reading":{"nr_periods":4}}',
        b"[ERROR] plugin/errors: 2 s3.example.com. A: read udp 10.244.0.3:5->10.0.0.2:53: i/o timeout",
        b"[WARNING] 2 errors like '^read udp .* i/o timeout$' occurred in last 30s",
        b"dnsmasq[10]: Maximum number of concurrent DNS queries reached (max: 150)",
    ]


class Broken(AssertionError):
    """A record broke a law."""


class Laws:
    """Feeds records to an intake, one at a time, and holds it to the laws."""

    def __init__(self) -> None:
        self.fates: Counter[str] = Counter()
        self.largest = 0
        self._count = 0
        self._intake = Intake(IntakeConfig())

    def check(self, value: bytes) -> None:
        """Raise `Broken`, or whatever the intake raised."""
        if self._count % INTAKE_LIVES == 0:
            self._intake = Intake(IntakeConfig())
        self._count += 1
        self._intake.receive(record(value, offset=self._count, at=KAFKA_MS / 1000))
        batch = self._intake.flush(release_heads=self._count % 3 > 0)
        if self._count % 3:  # nothing waits any more
            self._balance(batch)
        self._bound(value, batch)

    def _balance(self, batch: Batch) -> None:
        counts = batch.counts
        if counts.held or not 1 <= accounted(counts) <= 2 + counts.rejoined + counts.partial:
            raise Broken(f"the books do not balance: {counts}")
        self.fates.update({"dead letter": sum(counts.dead_letters.values())})
        self.fates.update({"told": sum(counts.records.values()) + counts.markers})
        self.fates.update({"dropped": sum(counts.dropped.values())})

    def _bound(self, value: bytes, batch: Batch) -> None:
        out = sum(len(encode(frame)) for frame in batch.frames)
        self.largest = max(self.largest, out)
        size = min(UNPACKED_BYTES_MAX, 22 * len(value))
        if out > OUTPUT_BYTES + OUTPUT_TIMES * size:
            raise Broken(f"{out} bytes came out of {len(value)}")
        if any(len(letter.value_base64) > LETTER_CHARACTERS for letter in batch.dead_letters):
            raise Broken("a dead letter larger than its bound")


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise Broken(f"more than {SECONDS_MAX} s of processor time")


def run(inputs: int, seed: int) -> int:
    """Give exit code 0, or 1 at the first record that breaks a law."""
    signal.signal(signal.SIGVTALRM, _stop)
    laws = Laws()
    began = process_time()
    slowest, total = 0.0, 0
    for number, value in enumerate(islice(mutations(seed, corpus()), inputs), 1):
        total += len(value)
        started = process_time()
        signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS_MAX)
        try:
            laws.check(value)
        except BaseException as error:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            path = Path(f"fuzz-{seed}-{number}.bin")
            path.write_bytes(value)
            print(f"input {number} of seed {seed}, kept in {path}: {error!r}", file=sys.stderr)
            if isinstance(error, KeyboardInterrupt):
                raise
            return 1
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        slowest = max(slowest, process_time() - started)
    seconds = process_time() - began
    print(
        f"{inputs:,} inputs of seed {seed}, {total / 1e6:,.0f} MB in {seconds:.0f} s of processor time: "
        f"{dict(sorted(laws.fates.items()))}; slowest {slowest * 1000:.0f} ms, "
        f"largest output {laws.largest:,} bytes; no law broken"
    )
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as many as asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    return run(chosen.inputs, chosen.seed)


if __name__ == "__main__":
    raise SystemExit(main())
