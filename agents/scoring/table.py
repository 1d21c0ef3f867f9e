"""Writes a score as text: tables in Markdown that read well in a terminal too."""

from collections.abc import Sequence

from agents.scoring.sum import FLOORS, Bin, CauseScore, Score

BEGIN = "<!-- score: written by `undercurrent score --write` -->"
END = "<!-- /score -->"


def replace_marked(page: str, text: str) -> str:
    """Put `text` between the markers of a page; a page without them stays as it is."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{begin}\n{text}\n{end}{after}" if begin and end else page


def as_text(score: Score) -> str:
    """Write the whole score."""
    causes = _table(
        ("cause", "troubles", "right", "unproven", "wrong", "missed", "precision", "recall"),
        [_cause_row(cause) for cause in score.causes],
    )
    figures = _table(
        ("figure", "value", "floor"),
        [(name, value, FLOORS.get(key, ("", ""))[1]) for key, name, value in _figures(score)],
    )
    bins = _table(("confidence", "reports", "said", "right"), [_bin_row(bin_) for bin_ in score.calibration])
    return f"{causes}\n\n{figures}\n\n{bins}"


def _figures(score: Score) -> list[tuple[str, str, str]]:
    return [
        ("cases", "cases, of which something is wrong in", f"{score.cases}, {score.failing}"),
        ("precision", "incident precision", _percent(score.precision)),
        ("recall", "incident recall", _percent(score.recall)),
        ("proven", "troubles whose cause was named", _percent(score.proven)),
        ("wrong_share", "wrong among named causes", _percent(score.wrong_share)),
        ("suppression_recall", "suppression recall", _percent(score.suppression_recall)),
        ("suppression_precision", "suppression precision", _percent(score.suppression_precision)),
        ("hidden", "failed lookups of an outage suppressed", str(score.hidden)),
        (
            "verdict_median_seconds",
            "first symptom to verdict, median",
            _seconds(score.verdict_median_seconds),
        ),
        (
            "verdict_p90_seconds",
            "first symptom to verdict, 90th percentile",
            _seconds(score.verdict_p90_seconds),
        ),
    ]


def _cause_row(cause: CauseScore) -> tuple[str, ...]:
    counts = (cause.troubles, cause.right, cause.unproven, cause.wrong, cause.missed)
    return (f"`{cause.cause}`", *map(str, counts), _percent(cause.precision), _percent(cause.recall))


def _bin_row(bin_: Bin) -> tuple[str, ...]:
    return (f"{bin_.low:.2f} to {bin_.high:.2f}", str(bin_.count), _percent(bin_.said), _percent(bin_.right))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.0f} s"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    )
