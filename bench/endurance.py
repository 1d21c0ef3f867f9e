"""A day of event time in minutes: does memory stay flat, and what a domain keeps bounded?

`make long` runs it. Two domains of two registries log three requests a second each and report their CPU
every second; each hour one domain goes through five minutes of CPU starvation. Intake, correlate and what
notify remembers run in this process, without Kafka; state is packed and restored once an hour as after
a crash. Prints one line an hour and fails when the second half of the day needs more than the first.
"""

import gc
import sys
import zlib
from pathlib import Path

import orjson

from agents.correlate import Partition
from agents.settings import load_settings
from bench.load import START, Registry, Topics, second_of
from pipeline.intake import Intake
from pipeline.telling import Memory, tell
from schemas import Change, Frame, Progress, SourceProgress, encode

HOURS = int(sys.argv[1]) if len(sys.argv) > 1 else 24
GROWTH_MB_MAX = 8.0
GROWTH_STATE_MAX = 1.1
DOMAINS = (
    '[{"domain": "north", "match": {"pod": "north-*"}}, {"domain": "south", "match": {"pod": "south-*"}}]'
)


def resident_mb() -> float:
    """Memory of this process as the kernel sees it."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def main() -> int:
    """Run the day. Returns 0 when everything stayed bounded."""
    settings = load_settings(None, {"UNDERCURRENT_DOMAINS": DOMAINS})
    topics = Topics(settings.topics.logs, settings.topics.metrics)
    registries = {domain: [Registry(f"{domain}-{one}") for one in "ab"] for domain in ("north", "south")}
    intake, partition = Intake(settings.intake_config()), Partition(settings.rules)
    memories: dict[str, Memory] = {}
    offset, frame_bytes, changes, records = 0, 0, 0, 0
    rows: list[tuple[float, int]] = []
    print("hour  resident MB  state bytes, packed  frames MB an hour  changes  incidents remembered")
    for second in range(START, START + HOURS * 3600):
        hour, within = divmod(second - START, 3600)
        for number, members in enumerate(registries.values()):
            starved = 1200 <= within < 1500 and hour % 2 == number
            for record in second_of(members, topics, second, starved, 3):
                intake.receive(record)
                records += 1
        if within % 5 == 4:
            said = []
            for frame in intake.flush().frames:
                value = encode(frame)
                frame_bytes += len(value)
                assert isinstance(frame, Frame)
                offset += 1
                said += partition.receive(frame, offset)
            source = SourceProgress(source=f"{settings.topics.logs}/0", time=second - 1.0, holds=True)
            progress = Progress(worker="w", expected={settings.topics.logs: 1}, sources=(source,))
            for outputs in partition.advance(progress).values():
                said += outputs
            for change in said:
                if isinstance(change, Change):
                    changes += 1
                    memories[change.incident.id] = tell(memories.get(change.incident.id), change)[1]
        if within == 3599:
            states = {domain: partition.state(domain) for domain in partition.seats}
            packed = sum(len(zlib.compress(orjson.dumps(state), 1)) for state in states.values())
            partition = Partition(settings.rules)
            partition.restore((domain, orjson.loads(orjson.dumps(state))) for domain, state in states.items())
            gc.collect()
            rows.append((resident_mb(), packed))
            print(
                f"{hour + 1:4}  {rows[-1][0]:11.1f}  {packed:19,}  {frame_bytes / 1e6:17.2f}  {changes:7}"
                f"  {len(memories):20}",
                flush=True,
            )
            frame_bytes = 0
    middle = len(rows) // 2
    first, second_half = rows[1:middle] or rows[:1], rows[middle:]
    grown_mb = max(mb for mb, _ in second_half) - max(mb for mb, _ in first)
    grown_state = max(size for _, size in second_half) / max(size for _, size in first)
    print(f"{records:,} records; second half against first: {grown_mb:+.1f} MB, state x {grown_state:.2f}")
    return int(grown_mb > GROWTH_MB_MAX or grown_state > GROWTH_STATE_MAX)


if __name__ == "__main__":
    raise SystemExit(main())
