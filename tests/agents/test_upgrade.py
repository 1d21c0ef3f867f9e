"""State that an earlier version has stored: the next one goes on with it, and nobody hears a thing twice.

`tests/agents/states/` holds what workers stored in the middle of the recorded cascade, one file per format.
`python -m tests.agents.test_upgrade` writes the file of today's format; do that when `FORMAT` is raised,
and keep the file of the format before.
"""

import asyncio
import gzip
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from agents.recordings.recording import read_recording
from agents.statetable import FORMAT
from schemas import Change, Frame, Progress, decode
from tests.agents.memory import Kafka, event, hand
from tests.agents.shipped import shipped
from tests.agents.test_correlate import HOME, SAMPLE, SETTINGS, as_event, correlate, frames_and_progress
from tests.agents.test_notify import Person, notify

STATES = Path(__file__).parent / "states"
FILES = sorted(STATES.glob("format-*.json.gz"))
CUT_SECONDS = 100
"""So far into the recording the earlier version came: the incident is open and told."""


def kept(path: Path) -> dict[str, Any]:
    """`domains` and `told`: table to key to object; `heard`: ids of the changes that were told."""
    stored: dict[str, Any] = orjson.loads(gzip.decompress(path.read_bytes()))
    return stored


def nouns() -> tuple[list[Frame | Progress], list[Frame | Progress]]:
    """What intake says of the recording, before and after the upgrade."""
    arrivals = shipped(read_recording(SAMPLE), SETTINGS, markers=False)
    start = arrivals[0].at
    before = frames_and_progress(one for one in arrivals if one.at - start < CUT_SECONDS)[:-1]
    everything = frames_and_progress(arrivals)
    return before, everything[len(before) :]


async def told(kafka: Kafka, changes: list[Any]) -> list[str]:
    """Hand changes to notify; returns the ids of those it tells."""
    person = Person(kafka)
    agent = notify(kafka, person)
    for offset, record in enumerate(changes):
        await hand(agent, event(record.value, b"default", offset, HOME))
    return [identity for identity, _ in person.heard]


async def run(domains: Kafka, records: list[Frame | Progress], first_offset: int) -> list[Any]:
    """Hand records to correlate; returns the changes it writes."""
    agent = correlate(domains)
    written = len(domains.outputs)
    for offset, noun in enumerate(records, first_offset):
        await hand(agent, as_event(noun, offset))
    return [one for one in domains.outputs[written:] if one.topic == SETTINGS.topics.changes]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
async def test_the_state_of_an_earlier_version_is_gone_on_with(path: Path) -> None:
    """The open incident goes on under its id to its end; what was told before is not told again."""
    stored = kept(path)
    domains = Kafka(states={key: orjson.dumps(body) for key, body in stored["domains"].items()})
    incidents = Kafka(states={key: orjson.dumps(body) for key, body in stored["told"].items()})
    before, after = nouns()
    changes = await run(domains, before[-3:] + after, len(before) - 3)  # the last ones come again
    ids = [decode(Change, one.value) for one in changes]
    (incident,) = {one.incident.id for one in ids}
    assert incident in stored["told"], "no second incident for the same trouble"
    kinds = Counter(one.kind.value for one in ids)
    assert kinds["opened"] == 0
    assert kinds["resolved"] == 1
    heard = await told(incidents, changes)
    assert len(heard) == len(set(heard)) > 0
    assert not set(heard) & set(stored["heard"])


def test_todays_format_is_kept() -> None:
    """The next version needs a state of this one to be tested with."""
    assert f"format-{FORMAT}.json.gz" in [path.name for path in FILES]


async def today() -> dict[str, Any]:
    """What today's version stores by then."""
    before, _ = nouns()
    domains, incidents = Kafka(), Kafka()
    changes = await run(domains, before, 0)
    heard = await told(incidents, changes)
    assert heard, "there is an incident by then"
    return {
        "domains": {key: orjson.loads(value) for key, value in domains.states.items()},
        "told": {key: orjson.loads(value) for key, value in incidents.states.items()},
        "heard": heard,
    }


if __name__ == "__main__":
    STATES.mkdir(exist_ok=True)
    today_s = gzip.compress(orjson.dumps(asyncio.run(today())), mtime=0)
    (STATES / f"format-{FORMAT}.json.gz").write_bytes(today_s)
