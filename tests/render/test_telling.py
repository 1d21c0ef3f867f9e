"""What is worth telling, and that nothing is told twice."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.telling import Meanwhile, PostRoot, Reply, UpdateRoot, intend, tell, unsure
from schemas import Change, ChangeKind
from tests.render.incidents import CASCADE, CASCADE_NAMED
from tests.render.incidents import change as make_change

K = ChangeKind


def history(*kinds: ChangeKind) -> list[Change]:
    return [
        make_change(seq, kind, 1795425060.0 + seq, f"Reason {seq}.", CASCADE_NAMED)
        for seq, kind in enumerate(kinds)
    ]


def told(changes: list[Change]) -> list[list[str]]:
    """The acts of each change, by name; a reply with what it brings along."""
    memory, found = None, []
    for change in changes:
        acts, memory = tell(memory, change)
        names = []
        for act in acts:
            along = (
                "".join(f"+{one.count}{one.kind}" for one in act.meanwhile) if isinstance(act, Reply) else ""
            )
            names.append(type(act).__name__ + along)
        found.append(names)
    return found


def test_a_life() -> None:
    """The first change posts the root, each later one updates it, and each adds one step."""
    step = ["UpdateRoot", "Reply"]
    assert told(history(K.OPENED, K.DIAGNOSED, K.ESCALATED, K.RECOVERING, K.RESOLVED, K.REOPENED)) == [
        ["PostRoot", "Reply"],
        *[step] * 5,
    ]


def test_late_events_wait_for_the_next_step() -> None:
    """Late events change the root only; the next reply says how many there were."""
    kinds = (K.OPENED, K.LATE, K.LATE, K.LATE, K.RECOVERING, K.RESOLVED)
    assert told(history(*kinds))[1:] == [
        *[["UpdateRoot"]] * 3,
        ["UpdateRoot", "Reply+3late"],
        ["UpdateRoot", "Reply"],
    ]


def test_instances_that_join_one_after_the_other_are_one_step() -> None:
    """The first instance to join is a step; those that follow at once are told with the next step."""
    kinds = (K.OPENED, K.JOINED, K.JOINED, K.LATE, K.JOINED, K.DIAGNOSED, K.JOINED)
    assert told(history(*kinds))[1:] == [
        ["UpdateRoot", "Reply"],
        ["UpdateRoot"],
        ["UpdateRoot"],
        ["UpdateRoot"],
        ["UpdateRoot", "Reply+2joined+1late"],
        ["UpdateRoot", "Reply"],
    ]


def test_the_reason_of_the_last_one_is_kept() -> None:
    """Of many changes of a kind the reply carries the latest reason."""
    changes = history(K.OPENED, K.LATE, K.LATE, K.RESOLVED)
    memory = None
    for change in changes:
        acts, memory = tell(memory, change)
    (reply,) = [act for act in acts if isinstance(act, Reply)]
    assert reply.meanwhile == (Meanwhile(K.LATE, 2, "Reason 2."),)


@given(st.lists(st.sampled_from(list(ChangeKind)), min_size=1, max_size=30), st.data())
def test_redelivery_tells_nothing_twice(kinds: list[ChangeKind], data: st.DataObject) -> None:
    """Changes delivered again from any point back tell exactly what one delivery tells."""
    changes = history(*kinds)
    deliveries = []
    for index, change in enumerate(changes):
        back = data.draw(st.integers(0, index))
        deliveries += [*changes[back:index], change]
    memory, again = None, []
    for change in deliveries:
        acts, memory = tell(json.loads(json.dumps(memory)), change)
        again += [(type(act).__name__, change.seq) for act in acts]
    once = [
        (name.split("+")[0], change.seq)
        for change, names in zip(changes, told(changes), strict=True)
        for name in names
    ]
    assert again == once


@given(st.lists(st.sampled_from(list(ChangeKind)), min_size=1, max_size=200))
def test_memory_stays_small(kinds: list[ChangeKind]) -> None:
    """However many changes wait for the next reply, the memory holds one entry per kind."""
    memory: dict = {}
    for change in history(*kinds):
        _, memory = tell(memory, change)
    assert len(memory.get("meanwhile", [])) <= 2
    assert len(json.dumps(memory)) < 1000


def test_an_intent_is_not_a_deed() -> None:
    """Stored before speaking, the intent marks the outcome as unknown, and the change is told again."""
    _, memory = tell(None, CASCADE[0])
    intent = intend(memory, CASCADE[1])
    assert unsure(intent)
    assert not unsure(memory)
    acts, after = tell(intent, CASCADE[1])
    assert [type(act) for act in acts] == [UpdateRoot, Reply]
    assert not unsure(after)


def test_the_memory_given_is_left_alone() -> None:
    """`tell` returns a new memory, and carries along what is not its own."""
    _, memory = tell({"slack": {"ts": "1.2"}}, CASCADE[0])
    before = json.dumps(memory)
    tell(memory, CASCADE[1])
    assert json.dumps(memory) == before
    assert memory["slack"] == {"ts": "1.2"}


@pytest.mark.parametrize("kind", list(ChangeKind))
def test_whatever_is_heard_first_posts_the_root(kind: ChangeKind) -> None:
    """A reader that joins late still gets the incident's one message."""
    change = history(*[K.OPENED] * 4, kind)[-1]
    acts, _ = tell(None, change)
    assert acts == [PostRoot(change.incident), Reply(change, (), CASCADE_NAMED.suppressed)]


def test_noise_is_told_with_the_next_step_and_once() -> None:
    """Each reply says how much was suppressed and released since the one before it."""
    noise = ((0, 0), (5, 0), (12, 0), (17, 3), (17, 3))
    kinds = (K.OPENED, K.ESCALATED, K.LATE, K.RECOVERING, K.RESOLVED)
    memory, said = None, []
    for change, (suppressed, released) in zip(history(*kinds), noise, strict=True):
        body = change.incident.model_copy(update={"suppressed": suppressed, "released": released})
        acts, memory = tell(json.loads(json.dumps(memory)), change.model_copy(update={"incident": body}))
        said += [(act.suppressed, act.released) for act in acts if isinstance(act, Reply)]
    assert said == [(0, 0), (5, 0), (12, 3), (0, 0)]
