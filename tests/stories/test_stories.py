"""Stories: what people write to hold the rules to it, told to the intake and the core of the worker."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agents.cli import main
from agents.settings import Settings
from pipeline.stories import StoryError, Teller, answered, difference
from pipeline.stories.language import Advance, Cpu, Order, Requests, Statement, read

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples" / "stories"

STARVED = """\
0..60 registry-a: cpu 0.12 of 0.12 cores, throttled 100 %
20..40 registry-a: 2 cancelled by registry-ui after 4.4..6.2 s
"""
OPENED = "-> 23 opened cpu_saturation on registry-a"


def told(text: str) -> str:
    settings = Settings()
    return answered(text, Teller(settings.intake_config(), settings.rules))


def answers(text: str) -> list[str]:
    return [line for line in told(text).splitlines() if line.startswith(("->", "=>"))]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["test-rules", *arguments])


def test_the_stories_that_are_shipped_come_out_as_they_are_written() -> None:
    """samples/stories holds with the rules beside it."""
    result = run(str(SAMPLES))
    assert result.exit_code == 0, result.output
    assert "5 of 5 stories came out as they are written" in result.output


def test_every_shipped_story_shows_what_it_is_for() -> None:
    """Out of order, twice, late, malformed, suppressed, released, declared and told are all there."""
    texts = "\n".join(path.read_text() for path in sorted(SAMPLES.glob("*.story")))
    for answer in (
        "shuffled", "again", " late ", "dead letter", " suppressed ", " released ", " counted ",
        "=> post, reply", "=> update, reply", "tls_certificate_expired",
    ):  # fmt: skip
        assert answer in texts


def test_a_difference_is_printed_and_fails(tmp_path: Path) -> None:
    """What was expected stands with a minus, what came instead with a plus; the exit code is 1."""
    (tmp_path / "good.story").write_text(told(STARVED + "advance 200\n"))
    (tmp_path / "other.story").write_text(STARVED + "advance 200\n-> 23 opened dns_outage on registry-a\n")
    result = run(str(tmp_path))
    assert result.exit_code == 1
    assert "✓ good.story" in result.output
    assert "✗ other.story" in result.output
    assert "\n--> 23 opened dns_outage on registry-a\n" in result.output
    assert f"\n+{OPENED}" in result.output
    assert "1 of 2 stories" in result.output


def test_answers_can_be_written_anew(tmp_path: Path) -> None:
    """--rewrite puts today's answers in; after it the story holds."""
    story = tmp_path / "new.story"
    story.write_text(STARVED + "advance 200\n")
    assert run(str(tmp_path)).exit_code == 1
    assert run(str(tmp_path), "--rewrite").exit_code == 0
    assert OPENED in story.read_text()
    assert run(str(tmp_path)).exit_code == 0


def test_rules_of_the_folder_and_of_the_command_line_count(tmp_path: Path) -> None:
    """A folder's rules.yaml is used, and --config instead of it."""
    (tmp_path / "one.story").write_text(told(STARVED + "advance 200\n"))
    (tmp_path / "rules.yaml").write_text("rules:\n  burst:\n    proven_requests: 9\n    requests: 9\n")
    assert run(str(tmp_path)).exit_code == 1
    own = tmp_path / "own.yaml"
    own.write_text("rules: {}\n")
    assert run(str(tmp_path), "--config", str(own)).exit_code == 0


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("# a comment\nyesterday registry-a: 3 failed\n", 2, "not in the language: yesterday"),
        ("12 registry-a: 3 failed sadly\n", 1, "registry-a says what is not in the language: 3 failed sadly"),
        ("\n\n12 storage: 3 failed\n", 3, "storage cannot say that"),
        ("12 registry-a: 5 lookups, 1 lost\n", 1, "registry-a cannot say that"),
        ("30..20 registry-a: 3 failed\n", 1, "20 is before 30"),
        ("advance 20\nadvance 10\n", 2, "event time has come to 20 already"),
        ("12 registry-a: 2000 failed\n", 1, "at most 1000 a second"),
        ("200000 registry-a: 1 failed\n", 1, "a story lasts at most 86400 s"),
        ("12 registry-a: 3 failed\nadvance 5\n", 2, "end it with `advance`"),
        ("12 registry-a: 3 cancelled: with a text of its own\nadvance 20\n", 1, "not in the language"),
    ],
)
def test_a_line_that_is_not_in_the_language_is_told_with_its_place(
    tmp_path: Path, text: str, line: int, words: str
) -> None:
    """A mistake in a story is no failed rule: it comes with file and line."""
    with pytest.raises(StoryError) as caught:
        told(text)
    assert caught.value.line == line
    (tmp_path / "odd.story").write_text(text)
    result = run(str(tmp_path))
    assert result.exit_code == 1
    assert f"odd.story:{line}: " in result.output
    assert words in result.output


def test_a_folder_without_stories_is_wrong_usage(tmp_path: Path) -> None:
    """Nothing to test is not success."""
    result = run(str(tmp_path))
    assert result.exit_code == 2
    assert "holds no *.story" in result.output


def test_order_within_the_lateness_and_repetition_change_no_answer() -> None:
    """Shuffled and said twice, a story has the same answers."""
    plain = answers(STARVED + "advance 200\n")
    assert plain
    assert answers("shuffled\n" + STARVED + "advance 200\n") == plain
    assert answers(STARVED + "advance 30\nagain\nadvance 200\n") == plain
    assert answers(STARVED + "advance 25\nrestart\nadvance 35\nrestart\nadvance 200\n") == plain


def test_what_was_read_can_be_asked_for() -> None:
    """`evidence` names the facts of the last incident and the records they were read from."""
    last = answers(STARVED + "advance 200\nevidence\n")[-2:]
    assert "throttled in 100 % of periods" in last[0]
    assert "read from registry.metrics:0:" in last[0]
    assert "read from registry.logs:0:" in last[1]
    assert answers("evidence\nadvance 3\n") == []


def test_every_way_to_say_something_gives_a_signal() -> None:
    """No word of the language is silently understood as nothing."""
    settings = Settings()
    for said in (
        "5 registry-a: 1 cancelled",
        "5 registry-a: 1 failed by crane after 0.1 s: x509: certificate has expired",
        "5 registry-a: 1 answered SlowDown",
        "5 registry-a: 2 went well",
        "5 registry-a: 1 served slowly",
        "5 registry-a: 1 dns timeout at 10.0.0.2",
        "5 registry-a: started",
        "5 registry-a: cpu 1.0 of 2.0 cores, throttled 10 %",
        "5 registry-a: cpu 1.9 cores, waiting 70 %, host busy 97 %",
        "5 registry-a: memory 96 of 96 MiB, 1 kill",
        "5 storage: 40 requests, p95 8 ms, median 3 ms",
        "5 dns 10.0.0.2 for registry-a: 10 lookups, 0 lost",
    ):
        teller = Teller(settings.intake_config(), settings.rules)
        teller.hear(1, said)
        teller.hear(2, "advance 6")
        counts = teller.counts
        assert sum(counts.symptoms.values()) + sum(counts.samples.values()) > 0, said
        assert not counts.dropped, said
        assert not counts.dead_letters, said


def test_the_language_reads_what_it_says() -> None:
    """A statement has its seconds, its speaker and its parts."""
    assert read(1, "12..30 registry-a: 2 failed by crane after 0.5..1.5 s: no: space") == Statement(
        12, 30, "registry-a", Requests(2, "failed", "crane", 0.5, 1.5, "no: space")
    )
    assert read(1, "7 a: cpu 1.5 of 2.0 cores, throttled 25 %") == Statement(7, 7, "a", Cpu(1.5, 2.0, 0.25))
    assert read(1, "advance 60") == Advance(60)
    assert read(1, "again") is Order.AGAIN


def test_agreement_has_no_difference() -> None:
    """Equal texts give nothing to print."""
    assert difference("x", "a\nb\n", "a\nb\n") == ""
