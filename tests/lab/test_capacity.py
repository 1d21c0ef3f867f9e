"""Capacity: costs that are known are found, the recordings' limits hold, and guesses are refused."""

import math
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from agents.cli import main
from pipeline.demand import MARGIN, least_cores, peak_cores, wanted_cores
from pipeline.lab.capacity import CapacityError, examine, least_of
from pipeline.lab.load import Window
from pipeline.lab.regression import nnls
from tests.corpus.places import CORPUS
from tools import capacity_figures

COSTS = {"catalog": 0.2, "blob": 0.01, "manifest": 0.005}
IDLE = 0.02


def window(at: int, counts: dict[str, float], **more: Any) -> Window:
    """Five seconds that cost what COSTS say, unless `used` says otherwise."""
    work = math.fsum(COSTS[route] * count for route, count in counts.items()) / 5
    values = {"instance": "a", "used": IDLE + work, "limit": 1.0, "throttled": 0.0, "failed": {}, "slow": 0.0}
    values |= more
    return Window(
        values["instance"], at * 5.0, 5.0, values["used"], values["limit"], values["throttled"],
        counts, values["failed"], values["slow"],
    )  # fmt: skip


def busy(count: int, scale: float = 1.0, instance: str = "a", seed: int = 1) -> list[Window]:
    draw = Random(seed).random
    return [
        window(at, {r: round(scale * 10 * draw()) + 1.0 for r in COSTS}, instance=instance)
        for at in range(count)
    ]


@given(
    st.integers(1, 5).flatmap(
        lambda n: st.lists(
            st.tuples(st.lists(st.floats(0, 50), min_size=n, max_size=n), st.floats(0, 20)),
            min_size=n,
            max_size=12,
        )
    )
)
def test_least_squares_meet_the_conditions_of_an_optimum(data: list[tuple[list[float], float]]) -> None:
    """Nothing is negative, and no cost could be changed, as far as it may be, to leave less over."""
    rows, targets = [row for row, _ in data], [target for _, target in data]
    found = nnls(rows, targets)
    assert all(value >= 0 for value in found)
    left = [
        target - math.fsum(a * x for a, x in zip(row, found, strict=True))
        for row, target in zip(rows, targets, strict=True)
    ]
    scale = 1 + max(map(abs, targets)) * max((max(row) for row in rows), default=1.0) * len(rows)
    for number, value in enumerate(found):
        slope = math.fsum(row[number] * rest for row, rest in zip(rows, left, strict=True))
        assert slope <= 1e-3 * scale
        if value > 1e-6:
            assert slope >= -1e-3 * scale


def test_known_costs_are_found() -> None:
    """From sums of known costs come the costs, and the error says that nothing is left over."""
    costs = examine(busy(40)).costs
    for route, seconds in COSTS.items():
        assert costs.good_seconds[route] == pytest.approx(seconds, rel=0.02)
    assert costs.idle_cores == pytest.approx(IDLE, rel=0.1)
    assert costs.error_ratio < 0.01


def test_one_formula_for_the_limit() -> None:
    """Head room over the demand, in steps; one that starved gets more than it had."""
    assert wanted_cores(0.3) == pytest.approx(0.45)
    assert wanted_cores(0.31) == pytest.approx(0.5)
    assert wanted_cores(0.1, starved_limit_cores=0.5) == pytest.approx(0.6)
    assert least_cores(0.1, arrived=150, good=100) == pytest.approx(0.15)
    assert least_cores(0.1, arrived=50, good=100) == pytest.approx(0.1)
    assert least_cores(0.1, arrived=9000, good=0) == pytest.approx(0.4)


def test_a_peak_is_a_mean_over_ten_seconds() -> None:
    """One second at full speed is no peak, ten are."""
    assert peak_cores([(at, at + 1, 1.0 if at == 5 else 0.0) for at in range(20)]) == pytest.approx(0.1)
    assert peak_cores([(at, at + 1, 1.0 if at >= 8 else 0.0) for at in range(20)]) == pytest.approx(1.0)
    assert peak_cores([(0, 2, 1.0)]) is None


def test_what_was_seen_is_answered_and_what_was_not_is_refused() -> None:
    """Twice the peak is a guess for one instance, and for two it is what one has been seen to hold."""
    found = examine(busy(40))
    by = {(one.factor, one.instances): one for one in found.answers}
    today = by[1.0, 1]
    assert today.limit_cores is not None
    assert today.limit_cores >= found.peak_cores * MARGIN - 1e-9
    assert today.margin_ratio == pytest.approx(1 - found.peak_cores / today.limit_cores, abs=0.02)
    assert by[2.0, 1].limit_cores is None
    assert "the data reach" in (by[2.0, 1].refused or "")
    assert by[2.0, 2].limit_cores == pytest.approx(today.limit_cores, abs=0.05)


def test_a_load_test_carries_the_answer_further() -> None:
    """With windows at twice the load in the history of another day, one instance is answered for."""
    tested = busy(40, scale=2.5, seed=2)
    today = [
        Window(one.instance, one.start + 200_000, *[getattr(one, name) for name in Window.__slots__[2:]])
        for one in busy(40)
    ]
    by = {(one.factor, one.instances): one for one in examine([*tested, *today]).answers}
    assert by[2.0, 1].limit_cores is not None


def test_retries_are_not_wanted_work() -> None:
    """A route that fails over and over counts as in its busiest calm window; the rest is told too."""
    calm = busy(30)
    most = max(one.good["catalog"] for one in calm)
    storm = [
        window(at, {"blob": 5.0}, used=0.1, failed={"catalog": 40.0}, limit=0.1, throttled=1.0)
        for at in range(30, 50)
    ]
    found = examine([*calm, *storm])
    wanted = found.costs.wanted_cores(storm[0], {"catalog": most / 5})
    assert wanted <= IDLE * 1.2 + (most * COSTS["catalog"] + 5 * COSTS["blob"]) / 5 * 1.05
    assert found.all_wanted_cores > 1.5 * found.peak_cores
    assert found.failing.troubled is not None
    assert found.failing.calm < 1.5 < found.failing.troubled


def test_trouble_with_cpu_to_spare_is_no_onset() -> None:
    """Slow storage makes requests slow at any load; that is counted apart."""
    slow = [window(at, {"blob": 5.0}, slow=5.0) for at in range(30, 40)]
    found = examine([*busy(30), *slow])
    assert found.queueing.troubled is None
    assert found.unexplained == 10


def test_instances_share_a_peak() -> None:
    """Two instances at work at the same time are one load, which the same two hold."""
    found = examine([*busy(30), *busy(30, instance="b", seed=3)])
    single = examine(busy(30))
    assert found.instances == ("a", "b")
    assert found.peak_cores > 1.3 * single.peak_cores
    assert {one.instances for one in found.answers if one.factor == 1.0} == {2, 4}


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        ([], "no CPU use was measured"),
        (busy(4), "4 windows in which requests went well are too few"),
        ([window(at, {}) for at in range(20)], "no requests by route"),
        (
            [window(at, {"blob": 5.0}, used=(at * 7 % 10) ** 2 / 100) for at in range(30)],
            "do not tell what CPU",
        ),
    ],
)
def test_data_that_carry_no_answer_are_refused(windows: list[Window], message: str) -> None:
    """No guess is made of nothing: it is said what is missing."""
    with pytest.raises(CapacityError, match=message):
        examine(windows)


# --- On the recordings ---


@cache
def recorded(name: str) -> tuple[list[Window], float, float]:
    instance, start, end = capacity_figures.starved(name)
    return capacity_figures.windows_of(name, instance), start, end


@pytest.mark.parametrize("name", ["cpu_cascade", "cpu_cascade_severe"])
def test_the_limit_from_before_the_raise_holds_what_was_used_after_it(name: str) -> None:
    """With the baseline, the peak is told to within a fifth, and the limit leaves room for what came."""
    windows, start, end = recorded(name)
    before = [one for one in windows if one.start + one.seconds <= end]
    seen = capacity_figures.used_peak([one for one in windows if one.start >= end])
    found = examine(before)
    assert found.peak_cores == pytest.approx(seen, rel=0.2)
    assert wanted_cores(found.peak_cores) > seen
    least, limit = least_of([one for one in before if one.start >= start]) or (0.0, 0.0)
    assert limit < least < seen  # a bound from below, as it says


def test_the_cascade_is_where_requests_fail() -> None:
    """In the recording, nothing fails where no more than the limit is wanted."""
    found = examine(recorded("cpu_cascade")[0])
    assert found.failing.troubled is not None
    assert found.failing.troubled > 1
    assert found.queueing.calm < found.failing.troubled


def test_the_page_has_todays_figures() -> None:
    """docs/capacity.md shows what the recordings say now, one row as a sample."""
    assert "| cpu_cascade | 0.12 |" in capacity_figures.PAGE.read_text(encoding="utf-8")


# --- The command ---


def capacity(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["capacity", *arguments])


def test_the_command_answers_in_words_json_and_a_picture(tmp_path: Path) -> None:
    """A recording in, costs and limits out; the picture is drawn."""
    recording = str(CORPUS / "recordings" / "cpu_cascade_severe.tar.xz")
    picture = tmp_path / "capacity.svg"
    result = capacity(recording, "--picture", str(picture))
    assert result.exit_code == 0, result.output
    assert "CPU a request: catalog" in result.output
    assert "not answered" in result.output
    assert "prefers-color-scheme: dark" in picture.read_text()
    body = orjson.loads(capacity(recording, "--json", "--factor", "1").stdout)
    assert body["instances"] == ["registry-c"]
    assert [one["instances"] for one in body["answers"]] == [1, 2]


def test_without_an_answer_the_exit_code_says_so(tmp_path: Path) -> None:
    """1 where the data carry none, with the bound they do carry; 2 for wrong usage."""
    starved = capacity(str(CORPUS / "recordings" / "debug_level_sample.tar.xz"))
    assert starved.exit_code == 1
    assert "too few" in starved.output
    log = tmp_path / "registry.log"
    log.write_bytes((CORPUS.parent / "samples" / "cpu_cascade" / "registry.log").read_bytes()[:50_000])
    silent = capacity(str(log))
    assert silent.exit_code == 1
    assert "no CPU use was measured here" in silent.output
    assert capacity().exit_code == 2
    assert capacity(str(log), "--picture", str(tmp_path / "x.gif")).exit_code == 2
