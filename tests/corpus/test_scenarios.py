from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from agents.scoring.scenarios import Scenario, ScenarioError, play, read_scenarios
from agents.scoring.score import read_corpus
from agents.scoring.truth import Trouble
from pipeline.simulation import Ledger
from tests.corpus.places import CORPUS, SCENARIOS

ALL = [scenario for file in sorted(SCENARIOS.glob("*.yaml")) for scenario in read_scenarios(file)]
BAD = ("timeout", "failed", "refused")
FELT_MIN = 15
"""Failed attempts in a trouble that make it one."""
STRAY_MAX = 5
"""Failed attempts that are nobody's trouble."""
AFTER_SECONDS = 62.0
"""How long after its end a trouble is still felt: clients wait up to 60 s."""


def test_there_are_enough_and_enough_of_them_are_no_plain_incidents() -> None:
    """The corpus has 200 scenarios or more, and at least two in five are rivals or no incident."""
    kinds = Counter(scenario.kind for scenario in ALL)
    assert kinds.total() >= 200
    assert kinds["rival"] + kinds["none"] >= 0.4 * kinds.total()


def test_names_and_seeds_are_their_own() -> None:
    """Every scenario has a name and a seed of its own, so that none is another one in disguise."""
    assert len({scenario.name for scenario in ALL}) == len(ALL)
    assert len({scenario.seed for scenario in ALL}) == len(ALL)


def test_stories_without_incident_have_no_trouble_in_their_truth() -> None:
    """`none` means that the truth knows no incident, anything else that it knows one."""
    assert all(bool(scenario.truth.troubles) == (scenario.kind != "none") for scenario in ALL)


def test_every_recording_has_a_truth_and_every_truth_a_recording() -> None:
    """No recording is left out of the score."""
    cases = {case.name for case in read_corpus(CORPUS)}
    packed = {file.name.removesuffix(".tar.xz") for file in (CORPUS / "recordings").glob("*.tar.xz")}
    assert packed <= cases


@pytest.mark.slow
def test_the_truth_is_what_the_clients_felt() -> None:
    """Clients fail in every trouble and at each of its instances, and elsewhere next to never."""
    with ProcessPoolExecutor(2) as pool:
        wrong = [line for lines in pool.map(_contradictions, ALL, chunksize=8) for line in lines]
    assert wrong == []


def _contradictions(scenario: Scenario) -> list[str]:
    ledger = play(scenario).ledger
    start = scenario.plan.start
    lines = []
    for trouble in scenario.truth.troubles:
        for instance in trouble.instances:
            felt = _bad(ledger, instance, trouble.start - start, trouble.end - start + 10)
            if felt < FELT_MIN:
                lines.append(f"{scenario.name}: {trouble.cause} at {instance} made {felt} attempts fail")
    if not any(change.act for change in scenario.plan.changes):
        stray = sum(
            attempt.outcome in BAD and not _explained(scenario, attempt) for attempt in ledger.attempts
        )
        if stray > STRAY_MAX:
            lines.append(f"{scenario.name}: {stray} attempts failed outside of every trouble")
    return lines


def _bad(ledger: Ledger, instance: str, low: float, high: float) -> int:
    outcomes = ledger.outcomes(instance, low, high)
    return sum(outcomes[name] for name in BAD)


def _explained(scenario: Scenario, attempt: object) -> bool:
    at, instance = attempt.ended_at + scenario.plan.start, attempt.instance  # type: ignore[attr-defined]
    return any(_felt(trouble, instance, at) for trouble in scenario.truth.troubles)


def _felt(trouble: Trouble, instance: str, at: float) -> bool:
    return instance in trouble.instances and trouble.start <= at <= trouble.end + AFTER_SECONDS


def test_a_mistake_in_a_file_names_file_and_scenario(tmp_path: Path) -> None:
    """A scenario that cannot be used says where it is and what is wrong."""
    file = tmp_path / "odd.yaml"
    file.write_text(
        "family: odd\nkind: none\nbase: {seconds: 10, instances: {a: {knobs: {limit: 1}}}}\n"
        "scenarios: [{name: one, seed: 1}]\n"
    )
    with pytest.raises(ScenarioError, match=r"odd\.yaml: odd/one: .*no knob 'limit'"):
        read_scenarios(file)


def test_until_takes_back_what_was_set(tmp_path: Path) -> None:
    """A change with `until` is undone then, to what each instance began with."""
    file = tmp_path / "back.yaml"
    file.write_text(
        "family: back\nkind: none\n"
        "base: {seconds: 10, instances: {a: {knobs: {limit_cores: 1}}, b: {knobs: {limit_cores: 2}}}}\n"
        "scenarios: [{name: one, seed: 1, changes: "
        "[{at: 2, until: 5, knobs: {limit_cores: 0.1, rates_per_second: {pull: 3}}}]}]\n"
    )
    plan = read_scenarios(file)[0].plan
    back = {change.instance: change.knobs for change in plan.changes if change.at == 5}
    assert {name: knobs["limit_cores"] for name, knobs in back.items()} == {"a": 1, "b": 2}
    assert back["a"]["rates_per_second"] == {"pull": 0.0}
