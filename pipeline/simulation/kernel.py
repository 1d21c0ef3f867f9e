"""The engine: a queue of events in time, tasks that wait for them, and where chance comes from."""

import heapq
from collections.abc import Callable, Generator
from typing import Protocol, TypeVar

Action = Callable[[], None]
Step = Callable[[Action], None]
"""Something a task waits for: it is given what resumes the task, and calls it once, later or at once."""

T = TypeVar("T")

Steps = Generator[Step, None, T]
"""Steps, one after another, and what they come to."""

Body = Steps[None]


class Chance(Protocol):
    """What the simulation asks of a generator of random numbers; `random.Random(seed)` is one."""

    def random(self) -> float:
        """A number in [0, 1)."""

    def expovariate(self, lambd: float) -> float:
        """An exponential waiting time at this rate."""

    def lognormvariate(self, mu: float, sigma: float) -> float:
        """A number whose logarithm is normal."""

    def uniform(self, a: float, b: float) -> float:
        """A number between two."""

    def getrandbits(self, k: int, /) -> int:
        """A number of so many bits."""


class Kernel:
    """Runs what is due, in order of time; what is due at the same time runs in order of asking."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Action]] = []
        self._asked = 0

    def after(self, seconds: float, action: Action) -> None:
        """Let `action` run so many seconds from now."""
        self._asked += 1
        heapq.heappush(self._due, (self.now + seconds, self._asked, action))

    def wait(self, seconds: float) -> Step:
        """Make the step that takes so many seconds."""
        return lambda resume: self.after(seconds, resume)

    def run(self, until: float) -> None:
        """Run everything that is due before `until`, in seconds."""
        while self._due and self._due[0][0] < until:
            self.now, _, action = heapq.heappop(self._due)
            action()
        self.now = until


class Task:
    """A body of steps, done one after another. It can be interrupted where it waits, or dropped."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self._turn = 0
        self.ended = False
        self._go(lambda: next(body))

    def interrupt(self, error: Exception) -> None:
        """Raise `error` inside the body at the step it waits for; what it waited for is ignored then."""
        if not self.ended:
            self._go(lambda: self._body.throw(error))

    def drop(self) -> None:
        """Forget the task, as a killed process forgets its work: not even its clean-up runs."""
        self.ended = True

    def _go(self, move: Callable[[], Step]) -> None:
        self._turn += 1
        turn = self._turn
        try:
            step = move()
        except StopIteration:
            self.ended = True
            return
        step(lambda: self._resume(turn))

    def _resume(self, turn: int) -> None:
        if turn == self._turn and not self.ended:
            self._go(lambda: next(self._body))


class Future:
    """Something that will be there once, for whoever waits: a value of no interest, or an error."""

    def __init__(self) -> None:
        self.done = False
        self._error: Exception | None = None
        self._waiting: list[Action] = []

    def settle(self, error: Exception | None = None) -> None:
        """Let everybody go on, with `error` if there is one. Only the first time counts."""
        if self.done:
            return
        self.done = True
        self._error = error
        waiting, self._waiting = self._waiting, []
        for resume in waiting:
            resume()

    def get(self) -> Body:
        """Wait, then raise the error if there is one."""
        if not self.done:
            yield self._waiting.append
        if self._error is not None:
            raise self._error
