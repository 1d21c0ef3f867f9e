"""explain on real recordings: every answer can be checked against the records it names."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from agents.cli import main
from agents.recordings.arrivals import lay_out, layout_of
from agents.recordings.envelopes import ENVELOPES
from agents.recordings.recording import read_recording
from agents.recordings.replay import Outcome, Perturbation, perturb, run
from agents.settings import Settings
from pipeline.explain import where
from pipeline.intake import IntakeConfig
from pipeline.replay import Arrival
from schemas import DNS_KINDS, Incident, Origin, Rules

ROOT = Path(__file__).resolve().parents[2]
CASCADE = ROOT / "samples" / "cpu_cascade"
MIXED = ROOT / "samples" / "mixed"

_outcomes: dict[Path, tuple[list[Arrival], Outcome]] = {}


def outcome(path: Path) -> tuple[list[Arrival], Outcome]:
    """What a replay of the recording says, once for all tests."""
    if path not in _outcomes:
        layout = layout_of(ENVELOPES["fluent-bit"], True, Settings().topics)
        arrivals = perturb(lay_out(read_recording(path), layout), Perturbation())
        _outcomes[path] = arrivals, run(arrivals, IntakeConfig(), Rules())
    return _outcomes[path]


def explain(identity: str, path: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["explain", identity, "--recording", str(path), *options])


def told(identity: str, path: Path = CASCADE, *options: str) -> dict[str, Any]:
    """The JSON answer."""
    result = explain(identity, path, "--json", *options)
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = orjson.loads(result.stdout)
    return answer


def texts(answer: dict[str, Any], title: str) -> str:
    return "\n".join(line["text"] for s in answer["sections"] if s["title"] == title for line in s["lines"])


@pytest.fixture(scope="module")
def cascade() -> Incident:
    """The one incident of the cascade."""
    (incident,) = outcome(CASCADE)[1].incidents
    return incident


def test_an_incident_is_explained_from_its_first_change_to_its_confidence(cascade: Incident) -> None:
    """Changes, evidence, rivals, confidence, impact and DNS lines are all there, as they were said."""
    answer = told(cascade.id)
    changes = [one for one in outcome(CASCADE)[1].changes if one.incident.id == cascade.id]
    assert [one["reason"] for one in answer["changes"]] == [one.reason for one in changes]
    assert answer["incident"] == cascade.model_dump(mode="json")
    for evidence in cascade.evidence:
        assert evidence.text in texts(answer, "Why this cause")
    for rival in cascade.rejected:
        assert rival.reason in texts(answer, "Why no other")
    sure = answer["confidence"]
    made_up = sure["strength"] * sure["undecided_factor"] ** len(sure["undecided"])
    assert sure["value"] == pytest.approx(made_up, abs=0.005)
    assert f"{sure['value']:.2f} = {sure['strength']:.2f}" in texts(answer, "How sure")
    decided = [one for one in outcome(CASCADE)[1].decisions if one.incident_id == cascade.id]
    assert len(answer["decisions"]) == len(decided) > 0


def test_an_incident_is_explained_as_an_earlier_change_left_it(cascade: Incident) -> None:
    """`id:1` is what was known when it opened."""
    answer = told(f"{cascade.id}:1")
    assert [one["kind"] for one in answer["changes"]] == ["opened"]
    assert answer["incident"]["state"] == "open"


def test_every_origin_of_an_incident_leads_back_to_it(cascade: Incident) -> None:
    """Law 9: the records behind evidence, rivals and examples say that this incident names them."""
    cited = [
        *((origin, "evidence") for one in cascade.evidence for origin in one.origins),
        *((origin, "rival") for one in cascade.rejected for origin in one.origins),
        *((one.origin, "example") for one in cascade.exemplars),
    ]
    assert {role for _, role in cited} == {"evidence", "rival", "example"}
    for origin, role in cited:
        answer = told(where(origin))
        assert (cascade.id, role) in {(one["incident_id"], one["role"]) for one in answer["cited"]}


def test_a_line_of_a_cancelled_request_leads_to_its_incident(cascade: Incident) -> None:
    """Half a line knows its other half, its request, its roll-up and the incident that counts it."""
    origin = cascade.exemplars[0].origin
    answer = told(where(origin))
    (one,) = answer["told"]
    assert (one["kind"], one["instance"], one["domain"]) == ("request_cancelled", "registry-a", "default")
    assert answer["home"] == {"incidents": [cascade.id], "seen": True, "late": False}
    (other,) = answer["read"]["joined_with"]
    half = told(where(Origin.model_validate(other)))
    assert half["read"]["joined_with"] == [origin.model_dump()]
    assert half["told"][0]["observation"]["request"] == one["observation"]["request"]
    assert half["home"]["incidents"] == [cascade.id]


def test_every_failed_request_of_a_recording_is_where_the_core_counts_it() -> None:
    """Two troubles at once: each line leads to the incident of its own instance, none to the other."""
    arrivals, said = outcome(MIXED)
    by_instance = {one.instances: one.id for one in said.incidents}
    assert len(by_instance) == 2
    wanted = [b"RequestCanceled", b"server misbehaving"]
    lines = [one.record for one in arrivals if one.group == "logs"]
    for word in wanted:
        record = next(one for one in lines if word in (one.value or b""))
        answer = told(f"{record.topic}:{record.partition}:{record.offset}", MIXED)
        (told_of,) = answer["told"]
        (incident,) = answer["home"]["incidents"]
        assert incident == by_instance[(told_of["instance"],)]


def test_a_dns_decision_is_explained_with_its_facts(cascade: Incident) -> None:
    """What was asked, how long it was held, what became of it, and on which incident's account."""
    decision = next(one for one in outcome(CASCADE)[1].decisions if one.incident_id == cascade.id)
    answer = told(decision.id)
    assert answer["decision"] == decision.model_dump(mode="json")
    assert answer["incident"]["id"] == cascade.id
    assert decision.outcome in answer["answer"]
    for line in ("Decided at", "Nobody was told"):
        assert line in texts(answer, "What became of it")


def test_a_dns_line_leads_to_the_decision_on_it() -> None:
    """The record behind a decision says which decision was made on it."""
    for decision in outcome(CASCADE)[1].decisions[:3]:
        answer = told(where(decision.origins[0]))
        assert decision.id in {one["id"] for one in answer["decisions"]}
        assert answer["told"][0]["kind"] in DNS_KINDS


@pytest.mark.parametrize(
    ("word", "reason"),
    [(b'"GET /v2/', "irrelevant"), (b"response completed", None), (b"listening on", None)],
)
def test_what_is_part_of_no_incident_says_so(word: bytes, reason: str | None) -> None:
    """An access line is dropped, a good request counted, a start noted: each with its reason."""
    arrivals, _ = outcome(CASCADE)
    record = next(
        one.record
        for one in arrivals
        if one.group == "logs" and word in orjson.loads(one.record.value or b"{}")["log"].encode()
    )
    answer = told(f"{record.topic}:{record.partition}:{record.offset}")
    assert answer["read"]["reason"] == reason
    assert answer["read"]["fate"] == ("told" if reason is None else "dropped")
    assert answer["home"]["incidents"] == []


@pytest.mark.parametrize(
    ("shipper", "peeled"), [("rsyslog", "registry-a[1]:"), ("docker", None), ("plain", None)]
)
def test_it_says_how_the_line_was_wrapped(cascade: Incident, shipper: str, peeled: str | None) -> None:
    """The decoder is named, and what syslog puts around a line is shown."""
    layout = layout_of(ENVELOPES[shipper], False, Settings().topics)
    record = next(
        one.record
        for one in lay_out(read_recording(CASCADE), layout)
        if b"RequestCanceled" in (one.record.value or b"")
    )
    answer = told(f"{record.topic}:{record.partition}:{record.offset}", CASCADE, "--as", shipper)
    assert answer["read"]["decoder"] == {"docker": "docker-json-file"}.get(shipper, "plain")
    assert (peeled or "") in (answer["read"]["peeled"] or "")
    assert answer["told"][0]["kind"] == "request_cancelled"


@pytest.mark.parametrize(
    ("identity", "code", "words"),
    [
        ("registry.logs:9:1", 1, "there are dns.logs:0"),
        ("registry.logs:0:999999", 1, "it has offsets up to"),
        ("0123456789abcdef", 1, "has no incident, change or decision 0123456789abcdef"),
        ("732b757a600a103e:99", 1, "no incident, change or decision"),
        ("yesterday", 2, "an id is that of an incident"),
        ("registry.logs:x:1", 2, "an id is that of an incident"),
    ],
)
def test_an_unknown_id_is_told_in_clear_words(identity: str, code: int, words: str) -> None:
    """Nothing there is exit code 1 with what was looked at, no id at all is wrong usage."""
    result = explain(identity, CASCADE)
    assert result.exit_code == code
    assert words in result.output.replace("\n", " ")
    assert "Traceback" not in result.output


def test_people_get_the_same_in_words(cascade: Incident) -> None:
    """The picture has every section, origins in brackets, and fits on a terminal."""
    result = explain(cascade.id, CASCADE)
    assert result.exit_code == 0
    for title in (
        "What happened",
        "Why this cause",
        "Why no other",
        "How sure",
        "What it cost",
        "What to do",
    ):
        assert f"\n{title}\n" in result.stdout
    assert f"[{where(cascade.evidence[0].origins[0])}]" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100
