import random

import pytest

from agents.recordings.arrivals import lay_out, layout_of
from agents.scoring.scenarios import read_scenarios, recording_of
from agents.scoring.score import reseeded
from agents.settings import load_settings
from pipeline.intake import Intake, IntakeConfig
from pipeline.simulation import Change, InstancePlan, Knobs, Plan, PlanError, Story, knobs_of, simulate
from pipeline.simulation.cpu import Cpu
from pipeline.simulation.kernel import Kernel, Steps, Task
from pipeline.simulation.lines import duration, stamp

RATES = {"catalog": 0.4, "pull": 1.5, "tags": 0.8, "probe": 0.3, "push": 0.2}
START = 1_795_500_000.0


def story(seconds: float = 60.0, *changes: Change, seed: int = 1, **given: object) -> Story:
    knobs = knobs_of(
        Knobs(), {"rates_per_second": RATES, "demand": 4, "catalog_n": 60, **given.pop("knobs", {})}
    )  # type: ignore[dict-item]
    instance = InstancePlan("registry-a", knobs=knobs, **given)  # type: ignore[arg-type]
    return simulate(Plan(START, seconds, (instance,), changes), random.Random(seed))


def test_equal_seeds_tell_equal_stories() -> None:
    """A seed settles a story to the last byte, and another seed tells another one."""
    first, again, other = story(), story(), story(seed=2)
    assert first.output == again.output
    assert first.ledger == again.ledger
    assert first.output.lines != other.output.lines


@pytest.mark.parametrize("limit_cores", [0.05, 0.3, 1.5])
def test_a_quota_is_never_exceeded(limit_cores: float) -> None:
    """In no period does a container use more CPU time than its quota, however much it is asked for."""
    kernel = Kernel()
    cpu = Cpu(kernel, random.Random(1), cores=2)
    cpu.limit_cores = limit_cores

    def ask() -> None:
        kernel.after(0.001, ask)
        cpu.run(0.004)(lambda: None)

    kernel.after(0.0, ask)
    kernel.run(10.0)
    counters = cpu.read()
    assert 0.8 * limit_cores < counters.usage_seconds / 10.0 <= limit_cores + 0.02
    assert counters.throttled_periods == pytest.approx(counters.periods, abs=3)
    assert 95 <= counters.periods <= 101


def test_an_idle_cpu_is_not_throttled() -> None:
    """Work that fits into its quota takes as long as it needs and no longer."""
    kernel = Kernel()
    cpu = Cpu(kernel, random.Random(1), cores=2)
    cpu.limit_cores = 0.5
    ended: list[float] = []

    def work() -> Steps[None]:
        yield kernel.wait(1.0)
        yield cpu.run(0.02)
        ended.append(kernel.now)

    Task(work())
    kernel.run(2.0)
    assert ended == [pytest.approx(1.02, abs=0.001)]
    assert cpu.read().throttled_periods == 0


def test_an_interrupt_reaches_a_task_where_it_waits() -> None:
    """What an interrupted task was waiting for is ignored when it comes."""
    kernel = Kernel()
    seen: list[str] = []

    def work() -> Steps[None]:
        try:
            yield kernel.wait(5.0)
        except KeyError:
            seen.append(f"interrupted at {kernel.now}")
        yield kernel.wait(10.0)
        seen.append(f"ended at {kernel.now}")

    task = Task(work())
    kernel.after(2.0, lambda: task.interrupt(KeyError()))
    kernel.run(20.0)
    assert seen == ["interrupted at 2.0", "ended at 12.0"]
    assert task.ended


def test_starvation_makes_clients_give_up_and_its_end_heals_them() -> None:
    """A quota below the demand gives timeouts while it holds, and none before it or well after it."""
    starved = Change(40, None, {"limit_cores": 0.06})
    told = story(150.0, starved, Change(90, None, {"limit_cores": 1.0}))
    assert told.ledger.outcomes(None, 0, 40)["timeout"] == 0
    assert told.ledger.outcomes(None, 50, 90)["timeout"] > 50
    assert told.ledger.outcomes(None, 125, 150)["timeout"] == 0


@pytest.mark.parametrize("release", ["v2", "v3"])
def test_only_release_3_cancels_what_is_no_walk(release: str) -> None:
    """Release 2 logs a timed-out pull as a slow success, release 3 as a cancellation."""
    slow = Change(10, None, {"storage_extra_seconds": [6, 9]})
    told = story(60.0, slow, release=release, log="json")
    lines = [line.text for line in told.output.lines if "RequestCanceled" in line.text]
    assert any("/_catalog" in line for line in lines)
    assert any("/manifests/" in line for line in lines) == (release == "v3")


def test_a_lost_lookup_hides_behind_a_cancellation() -> None:
    """Where clients leave before a lookup gives up, release 3 says nothing of DNS about their requests."""
    told = story(60.0, Change(5, None, {"dns_loss_share": 1.0}), release="v3", log="json", resolver="direct")
    errors = [line.text for line in told.output.lines if "response completed with error" in line.text]
    assert sum("RequestCanceled" in text for text in errors) > 30
    assert not any("lookup" in text for text in errors)


def test_memory_kills_say_nothing_in_the_log() -> None:
    """A process killed for memory writes no error; it only starts again."""
    told = story(90.0, knobs={"memory_limit_mb": 64, "leak_mb_per_second": 4}, log="json")
    events = [taken.body["event"] for taken in told.output.readings if taken.source == "runtime"]
    assert events.count("container_exit") >= 2
    errors = [line.text for line in told.output.lines if '"level":"error"' in line.text]
    assert all("manifest unknown" in text for text in errors)


@pytest.mark.parametrize("release", ["v2", "v3"])
@pytest.mark.parametrize("log", ["text", "json"])
@pytest.mark.parametrize("resolver", ["dockerd", "dockerd26", "coredns", "direct"])
def test_everything_written_can_be_read(release: str, log: str, resolver: str) -> None:
    """The intake understands every record of a story: not one dead letter."""
    scenario = next(iter(read_scenarios_of("dns_outage")))
    told = story(70.0, Change(10, None, {"dns_loss_share": 1.0}), release=release, log=log, resolver=resolver)
    arrivals = lay_out(recording_of(scenario, told), layout_of_plain())
    intake = Intake(IntakeConfig())
    for arrival in arrivals:
        intake.receive(arrival.record)
    batch = intake.flush(release_heads=True)
    assert batch.dead_letters == ()
    assert batch.counts.symptoms["request_ok"] > 20
    assert batch.counts.samples["cpu"] > 50


def read_scenarios_of(family: str):  # type: ignore[no-untyped-def]
    from tests.corpus.places import SCENARIOS

    return read_scenarios(SCENARIOS / f"{family}.yaml")


def layout_of_plain():  # type: ignore[no-untyped-def]
    from agents.recordings.envelopes import vector

    return layout_of(vector, False, load_settings(None, {}).topics)


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0.000967871, "967.871µs"),
        (0.020747365, "20.747365ms"),
        (5.000589586, "5.000589586s"),
        (62.5, "1m2.5s"),
    ],
)
def test_durations_are_written_as_go_writes_them(seconds: float, written: str) -> None:
    """A duration has Go's unit, and no trailing zeros."""
    assert duration(seconds) == written


def test_stamps_have_no_trailing_zeros() -> None:
    """A time is RFC 3339 with as many digits as it needs."""
    assert stamp(1_795_500_000.5) == "2026-11-24T06:00:00.5Z"
    assert stamp(1_795_500_000.0) == "2026-11-24T06:00:00Z"


def test_unknown_knobs_instances_and_acts_are_refused() -> None:
    """A plan that asks for what does not exist is an error that names it."""
    with pytest.raises(PlanError, match="no knob 'limit'"):
        knobs_of(Knobs(), {"limit": 1})
    with pytest.raises(PlanError, match="no instance 'registry-z'"):
        story(1.0, Change(0.5, "registry-z"))
    with pytest.raises(PlanError, match="no act 'explode'"):
        story(1.0, Change(0.5, None, act="explode"))


def test_other_seeds_keep_the_plan() -> None:
    """Another seed changes the chance of a scenario and nothing that was planned."""
    scenario = next(iter(read_scenarios_of("healthy")))
    other = reseeded(scenario, 1000)
    assert other.seed == scenario.seed + 1000
    assert other.plan == scenario.plan
    assert other.truth == scenario.truth
