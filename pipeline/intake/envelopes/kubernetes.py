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


def workload_labels(meta: Mapping[str, Any]) -> Mapping[str, Any]:
    """Labels of the pod."""
    return labels_of(meta.get("labels") or meta.get("pod_labels"))


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else NO_LABELS
