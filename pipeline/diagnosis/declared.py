"""Causes the user's rules declare: carried by the share of failed requests that bear their marks.

Needs: so many failed requests, and such a share of those in question, with a line of one of its
signatures or kinds. Refuted by: a share too small, or a cause that wins over it being proven.
It explains what bears its marks and nothing else, whatever fails beside it.
"""

from collections.abc import Mapping

from pipeline.diagnosis.finding import Explains, Finding, Standing
from pipeline.diagnosis.view import View
from pipeline.diagnosis.words import amount, clock, percent
from pipeline.history import Request
from schemas import Advice, Cause, DeclaredCause, Evidence, Origin, Rules
from schemas.patterns import looked_at

ORIGINS_MAX = 3


def examine(view: View, declared: DeclaredCause) -> Finding:
    """How a declared cause stands for this instance, other causes left out of account."""
    marked = [request for request in view.requests if request.marks & declared.marks]
    failed = len(view.requests)
    values = {"requests": float(len(marked)), "failed": float(failed)}
    if not failed:
        return Finding(declared.name, Standing.UNDECIDED, "no request failed", values=values)
    share = len(marked) / failed
    said = f"{len(marked)} of {amount(failed, 'failed request')} ({percent(share)}) bear its marks"
    if share < declared.ratio:
        reason = f"{said}, it needs {percent(declared.ratio)}"
        return Finding(declared.name, Standing.REFUTED, reason, values=values)
    if len(marked) < declared.requests:
        reason = f"{said}, too few to prove it; {declared.requests} would"
        return Finding(declared.name, Standing.UNDECIDED, reason, values=values)
    return _proven(view, declared, marked, values)


def _proven(view: View, declared: DeclaredCause, marked: list[Request], values: dict[str, float]) -> Finding:
    since = min(request.start for request in marked)
    borne = sorted(frozenset[str]().union(*(request.marks for request in marked)) & declared.marks)
    evidence = Evidence(
        fact="failures_say_so",
        instance=view.instance,
        text=f"{declared.text}: so say {len(marked)} of {amount(len(view.requests), 'failed request')} of "
        f"{view.instance} from {clock(marked[0].end)} ({', '.join(borne)})",
        values={**values, "ratio": round(len(marked) / len(view.requests), 4)},
        at=since,
        origins=_origins(view, declared, marked),
    )
    return Finding(
        declared.name,
        Standing.PROVEN,
        since=since,
        strength=declared.strength,
        evidence=(evidence,),
        explains=Explains(since, marks=tuple(sorted(declared.marks))),
        values=values,
    )


def _origins(view: View, declared: DeclaredCause, marked: list[Request]) -> tuple[Origin, ...]:
    """Lines kept as examples that show a mark: of one of its kinds, or with the text of a signature."""
    kinds = frozenset(kind for request in marked for kind in request.kinds)
    signatures = [one for one in view.rules.signatures if one.name in declared.signatures]
    return tuple(
        exemplar.origin
        for kind in sorted(kinds)
        for exemplar in view.exemplars(int(marked[0].end), (kind,))
        if kind in declared.kinds or any(one.fits(looked_at(exemplar.text)) for one in signatures)
    )[:ORIGINS_MAX]


def outranked(finding: Finding, declared: DeclaredCause, others: Mapping[Cause | str, Finding]) -> Finding:
    """`finding`, or its refutation where a cause that wins over it (`unless`) is proven."""
    winner = next((n for n in declared.unless if n in others and others[n].standing is Standing.PROVEN), None)
    if winner is None or finding.standing is not Standing.PROVEN:
        return finding
    reason = f"its marks are seen, but {winner} is proven, and that wins over it"
    return Finding(declared.name, Standing.REFUTED, reason, values=finding.values)


def withdrawn(cause: Cause | str) -> Finding:
    """What there is to say of a cause that the rules no longer declare."""
    return Finding(cause, Standing.UNDECIDED, "the rules no longer declare it")


def advise(rules: Rules, cause: Cause | str) -> tuple[Advice, ...]:
    """The declared cause's own advice, if it has any."""
    return tuple(
        Advice(advice="declared", text=one.advice)
        for one in rules.causes
        if one.name == cause and one.advice is not None
    )
