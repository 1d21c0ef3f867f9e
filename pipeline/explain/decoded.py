"""What was understood of one raw record that is in no topic yet: for whoever sets up a shipper."""

from collections.abc import Iterator
from itertools import islice

from pipeline.explain.answer import Answer, moment, section
from pipeline.explain.record import WHY_DEAD, WHY_DROPPED, decoded_lines, told_lines
from pipeline.explain.trace import DEAD, DROPPED, MARKER, Trace

SHOWN_MAX = 40
"""Sentences about what a batch tells; the JSON form has them all."""


def explain_decoded(trace: Trace) -> Answer:
    """Explain a record by itself: nothing was joined with it, and nothing became of it."""
    size = len(trace.record.value or b"")
    sections = (*section("How it was read", _read(trace)), *section("What it tells", _told(trace)))
    facts = {
        "size_bytes": size,
        "fate": trace.fate,
        "reason": trace.reason,
        "detail": trace.detail,
        "packing": trace.packing,
        "decoder": trace.decoder,
        "peeled": trace.peeled,
        "left_out": dict(trace.left_out),
        "partial": trace.partial,
        "event_time": trace.event_time,
        "signals": [
            {
                "domain": one.domain,
                **one.signal.model_dump(mode="json", exclude={"observations"}),
                **({"observation": one.observation.model_dump(mode="json")} if one.observation else {}),
            }
            for one in trace.told
        ],
    }
    return Answer("record", f"{size:,} bytes", _in_short(trace), sections, facts)


def _in_short(trace: Trace) -> str:
    if trace.fate == DEAD:
        return f"Not understood: {WHY_DEAD.get(str(trace.reason), trace.reason)}."
    name = f"Understood as {trace.decoder}"
    if trace.fate == MARKER:
        return f"{name}: a progress marker, by which its shipper says how far it has written."
    if trace.fate == DROPPED:
        read = "Let go unread" if trace.unread else name
        return f"{read}, and it tells nothing: {WHY_DROPPED.get(str(trace.reason), trace.reason)}."
    kinds = ", ".join(sorted({str(one.signal.kind) for one in trace.told}))
    return f"{name}: it tells of {kinds}."


def _read(trace: Trace) -> Iterator[str]:
    value = trace.record.value or b""
    yield f"A record of {len(value):,} bytes."
    yield from decoded_lines(trace)
    if trace.partial:
        yield "Half a line: its rest is awaited in the records around it."
    if trace.decoder == "plain" and value.strip().count(b"\n"):
        yield "It holds several lines: a shipper would send each of them as a record of its own."
    if trace.fate == DEAD:
        yield f"It would be a dead letter, {trace.reason}: {trace.detail}."
    elif trace.fate == DROPPED:
        yield f"It would be dropped as {trace.reason}."
    if trace.event_time is not None:
        yield f"Its event time is {moment(trace.event_time)}."


def _told(trace: Trace) -> Iterator[str]:
    yield from islice(told_lines(trace), SHOWN_MAX)
    if len(trace.told) > SHOWN_MAX:
        yield f"… and {len(trace.told) - SHOWN_MAX:,} more."
