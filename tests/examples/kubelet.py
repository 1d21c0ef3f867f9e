"""A kubelet's two pages that the Collector reads: the summary of figures, and the pods with their limits.

Shapes: Kubernetes' kubelet/pkg/apis/stats/v1alpha1 and core/v1. The container uses 0.119 of 0.12 cores.
"""

import time
from datetime import UTC, datetime

import orjson

from tests.shippers.exporter import Pages

USAGE_CORES, LIMIT_CORES = 0.119, 0.12
WORKING_SET_BYTES, LIMIT_BYTES = 96_468_992, 512 * 1024 * 1024
POD = {"name": "registry-a", "namespace": "prod", "uid": "3f0c2b61-7d5e-4a1b-9c34-5be1f7a20d98"}


def _now() -> float:
    return time.time()  # noqa: TID251 - a kubelet's figures are those of now


def summary(began: float) -> dict[str, object]:
    """`/stats/summary` now."""
    now, start = _written(_now()), _written(began)
    container = {
        "name": "registry",
        "startTime": start,
        "cpu": {
            "time": now,
            "usageNanoCores": round(USAGE_CORES * 1e9),
            "usageCoreNanoSeconds": round((_now() - began) * USAGE_CORES * 1e9),
        },
        "memory": {
            "time": now,
            "availableBytes": LIMIT_BYTES - WORKING_SET_BYTES,
            "usageBytes": WORKING_SET_BYTES + 4096,
            "workingSetBytes": WORKING_SET_BYTES,
            "rssBytes": 80_000_000,
            "pageFaults": 5000,
            "majorPageFaults": 1,
        },
    }
    return {
        "node": {"nodeName": "node-05", "startTime": start},
        "pods": [{"podRef": POD, "startTime": start, "containers": [container]}],
    }


def _written(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def pods() -> dict[str, object]:
    """`/pods`."""
    limits = {"cpu": f"{round(LIMIT_CORES * 1000)}m", "memory": str(LIMIT_BYTES)}
    status = {"name": "registry", "containerID": f"containerd://{'9f1c' * 16}"}
    return {
        "kind": "PodList",
        "apiVersion": "v1",
        "items": [
            {
                "metadata": POD,
                "spec": {"containers": [{"name": "registry", "resources": {"limits": limits}}]},
                "status": {"containerStatuses": [status]},
            }
        ],
    }


def kubelet() -> Pages:
    """Serves both pages on a free port while its context is open."""
    began = _now() - 60

    def answer(path: str, _form: bytes, _log_in: str) -> tuple[int, bytes]:
        return 200, orjson.dumps(summary(began) if path.startswith("/stats/summary") else pods())

    return Pages(answer)
