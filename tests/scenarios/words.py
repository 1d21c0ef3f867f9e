"""What the transcripts of the laws say beyond the language of stories (pipeline/stories/language.py).

notify                tell people of each change, and once more, as after a crash
raw TEXT              a raw record with these bytes comes in, all by itself
"""

import base64
from typing import Any

from pipeline import stories
from pipeline.intake import Intake, IntakeConfig, RawRecord
from pipeline.telling import intend, tell, unsure
from schemas import Rules


class Teller(stories.Teller):
    """Tells a transcript to the default rules."""

    def __init__(self) -> None:
        super().__init__(IntakeConfig(default_domain="shop"), Rules())

    def hear(self, number: int, line: str) -> list[str]:
        if line == "notify":
            return self._notify()
        if line.startswith("raw "):
            return raw_record(line.removeprefix("raw "))
        return super().hear(number, line)

    def _notify(self) -> list[str]:
        """The memory is stored before a word is said; a change that comes again finds itself told."""
        lines: list[str] = []
        memory: dict[str, Any] | None = None
        for change in self.changes:
            stored = unsure(intend(memory, change))
            acts, memory = tell(memory, change)
            repeated, _ = tell(memory, change)
            did = ", ".join(type(act).__name__ for act in acts) or "nothing"
            again = ", ".join(type(act).__name__ for act in repeated) or "nothing"
            first = "stored as being said" if stored else "not stored"
            lines.append(f"-> {change.kind.value}: {first}, then {did}; once more: {again}")
        return lines


def raw_record(text: str) -> list[str]:
    """What intake makes of one raw record."""
    intake = Intake(IntakeConfig())
    intake.receive(RawRecord("registry.logs", 0, 7, stories.START * 1000, None, text.encode()))
    batch = intake.flush(release_heads=True)
    lines = [
        f"-> dead letter of {one.origin.topic}/{one.origin.partition}@{one.origin.offset}: "
        f"{one.reason.value}, {one.detail}; its bytes: {base64.b64decode(one.value_base64).decode()}"
        for one in batch.dead_letters
    ]
    lines += [f"-> dropped: {reason}" for reason in batch.counts.dropped]
    return lines + [f"-> {kind}" for kind in batch.counts.symptoms]
