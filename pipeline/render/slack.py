"""Content → the arguments of Slack's chat.postMessage and chat.update: `text`, `blocks`, `metadata`.

Limits, from docs.slack.dev (reference/block-kit, reference/methods/chat.postMessage): 50 blocks a
message, header 150 characters of plain text, text object 3,000, context 10 elements; `text` best
within 4,000 and cut off at 40,000. Beyond these Slack answers `msg_blocks_too_long` when all blocks
together are too long; that bound is undocumented. Slack's staff name 12,000 characters (bolt-js
issue 2509), and 11,341 of text with its containers were refused (issue 2867): we stay under 10,000
of JSON.

Hostile text: `&`, `<`, `>` are escaped everywhere, so no log line can mention anyone or link
anywhere. mrkdwn knows no escape for `*`, `_`, `~`, `:emoji:`; only a code span shows them as they
are. So names from logs stand in code spans, and so does every word of a sentence that holds such a
character. `verbatim` keeps Slack from making links and mentions of its own.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pipeline.render.clean import cut, visible
from pipeline.render.story import Counts, Some, Story, joined, reply, story
from pipeline.render.words import Words, clock
from pipeline.storm import Brief, Digest
from pipeline.telling import Reply
from schemas import Cause, Change, IncidentState

Message = dict[str, Any]
"""`text`, `blocks` and `metadata`, ready to be sent."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a channel adds to the story of an incident. `links`: label to template."""

    links: Mapping[str, str] = field(default_factory=dict)


PLAIN = Look()
"""The story alone."""


EVENT_TYPE = "undercurrent_incident"
BLOCKS_MAX = 50
HEADER_MAX = 150
TEXT_OBJECT_MAX = 3000
BLOCKS_JSON_MAX = 10_000
FALLBACK_MAX = 3500
STORM_LINE_MAX = 180
STORM_SECONDS_EACH = 2.0
"""What telling one incident takes at a message a second: its root, and its steps as one reply."""
STATUS_ROOM = 900
"""Characters of JSON left free for what people say by buttons."""

SYMBOLS = {IncidentState.OPEN: "🔴", IncidentState.RECOVERING: "🔶", IncidentState.RESOLVED: "✅"}
"""Each of another shape and always beside the state's word: colour alone says nothing."""

_MARKUP = re.compile(r"[*_~`]|:[\w+'-]*[A-Za-z][\w+'-]*:")
_WORD = re.compile(r"([(\[\"']*)(.*?)([)\]\"'.,;:!?]*)", re.DOTALL)
_LINE_LENGTHS = (400, 240, 140, 80, 50, 30)


def root_message(change: Change, words: Words, look: Look = PLAIN, tail: Sequence[Message] = ()) -> Message:
    """The incident's one message, as it stands after `change`. `tail`: blocks to end with."""
    told = story(change, words, look.links)
    return {
        "text": _fallback(told, words),
        "blocks": _fitting(told, words, tail),
        "metadata": _metadata(change, "root"),
    }


def reply_message(told: Reply, words: Words) -> Message:
    """One step of the thread: what changed comes first, then why."""
    changed, reason, others = reply(told, words)
    at = told.change.at
    head = f"*{mrkdwn(changed, 200)}* · {clock(at)} UTC ({_local(at, words)})"
    lines = [head, *(mrkdwn(line, 800) for line in (reason, *others))]
    plain = [f"{changed} · {words.time(at)}", reason, *others]
    return {
        "text": _lines((mrkdwn(line, 800) for line in plain), FALLBACK_MAX, words),
        "blocks": [section(_lines(lines, TEXT_OBJECT_MAX, words))],
        "metadata": _metadata(told.change, "reply"),
    }


def reply_block(lines: Sequence[str], payload: Message, words: Words) -> Message:
    """A reply made of lines that are mrkdwn already; `payload` is what it is found again by."""
    return {
        "text": _lines(lines, FALLBACK_MAX, words),
        "blocks": [section(_lines(lines, TEXT_OBJECT_MAX, words))],
        "metadata": {"event_type": EVENT_TYPE, "event_payload": payload},
    }


def test_message(words: Words) -> Message:
    """A message that only shows that the way to the channel is open, and says so."""
    headline, text = words("test.headline"), words("test.text")
    return {
        "text": f"🧪 {headline}. {text}",
        "blocks": [_header(f"🧪 {headline}"), section(mrkdwn(text, TEXT_OBJECT_MAX))],
        "metadata": {"event_type": EVENT_TYPE, "event_payload": {"message": "test"}},
    }


def storm_message(digest: Digest, words: Words) -> Message:
    """Many incidents at once in one message, the worst first, as it stands now."""
    if digest.waiting:
        headline = words.counted("storm.headline", digest.waiting)
        domains = words.counted("storm.domains", digest.domains)
        duration = words.duration(digest.waiting * STORM_SECONDS_EACH)
        text = words("storm.text", domains=domains, duration=duration)
    else:
        headline, text = words("storm.over"), words("storm.over.text", told=words.number(digest.told))
    rows = [_brief(one, words) for one in digest.worst]
    more = digest.waiting - len(rows)
    rest = [words("more", n=words.number(more))] if more else []
    sections = [[mrkdwn(text, TEXT_OBJECT_MAX)], [*(mrkdwn(row, STORM_LINE_MAX) for row in rows), *rest]]
    payload = {"incident": digest.storm, "seq": digest.number, "kind": "storm", "message": "root"}
    return {
        "text": _lines((mrkdwn(line, 300) for line in (headline, text, *rows, *rest)), FALLBACK_MAX, words),
        "blocks": [
            _header(headline),
            *(section(_lines(lines, TEXT_OBJECT_MAX, words)) for lines in sections if lines),
        ],
        "metadata": {"event_type": EVENT_TYPE, "event_payload": payload},
    }


def folded(replies: Sequence[Message], words: Words) -> Message:
    """Several replies that could not be sent in time, as one, in their order."""
    texts = [one["blocks"][0]["text"]["text"] for one in replies]
    return {
        "text": _lines((one["text"] for one in replies), FALLBACK_MAX, words),
        "blocks": [section(_lines(texts, TEXT_OBJECT_MAX, words))],
        "metadata": replies[-1]["metadata"],
    }


def _brief(brief: Brief, words: Words) -> str:
    cause = words.named("cause", Cause(brief.cause) if brief.cause in set(Cause) else brief.cause)
    failed = words.counted("impact.failed", brief.failed)
    symbol = SYMBOLS[IncidentState(brief.state)]
    return f"{symbol} {cut(visible(brief.domain), 60)} · {cause} · {failed} · {words.time(brief.since)}"


def mrkdwn(text: str, limit: int) -> str:
    """`text` as mrkdwn that shows exactly it, at most `limit` characters long, cut between words."""
    pieces: list[str] = []
    room = limit
    for word in visible(text[: limit + 1]).split(" "):  # no character is shown by less than one
        piece = _literal(word)
        if len(piece) + 2 > room:
            pieces.append("…" if pieces else _shortened(word, limit))
            break
        pieces.append(piece)
        room -= len(piece) + 1
    return " ".join(pieces)


def code(name: str, limit: int = 120) -> str:
    """A name from a log as a code span, in which Slack formats nothing. Backticks become look-alikes."""
    shown = cut(visible(name).replace("`", "\u02cb"), limit) or "-"
    return f"`{escaped(shown)}`"


def escaped(text: str) -> str:
    """The three characters Slack gives a meaning to (docs.slack.dev/messaging/formatting-message-text)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _literal(word: str) -> str:
    if _MARKUP.search(word) is None:
        return escaped(word)
    before, core, after = _WORD.fullmatch(word).groups()  # type: ignore[union-attr]  # it matches anything
    return f"{escaped(before)}{code(core, len(core))}{escaped(after)}" if core else code(word, len(word))


def _shortened(word: str, limit: int) -> str:
    """One word too long for its line, cut where its escaped form still fits."""
    keep = len(word)
    while keep and len(_literal(word[:keep])) + 1 > limit:
        keep = keep * 3 // 4
    return _literal(word[:keep]) + "…"


def _fitting(told: Story, words: Words, tail: Sequence[Message]) -> list[Message]:
    """The blocks with the longest lines that fit: a hostile or huge incident gets shorter lines."""
    for line_length in _LINE_LENGTHS:
        blocks = [*_blocks(told, words, line_length), *tail]
        if len(json.dumps(blocks, ensure_ascii=False)) <= BLOCKS_JSON_MAX - (STATUS_ROOM if tail else 0):
            break
    return blocks


def _blocks(told: Story, words: Words, line_length: int) -> list[Message]:
    def line(text: str) -> str:
        return mrkdwn(text, line_length)

    colon = words("colon")
    changed = f"*{mrkdwn(told.changed, 80)}* · {clock(told.at)} UTC · {line(told.reason)}"
    facts = [f"• {line(fact)}" for fact in told.facts.shown]
    rivals = [f"• *{mrkdwn(one.name, 80)}*{colon}{line(one.reason)}" for one in told.rivals.shown]
    advice = [f"{n}. {line(text)}" for n, text in enumerate(told.advice.shown, 1)]
    sections = [
        [changed],
        _overview(told, words),
        _labelled("label.facts", facts, told.facts.more, words),
        _labelled("label.rivals", rivals, told.rivals.more, words),
        _labelled("label.advice", advice, told.advice.more, words),
        _labelled("label.timeline", _moments(told, words, line_length), 0, words),
        _links(told),
    ]
    blocks = [_header(f"{SYMBOLS[told.state]} {told.headline}")]
    blocks += [section(_lines(lines, TEXT_OBJECT_MAX, words)) for lines in sections if lines]
    closing = [*(mrkdwn(text, 200) for text in told.noise), mrkdwn(told.footer, 200)]
    return [*blocks, {"type": "divider"}, _context("\n".join(closing))]


def _overview(told: Story, words: Words) -> list[str]:
    """Since when and at what loss: the lines that decide whether to get up."""
    start = f"{clock(told.since)} UTC ({_local(told.since, words)})"
    since = words(
        "since.over" if told.over else "since.open",
        start=start,
        end=f"{clock(told.until)} UTC",
        duration=told.duration,
    )
    rows = [
        ("label.since", since),
        ("label.impact", mrkdwn(told.impact, 300)),
        ("label.routes", _counts(told.routes, words)),
        ("label.clients", _counts(told.clients, words)),
        ("label.note", mrkdwn(told.note or "", 300)),
    ]
    return [f"*{words(label)}* {value}" for label, value in rows if value]


def _moments(told: Story, words: Words, line_length: int) -> list[str]:
    lines: list[str] = []
    for moment in told.timeline:
        if moment.skipped:
            lines.append(words("more", n=moment.skipped))
        lines.append(f"`{clock(moment.at)}` {mrkdwn(moment.text, line_length)}")
    return lines


def _counts(counts: Counts, words: Words) -> str:
    shown = tuple(f"{code(name, 60)} {words.number(n)}" for name, n in counts.shown)
    return joined(Some(shown, counts.more), words)


def _links(told: Story) -> list[str]:
    """All links in one line. Their templates come from the settings and hold nothing that ends a link."""
    shown = [f"<{escaped(one.url)}|{escaped(one.label)}>" for one in told.links]
    return [" · ".join(shown)] if shown else []


def _labelled(label: str, lines: list[str], more: int, words: Words) -> list[str]:
    rest = [words("more", n=more)] if more else []
    return [f"*{words(label)}*", *lines, *rest] if lines else []


def _fallback(told: Story, words: Words) -> str:
    """The message for notifications and screen readers, which read `text` and not the blocks."""
    start, end = words.time(told.since), words.time(told.until)
    since = words("since.over" if told.over else "since.open", start=start, end=end, duration=told.duration)
    facts = [f"{n}. {text}" for n, text in enumerate(told.facts.shown, 1)]
    advice = [f"{n}. {text}" for n, text in enumerate(told.advice.shown, 1)]
    colon = words("colon")
    rivals = [f"{one.name}{colon}{one.reason}" for one in told.rivals.shown]
    lines = [
        f"{SYMBOLS[told.state]} {told.headline}",
        f"{told.changed} · {words.time(told.at)} · {told.reason}",
        f"{words('label.since')}{colon}{since}",
        f"{words('label.impact')}{colon}{told.impact}",
        *_named("label.routes", told.routes, words),
        *_named("label.clients", told.clients, words),
        *([f"{words('label.facts')}{colon}".rstrip(), *facts] if facts else []),
        *rivals,
        *([f"{words('label.advice')}{colon}".rstrip(), *advice] if advice else []),
        *told.noise,
        *(f"{one.label}{colon}{one.url}" for one in told.links),
        told.footer,
    ]
    return _lines((mrkdwn(line, 300) for line in lines), FALLBACK_MAX, words)


def _named(label: str, counts: Counts, words: Words) -> list[str]:
    shown = tuple(f"{name} {words.number(n)}" for name, n in counts.shown)
    return [f"{words(label)}{words('colon')}{joined(Some(shown, counts.more), words)}"] if counts else []


def _lines(lines: Iterable[str], limit: int, words: Words) -> str:
    """As many whole lines as fit into `limit` characters; of the rest, how many there are."""
    whole = list(lines)
    kept, used = 0, 0
    spare = len(words("more", n=len(whole))) + 1
    for index, text in enumerate(whole):
        last = index == len(whole) - 1
        if used + len(text) + 1 + (0 if last else spare) > limit:
            break
        kept, used = kept + 1, used + len(text) + 1
    rest = [words("more", n=len(whole) - kept)] if kept < len(whole) else []
    return "\n".join([*whole[:kept], *rest])


def _local(at: float, words: Words) -> str:
    """The reader's own time: Slack fills it in, and shows the date where it cannot."""
    day = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
    local = words("time.local", local="{date_short_pretty} {time_secs}")
    return f"<!date^{int(at)}^{local}|{day}>"


def _metadata(change: Change, message: str) -> Message:
    """By this a message is found again when its outcome is unknown (law 7)."""
    payload = {
        "incident": change.incident.id,
        "seq": change.seq,
        "kind": change.kind.value,
        "message": message,
    }
    return {"event_type": EVENT_TYPE, "event_payload": payload}


def _header(text: str) -> Message:
    shown = visible(text)
    keep = len(shown)
    while len(escaped(cut(shown, keep))) > HEADER_MAX:
        keep -= 1
    return {
        "type": "header",
        "text": {"type": "plain_text", "text": escaped(cut(shown, keep)), "emoji": False},
    }


def section(text: str) -> Message:
    """A block of mrkdwn."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _context(text: str) -> Message:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text, "verbatim": True}]}
