"""Workers that come and go: as many as a throw of the dice says, and any of them may be hurt."""

import contextlib
import random
import signal
import subprocess

from tests.kafka.workers import Cluster, Worker

Roles = tuple[str, ...]
WHOLE: tuple[Roles, ...] = ((),)
SPLIT: tuple[Roles, ...] = (("intake",), ("correlate",), ("notify",))


class Fleet:
    """For each of `forms` between one worker and `most`. `harm` counts what was done to them."""

    def __init__(self, cluster: Cluster, forms: tuple[Roles, ...], most: int, dice: random.Random) -> None:
        self._cluster = cluster
        self._most = most
        self._dice = dice
        self._workers: dict[Roles, list[Worker]] = {form: [] for form in forms}
        self.harm = 0

    def muster(self) -> None:
        """Bring every form to a number of workers that the dice say; those too many are asked to go."""
        for form in self._workers:
            self._bury(form)
            wanted = self._dice.randint(1, self._most)
            while len(self._workers[form]) < wanted:
                self._workers[form].append(self._cluster.worker(*form))
            for worker in self._workers[form][wanted:]:
                worker.signal(signal.SIGTERM)

    def victim(self) -> Worker:
        """Any worker that lives."""
        for form in self._workers:
            self._bury(form)
        return self._dice.choice([worker for workers in self._workers.values() for worker in workers])

    def all(self) -> list[Worker]:
        """Every worker there is."""
        return [worker for workers in self._workers.values() for worker in workers]

    def reinforce(self) -> None:
        """One more worker of each form."""
        for form, workers in self._workers.items():
            workers.append(self._cluster.worker(*form))

    def kill(self) -> None:
        """End one worker as a power cut would, and muster again."""
        victim = self.victim()
        victim.signal(signal.SIGKILL)
        victim.wait(5)
        self.harm += 1
        self.muster()

    def settle(self) -> None:
        """From here on one worker of each form, unhurt."""
        for workers in self._workers.values():
            for worker in workers:
                worker.signal(signal.SIGTERM)
        for form, workers in self._workers.items():
            for worker in workers:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    worker.wait(20)
            self._workers[form] = [self._cluster.worker(*form)]

    def _bury(self, form: Roles) -> None:
        """Forget the dead. One that was not told to go has failed, and says why."""
        for worker in self._workers[form]:
            code = worker.process.poll()
            asked = (0, -signal.SIGKILL, -signal.SIGTERM)  # SIGTERM itself ends a worker that is not yet up
            assert code is None or code in asked, f"{code}: {worker.written()[-6000:]}"
        self._workers[form] = [one for one in self._workers[form] if one.process.poll() is None]
