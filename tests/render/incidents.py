"""Incidents made by hand from what the recordings measured, and some that mean harm."""

from schemas import (
    Advice,
    Cause,
    Change,
    ChangeKind,
    Evidence,
    Impact,
    Incident,
    IncidentState,
    Origin,
    Rival,
    RivalStanding,
    Step,
)

BEGAN = 1795425041.0
"""2026-11-23 09:10:41 UTC, when the CPU quota of the recording `cpu_cascade` fell from 1 to 0.12 cores."""

CPU_ORIGIN = Origin(topic="registry.metrics", partition=1, offset=412)


def change(seq: int, kind: ChangeKind, at: float, reason: str, incident: Incident) -> Change:
    return Change(id=f"{incident.id}:{seq}", seq=seq, kind=kind, at=at, reason=reason, incident=incident)


CASCADE_OPENED = Incident(
    id="7c1e09b2d4f6a835",
    domain="registry-prod",
    instances=("registry-a",),
    cause=Cause.UNPROVEN,
    confidence=0.0,
    state=IncidentState.OPEN,
    first_symptom_at=BEGAN + 8.3,
    opened_at=BEGAN + 19,
    impact=Impact(requests_failed=7, routes={"catalog": 7}, clients={"registry-ui/2.5 (catalog-sync)": 7}),
    timeline=(
        Step(
            at=BEGAN + 8.3, step="first_cancellation", text="first request cancelled", instance="registry-a"
        ),
    ),
)

CASCADE_NAMED = CASCADE_OPENED.model_copy(
    update={
        "cause": Cause.CPU_SATURATION,
        "level": "container",
        "confidence": 0.96,
        "verdict_at": BEGAN + 29,
        "impact": Impact(
            requests_failed=41,
            requests_slow=22,
            requests_total=164,
            routes={"catalog": 41, "blob": 17, "manifest": 5},
            clients={"registry-ui/2.5 (catalog-sync)": 41, "docker/24.0.9 go/go1.20.13": 22},
        ),
        "evidence": (
            Evidence(
                fact="cpu_at_limit",
                instance="registry-a",
                text="CPU use is 0.97 of its 0.12-core limit, 98 % of periods are throttled, since 09:10:43.",
                values={"usage_ratio": 0.97, "limit_cores": 0.12, "throttled_ratio": 0.98},
                at=BEGAN + 2,
                origins=(CPU_ORIGIN,),
            ),
            Evidence(
                fact="durations_smeared",
                instance="registry-a",
                text="Cancelled requests of one client took 5.1 to 9.8 s: only 21 % within 10 ms.",
                values={"sharp_ratio": 0.21},
                at=BEGAN + 9,
            ),
            Evidence(
                fact="storage_normal",
                text="Storage answered in 3.3 ms (median, seen from its own side), as before the incident.",
                values={"ttfb_seconds": 0.0033},
            ),
            Evidence(
                fact="starved_before",
                instance="registry-a",
                text="The limit was reached 6 s before the first cancellation.",
                values={"lead_seconds": 6},
            ),
        ),
        "rejected": (
            Rival(
                cause=Cause.STORAGE_LATENCY,
                standing=RivalStanding.REJECTED,
                reason="storage answered in 3.3 ms from its own side; the registry's 213 ms are its own.",
            ),
            Rival(
                cause=Cause.DNS_OUTAGE,
                standing=RivalStanding.REJECTED,
                reason="16 of 474 queries failed (3 %); in an outage all of them do.",
            ),
            Rival(
                cause=Cause.CLIENT_TIMEOUT,
                standing=RivalStanding.REJECTED,
                reason="durations are smeared; impatient clients would leave a razor-sharp edge.",
            ),
            Rival(
                cause=Cause.MEMORY_PRESSURE,
                standing=RivalStanding.UNDECIDED,
                reason="no memory sample of registry-a: working set against its limit would decide it.",
            ),
        ),
        "timeline": (
            Step(
                at=BEGAN + 2,
                step="limit_reached",
                text="CPU reached its limit of 0.12 cores",
                instance="registry-a",
            ),
            Step(at=BEGAN + 7.2, step="first_dns", text="first DNS error held", instance="registry-a"),
            *CASCADE_OPENED.timeline,
        ),
        "advice": (
            Advice(
                advice="raise_cpu_limit",
                text="Raise the CPU limit of registry-a from 0.12 to at least 0.5 cores: "
                "before the incident it used 0.31 at the 95th percentile.",
                values={"from_cores": 0.12, "to_cores": 0.5},
            ),
            Advice(
                advice="slow_the_catalog",
                text="Let registry-ui/2.5 (catalog-sync) ask /v2/_catalog less often: 41 of 63 were its.",
            ),
        ),
        "suppressed": 6,
        "trigger": "was taken for storage_latency at first",
    }
)

CASCADE_RECOVERING = CASCADE_NAMED.model_copy(
    update={
        "state": IncidentState.RECOVERING,
        "impact": Impact(
            requests_failed=270,
            requests_slow=118,
            requests_total=1204,
            routes={"catalog": 270, "blob": 96, "manifest": 15, "tags": 5, "base": 2},
            clients={"registry-ui/2.5 (catalog-sync)": 270, "docker/24.0.9 go/go1.20.13": 118},
        ),
        "suppressed": 16,
        "timeline": (
            *CASCADE_NAMED.timeline,
            Step(
                at=BEGAN + 120,
                step="limit_left",
                text="CPU fell below its limit of 1 core",
                instance="registry-a",
            ),
            Step(at=BEGAN + 125.3, step="last_failure", text="last request cancelled", instance="registry-a"),
        ),
    }
)

CASCADE_RESOLVED = CASCADE_RECOVERING.model_copy(
    update={
        "state": IncidentState.RESOLVED,
        "resolved_at": BEGAN + 125.3,
        "late": 1,
        "timeline": (
            *CASCADE_RECOVERING.timeline,
            Step(at=BEGAN + 145.3, step="recovered", text="20 s without a new sign of trouble"),
        ),
    }
)

CASCADE = (
    change(
        0,
        ChangeKind.OPENED,
        BEGAN + 19,
        "7 distinct requests failed within 12 s on registry-a.",
        CASCADE_OPENED,
    ),
    change(
        1,
        ChangeKind.DIAGNOSED,
        BEGAN + 29,
        "registry-a is at its CPU limit since before the first cancellation, and storage is normal.",
        CASCADE_NAMED,
    ),
    change(2, ChangeKind.RECOVERING, BEGAN + 145.3, "No new sign of trouble for 20 s.", CASCADE_RECOVERING),
    change(3, ChangeKind.RESOLVED, BEGAN + 185.3, "No new sign of trouble for 60 s.", CASCADE_RESOLVED),
)
"""`cpu_cascade`, from its first cancellations to its end."""

DNS_OUTAGE = change(
    2,
    ChangeKind.ESCALATED,
    1795424900.0,
    "A second instance fails to resolve s3.registry.test: the resolver fails for everyone.",
    Incident(
        id="0be1f5a7c2d98346",
        domain="registry-prod",
        instances=("registry-b", "registry-c"),
        cause=Cause.DNS_OUTAGE,
        confidence=0.995,
        state=IncidentState.OPEN,
        first_symptom_at=1795424860.0,
        opened_at=1795424866.0,
        verdict_at=1795424880.0,
        impact=Impact(requests_failed=93, requests_total=96, routes={"blob": 60, "manifest": 33}),
        evidence=(
            Evidence(
                fact="lookups_fail",
                instance="registry-b",
                text="All 61 lookups of s3.registry.test at 127.0.0.12:53 failed.",
                values={"failed_ratio": 1.0},
            ),
            Evidence(
                fact="cpu_idle",
                instance="registry-b",
                text="registry-b uses 0.01 of its CPU limit: it is not starved.",
                values={"usage_ratio": 0.01},
            ),
        ),
        rejected=(
            Rival(
                cause=Cause.CPU_SATURATION,
                standing=RivalStanding.REJECTED,
                reason="CPU use is 0.01 of the limit and no period is throttled.",
            ),
        ),
        timeline=(
            Step(at=1795424860.0, step="first_dns", text="first lookup failed", instance="registry-c"),
        ),
        advice=(
            Advice(advice="check_resolver", text="Check the resolver at 127.0.0.12:53, then its upstream."),
        ),
        released=40,
    ),
)

HOST_CONTENTION = change(
    1,
    ChangeKind.DIAGNOSED,
    1795427000.0,
    "registry-h waits for CPU while its own quota is never reached.",
    Incident(
        id="a4d2c6908e1b7f35",
        domain="registry-lab",
        instances=("registry-h",),
        cause=Cause.CPU_SATURATION,
        level="host",
        confidence=0.88,
        state=IncidentState.OPEN,
        first_symptom_at=1795426940.0,
        opened_at=1795426951.0,
        verdict_at=1795427000.0,
        impact=Impact(requests_failed=1, requests_slow=1204, estimated=True),
        evidence=(
            Evidence(
                fact="host_busy",
                text="The host's CPUs are 99 % busy; registry-h waits 71 % of the time, never throttled.",
            ),
        ),
        advice=(
            Advice(
                advice="free_host", text="Move busy neighbours away: the container's limit is not the cause."
            ),
        ),
    ),
)

UNPROVEN = change(
    1,
    ChangeKind.DIAGNOSED,
    1795428060.0,
    "No cause is carried by evidence: CPU samples of registry-a are missing.",
    Incident(
        id="5f90d3b7a1c8e624",
        domain="default",
        instances=("registry-a",),
        cause=Cause.UNPROVEN,
        confidence=0.0,
        state=IncidentState.OPEN,
        first_symptom_at=1795428000.0,
        opened_at=1795428004.0,
        verdict_at=1795428060.0,
        impact=Impact(requests_failed=12),
        rejected=(
            Rival(
                cause=Cause.CPU_SATURATION,
                standing=RivalStanding.UNDECIDED,
                reason="no CPU sample of registry-a for 60 s: usage against its limit would decide it.",
            ),
        ),
        released=3,
        late=2,
    ),
)

HARM = (
    "<!channel> *bold* _it_ `x` :skull: <https://evil.test|ok> & \x1b[31mred\x1b[0m \u202egnp.exe\nnext line"
)

HOSTILE = change(
    1,
    ChangeKind.DIAGNOSED,
    BEGAN + 29,
    HARM,
    CASCADE_NAMED.model_copy(
        update={
            "id": "e0e0e0e0e0e0e0e0",
            "domain": "*prod* <!here>",
            "instances": ("<@U123>", "a`b*c", "registry-\x07a"),
            "impact": Impact(
                requests_failed=3,
                routes={"<!channel>": 2, "*bold* _it_": 1},
                clients={HARM: 3, "": 1, "```": 1, "curl/8 *bold*": 1},
            ),
            "evidence": (Evidence(fact="cpu_at_limit", text=HARM, instance="a`b*c"),),
            "rejected": (Rival(cause=Cause.DNS_OUTAGE, standing=RivalStanding.REJECTED, reason=HARM),),
            "timeline": (Step(at=BEGAN, step="limit_reached", text=HARM),),
            "advice": (Advice(advice="raise_cpu_limit", text=HARM),),
            "trigger": HARM,
        }
    ),
)


def huge(word: str, count: int = 60) -> Change:
    """An incident in which everything is too much, made of `word`."""
    long = " ".join([word] * 300)
    incident = CASCADE_RESOLVED.model_copy(
        update={
            "id": "ffffffffffffffff",
            "domain": word * 80,
            "instances": tuple(f"{word * 40}-{n}" for n in range(count)),
            "impact": Impact(
                requests_failed=10**9,
                requests_slow=10**9,
                routes={f"{word * 90}{n}": 10**9 - n for n in range(8)},
                clients={f"{word * 90}{n}": 10**9 - n for n in range(8)},
            ),
            "evidence": tuple(Evidence(fact="f", text=long, instance=word) for _ in range(count)),
            "rejected": tuple(
                Rival(cause=cause, standing=RivalStanding.REJECTED, reason=long)
                for cause in Cause
                for _ in range(3)
            ),
            "timeline": tuple(Step(at=BEGAN + n, step="s", text=long) for n in range(count)),
            "advice": tuple(Advice(advice="a", text=word * 2000) for _ in range(count)),
            "trigger": long,
        }
    )
    return change(9, ChangeKind.RESOLVED, BEGAN + 400, long, incident)


ALL = {
    "cascade_opened": CASCADE[0],
    "cascade_named": CASCADE[1],
    "cascade_recovering": CASCADE[2],
    "cascade_resolved": CASCADE[3],
    "dns_outage": DNS_OUTAGE,
    "host_contention": HOST_CONTENTION,
    "unproven": UNPROVEN,
    "hostile": HOSTILE,
    "huge": huge("word"),
}
