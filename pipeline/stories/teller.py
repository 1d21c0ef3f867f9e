"""Tells a story to the intake and the core of the worker, and writes down what they answer."""

import difflib
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256

from pipeline.core import Output
from pipeline.intake import Counts, IntakeConfig, RawRecord
from pipeline.replay import Arrival, Replayer
from pipeline.stories.language import ANSWERS, Advance, Order, Statement, StoryError, read
from pipeline.stories.pen import Pen, Written
from pipeline.telling import Act, Memory, PostRoot, Reply, UpdateRoot, tell
from schemas import Change, Evidence, Rules

START = 1_795_424_400
"""Second 0 of every story: 2026-11-23 09:00:00 UTC."""

SHUFFLED_SECONDS = 9.0


class Teller:
    """Reads a story's lines and drives one worker's intake and core by them.

    `changes`: every change so far, in the order in which the core said them.
    """

    def __init__(self, config: IntakeConfig, rules: Rules) -> None:
        self._replayer = Replayer(config, rules)
        self._pen = Pen(START)
        self._said: list[Written] = []
        self._waiting: list[tuple[float, Written]] = []
        self._offsets: Counter[str] = Counter()
        self._letters = 0
        self._now = 0
        self._shuffled = False
        self._memories: dict[str, Memory] | None = None
        self.changes: list[Change] = []

    @property
    def counts(self) -> Counts:
        """What became of the records so far."""
        return self._replayer.counts

    @property
    def waits(self) -> bool:
        """Whether something was said for a second that has not come."""
        return bool(self._waiting)

    def hear(self, number: int, line: str) -> list[str]:
        """The answers to one line.

        Raises:
            StoryError: it is not in the language.
        """
        said = read(number, line)
        match said:
            case Statement():
                self._say(said)
            case Advance() if said.second < self._now:
                raise StoryError(number, f"event time has come to {self._now} already")
            case Advance():
                return list(self._advance(said.second))
            case Order.RESTART:
                self._replayer.restart()
            case Order.AGAIN:
                self._waiting += [(self._now, written) for written in self._said]
            case Order.SHUFFLED:
                self._shuffled = True
            case Order.TELLING:
                self._memories = {}
            case Order.EVIDENCE:
                return (
                    [f"-> {_fact(one)}" for one in self.changes[-1].incident.evidence] if self.changes else []
                )
        return []

    def _say(self, said: Statement) -> None:
        for second in range(said.first, said.last + 1):
            for written in self._pen.write(second, said.who, said.what):
                self._waiting.append((second + self._delay(written), written))

    def _delay(self, written: Written) -> float:
        """Up to nine seconds, of the record's own: the same in every telling."""
        if not self._shuffled:
            return 0.0
        return int(sha256(written.value).hexdigest()[:4], 16) / 0xFFFF * SHUFFLED_SECONDS

    def _advance(self, until: int) -> Iterator[str]:
        """Let what is due arrive, and time pass with it, second by second."""
        for now in range(self._now, until + 1):
            self._now = now
            due = sorted((one for one in self._waiting if one[0] <= now), key=lambda one: one[0])
            self._waiting = [one for one in self._waiting if one[0] > now]
            outputs: list[Output] = []
            for _, written in due:
                self._said.append(written)
                outputs += self._replayer.receive(Arrival(START + now, self._record(written)))
            outputs += self._replayer.tick(float(START + now))
            letters = self._replayer.dead_letters[self._letters :]
            yield from (f"-> {now} dead letter {letter.reason}" for letter in letters)
            self._letters = len(self._replayer.dead_letters)
            self.changes += [output for output in outputs if isinstance(output, Change)]
            for output in outputs:
                yield spoken(output)
                yield from self._told(output)

    def _record(self, written: Written) -> RawRecord:
        offset = self._offsets[written.topic]
        self._offsets[written.topic] += 1
        return RawRecord(written.topic, 0, offset, (START + self._now) * 1000, None, written.value)

    def _told(self, output: Output) -> Iterator[str]:
        """What people are told of a change, where the story asks for it."""
        if self._memories is None or not isinstance(output, Change):
            return
        acts, after = tell(self._memories.get(output.incident.id), output)
        self._memories[output.incident.id] = after
        yield f"=> {', '.join(_act(act) for act in acts) or 'nothing'}"


def _fact(evidence: Evidence) -> str:
    read = ", ".join(f"{one.topic}:{one.partition}:{one.offset}" for one in evidence.origins)
    return f"{evidence.text}; read from {read or 'what was counted'}"


def _act(act: Act) -> str:
    match act:
        case PostRoot():
            return "post"
        case UpdateRoot():
            return "update"
        case Reply():
            meanwhile = "".join(f" and {one.count} {one.kind}" for one in act.meanwhile)
            return f"reply {act.change.kind}{meanwhile}"


def spoken(output: Output) -> str:
    """One line for what the core said; times count from the story's beginning."""
    if isinstance(output, Change):
        who = ", ".join(output.incident.instances)
        return f"-> {output.at - START:.0f} {output.kind} {output.incident.cause} on {who}: {output.reason}"
    place = output.instance or output.host
    return (
        f"-> {output.decided_at - START:.0f} {output.outcome} {output.count} {output.kind} "
        f"of {place} at {output.symptom_at - START:.0f}: {output.reason}"
    )


def answered(text: str, teller: Teller) -> str:
    """The story with today's answers behind the lines that caused them. `teller` has heard nothing yet.

    Raises:
        StoryError: a line is not in the language, or the story ends before all of it has happened.
    """
    lines: list[str] = []
    count = 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(ANSWERS):
            continue
        lines.append(line)
        count = number
        if line.strip() and not line.startswith("#"):
            lines += teller.hear(number, line.strip())
    if teller.waits:
        raise StoryError(count, "the story ends before all of it has happened: end it with `advance`")
    return "\n".join(lines) + "\n"


def difference(name: str, written: str, answers: str) -> str:
    """What a story expects and does not get, and what it gets instead; empty where they agree."""
    lines = difflib.unified_diff(
        written.splitlines(),
        answers.splitlines(),
        f"{name} (expected)",
        f"{name} (answered)",
        lineterm="",
        n=2,
    )
    return "\n".join(lines)
