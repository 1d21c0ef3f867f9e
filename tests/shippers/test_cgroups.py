"""The kernel's figures: either version's files become the same canonical readings, under the right name."""

from pathlib import Path

import pytest

from agents.shippers.cgroups import Cgroups, host_seconds
from agents.shippers.containers import Container
from agents.shippers.page import Figures
from schemas import SampleKind
from tests.shippers.reading import samples

ID, OTHER = "9f1c" * 16, "0b2d" * 16
FILES_2 = {
    "cpu.max": "12000 100000\n",
    "cpu.stat": "usage_usec 98701325\nnr_periods 400\nnr_throttled 390\nthrottled_usec 19175137\n",
    "cpu.pressure": "some avg10=9.00 avg60=0.08 avg300=0.06 total=293391454\n"
    "full avg10=0.00 avg60=0.08 avg300=0.05 total=277111656\n",
    "memory.current": "120000000\n",
    "memory.max": "max\n",
    "memory.stat": "anon 90000000\ninactive_file 20000000\n",
    "memory.events": "low 0\nhigh 0\nmax 3\noom 1\noom_kill 1\n",
}
FILES_1 = {
    "cpu,cpuacct": {
        "cpu.cfs_quota_us": "12000\n",
        "cpu.cfs_period_us": "100000\n",
        "cpu.stat": "nr_periods 400\nnr_throttled 390\nthrottled_time 19175137000\n",
        "cpuacct.usage": "98701325000\n",
    },
    "memory": {
        "memory.usage_in_bytes": "120000000\n",
        "memory.limit_in_bytes": "9223372036854771712\n",
        "memory.stat": "total_inactive_file 20000000\n",
        "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
    },
}
STAT = "cpu  1000 0 500 8000 500 0 0 100 0 0\ncpu0 1 0 0 0 0 0 0 0 0 0\n"


def write(folder: Path, files: dict[str, str]) -> None:
    """Files as the kernel shows them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def version_2(root: Path, *folders: str) -> None:
    """A tree of version 2."""
    write(root, {"cgroup.controllers": "cpu memory io\n"})
    for folder in folders:
        write(root / folder, FILES_2)


def cgroups(root: Path, *only: str, **named: str) -> Cgroups:
    """A reader whose containers are called by the first digits of their ids."""
    write(root.parent / "proc", {"stat": STAT})

    def name(container_id: str) -> Container:
        return Container(container=f"c-{container_id[:4]}", container_id=container_id)

    return Cgroups(root, "node-1", named, only or ("*",), name, Figures(), root.parent / "proc")


@pytest.mark.parametrize(
    "folder",
    [
        f"system.slice/docker-{ID}.scope",
        f"docker/{ID}",
        f"kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0a.slice/cri-containerd-{ID}.scope",
        f"kubepods/burstable/pod0a/{ID}",
    ],
)
def test_a_container_is_found_wherever_its_runtime_puts_it(tmp_path: Path, folder: str) -> None:
    """Docker and Kubernetes, with and without systemd: use, limit, throttling, pressure and memory."""
    root = tmp_path / "cgroup"
    version_2(root, folder)
    found = samples(cgroups(root).read(1_795_425_000.25))
    assert [(one.kind, one.instance, one.host, one.time) for one in found] == [
        (SampleKind.CPU, "c-9f1c", "node-1", 1_795_425_000.25),
        (SampleKind.MEMORY, "c-9f1c", "node-1", 1_795_425_000.25),
    ]
    cpu, memory = (one.values for one in found)
    assert cpu["limit_cores"] == 0.12
    assert cpu["usage_seconds_total"] == pytest.approx(98.701325)
    assert (cpu["periods_total"], cpu["throttled_periods_total"]) == (400, 390)
    assert cpu["psi_some_seconds_total"] == pytest.approx(293.391454)
    assert cpu["host_steal_seconds_total"] > 0
    assert memory["limit_bytes"] is None, "known to be unlimited"
    assert (memory["working_set_bytes"], memory["oom_kills_total"]) == (100_000_000, 1)


def test_version_1_says_the_same(tmp_path: Path) -> None:
    """Controllers in folders of their own, nanoseconds and other names: equal values."""
    first, second = tmp_path / "1" / "cgroup", tmp_path / "2" / "cgroup"
    for controller, files in FILES_1.items():
        write(first / controller / "docker" / ID, files)
    (first / "cpu").symlink_to("cpu,cpuacct")
    version_2(second, f"docker/{ID}")
    old, new = samples(cgroups(first).read(5e9 / 3)), samples(cgroups(second).read(5e9 / 3))
    assert len(old) == len(new) == 2
    for one, other in zip(old, new, strict=True):
        shared = {name: other.values[name] for name in one.values}
        assert one.values == pytest.approx(shared)


def test_only_what_is_asked_for_is_read_and_a_service_by_its_path(tmp_path: Path) -> None:
    """Patterns choose containers; a systemd service is named with its path."""
    root = tmp_path / "cgroup"
    version_2(root, f"docker/{ID}", f"docker/{OTHER}", "system.slice/docker-registry.service")
    reader = cgroups(root, "c-0b*", registry="system.slice/docker-registry.service")
    assert {one.instance for one in samples(reader.read(1.8e9))} == {"registry", "c-0b2d"}


def test_a_container_that_is_gone_or_odd_hurts_no_other(tmp_path: Path) -> None:
    """One is removed between two looks, one has a file that is none of the kernel's."""
    root = tmp_path / "cgroup"
    version_2(root, f"docker/{ID}", f"docker/{OTHER}")
    reader = cgroups(root)
    assert len(list(reader.read(1.8e9))) == 4
    for file in (root / "docker" / OTHER).iterdir():
        file.unlink()
    assert {one.instance for one in samples(reader.read(1.8e9 + 1))} == {"c-9f1c"}
    write(root / "docker" / OTHER, {"cpu.stat": "usage_usec lots\n"})
    assert {one.instance for one in samples(reader.read(1.8e9 + 2))} == {"c-9f1c"}


def test_a_machine_without_its_figures_has_none(tmp_path: Path) -> None:
    """No /proc/stat, or another one, is no reason to stop."""
    assert host_seconds(tmp_path / "stat") == {}
    (tmp_path / "stat").write_text("intr 5\n")
    assert host_seconds(tmp_path / "stat") == {}


def test_the_kernel_of_this_machine_is_read() -> None:
    """What runs these tests has used some CPU, whichever version its kernel mounts."""
    root = Path("/sys/fs/cgroup")
    own = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    if (root / "cgroup.controllers").exists():
        path = next(path for number, _, path in own if number == "0")
    else:
        path = next((path for _, controllers, path in own if "cpuacct" in controllers.split(",")), "/")
    reader = Cgroups(root, "here", {"me": path}, ("none",), lambda _: Container(), Figures())
    found = [one for one in samples(reader.read(1.8e9)) if one.kind is SampleKind.CPU]
    if not found:
        pytest.skip("no cgroup files are mounted here")
    assert found[0].instance == "me"
    assert (found[0].values["host_busy_seconds_total"] or 0) > 0
