"""Sweeps: what is tried, what is counted, what is proposed, and that nothing else happens."""

from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from agents.cli import main
from pipeline.lab.sweep import (
    SweepError,
    Tally,
    as_yaml,
    changed,
    front,
    proposal,
    read_axis,
    value_of,
    variants,
)
from schemas import Rules
from tests.corpus.places import CORPUS


def tally(wrong: int, missed: int, noise: int) -> Tally:
    return Tally(hidden=0, wrong=wrong, missed=missed, unproven=0, noise=noise, told=0)


def tune(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["tune", str(CORPUS), "--jobs", "1", *arguments])


def test_only_what_no_other_beats_is_on_the_front() -> None:
    """Fewer misses for more noise is a trade; more of both is not."""
    tallies = [tally(0, 2, 1), tally(0, 1, 2), tally(0, 2, 2), tally(1, 0, 9)]
    assert front(tallies) == [True, True, False, True]
    assert front([tallies[0], tallies[0]]) == [True, True]


def test_a_proposal_is_worse_in_nothing() -> None:
    """Less noise does not buy a miss; of what is better in all, the least of the worst fault wins."""
    assert proposal([tally(1, 1, 1), tally(1, 2, 0), tally(0, 0, 2)]) is None
    assert proposal([tally(1, 1, 1), tally(1, 0, 1), tally(0, 1, 1)]) == 2
    assert proposal([tally(1, 1, 1), tally(1, 1, 1)]) is None


def test_thresholds_are_varied_one_at_a_time_or_together() -> None:
    """The rules as they are come first, and no rules are tried twice."""
    axes = [read_axis("burst.requests=3,5"), read_axis("hold_seconds=30,90")]
    alone = variants(Rules(), axes, together=False)
    assert [one.name for one in alone] == [
        "as it is", "burst.requests=3", "hold_seconds=30", "hold_seconds=90",
    ]  # fmt: skip
    both = variants(Rules(), axes, together=True)
    assert len(both) == 1 + 2 * 2
    assert value_of(both[-1].rules, "hold_seconds") == 90
    assert as_yaml(both[1]) == "rules:\n  burst:\n    requests: 3\n  hold_seconds: 30\n"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("burst.requets", 3, "there is no threshold burst.requets"),
        ("burst", 3, "there is no threshold burst"),
        ("burst.requests.more", 3, "there is no threshold"),
        ("signatures", 3, "there is no threshold signatures"),
        ("burst.requests", 0, "burst.requests=0: .*greater than or equal to 1"),
        ("burst.requests", "many", "burst.requests=many: .*integer"),
        ("saturation.enter_usage_ratio", 0.1, "leave_usage_ratio must not be above"),
    ],
)
def test_what_is_no_threshold_is_named(key: str, value: object, message: str) -> None:
    """A key that does not exist and a value out of bounds end the sweep before it begins."""
    with pytest.raises(SweepError, match=message):
        changed(Rules(), [(key, value)])


@pytest.mark.parametrize("text", ["burst.requests", "=3", "burst.requests=", "burst.requests=,"])
def test_what_is_no_axis_is_named(text: str) -> None:
    """The form is shown with an example."""
    with pytest.raises(SweepError, match=r"such as burst\.requests=3,5,8"):
        read_axis(text)


def test_a_sweep_has_an_end() -> None:
    """More variants than the bound are refused, with how many they were."""
    axes = [
        read_axis("hold_seconds=" + ",".join(map(str, range(9)))),
        read_axis("burst.requests=1,2,3,4,5,6,7,8"),
    ]
    with pytest.raises(SweepError, match="72 variants"):
        variants(Rules(), axes, together=True)


def test_a_bad_threshold_is_found_out_and_a_good_one_proposed(tmp_path: Path) -> None:
    """From rules under which nothing is starved, the sweep comes back to those that prove it, and says so."""
    config = tmp_path / "bad.yaml"
    config.write_text("rules: {saturation: {enter_usage_ratio: 2.0}}\n")
    arguments = [
        "--only", "cpu_cascade/v2-json", "--vary", "saturation.enter_usage_ratio=0.85,1.9",
        "--config", str(config),
    ]  # fmt: skip
    result = tune(*arguments, "--json")
    assert result.exit_code == 0, result.output
    body = orjson.loads(result.stdout)
    assert [one["unproven"] for one in body["variants"]] == [1, 0, 1]
    assert body["proposal"] == 1
    assert body["variants"][1]["better"] == ["cpu_cascade/v2-json"]
    told = tune(*arguments)
    assert "Proposed: saturation.enter_usage_ratio=0.85. It rests on 1 of 1 cases. That is few" in told.output
    assert "rules:\n  saturation:\n    enter_usage_ratio: 0.85" in told.output
    assert config.read_text() == "rules: {saturation: {enter_usage_ratio: 2.0}}\n"


def test_the_picture_is_the_same_for_the_same_figures_and_turns_dark(tmp_path: Path) -> None:
    """Equal sweeps draw equal bytes; an SVG follows the reader's system."""
    pictures = [tmp_path / "one.svg", tmp_path / "two.svg"]
    for path in pictures:
        result = tune("--only", "healthy/v2-json", "--vary", "burst.requests=3", "--picture", str(path))
        assert result.exit_code == 0, result.output
    assert pictures[0].read_bytes() == pictures[1].read_bytes()
    assert "prefers-color-scheme: dark" in pictures[0].read_text()


def test_wrong_usage_ends_with_two(tmp_path: Path) -> None:
    """A folder without truth, an unknown threshold and a picture of no known kind."""
    vary = ("--vary", "burst.requests=3")
    assert CliRunner().invoke(main, ["tune", str(tmp_path), *vary]).exit_code == 2
    assert tune("--vary", "burst.nothing=3").exit_code == 2
    assert tune(*vary, "--picture", str(tmp_path / "x.gif")).exit_code == 2
    assert tune(*vary, "--only", "no such case").exit_code == 2
