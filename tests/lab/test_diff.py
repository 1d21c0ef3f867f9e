"""Rules changed on purpose, on real recordings: the differences shown are those planted, and only those."""

from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from agents.cli import main
from agents.lab.differ import side_of
from agents.lab.histories import labelled
from agents.lab.page import difference_page
from agents.recordings.replay import json_lines, run
from agents.scoring.score import arrivals_of
from agents.settings import load_settings
from pipeline.lab.difference import Difference, Kind, compare
from pipeline.lab.report import Compared
from pipeline.lab.said import Side, read_side
from pipeline.replay import Arrival
from schemas import Outcome, Rules
from tests.corpus.places import CORPUS

SAMPLES = CORPUS.parent / "samples"

RECORDED = ("cpu_cascade", "dns_outage", "client_timeout")

PLANTED: dict[str, dict[str, Any]] = {
    "nothing": {},
    "noise": {"dns": {"harmless_ratio": 0, "harmless_lookups": 0}},
    "starvation": {"saturation": {"enter_usage_ratio": 2.0, "unthrottled_usage_ratio": 2.0}},
    "deaf": {"burst": {"requests": 300, "proven_requests": 300}},
    "short": {
        "lifecycle": {"reopen_within_seconds": 0, "recovering_after_seconds": 2, "resolved_after_seconds": 3}
    },
    "declared": {
        "signatures": [{"name": "gone", "match": "context canceled", "kind": "request_cancelled"}],
        "causes": [{"name": "planted", "signatures": ["gone"], "text": "planted", "strength": 0.95}],
    },
}


@cache
def history(name: str) -> tuple[Arrival, ...]:
    (case,) = [one for one in labelled([CORPUS]) if one.name == name]
    return tuple(arrivals_of(case, load_settings(None, {}))[0])


@cache
def said(name: str, planted: str) -> Side:
    settings = load_settings(None, {}).model_copy(update={"rules": Rules.model_validate(PLANTED[planted])})
    return side_of(run(list(history(name)), settings.intake_config(), settings.rules))


def planted(name: str, rules: str) -> Difference:
    return compare(said(name, "nothing"), said(name, rules))


def kinds(found: Difference) -> list[Kind]:
    return [one.kind for one in found.incidents]


def test_noise_rules_release_what_was_suppressed_and_change_nothing_else() -> None:
    """With no lookup harmless, exactly the suppressed lookups of the cascade are released."""
    found = planted("cpu_cascade", "noise")
    suppressed = {one.symptom_at: one.count for one in said("cpu_cascade", "nothing").decisions
                  if one.outcome is Outcome.SUPPRESSED}  # fmt: skip
    assert suppressed
    assert {one.decision.symptom_at: one.count for one in found.noise} == suppressed
    assert {(one.old, one.new) for one in found.noise} == {(Outcome.SUPPRESSED, Outcome.RELEASED)}
    assert (found.incidents, found.messages) == ((), ())
    assert planted("client_timeout", "noise").same
    assert planted("dns_outage", "noise").same


def test_a_limit_never_reached_takes_the_cause_from_the_cascade_only() -> None:
    """Starvation that needs twice the limit is never proven: only the cascade loses its cause."""
    (changed,) = planted("cpu_cascade", "starvation").incidents
    assert changed.kind is Kind.CAUSE
    assert (changed.old[0].cause, changed.new[0].cause) == ("cpu_saturation", "unproven")
    assert planted("client_timeout", "starvation").same
    assert planted("dns_outage", "starvation").same


def test_a_burst_that_is_never_reached_loses_the_incident_and_its_messages() -> None:
    """What had fewer failed requests in a minute is lost, with every message; its noise is counted."""
    for name in ("cpu_cascade", "client_timeout"):
        found = planted(name, "deaf")
        assert kinds(found) == [Kind.LOST]
        assert all(one.by < 0 for one in found.messages or ())
        before = said(name, "nothing").messages or ()
        assert -sum(one.by for one in found.messages or ()) == len(before)
    assert {one.new for one in planted("cpu_cascade", "deaf").noise} == {Outcome.COUNTED}


def test_an_incident_that_ends_too_soon_is_split_and_back_again_merged() -> None:
    """Without reopening, a lull makes two of one; seen the other way round, they are merged."""
    assert Kind.SPLIT in kinds(planted("dns_outage", "short"))
    back = compare(said("dns_outage", "short"), said("dns_outage", "nothing"))
    assert Kind.MERGED in kinds(back)


def test_a_declared_cause_takes_over_where_its_marks_are() -> None:
    """A cause declared for cancellations names the impatient client's incident anew, and no other."""
    (changed,) = planted("client_timeout", "declared").incidents
    assert (changed.kind, changed.new[0].cause) == (Kind.CAUSE, "planted")
    assert planted("cpu_cascade", "declared").same
    assert planted("dns_outage", "declared").same


def test_a_saved_output_is_the_same_side_as_the_replay_itself() -> None:
    """What `replay --json --changes` prints holds all that is compared."""
    settings = load_settings(None, {})
    outcome = run(list(history("cpu_cascade")), settings.intake_config(), settings.rules)
    read = read_side(json_lines(outcome, with_changes=True))
    assert compare(read, side_of(outcome)).same
    assert read.messages == side_of(outcome).messages


def test_swapping_the_sides_mirrors_the_difference() -> None:
    """Gained and lost, merged and split, more and fewer change places; nothing else does."""
    mirror = {
        Kind.GAINED: Kind.LOST,
        Kind.LOST: Kind.GAINED,
        Kind.MERGED: Kind.SPLIT,
        Kind.SPLIT: Kind.MERGED,
    }
    for name in RECORDED:
        for rules in PLANTED:
            there = planted(name, rules)
            back = compare(said(name, rules), said(name, "nothing"))
            assert [mirror.get(kind, kind) for kind in kinds(there)] == kinds(back)
            assert [-one.by for one in there.messages or ()] == [one.by for one in back.messages or ()]
            assert sum(one.count for one in there.noise) == sum(one.count for one in back.noise)


# --- The command ---


def diff(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["diff", "--jobs", "1", *arguments])


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("said")
    files = {}
    for rules in ("nothing", "noise"):
        settings = load_settings(None, {}).model_copy(update={"rules": Rules.model_validate(PLANTED[rules])})
        outcome = run(list(history("cpu_cascade")), settings.intake_config(), settings.rules)
        path = folder / f"{rules}.jsonl"
        path.write_bytes(b"\n".join(json_lines(outcome, with_changes=True)))
        files[rules] = str(path)
    return files


def test_exit_codes_tell_same_different_and_unusable(saved: dict[str, str], tmp_path: Path) -> None:
    """0 same, 1 different, 2 whatever cannot be read: what CI goes by."""
    assert diff("--said", saved["nothing"], "--said", saved["nothing"]).exit_code == 0
    different = diff("--said", saved["nothing"], "--said", saved["noise"])
    assert different.exit_code == 1, different.output
    released = sum(one.count for one in planted("cpu_cascade", "noise").noise)
    assert f"newly released: {released} dns_timeout of s3.registry.test" in different.output
    broken = tmp_path / "broken.jsonl"
    broken.write_text("{}\n")
    unreadable = diff("--said", saved["nothing"], "--said", str(broken))
    assert unreadable.exit_code == 2
    assert f"{broken}:1: it is no incident" in unreadable.output
    for arguments in ((), ("--said", saved["nothing"]), ("--rules", "x", "--said", "y")):
        assert diff(*arguments).exit_code == 2, arguments
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: {burts: {requests: 3}}\n")
    wrong = diff("--rules", str(rules), str(CORPUS), "--only", "client_timeout")
    assert wrong.exit_code == 2
    assert "burts" in wrong.output
    rules.write_text("rules: {}\n")
    assert diff("--rules", str(rules), str(CORPUS), "--only", "no such history").exit_code == 2
    (tmp_path / "empty").mkdir()
    assert diff("--rules", str(rules), str(tmp_path / "empty")).exit_code == 2


def test_plain_files_are_a_history_of_their_own(tmp_path: Path) -> None:
    """The log of a registry, without metrics, is compared as `replay` would read it."""
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: {burst: {requests: 1000, proven_requests: 1000}}\n")
    log = str(SAMPLES / "cpu_cascade" / "registry.log")
    result = diff("--rules", str(rules), log, "--json")
    assert result.exit_code == 1, result.output
    body = orjson.loads(result.stdout)
    assert (body["histories"], body["summary"]["lost"]) == (1, 1)
    assert body["differences"][0]["history"] == log


def test_rules_are_compared_over_named_histories_of_a_corpus(tmp_path: Path) -> None:
    """The whole way: files of rules, a case of the corpus in a process of its own, JSON."""
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: {burst: {requests: 1000, proven_requests: 1000}}\n")
    names = [one.name for one in labelled([CORPUS], "client_timeout/")][:1]
    result = diff("--rules", str(rules), str(CORPUS), "--only", names[0], "--json")
    assert result.exit_code == 1, result.output
    body = orjson.loads(result.stdout)
    assert body["same"] is False
    told = [one for history in body["differences"] for one in history["incidents"]]
    assert body["summary"]["lost"] == len(told) > 0
    assert {one["kind"] for one in told} == {"lost"}


def test_the_page_escapes_what_logs_say_and_fetches_nothing() -> None:
    """Hostile text stays text; no script, no link, no picture from anywhere."""
    hostile = "<script>alert(1)</script>\u202e{{ 7 * 7 }}"
    lost = planted("cpu_cascade", "deaf")
    (found,) = lost.incidents
    bad = Difference(
        (type(found)(found.kind, (found.old[0].model_copy(update={"domain": hostile}),), ()),),
        lost.noise,
        lost.messages,
    )
    page = difference_page([Compared(hostile, bad)], hostile, "new")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\u202e{{ 7 * 7 }}" in page
    assert "<script" not in page
    assert "\u202e" not in page
    assert not any(word in page for word in ("http://", "https://", "src=", "href=", "@import", "url("))
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
