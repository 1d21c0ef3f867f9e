"""What each cause asks for, held against what is there: can it be proven, and what would have to be added."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from pipeline.doctor.look import Look, Reading
from schemas import Cause, SampleKind

COARSE_SECONDS = 30.0
"""Readings further apart than this miss a starvation of a minute, and a verdict waits for them."""

AHEAD_SECONDS, BEHIND_SECONDS = -2.0, 30.0
"""A shipper's clock that is ahead by more, or records that come later by more, are worth a word."""


MINIO = "http://minio:9000/minio/v2/metrics/cluster"
COREDNS = "http://kube-dns.kube-system:9153/metrics"


class Outlook(StrEnum):
    """How a cause would fare with this input."""

    PROVABLE = "provable"
    WEAK = "weak"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Need:
    """Something missing. `snippet`: the line of shell or configuration that adds it."""

    text: str
    snippet: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """How one cause would fare, why, and what would help."""

    cause: Cause
    outlook: Outlook
    why: str
    needs: tuple[Need, ...] = ()


def diagnose(look: Look, brokers: str) -> tuple[list[Diagnosis], list[str]]:
    """Each cause in turn, and remarks about what is there; `brokers` goes into the snippets."""
    ward = _Ward(look, brokers)
    causes = [ward.cpu(), ward.memory(), ward.storage(), ward.client(), ward.dns()]
    return causes, ward.remarks()


class _Ward:
    def __init__(self, look: Look, brokers: str) -> None:
        self._look = look
        self._to = f"--brokers {brokers}"
        self._has_logs = bool(look.symptoms)

    def cpu(self) -> Diagnosis:
        readings = self._of(SampleKind.CPU)
        names = _names(readings)
        if not readings:
            text = "no CPU reading of a container: only smeared durations could hint at starvation"
            return Diagnosis(
                Cause.CPU_SATURATION, Outlook.WEAK, text, (self._cgroup("use, limit and throttling"),)
            )
        needs = []
        limits = [one for one in readings if "limit_cores" in one.names]
        throttling = bool({"throttled_periods_total", "throttled_ratio", "throttled_seconds_total"} & names)
        if not limits and not throttling:
            needs.append(self._cgroup("the limit and the throttled periods"))
        elif not throttling:
            needs.append(self._cgroup("the throttled periods"))
        if not self._meets(readings):
            needs.append(self._other_names(readings))
        if (
            limits
            and all("limit_cores" in one.unlimited for one in limits)
            and "host_busy_seconds_total" not in names
        ):
            needs.append(
                self._cgroup("how busy the machine is: without a limit only that can starve a container")
            )
        coarse = self._coarse(readings, "--interval 1")
        if not self._meets(readings):
            return Diagnosis(
                Cause.CPU_SATURATION,
                Outlook.NEVER,
                "CPU is read of other containers than write logs",
                tuple(needs),
            )
        outlook = Outlook.PROVABLE if throttling else Outlook.WEAK
        why = "use and throttling are read" if throttling else (
            "use and limit are read, throttling is not: it needs 95 % use" if limits
            else "neither limit nor throttling is read"
        )  # fmt: skip
        return Diagnosis(Cause.CPU_SATURATION, outlook, why, (*needs, *coarse))

    def memory(self) -> Diagnosis:
        readings = self._of(SampleKind.MEMORY)
        names = _names(readings)
        if not readings:
            why = "no memory reading: only a container's exit for want of memory could show it"
            return Diagnosis(
                Cause.MEMORY_PRESSURE, Outlook.NEVER, why, (self._cgroup("memory, its limit and kills"),)
            )
        if not self._meets(readings):
            why = "memory is read of other containers than write logs"
            return Diagnosis(Cause.MEMORY_PRESSURE, Outlook.NEVER, why, (self._other_names(readings),))
        missing = []
        if "limit_bytes" not in names:
            missing.append("its limit")
        if "oom_kills_total" not in names and "restarts_total" not in names:
            missing.append("kills for want of it")
        if not missing:
            return Diagnosis(Cause.MEMORY_PRESSURE, Outlook.PROVABLE, "memory, its limit and kills are read")
        why = f"memory is read, but not {' and '.join(missing)}"
        return Diagnosis(Cause.MEMORY_PRESSURE, Outlook.WEAK, why, (self._cgroup(" and ".join(missing)),))

    def storage(self) -> Diagnosis:
        readings = self._of(SampleKind.STORAGE)
        scrape = Need(
            "metrics of the storage itself (MinIO here; docs/signals.md has Ceph and CloudWatch)",
            f"undercurrent ship prometheus --scrape minio={MINIO} {self._to}",
        )
        if not readings:
            why = (
                "no server-side metric; storage_latency can never be proven, unless the storage itself says "
                "SlowDown or RequestTimeout in the log"
            )
            return Diagnosis(Cause.STORAGE_LATENCY, Outlook.NEVER, why, (scrape,))
        latency = any("ttfb" in name or "seconds" in name for name in _names(readings))
        if latency:
            why = "the storage is measured at its own side"
            return Diagnosis(
                Cause.STORAGE_LATENCY, Outlook.PROVABLE, why, self._coarse(readings, "--interval 5")
            )
        why = "of the storage errors and requests are counted, its latency is not measured"
        return Diagnosis(Cause.STORAGE_LATENCY, Outlook.WEAK, why, (scrape,))

    def client(self) -> Diagnosis:
        if not self._has_logs:
            return Diagnosis(
                Cause.CLIENT_TIMEOUT, Outlook.NEVER, "no request of a registry is logged", (self._logs(),)
            )
        if not self._look.has_durations:
            need = Need(
                "durations and clients of requests: they are in the lines that say `response completed`",
                "log:\n  level: info          # of the registry; accesslog alone does not tell durations",
            )
            return Diagnosis(
                Cause.CLIENT_TIMEOUT, Outlook.NEVER, "no request was logged with its duration", (need,)
            )
        measured = self._of(SampleKind.CPU) and self._of(SampleKind.STORAGE)
        if measured:
            why = "durations and clients are logged, CPU and storage are measured"
            return Diagnosis(Cause.CLIENT_TIMEOUT, Outlook.PROVABLE, why)
        why = "durations are logged; without CPU and storage as measured, only timeouts of up to 1 s prove it"
        return Diagnosis(Cause.CLIENT_TIMEOUT, Outlook.WEAK, why)

    def dns(self) -> Diagnosis:
        readings = self._of(SampleKind.DNS)
        metrics = Need(
            "metrics of the resolver, which count the lookups that were answered as well",
            f"undercurrent ship prometheus --scrape coredns={COREDNS} {self._to}",
        )
        if readings:
            return Diagnosis(Cause.DNS_OUTAGE, Outlook.PROVABLE, "lookups are counted at the resolver")
        logs = Need(
            "the resolver's log",
            f"undercurrent ship logs --to dns '/var/log/containers/coredns-*.log' {self._to}",
        )
        failures = sum(self._look.symptoms[kind] for kind in ("dns_timeout", "dns_servfail", "dns_nxdomain"))
        if failures:
            why = "failed lookups are logged, answered ones are not counted"
            return Diagnosis(Cause.DNS_OUTAGE, Outlook.WEAK, why, (metrics,))
        why = "no resolver is heard: a failed lookup often shows as nothing but a cancelled request"
        return Diagnosis(Cause.DNS_OUTAGE, Outlook.WEAK, why, (metrics, logs))

    def remarks(self) -> list[str]:
        """Clocks, records nobody can read, and what nobody writes."""
        found = []
        if not self._has_logs:
            found.append(
                f"No request of a registry is logged, so nothing can be found: {self._logs().snippet}"
            )
        for one in self._look.inputs.values():
            delay = one.delay_seconds
            if delay is not None and delay < AHEAD_SECONDS:
                found.append(
                    f"{one.topic}, {one.decoder}: its clock is {-delay:.1f} s ahead of Kafka's; "
                    "let the machines keep their time (chrony)"
                )
            elif delay is not None and delay > BEHIND_SECONDS:
                found.append(
                    f"{one.topic}, {one.decoder}: records come {delay:.0f} s after what they tell of; "
                    "let the shipper flush sooner, or raise rules.lateness_seconds"
                )
        for refused in self._look.refused.values():
            found.append(
                f"{refused.topic}: {refused.records} records cannot be read ({refused.reason}: "
                f"{refused.detail}); `undercurrent decode` says more"
            )
        return found

    def _of(self, kind: SampleKind) -> list[Reading]:
        return [one for one in self._look.readings.values() if one.kind is kind]

    def _meets(self, readings: list[Reading]) -> bool:
        """Whether some reading is of a container that writes logs; where none is named, all are."""
        places = {one.place for one in readings}
        return not self._look.log_instances or "" in places or bool(places & self._look.log_instances)

    def _cgroup(self, what: str) -> Need:
        only = sorted(self._look.log_instances)[:3] or ["*registry*"]
        chosen = " ".join(f"--only '{name}'" for name in only)
        return Need(what, f"undercurrent ship cgroup {chosen} {self._to}")

    def _logs(self) -> Need:
        return Need(
            "the registry's log", f"undercurrent ship logs '/var/log/containers/*registry*.log' {self._to}"
        )

    def _other_names(self, readings: list[Reading]) -> Need:
        logged, read = _few(self._look.log_instances), _few({one.place for one in readings})
        return Need(
            f"one name for one container: logs are of {logged}, readings of {read}",
            "docker run --log-opt tag='{{.Name}}' …     # or, with ship logs: --instance NAME",
        )

    def _coarse(self, readings: list[Reading], better: str) -> tuple[Need, ...]:
        intervals = [one.interval_seconds for one in readings if one.interval_seconds is not None]
        if not intervals or min(intervals) <= COARSE_SECONDS:
            return ()
        return (Need(f"readings more often than every {min(intervals):.0f} s", better),)


def _names(readings: Iterable[Reading]) -> set[str]:
    return {name for one in readings for name in one.names}


def _few(names: set[str]) -> str:
    shown = sorted(name or "nobody" for name in names)
    return ", ".join(shown[:3]) + (f" and {len(shown) - 3} more" if len(shown) > 3 else "")
