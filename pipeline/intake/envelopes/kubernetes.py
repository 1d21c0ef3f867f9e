"""The `kubernetes` object that Fluent Bit, Fluentd, Filebeat and Vector add, in each one's spelling."""

from collections.abc import Mapping
from typing import Any

from pipeline.intake.entry import NO_LABELS, Labels, labels, labels_of


def kubernetes_labels(meta: Mapping[str, Any], host: object = None, container_id: object = None) -> Labels:
    """Labels of a `kubernetes` object; `host` and `container_id` fill in what it does not say."""
    get = meta.get
    if "pod_name" in meta:
        return labels(
            get("namespace_name") or get("pod_namespace"),
            get("pod_name"),
            get("container_name"),
            get("docker_id") or get("container_id") or container_id,
            get("host") or get("pod_node_name") or host,
            None,
            get("container_image"),
        )
    container = _object(get("container"))
    return labels(
        get("namespace") or get("namespace_name"),
        _object(get("pod")).get("name") or get("pod.name"),
        container.get("name") or get("container.name"),
        container.get("id") or container_id,
        _object(get("node")).get("name") or get("node.name") or host,
        None,
        container.get("image"),
    )


_SPELLINGS: tuple[tuple[str, ...], ...] = (
    ("kubernetes.namespace_name", "k8s.namespace.name", "kubernetes.namespace", "namespace_name"),
    ("kubernetes.pod_name", "k8s.pod.name", "kubernetes.pod.name", "pod_name", "pod.name"),
    (
        "kubernetes.container_name",
        "k8s.container.name",
        "kubernetes.container.name",
        "container_name",
        "container.name",
    ),
    ("kubernetes.docker_id", "container_id", "container.id", "docker_id"),
    ("kubernetes.host", "k8s.node.name", "kubernetes.node.name", "host", "hostname", "host.name"),
    ("service.name",),
    ("kubernetes.container_image", "container_image", "container.image.name"),
)
"""How each of `Labels` is spelt where a shipper has lifted it to the top level."""


_LIFTED = frozenset(
    name for spellings in _SPELLINGS for name in spellings if "." in name or name == "pod_name"
)


def has_lifted_labels(fields: Mapping[str, Any]) -> bool:
    """Whether labels stand at the top level in a spelling that no shipper uses by itself."""
    return not _LIFTED.isdisjoint(fields)


def lifted_labels(fields: Mapping[str, Any]) -> Labels:
    """Labels that stand at the top level of a record, dotted or with underscores; `host` may be an object."""
    get = fields.get
    host = get("host") or get("hostname")
    if not has_lifted_labels(fields) and not isinstance(host, dict):  # most often: spare the looking
        return labels(
            None, None, get("container_name"), get("container_id"), host, None, get("container_image")
        )
    found = []
    for spellings in _SPELLINGS:
        value = next((fields[name] for name in spellings if fields.get(name)), None)
        found.append(value.get("name") if isinstance(value, dict) else value)
    return labels(*found)


def workload_labels(meta: Mapping[str, Any]) -> Mapping[str, Any]:
    """Labels of the pod."""
    return labels_of(meta.get("labels") or meta.get("pod_labels"))


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else NO_LABELS
