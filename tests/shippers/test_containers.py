"""Whose log a file is: as kubelet and Docker lay them out, and the same name for lines and readings."""

from pathlib import Path

import pytest

from agents.shippers.containers import Container, of_id, of_log_file

ID = "9f1c" * 16


@pytest.mark.parametrize(
    ("path", "container"),
    [
        (
            f"/var/log/containers/registry-7d4b9_prod_registry-{ID}.log",
            Container("prod", "registry-7d4b9", "registry", ID),
        ),
        (
            "/var/log/pods/prod_registry-7d4b9_0a1b2c3d-1111/registry/0.log",
            Container("prod", "registry-7d4b9", "registry"),
        ),
        ("/var/log/registry.log", Container(container="registry")),
        (f"/nowhere/{ID}/{ID}-json.log", Container(container_id=ID)),
    ],
)
def test_a_path_names_its_container(path: str, container: Container) -> None:
    """Kubernetes by link and by folder, a bare file by its name, an unknown Docker container by its id."""
    assert of_log_file(path) == container


def test_docker_names_a_container_beside_its_log(tmp_path: Path) -> None:
    """Its name is read from config.v2.json, for its log and for its cgroup alike."""
    folder = tmp_path / ID
    folder.mkdir()
    (folder / "config.v2.json").write_text('{"Name": "/registry-a", "ID": "…"}')
    expected = Container(container="registry-a", container_id=ID)
    assert of_log_file(str(folder / f"{ID}-json.log")) == expected
    assert of_id(ID, docker=tmp_path, kubernetes=tmp_path) == expected
    (folder / "config.v2.json").write_text('["not", "a", "config"]')
    assert of_id(ID, docker=tmp_path, kubernetes=tmp_path).instance == ID[:12]


def test_kubernetes_names_a_container_by_its_link(tmp_path: Path) -> None:
    """The pod stands for it downstream."""
    (tmp_path / f"registry-7d4b9_prod_registry-{ID}.log").touch()
    assert of_id(ID, docker=tmp_path, kubernetes=tmp_path).instance == "registry-7d4b9"
