"""What has been observed, sorted by event time: the only memory the core reasons from.

Both stores merge like sets: a repeated or reordered signal leaves them as they were. Everything
derived from them (rates, episodes, requests) is computed on demand from what lies at or before a
given second, so a restart or another framing cannot change it.
"""

from pipeline.history.events import EventStore, Request
from pipeline.history.readings import (
    LONGEST_INTERVAL_SECONDS,
    CpuReading,
    DnsReading,
    Episode,
    MemoryReading,
    ServiceReading,
    Sourced,
    StorageReading,
    cpu_readings,
    dns_readings,
    failed_since,
    killed_since,
    memory_readings,
    service_readings,
    starvation_episodes,
    storage_readings,
)
from pipeline.history.samples import Row, SampleStore

__all__ = [
    "LONGEST_INTERVAL_SECONDS",
    "CpuReading",
    "DnsReading",
    "Episode",
    "EventStore",
    "MemoryReading",
    "Request",
    "Row",
    "SampleStore",
    "ServiceReading",
    "Sourced",
    "StorageReading",
    "cpu_readings",
    "dns_readings",
    "failed_since",
    "killed_since",
    "memory_readings",
    "service_readings",
    "starvation_episodes",
    "storage_readings",
]
