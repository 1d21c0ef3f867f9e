"""Everything fails at once: 10,000 instances in 1,000 domains. What does it cost, and does the bound hold?

`make long` runs it, after the day of bench/endurance.py. All instances are healthy for 30 seconds of event
time, then starved of CPU and failing for a minute and a half. Intake and correlate run in this process, as
one worker that has all partitions. Prints computing time, memory, and what a domain keeps at most; fails
when a domain keeps more than `STATE_BYTES_MAX` allows, or an incident is missing. In full it takes about half
an hour and 9 GB of memory, for one worker has it all; `python -m bench.storm 100` is a tenth of it.
"""

import sys
import time
import zlib
from collections import Counter

import orjson

from agents.correlate import Partition
from agents.settings import load_settings
from agents.statetable import RECORD_OVERHEAD_BYTES, STATE_BYTES_MAX
from bench.endurance import resident_mb
from bench.load import START, Registry, Topics, second_of
from pipeline.intake import Intake
from schemas import Change, ChangeKind, Progress, SourceProgress, encode

DOMAINS = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
INSTANCES = 10
HEALTHY_SECONDS = 30
STARVED_SECONDS = 90
FLUSH_SECONDS = 5


def main() -> int:
    """Run the storm. Returns 0 when every bound held."""
    names = [f"d{number:04}" for number in range(DOMAINS)]
    rules = orjson.dumps([{"domain": name, "match": {"pod": f"{name}-*"}} for name in names]).decode()
    settings = load_settings(None, {"UNDERCURRENT_DOMAINS": rules})
    topics = Topics(settings.topics.logs, settings.topics.metrics)
    registries = [Registry(f"{name}-{one}") for name in names for one in range(INSTANCES)]
    intake, partition = Intake(settings.intake_config()), Partition(settings.rules)
    spent = Counter[str]()
    said = Counter[str]()
    opened: dict[str, float] = {}
    records, frame_bytes, frame_bytes_max, offset = 0, 0, 0, 0
    print(f"{len(registries):,} instances in {DOMAINS:,} domains")
    for second in range(START, START + HEALTHY_SECONDS + STARVED_SECONDS):
        starved = second >= START + HEALTHY_SECONDS
        batch = list(second_of(registries, topics, second, starved, 2))
        before = time.process_time()
        for record in batch:
            intake.receive(record)
        spent["intake"] += time.process_time() - before
        records += len(batch)
        if (second - START) % FLUSH_SECONDS != FLUSH_SECONDS - 1:
            continue
        before = time.process_time()
        frames = intake.flush().frames
        spent["intake"] += time.process_time() - before
        sizes = [len(encode(frame)) for frame in frames]
        frame_bytes, frame_bytes_max = frame_bytes + sum(sizes), max([frame_bytes_max, *sizes])
        before = time.process_time()
        outputs = []
        for frame in frames:
            offset += 1
            outputs += partition.receive(frame, offset)
        source = SourceProgress(source=f"{settings.topics.logs}/0", time=second - 1.0, holds=True)
        progress = Progress(worker="w", expected={settings.topics.logs: 1}, sources=(source,))
        for more in partition.advance(progress).values():
            outputs += more
        spent["correlate"] += time.process_time() - before
        for output in outputs:
            if isinstance(output, Change):
                said[output.kind.value] += 1
                if output.kind is ChangeKind.OPENED:
                    opened.setdefault(output.incident.domain, output.at)
    packed = [len(zlib.compress(orjson.dumps(partition.state(name)), 1)) for name in names]
    seconds = HEALTHY_SECONDS + STARVED_SECONDS
    rate = records / spent["intake"]
    print(f"intake     {records:,} records in {spent['intake']:.0f} s: {rate:,.0f} a second")
    print(
        f"correlate  {DOMAINS * seconds:,} domain-seconds in {spent['correlate']:.0f} s: "
        f"{1000 * spent['correlate'] / DOMAINS / seconds:.1f} ms each, "
        f"{spent['correlate'] / seconds:.1f} s of one core for a second of the storm"
    )
    print(f"memory     {resident_mb():.0f} MB resident, {resident_mb() / DOMAINS:.2f} MB a domain")
    print(f"state      {max(packed):,} bytes of a domain at most, packed; {STATE_BYTES_MAX:,} allowed")
    print(f"frames     {frame_bytes / 1e6:.0f} MB in all, {frame_bytes_max:,} bytes at most")
    print(
        f"changes    {dict(said)}, first at second {min(opened.values(), default=0) - START:.0f} of the story"
    )
    fits = max(packed) < STATE_BYTES_MAX - RECORD_OVERHEAD_BYTES
    return 0 if fits and len(opened) == DOMAINS else 1


if __name__ == "__main__":
    raise SystemExit(main())
