"""Is the worker getting on with its work? Judged by progress, not by being there.

Workers have been seen alive and reading nothing after a broker outage or a rebalance, so the question
is whether there is something left to read and the position does not move.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Pulse:
    """One stage: how far it is, how much is left, and since when it has not moved. Seconds of one clock."""

    position: int
    lag: int
    moved_at: float
    seen_at: float


class Health:
    """The pulses of all stages of one worker."""

    def __init__(self, stages: tuple[str, ...], stall_seconds: float) -> None:
        self._stages = stages
        self._stall_seconds = stall_seconds
        self._pulses: dict[str, Pulse] = {}

    def beat(self, stage: str, position: int, lag: int, now: float) -> bool:
        """A stage was found at `position` (a sum of offsets) with `lag` records left; does it get on?"""
        before = self._pulses.get(stage)
        moved = before is None or before.position != position or lag == 0
        moved_at = now if moved or before is None else before.moved_at
        self._pulses[stage] = Pulse(position, lag, moved_at, now)
        return moved

    def reset(self, stage: str) -> None:
        """Partitions come and go: not ready, and nothing known, until the next beat."""
        self._pulses.pop(stage, None)

    def stalled(self, now: float) -> list[str]:
        """What is wrong with each stage that has work left and does not get on with it."""
        return [
            f"{stage}: {pulse.lag} records left and no progress for {now - pulse.moved_at:.0f} s"
            for stage, pulse in self._pulses.items()
            if pulse.lag and now - pulse.moved_at > self._stall_seconds
        ]

    def unready(self, now: float) -> list[str]:
        """What keeps the worker from being of use now."""
        silent = [stage for stage in self._stages if stage not in self._pulses]
        unseen = [
            f"{stage}: Kafka has not answered for {now - pulse.seen_at:.0f} s"
            for stage, pulse in self._pulses.items()
            if now - pulse.seen_at > self._stall_seconds
        ]
        return [f"{stage}: waits for its partitions" for stage in silent] + unseen + self.stalled(now)
