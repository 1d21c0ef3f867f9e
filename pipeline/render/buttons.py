"""The buttons under an incident's message, and what a press of one means. Both sides in one place.

Slack sends `block_actions` (docs.slack.dev/reference/interaction-payloads/block_actions-payload). What a
press is about stands in the button itself, so any worker can take it. The payload is text from outside:
what is not exactly one of our presses means nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from pipeline.render.clean import cut, visible
from pipeline.render.slack import Message, code, escaped, mrkdwn, reply_block, section
from pipeline.render.words import Words, clock
from schemas import Cause, Decision, Feedback, FeedbackKind, Incident, cause_named
from schemas.feedback import NO_TROUBLE

PREFIX = "undercurrent_"
ACKNOWLEDGE, SNOOZE, WRONG, SUPPRESSED = (
    f"{PREFIX}{name}" for name in ("acknowledge", "snooze", "wrong_cause", "show_suppressed")
)
STATUS_BLOCK = f"{PREFIX}status"
SNOOZE_SECONDS = (1800, 3600, 4 * 3600, 24 * 3600)
DECISIONS_SHOWN = 10
VALUE_MAX = 150
"""Longest value of an option, in characters (docs.slack.dev/reference/block-kit/composition-objects)."""
BLOCK_ID_MAX = 255

_KINDS = {
    ACKNOWLEDGE: FeedbackKind.ACKNOWLEDGED,
    SNOOZE: FeedbackKind.SNOOZED,
    WRONG: FeedbackKind.WRONG_CAUSE,
    SUPPRESSED: FeedbackKind.ASKED_SUPPRESSED,
}


def buttons(incident: Incident, words: Words) -> list[Message]:
    """The block with all buttons, none if its id cannot say which incident they are about."""
    about = PREFIX + orjson.dumps({"i": incident.id, "d": incident.domain, "c": str(incident.cause)}).decode()
    if len(about) > BLOCK_ID_MAX:
        return []
    snoozes = [
        _option(words("button.snooze_for", duration=words.duration(seconds)), str(seconds))
        for seconds in SNOOZE_SECONDS
    ]
    causes = [cause for cause in Cause if cause not in (incident.cause, Cause.UNPROVEN)]
    wrongs = [_option(words.named("cause", cause), cause.value) for cause in causes]
    wrongs.append(_option(words("button.no_trouble"), NO_TROUBLE))
    elements = [
        _button(ACKNOWLEDGE, words("button.acknowledge"), primary=True),
        _select(SNOOZE, words("button.snooze"), snoozes),
        _select(WRONG, words("button.wrong_cause"), wrongs),
    ]
    if incident.suppressed:
        elements.append(_button(SUPPRESSED, words("button.suppressed", n=words.number(incident.suppressed))))
    return [{"type": "actions", "block_id": about, "elements": elements}]


def pressed(payload: Mapping[str, Any], now: float) -> Feedback | None:
    """What a person said with the press in `payload`, at unix second `now`; None if it is none of ours."""
    try:
        if payload["type"] != "block_actions":
            return None
        action = payload["actions"][0]
        kind = _KINDS[action["action_id"]]
        about = orjson.loads(action["block_id"].removeprefix(PREFIX))
        chosen = str((action.get("selected_option") or {}).get("value"))
        user = payload["user"]
        return Feedback(
            id=f"{about['i']}:{kind}:{user['id']}:{action['action_ts']}",
            incident=str(about["i"]),
            domain=str(about["d"]),
            kind=kind,
            by=str(user["id"]),
            name=str(user.get("username") or user.get("name") or "") or None,
            at=now,
            said=cause_named(str(about["c"])),
            right_cause=cause_named(chosen) if kind is FeedbackKind.WRONG_CAUSE else None,
            until=now + min(int(chosen), 7 * 86_400) if kind is FeedbackKind.SNOOZED else None,
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return None


def feedback_reply(
    feedback: Feedback, seq: int, part: int, words: Words, decisions: Sequence[Decision] | None = None
) -> Message:
    """The step of the thread that a press is. `decisions`: what was suppressed, None where unknown."""
    lines = [_sentence(feedback, words)]
    if feedback.kind is FeedbackKind.ASKED_SUPPRESSED:
        lines += _decisions(decisions, feedback, words)
    metadata = {"incident": feedback.incident, "seq": seq, "kind": feedback.kind.value, "message": "reply"}
    return reply_block(lines, {**metadata, "part": part}, words)


def with_status(
    message: Message, presses: Sequence[Feedback], words: Words, mentions: Sequence[str] = ()
) -> Message:
    """`message` with a line on whom it calls, who looks after it and who disagrees.

    `mentions` are mrkdwn, from the settings and not from any log.
    """
    others = [block for block in message["blocks"] if block.get("block_id") != STATUS_BLOCK]
    called = [words("call.first", who=" ".join(mentions))] if mentions else []
    lines = called + [
        _sentence(one, words) for one in presses if one.kind is not FeedbackKind.ASKED_SUPPRESSED
    ]
    if not lines:
        return {**message, "blocks": others}
    status = {**section("\n".join(lines)), "block_id": STATUS_BLOCK}
    return {**message, "blocks": [others[0], status, *others[1:]]}


def with_call(reply: Message, mentions: Sequence[str]) -> Message:
    """A reply that calls somebody besides."""
    who = " ".join(mentions)
    return {
        **reply,
        "text": f"{reply['text']}\n🔔 {who}",
        "blocks": [*reply["blocks"], section(f"🔔 {who}")],
    }


def escalation_reply(
    incident: str, seq: int, part: int, seconds: float, mentions: Sequence[str], words: Words
) -> Message:
    """The step that calls others, because nobody has answered for the incident for `seconds`."""
    line = words("call.again", duration=words.duration(seconds), who=" ".join(mentions))
    payload = {"incident": incident, "seq": seq, "kind": "unanswered", "message": "reply", "part": part}
    return reply_block([line], payload, words)


def _sentence(feedback: Feedback, words: Words) -> str:
    fields: dict[str, object] = {"who": f"<@{_plain(feedback.by)}>", "time": f"{clock(feedback.at)} UTC"}
    if feedback.until is not None:
        fields["until"] = f"{clock(feedback.until)} UTC"
    if feedback.kind is FeedbackKind.WRONG_CAUSE:
        none = str(feedback.right_cause) == NO_TROUBLE
        right = words("button.no_trouble") if none else words.named("cause", feedback.right_cause or "")
        fields |= {"right": mrkdwn(right, 80), "said": mrkdwn(words.named("cause", feedback.said or ""), 80)}
    return words(f"feedback.{feedback.kind}", **fields)


def _decisions(decisions: Sequence[Decision] | None, feedback: Feedback, words: Words) -> list[str]:
    if decisions is None:
        return [words("feedback.unread", incident=_plain(feedback.incident))]
    shown = [
        f"`{clock(one.symptom_at)}` {one.count}x {code(one.question or one.kind.value, 80)} · "
        f"{code(one.instance or one.host or '-', 60)} · {mrkdwn(words.sentence(one.reason), 160)}"
        for one in decisions[:DECISIONS_SHOWN]
    ]
    more = len(decisions) - len(shown)
    return [*shown, *([words("more", n=words.number(more))] if more > 0 else [])]


def _plain(identity: str) -> str:
    """An id of Slack's or ours: letters and digits, whatever was sent."""
    return "".join(character for character in identity if character.isalnum())[:64]


def _text(text: str, limit: int = 75) -> Message:
    return {"type": "plain_text", "text": escaped(cut(visible(text), limit)), "emoji": False}


def _option(text: str, value: str) -> Message:
    return {"text": _text(text), "value": value[:VALUE_MAX]}


def _button(action: str, text: str, *, primary: bool = False) -> Message:
    style = {"style": "primary"} if primary else {}
    return {"type": "button", "action_id": action, "text": _text(text), **style}


def _select(action: str, placeholder: str, options: list[Message]) -> Message:
    return {
        "type": "static_select",
        "action_id": action,
        "placeholder": _text(placeholder),
        "options": options,
    }
