"""Whose log is it? Told by its path, as kubelet and Docker name files.

/var/log/containers/<pod>_<namespace>_<container>-<id>.log
/var/log/pods/<namespace>_<pod>_<uid>/<container>/<restarts>.log
/var/lib/docker/containers/<id>/<id>-json.log
"""

import re

from pipeline.intake.entry import Labels, labels

_ID = r"[0-9a-f]{64}"
_KUBERNETES_LINK = re.compile(
    rf"(?P<pod>[^_/]+)_(?P<namespace>[^_/]+)_(?P<container>[^/]+)-(?P<id>{_ID})\.log"
)
_KUBERNETES_POD = re.compile(
    r"pods/(?P<namespace>[^_/]+)_(?P<pod>[^_/]+)_[^/]+/(?P<container>[^/]+)/\d+\.log[^/]*"
)
_DOCKER_FILE = re.compile(rf"(?P<id>{_ID})-json\.log[^/]*")
PATH_CHARACTERS_MAX = 4096


def place_of_log(path: str) -> Labels | None:
    """Namespace, pod, container and id as far as `path` tells them, None where it tells none."""
    if len(path) > PATH_CHARACTERS_MAX:
        return None
    parts = path.split("/")
    if link := _KUBERNETES_LINK.fullmatch(parts[-1]):
        return labels(link["namespace"], link["pod"], link["container"], link["id"])
    if pod := _KUBERNETES_POD.fullmatch("/".join(parts[-4:])):
        return labels(pod["namespace"], pod["pod"], pod["container"])
    if docker := _DOCKER_FILE.fullmatch(parts[-1]):
        return labels(container_id=docker["id"])
    return None


def placed(where: Labels, path: object) -> Labels:
    """`where`, with what the path of its log tells where a shipper has not looked up the container."""
    if where.pod or where.container or where.container_id or not isinstance(path, str):
        return where
    found = place_of_log(path)
    return (
        where if found is None else found._replace(host=where.host, service=where.service, image=where.image)
    )
