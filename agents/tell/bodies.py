"""What is posted where: a change as it is, a message for Slack's incoming webhook, Alertmanager's alerts."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

import orjson

from agents.tell.post import Post, Render
from pipeline.render.links import filled
from pipeline.render.slack import Look, root_message
from pipeline.render.words import Words
from pipeline.severity import severity
from pipeline.telling import Memory
from schemas import Change, ChangeKind, IncidentState, encode

FIRES_FOR_SECONDS = 24 * 3600.0
"""An alert whose end nobody ever tells is over after this long."""

WORTH_A_MESSAGE = frozenset(
    {
        ChangeKind.OPENED,
        ChangeKind.DIAGNOSED,
        ChangeKind.ESCALATED,
        ChangeKind.REOPENED,
        ChangeKind.RESOLVED,
    }
)
"""What a channel without threads is told: each is a message of its own."""


def changes() -> Render:
    """The generic webhook: every change as it stands on undercurrent.changes (docs/schemas/change.json)."""
    return lambda change, known: ([Post(change.id, orjson.loads(encode(change)))], known)


def messages(words: Words, look: Look) -> Render:
    """Slack's incoming webhook: a message for each change that is worth one, and nothing else."""
    return partial(_messages, words, look)


def alerts(words: Words, links: Mapping[str, str]) -> Render:
    """Alertmanager's POST /api/v2/alerts: one alert an incident, ended when it is resolved."""
    return partial(_alerts, words, links)


def _messages(words: Words, look: Look, change: Change, known: Memory) -> tuple[Sequence[Post], Memory]:
    if known and change.kind not in WORTH_A_MESSAGE:
        return [], known
    message = root_message(change, words, look)
    body = {"text": message["text"], "blocks": message["blocks"], "unfurl_links": False}
    return [Post(change.id, body)], {"told": change.seq}


def _alerts(
    words: Words, links: Mapping[str, str], change: Change, known: Memory
) -> tuple[Sequence[Post], Memory]:
    """The alert, and the end of the one with other labels where cause or severity have changed since."""
    incident = change.incident
    labels = {
        "alertname": "UndercurrentIncident",
        "incident": incident.id,
        "domain": incident.domain,
        "cause": str(incident.cause),
        "severity": severity(incident).word,
    }
    now = time.time()  # noqa: TID251  Alertmanager forgets by the wall clock
    message = root_message(change, words)
    alert = {
        "labels": labels,
        "annotations": {
            "summary": message["text"].splitlines()[0],
            "description": message["text"],
            "instances": ", ".join(incident.instances),
            **{name: filled(template, incident, change.at) for name, template in links.items()},
        },
        "startsAt": _time(incident.first_symptom_at),
        "endsAt": _time(now if incident.state is IncidentState.RESOLVED else now + FIRES_FOR_SECONDS),
        **({"generatorURL": filled(links["page"], incident, change.at)} if "page" in links else {}),
    }
    before = known.get("labels")
    ended = (
        [{"labels": before, "startsAt": alert["startsAt"], "endsAt": _time(now)}]
        if before not in (None, labels)
        else []
    )
    return [Post(change.id, [*ended, alert])], {"labels": labels}


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
