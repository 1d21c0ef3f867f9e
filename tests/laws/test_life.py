"""The life of an incident: it walks the table, counts its steps, and comes to an end."""

from pathlib import Path

import pytest
from hypothesis import given

from pipeline.core.lifecycle import TRANSITIONS, after
from schemas import Change, ChangeKind, IncidentState
from tests.laws.blocks import histories
from tests.laws.bounds import searched
from tests.laws.histories import History
from tests.laws.ways import BRISK, at_once, end_of, outputs

END = end_of(BRISK)
PAGE = Path(__file__).parents[2] / "docs" / "laws.md"


@searched(50)
@given(histories)
def test_every_incident_walks_the_table_and_numbers_its_steps(history: History) -> None:
    """Changes of an incident are numbered from 1 on, each is in the table, and each has a reason."""
    states: dict[str, IncidentState] = {}
    numbers: dict[str, int] = {}
    for change in outputs(at_once(history, END), BRISK):
        if not isinstance(change, Change):
            continue
        one = change.incident.id
        numbers[one] = numbers.get(one, 0) + 1
        states[one] = after(states.get(one), change.kind)
        assert (change.seq, change.id) == (numbers[one], f"{one}:{numbers[one]}")
        assert change.incident.state is states[one]
        assert change.reason
    assert set(states.values()) <= {IncidentState.RESOLVED}


@searched(20)
@given(histories)
def test_time_never_goes_back_in_what_is_said(history: History) -> None:
    """Changes come in order of event time, and an incident is not over before it began."""
    times = []
    for change in outputs(at_once(history, END), BRISK):
        if isinstance(change, Change):
            times.append(change.at)
            one = change.incident
            assert one.first_symptom_at <= (one.resolved_at or one.first_symptom_at)
            assert one.opened_at <= change.at
    assert times == sorted(times)


def test_a_change_that_is_not_in_the_table_raises() -> None:
    """An incident that is not there yet cannot be resolved: the core stops rather than invents a life."""
    with pytest.raises(ValueError, match="not there yet cannot be resolved"):
        after(None, ChangeKind.RESOLVED)


def diagram() -> str:
    """The table as a Mermaid state diagram; kinds of change between the same two states share an arrow."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for (state, kind), target in TRANSITIONS.items():
        arrows.setdefault((state.value if state else "[*]", target.value), []).append(kind.value)
    lines = [f"    {a} --> {b}: {', '.join(sorted(kinds))}" for (a, b), kinds in arrows.items()]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])


def test_the_diagram_in_the_docs_is_the_table(request: pytest.FixtureRequest) -> None:
    """docs/laws.md draws exactly the transitions there are; `--golden-update` redraws it."""
    page = PAGE.read_text(encoding="utf-8")
    start = page.index("```mermaid")
    drawn = page[start : page.index("```", start + 3) + 3]
    if request.config.getoption("--golden-update", default=False):
        PAGE.write_text(page.replace(drawn, diagram()), encoding="utf-8")
        drawn = diagram()
    assert drawn == diagram()
