"""Causes of the user's own: carried by their share, weighed like ours, never in the way of others."""

from collections.abc import Iterable

import orjson
import pytest

from pipeline.core import Correlator, Output
from pipeline.render.console import incident_panel, plain
from pipeline.render.words import catalogue
from schemas import (
    Cause,
    Change,
    ChangeKind,
    DeclaredCause,
    Incident,
    IncidentState,
    Observation,
    Origin,
    RivalStanding,
    Rules,
    Sample,
    SampleKind,
    Signal,
    Signature,
    Symptom,
    SymptomKind,
    decode,
    encode,
)
from schemas.outputs import DeclaredName

START = 1_795_392_000
EXPIRED = Signature(name="tls_expired", match=("x509: certificate has expired",))
TLS = DeclaredCause(
    name="tls_certificate_expired",
    signatures=("tls_expired",),
    text="the storage's TLS certificate has expired",
    advice="Renew the certificate of the storage.",
)
RULES = Rules(signatures=(EXPIRED,), causes=(TLS,))


def failed(
    second: int,
    number: int = 0,
    signature: str | None = "tls_expired",
    kind: SymptomKind = SymptomKind.REQUEST_FAILED,
    instance: str = "registry-a",
) -> Symptom:
    """One request that failed in that second, after 20 ms."""
    time = START + second + number / 10
    one = Observation(
        id=f"{second:08x}{number:04x}{len(signature or ''):04x}",
        time=time,
        duration_seconds=0.02,
        request=f"{instance}-{second}-{number}-{signature}",
        client="crane/0.19",
        route="manifest",
        signature=signature,
    )
    return Symptom(kind=kind, instance=instance, second=int(time), count=1, observations=(one,))


def starved(seconds: Iterable[int]) -> list[Signal]:
    """CPU samples of a container at its limit."""
    values = {"usage_cores": 0.99, "limit_cores": 1.0, "throttled_ratio": 1.0}
    return [
        Sample(
            kind=SampleKind.CPU,
            instance="registry-a",
            time=float(START + second),
            values=values,
            source="test",
            origin=Origin(topic="registry.metrics", partition=0, offset=second),
        )
        for second in seconds
    ]


def play(
    signals: Iterable[Signal], rules: Rules = RULES, until: int = 400, restart: bool = False
) -> list[Output]:
    """What the core says when all of this has happened and time passes second by second."""
    core = Correlator("default", rules)
    said: list[Output] = []
    for signal in signals:
        said += core.receive(signal)
    for second in range(0, until):
        said += core.advance(float(START + second))
        if restart:
            core = Correlator.restore("default", rules, orjson.loads(orjson.dumps(core.snapshot())))
    return said


def incidents(said: Iterable[Output]) -> list[Incident]:
    """Every incident in its last form, by its opening."""
    last = {one.incident.id: one.incident for one in said if isinstance(one, Change)}
    return sorted(last.values(), key=lambda one: (one.opened_at, one.id))


BURST = [failed(second, number) for second in range(20, 40) for number in range(2)]


def test_a_declared_cause_is_named_by_what_bears_its_marks() -> None:
    """Failures with the signature open an incident of that cause, with numbers, advice and an end."""
    (incident,) = incidents(play(BURST))
    assert (incident.cause, incident.state) == ("tls_certificate_expired", IncidentState.RESOLVED)
    assert incident.impact.requests_failed == 40
    (evidence,) = incident.evidence
    assert "so say" in evidence.text
    assert "tls_expired" in evidence.text
    assert evidence.values["ratio"] == 1.0
    assert [one.text for one in incident.advice] == ["Renew the certificate of the storage."]
    assert 0.5 < incident.confidence <= TLS.strength
    assert {rival.cause for rival in incident.rejected} == set(Cause) - {Cause.UNPROVEN}


def test_its_name_stands_in_the_message() -> None:
    """Messages call it by its name and show its evidence and advice."""
    change = [one for one in play(BURST) if isinstance(one, Change)][-1]
    shown = plain(incident_panel(change, catalogue("en")))
    for text in ("Tls certificate expired", "has expired: so say 40 of 40", "Renew the certificate"):
        assert text in shown


def test_changes_of_a_declared_cause_survive_the_wire() -> None:
    """The same change comes back; built-in causes come back as ours, not as text."""
    for one in play(BURST):
        assert decode(type(one), encode(one)) == one
    change = next(one for one in play(BURST) if isinstance(one, Change))
    assert all(isinstance(rival.cause, Cause) for rival in decode(Change, encode(change)).incident.rejected)


def test_a_restart_at_every_second_changes_nothing() -> None:
    """Signatures and marks are part of the state."""
    mixed = [*BURST, *(failed(second, 5, None) for second in range(20, 40, 4))]
    assert [encode(one) for one in play(mixed, restart=True)] == [encode(one) for one in play(mixed)]


def test_state_of_an_older_program_is_read() -> None:
    """Rows without a signature, and members without marks, have none."""
    core = Correlator("default", RULES)
    for signal in BURST[:6]:
        core.receive(signal)
    core.advance(float(START + 60))
    snapshot = orjson.loads(orjson.dumps(core.snapshot()))
    for row in snapshot["events"]:
        row[7] = [observation[:7] for observation in row[7]]
    for incident in snapshot["incidents"]:
        for member in incident["members"].values():
            del member["marks"]
    Correlator.restore("default", RULES, snapshot).advance(float(START + 90))


def test_too_small_a_share_names_nothing() -> None:
    """A cause is never named that its own share does not carry."""
    others = [failed(second, number, None) for second in range(20, 40) for number in range(5, 9)]
    (incident,) = incidents(play([*BURST[::2], *others]))
    assert incident.cause is Cause.UNPROVEN
    rival = next(rival for rival in incident.rejected if rival.cause == TLS.name)
    assert rival.standing is RivalStanding.REJECTED
    assert "bear its marks" in rival.reason


def test_it_explains_nothing_without_a_mark() -> None:
    """What fails beside it for another reason has an incident of its own."""
    others = [failed(second, 8, None) for second in range(20, 40)]
    found = {one.cause: one.impact.requests_failed for one in incidents(play([*BURST, *others]))}
    assert found == {"tls_certificate_expired": 40, "unproven": 20}


def test_a_cause_nobody_bears_is_no_rival() -> None:
    """Where no request bears a mark, the declared cause is not talked about."""
    (incident,) = incidents(play([failed(second, 0, None) for second in range(20, 40)]))
    assert TLS.name not in {rival.cause for rival in incident.rejected}


def test_kinds_are_marks_too() -> None:
    """A cause can be made of built-in kinds alone."""
    gone = DeclaredCause(name="proxy_restarts", kinds=(SymptomKind.CONNECTION_RESET,), text="resets")
    resets = [failed(second, 0, None, SymptomKind.CONNECTION_RESET) for second in range(20, 40)]
    (incident,) = incidents(play(resets, Rules(causes=(gone,))))
    assert incident.cause == "proxy_restarts"


@pytest.mark.parametrize("unless", [(), ("cpu_saturation",)])
def test_a_cause_that_wins_over_it_wins_where_it_is_proven(unless: tuple[DeclaredName, ...]) -> None:
    """`unless` names causes that take precedence, but only where their own evidence is there."""
    rules = RULES.model_copy(update={"causes": (TLS.model_copy(update={"unless": unless}),)})
    early = failed(20, 9)  # it began before the starvation, so order alone would let its cause lead
    early = early.model_copy(
        update={"observations": (early.observations[0].model_copy(update={"duration_seconds": 15.0}),)}
    )
    hot = [*BURST, early, *starved(range(10, 60))]
    named = [one.cause for one in incidents(play(hot, rules))]
    assert named == (["cpu_saturation"] if unless else ["tls_certificate_expired"])
    assert [one.cause for one in incidents(play(BURST, rules))] == ["tls_certificate_expired"]


def test_a_cause_taken_out_of_the_rules_ends_in_peace() -> None:
    """An incident that is open while its cause is taken away goes on to its end."""
    core = Correlator("default", RULES)
    for signal in BURST:
        core.receive(signal)
    said = core.advance(float(START + 45))
    assert [one.kind for one in said if isinstance(one, Change)] == [ChangeKind.OPENED]
    core = Correlator.restore("default", Rules(), core.snapshot())
    said = core.advance(float(START + 400))
    assert [one.kind for one in said if isinstance(one, Change)][-1] is ChangeKind.RESOLVED
