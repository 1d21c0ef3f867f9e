"""Rules: every threshold and window of the core, as data. Defaults are explained in docs/causes.md."""

from pydantic import Field

from schemas.base import Noun


class Burst(Noun):
    """When failing requests become an incident: a stray error opens nothing."""

    requests: int = Field(5, ge=1, description="Distinct failed requests nothing else explains")
    proven_requests: int = Field(3, ge=1, description="The same, where a cause is proven by measurement")
    restarts: int = Field(3, ge=2, description="Process starts within the retention that open an incident")
    window_seconds: int = Field(60, ge=1, description="Within this much event time")


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


class Lifecycle(Noun):
    """When an incident recovers, resolves and comes back."""

    recovering_after_seconds: int = Field(20, ge=1, description="Without a new sign of trouble")
    resolved_after_seconds: int = Field(60, ge=1, description="Without a new sign of trouble")
    reopen_within_seconds: int = Field(600, ge=0, description="A return within this reopens it")


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
    hold_seconds: float = Field(60.0, ge=0, description="How long a DNS symptom is held at most")
    retention_seconds: int = Field(300, ge=60, description="How much settled history is kept")
    slow_request_seconds: float = Field(1.0, gt=0, description="From here a success counts as slow")
    burst: Burst = Burst()
    saturation: Saturation = Saturation()
    lifecycle: Lifecycle = Lifecycle()
