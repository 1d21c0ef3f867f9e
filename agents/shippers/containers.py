"""Which container is it? Read off the path of its log, or found by its id beside the runtimes' logs.

`ship logs` and `ship cgroup` both ask here, so that lines and readings of one container bear the same name.
"""

from pathlib import Path
from typing import NamedTuple

import orjson

from pipeline.intake.logpath import place_of_log

DOCKER = Path("/var/lib/docker/containers")
KUBERNETES = Path("/var/log/containers")


class Container(NamedTuple):
    """A container in the names intake knows; what is not known is None."""

    namespace: str | None = None
    pod: str | None = None
    container: str | None = None
    container_id: str | None = None

    @property
    def instance(self) -> str | None:
        """The name that stands for it downstream: pod, else container, else its id's first 12 digits."""
        return self.pod or self.container or (self.container_id or "")[:12] or None

    def fields(self) -> dict[str, str]:
        """What is known, by name."""
        return {name: value for name, value in self._asdict().items() if value}


def of_log_file(path: str) -> Container:
    """Whose log is at `path`, as kubelet and Docker name files; else the file's own name is the container."""
    found = place_of_log(path)
    if found is None:
        return Container(container=path.rpartition("/")[2].partition(".")[0] or None)
    if found.pod is None and found.container_id is not None:
        return _of_docker(Path(path).parent, found.container_id)
    return Container(found.namespace, found.pod, found.container, found.container_id)


def of_id(container_id: str, docker: Path = DOCKER, kubernetes: Path = KUBERNETES) -> Container:
    """The container of a 64-digit id, with no more than its id where neither runtime's files name it."""
    for link in kubernetes.glob(f"*-{container_id}.log"):
        return of_log_file(str(link))
    return _of_docker(docker / container_id, container_id)


def _of_docker(folder: Path, container_id: str) -> Container:
    """Docker keeps a container's name, `/registry`, in `config.v2.json` beside its log."""
    try:
        config = orjson.loads((folder / "config.v2.json").read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return Container(container_id=container_id)
    name = config.get("Name") if isinstance(config, dict) else None
    return Container(
        container=name.strip("/") or None if isinstance(name, str) else None, container_id=container_id
    )
