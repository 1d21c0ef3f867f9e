"""Rules: every threshold and window of the core, as data. Defaults are explained in docs/causes.md."""

from fnmatch import fnmatchcase
from typing import Self

from pydantic import Field, model_validator

from schemas.base import Noun
from schemas.declared import CAUSES_MAX, SIGNATURES_MAX, DeclaredCause, Signature, check_declared

LIMITS_MAX = 100


def _in_order(section: Noun, low: str, high: str) -> None:
    """Raises ValueError where the value of `low` is above that of `high`."""
    if getattr(section, low) > getattr(section, high):
        raise ValueError(f"{low} must not be above {high}")


class Burst(Noun):
    """When failing requests become an incident: a stray error opens nothing."""

    requests: int = Field(5, ge=1, description="Distinct failed requests nothing else explains")
    proven_requests: int = Field(3, ge=1, description="The same, where a cause is proven by measurement")
    restarts: int = Field(4, ge=2, description="Process starts within the retention that open an incident")
    window_seconds: int = Field(60, ge=1, description="Within this much event time")


class CpuLimit(Noun):
    """The CPU limit of instances whose exporter tells none."""

    instance: str = Field(
        min_length=1, max_length=253, description="Name of the instance; * and ? stand for anything"
    )
    cores: float = Field(gt=0, description="Its limit")


class Saturation(Noun):
    """When a container counts as starved of CPU, with hysteresis."""

    enter_usage_ratio: float = Field(0.85, gt=0, description="CPU use over limit, to enter")
    enter_throttled_ratio: float = Field(
        0.8, gt=0, le=1, description="Throttled periods over periods, to enter"
    )
    unthrottled_usage_ratio: float = Field(
        0.95, gt=0, description="CPU use over limit, to enter, where no exporter tells throttling"
    )
    leave_usage_ratio: float = Field(0.7, gt=0, description="Below this it is over")
    leave_throttled_ratio: float = Field(0.6, gt=0, le=1, description="Below this it is over")
    episode_seconds: float = Field(3.0, ge=0, description="A shorter stretch is no starvation")
    host_episode_seconds: float = Field(
        10.0, ge=0, description="The same at host level, where neighbours come and go"
    )
    calm_seconds: float = Field(10.0, ge=0, description="Readings without starvation that end it")
    host_pressure_ratio: float = Field(
        0.5, gt=0, le=1, description="Container CPU PSI some, without throttling: host level"
    )
    host_busy_ratio: float = Field(0.9, gt=0, le=1, description="Busy share of the host's CPUs, host level")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        _in_order(self, "leave_usage_ratio", "enter_usage_ratio")
        _in_order(self, "leave_throttled_ratio", "enter_throttled_ratio")
        return self


class Durations(Noun):
    """When the spread of cancelled durations speaks: sharp at the client's timeout, or smeared."""

    sharp_window_seconds: float = Field(0.02, gt=0, description="Durations this close are one timeout")
    near_window_seconds: float = Field(
        0.15, gt=0, description="What a little throttling (one CFS period of 0.1 s) makes of one timeout"
    )
    near_ratio: float = Field(
        0.8, gt=0, le=1, description="Share near a timeout that suffices where all rivals are measured away"
    )
    clump_gap_seconds: float = Field(
        0.6, gt=0, description="Durations further apart belong to different timeouts of one client name"
    )
    sharp_ratio: float = Field(0.9, gt=0, le=1, description="Share on a timeout from which they are sharp")
    smeared_ratio: float = Field(
        0.5, ge=0, lt=1, description="Share on a timeout up to which they are smeared"
    )
    sharp_requests: int = Field(5, ge=3, description="Cancelled requests needed to call them sharp")
    smeared_requests: int = Field(8, ge=3, description="Cancelled requests needed to call them smeared")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        _in_order(self, "smeared_ratio", "sharp_ratio")
        return self


class Memory(Noun):
    """When memory counts as the cause."""

    full_ratio: float = Field(0.9, gt=0, description="Working set over limit: full")
    room_ratio: float = Field(0.8, gt=0, description="Working set over limit: below this there is room")
    stalled_ratio: float = Field(0.2, gt=0, le=1, description="Memory PSI some: stalled")
    lookback_seconds: float = Field(60.0, gt=0, description="How long before the trouble still counts")


class Storage(Noun):
    """When the storage counts as slow, failing or stuck, measured at its own side."""

    window_seconds: float = Field(10.0, gt=0, description="Over this much of its samples")
    slow_p95_seconds: float = Field(
        0.75, gt=0, description="p95 to first byte that no healthy object store shows for small objects"
    )
    slower_times: float = Field(8.0, gt=1, description="Or a median this many times its own normal")
    slower_p50_seconds: float = Field(0.05, gt=0, description="And not merely microseconds of it")
    slower_requests: int = Field(10, ge=1, description="Over at least so many requests")
    failing_ratio: float = Field(0.05, gt=0, le=1, description="Share of 5xx answers: failing")
    stuck_requests: int = Field(3, ge=1, description="Requests in flight while none is answered: stuck")
    said_requests: int = Field(3, ge=1, description="Requests it answered SlowDown or RequestTimeout itself")


class Dns(Noun):
    """When a resolver counts as failing, and when a lost lookup is harmless."""

    window_seconds: float = Field(30.0, gt=0, description="Over this much event time")
    failed_ratio: float = Field(0.5, gt=0, le=1, description="Share of lookups that fail: an outage")
    failed_lookups: int = Field(3, ge=1, description="And at least so many, as the DNS server counted them")
    failed_lines: int = Field(4, ge=1, description="Or so many logged, where nobody counted them")
    idle_seconds: float = Field(8.0, gt=0, description="Storage traffic stopped for so long")
    lookup_seconds: float = Field(4.0, gt=0, description="After this long a resolver gives one query up")
    hung_ratio: float = Field(0.8, gt=0, le=1, description="Share of failures that hung in a lost lookup")
    harmless_ratio: float = Field(
        0.2, ge=0, le=1, description="Share of lost lookups a starved instance may have"
    )
    harmless_lookups: int = Field(
        2, ge=0, description="So few lost lookups are harmless whatever their share"
    )
    near_outage_seconds: float = Field(
        30.0, ge=0, description="So close to a DNS outage nothing is suppressed"
    )


class Client(Noun):
    """When impatient clients count as the cause."""

    clients: int = Field(2, ge=1, description="At most so many of them")
    share_ratio: float = Field(0.85, gt=0, le=1, description="With this share of the cancellations")
    slow_ratio: float = Field(0.1, ge=0, le=1, description="While at most this share of the rest is slow")
    short_timeout_seconds: float = Field(
        1.0, gt=0, description="Without CPU and storage metrics, only timeouts up to this carry the verdict"
    )


class Lifecycle(Noun):
    """When an incident recovers, resolves and comes back."""

    recovering_after_seconds: int = Field(20, ge=1, description="Without a new sign of trouble")
    resolved_after_seconds: int = Field(60, ge=1, description="Without a new sign of trouble")
    reopen_within_seconds: int = Field(600, ge=0, description="A return within this reopens it")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        _in_order(self, "recovering_after_seconds", "resolved_after_seconds")
        return self


class Rules(Noun):
    """All rules of the core."""

    lateness_seconds: float = Field(10.0, ge=0, description="Allowed disorder of event time")
    evidence_grace_seconds: float = Field(60.0, ge=0, description="How long a verdict waits for a sample")
    rival_grace_seconds: float = Field(
        20.0, ge=0, description="How long a verdict waits for a rival's sample"
    )
    unproven_after_seconds: float = Field(
        10.0, ge=0, description="How long a burst without a proven cause is watched before it is told"
    )
    hold_seconds: float = Field(
        60.0, ge=0, description="How long a DNS symptom is held; twice as long where readings are late"
    )
    retention_seconds: int = Field(300, ge=60, description="How much settled history is kept")
    history_max: int = Field(
        200_000,
        ge=10_000,
        description="Observations and readings kept of a domain; past it the oldest go first",
    )
    observations_per_second: int = Field(
        1_000, ge=100, description="Observations of one second kept of a domain; the rest are estimated"
    )
    slow_request_seconds: float = Field(1.0, gt=0, description="From here a success counts as slow")
    burst: Burst = Burst()
    saturation: Saturation = Saturation()
    durations: Durations = Durations()
    memory: Memory = Memory()
    storage: Storage = Storage()
    dns: Dns = Dns()
    client: Client = Client()
    lifecycle: Lifecycle = Lifecycle()
    cpu_limits: tuple[CpuLimit, ...] = Field(
        (), max_length=LIMITS_MAX, description="CPU limits that no exporter tells; the first that fits counts"
    )
    signatures: tuple[Signature, ...] = Field(
        (),
        max_length=SIGNATURES_MAX,
        description="Error texts of your own; the first that fits a line counts",
    )
    causes: tuple[DeclaredCause, ...] = Field(
        (), max_length=CAUSES_MAX, description="Causes of your own, weighed beside the built-in ones"
    )

    @property
    def hold_seconds_max(self) -> float:
        """How long a DNS symptom is held at most, in seconds."""
        return 2 * self.hold_seconds

    def configured_cores(self, instance: str) -> float | None:
        """The CPU limit that these rules give `instance`, in cores; None where they give none."""
        return next((one.cores for one in self.cpu_limits if fnmatchcase(instance, one.instance)), None)

    @model_validator(mode="after")
    def _declared_things_fit(self) -> Self:
        check_declared(self.signatures, self.causes)
        return self
