"""How fast the page answers over 1,000 open incidents, 100,000 decisions and 10,000 sources (docs/page.md).

Everything is in one process, as in a worker: the server, and a client that asks one thing after another.
Before each question event time goes on, so that silence has to be weighed anew. CPU is that of both.
"""

import asyncio
import resource
import statistics
import time
from collections.abc import Iterator
from itertools import count

from aiohttp import ClientSession, web

from agents.page.site import Site
from agents.web import listen
from pipeline.page import Book, Limits, Record
from pipeline.render.words import catalogue
from schemas import EventTime, Outcome, SourceKind
from tests.page.records import decision, heard, incident_change, replayed
from tests.render.incidents import BEGAN

INCIDENTS = 1_000
DECISIONS = 100_000
PLACES, DOMAINS = 2_000, 200
KINDS = (
    SourceKind.REGISTRY_LOG,
    SourceKind.CPU,
    SourceKind.THROTTLING,
    SourceKind.MEMORY,
    SourceKind.REQUESTS,
)
ASKED = 40
LARGE = f"{7:016x}"
"""An incident that has half of all decisions."""

PATHS = (
    "/",
    "/?state=all&cause=dns_outage&domain=shop-2",
    f"/incidents/{LARGE}",
    "/noise",
    "/noise?outcome=counted",
    f"/noise?incident={LARGE}&outcome=released",
    "/api/v1/incidents?limit=200",
    f"/api/v1/incidents/{LARGE}",
    "/api/v1/decisions?limit=200",
    "/api/v1/decisions?outcome=counted&limit=200",
    "/sources",
    "/api/v1/sources?limit=200",
)


def records() -> Iterator[Record]:
    outcomes = (Outcome.SUPPRESSED,) * 98 + (Outcome.RELEASED, Outcome.COUNTED)
    curves = {"series": replayed("cpu_cascade").incidents[0].series}
    for n in range(INCIDENTS):
        change = incident_change(n)
        yield change.model_copy(update={"incident": change.incident.model_copy(update=curves)})
    for n in range(DECISIONS):
        yield decision(n, LARGE if n % 2 else f"{n % INCIDENTS:016x}", outcomes[n % 100])
    for n in range(PLACES):
        for kind in KINDS:
            yield heard(
                kind,
                f"registry-{n}",
                240 if n % 97 == 0 else n % 60,
                f"node-{n // 5}",
                domain=f"shop-{n % DOMAINS}",
            )
    yield EventTime(partition=0, at=BEGAN)


def memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def main() -> None:
    site = Site(Book(Limits()), catalogue("en"), lambda: BEGAN + DECISIONS / 10)
    site.prepare()
    before_mb, began = memory_mb(), time.perf_counter()
    for one in records():
        site.receive(one)
    taken = time.perf_counter() - began
    received = INCIDENTS + DECISIONS + PLACES * len(KINDS)
    print(
        f"{received:,} records made and received in {taken:.1f} s, {memory_mb() - before_mb:.0f} MB of memory"
    )
    application = web.Application()
    site.attach(application)
    runner = web.AppRunner(application)
    address = await listen(runner, "127.0.0.1", 0)
    async with ClientSession(address) as client:
        beats = (EventTime(partition=0, at=BEGAN + n / 100) for n in count(1))
        for path in PATHS:
            times, cpu, length = [], [], 0
            for _ in range(ASKED):
                site.receive(next(beats))  # what is known of sources has to be weighed anew
                began, worked = time.perf_counter(), time.process_time()
                async with client.get(path) as answer:
                    assert answer.status == 200, path
                    length = len(await answer.read())
                times.append((time.perf_counter() - began) * 1000)
                cpu.append((time.process_time() - worked) * 1000)
            print(
                f"{path:50} first {times[0]:6.1f} ms, median {statistics.median(times):6.1f} ms, "
                f"worst {max(times):6.1f} ms, CPU {statistics.median(cpu):5.1f} ms, {length / 1000:4.0f} kB"
            )
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
