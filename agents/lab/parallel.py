"""Does the same work on many things in a few processes, and shows how far it has got on stderr."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

T = TypeVar("T")
R = TypeVar("R")


def each(work: Callable[[T], R], tasks: Sequence[T], jobs: int, label: str) -> Iterator[R]:
    """Yield `work(task)` for every task in order, done by `jobs` processes (0: one per CPU).

    What a task raises ends all of it: tasks that have not begun are dropped, also on Ctrl-C.
    """
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    pool = ProcessPoolExecutor(max_workers=max(1, min(jobs or os.cpu_count() or 1, len(tasks))))
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            bar = progress.add_task("", total=len(tasks))
            for done in pool.map(work, tasks, chunksize=1):
                progress.advance(bar)
                yield done
    finally:
        pool.shutdown(cancel_futures=True)
