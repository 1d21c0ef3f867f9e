"""Raw records say again what the live system told of them: the same incidents, with the same content.

Other than signals (verify.py), raw records are framed anew and merged by the time they bear. So what a reader
said between two steps may fall into other steps, and a record that came too late for live may be in time
here; an incident that has ended must be the same all the same, by id and to the last field.
"""

from collections.abc import Iterable

import orjson

from agents.history.kafka import KafkaReader, kafka_history, partition_counts
from agents.history.play import Player
from agents.history.span import Span
from agents.history.verify import Comparison, everything, first_difference
from agents.settings import Settings
from schemas import Change, Incident, IncidentState, decode


def verify_raw(settings: Settings, span: Span) -> Comparison:
    """Compare the incidents that began and ended in `span` (unix seconds of event time) with a replay.

    So much is read before and behind the span as the core remembers.

    Raises:
        HistoryError: the topics cannot be read.
    """
    margin_seconds = settings.rules.retention_seconds
    wider = Span(span.start - margin_seconds, span.end + margin_seconds)
    live, comparison = _live(settings, span)
    with kafka_history(settings, wider, settings.topics.raw) as history:
        player = Player(history, settings.intake_config(), settings.rules, jobs=0)
        for _ in player.steps():
            pass
        comparison.notes = history.notes
    replayed, _ = _ended(player.outcome().changes, span)
    for identity in sorted(live.keys() | replayed.keys()):
        comparison.judged += 1
        if identity not in replayed:
            comparison.differences.append(f"live told incident {identity}, a replay does not")
        elif identity not in live:
            comparison.differences.append(f"a replay tells incident {identity}, live did not")
        elif live[identity] != replayed[identity]:
            ours, theirs = (orjson.dumps(one[identity].model_dump(mode="json")) for one in (live, replayed))
            comparison.differences.append(f"incident {identity}: {first_difference(ours, theirs)}")
    return comparison


def _live(settings: Settings, span: Span) -> tuple[dict[str, Incident], Comparison]:
    comparison = Comparison()
    changes = settings.topics.changes
    found = []
    reader = KafkaReader(settings)
    try:
        reader.connect()
        counts = partition_counts(settings, [changes])
        for record, _ in everything(reader, changes, counts[changes]):
            try:
                found.append(decode(Change, record.value or b""))
            except ValueError:
                comparison.unread += 1  # not ours, or of another version: notify has set it aside
    finally:
        reader.close()
    ended, comparison.before = _ended(found, span)
    return ended, comparison


def _ended(changes: Iterable[Change], span: Span) -> tuple[dict[str, Incident], int]:
    """The incidents that began in `span` as they stood at its end, and how many were not over by then."""
    last: dict[str, Change] = {}
    for change in changes:
        if span.start <= change.incident.first_symptom_at and change.at < span.end:
            known = last.setdefault(change.incident.id, change)
            last[change.incident.id] = max(known, change, key=lambda one: one.seq)
    incidents = {identity: change.incident for identity, change in last.items()}
    ended = {
        identity: incident
        for identity, incident in incidents.items()
        if incident.state is IncidentState.RESOLVED
    }
    return ended, len(incidents) - len(ended)
