"""Intake: raw records in, frames and dead letters out. Nothing is lost silently.

Laws: `receive` never raises, whatever the bytes. Every record ends as kept, dropped for a reason, dead
letter, marker, or held, and a held one ends as one of the others. What comes out depends on neither the
order of records nor their repetition nor the moments of flushing, as long as the halves of a split line
meet within `rejoin_seconds`. A bad time moves no source.
"""

import re
from functools import lru_cache

from pipeline.intake.classify import NOISE, Teller, route_of
from pipeline.intake.dating import Dating, high_ns
from pipeline.intake.entry import NOWHERE, Entry, Lifecycle, LogLine, Marker, Reading
from pipeline.intake.envelope import decode
from pipeline.intake.identity import Place, Places
from pipeline.intake.instants import NS, from_written
from pipeline.intake.logrus import Parsed, completed, parse, parse_fields, parse_text
from pipeline.intake.record import Batch, Counts, IntakeConfig, RawRecord, RefusedError, Run, Source
from pipeline.intake.rejoin import Half, Key, Rejoiner, is_middle, is_open, is_tail
from pipeline.intake.relevance import cannot_matter, glance_at_time, passing
from pipeline.intake.rollup import Event, Raw, Rollups, Slot, event_id, good_id
from pipeline.intake.signatures import Signatures
from pipeline.intake.unwrap import unwrap
from pipeline.letters import dead_letter
from pipeline.redact import Redactor, redactor
from schemas import DeadLetter, DeadLetterReason, Origin, Sample, SymptomKind

KEPT, HELD, MARKED = "", "held", "marker"
"""Outcomes of an entry; any other is the reason it was dropped."""

CLIENT_CHARACTERS_MAX = 80
REQUEST_CHARACTERS_MAX = 128
REQUEST_READ_MAX = 1_024
"""Secrets are looked for before a text is cut: half of one is no longer recognised."""
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
OVERDUE_WAITS = 3
"""A half whose stream has fallen silent waits until its partition is so many waits past it."""


class Intake:
    """Holds what was found since the last flush, the halves of lines that wait, and how far it has read."""

    def __init__(self, config: IntakeConfig) -> None:
        self._config = config
        self._hide = redactor(config.redact_emails)
        # There are few names and many lines.
        self._name = lru_cache(maxsize=4096)(lambda name: name and self._hide(name))
        self._client = lru_cache(maxsize=4096)(lambda agent: _client(agent, self._hide))
        self._places = Places(config.domains, config.default_domain, self._hide)
        self._signatures = Signatures(config.signatures)
        self._rollups = Rollups(config.observations_per_rollup, self._hide)
        self._rejoiner = Rejoiner(config.rejoin_seconds)
        self._dating = Dating(config)
        self._counts = Counts()
        self._dead: list[DeadLetter] = []
        self._sources: dict[tuple[str, int], Source] = {}

    def receive(self, record: RawRecord) -> None:
        """Take in one record. Never raises for any input bytes."""
        self._counts.received += 1
        value = record.value
        source = self._source(record.topic, record.partition)
        if not value:
            self._drop("empty")
        elif len(value) > self._config.record_bytes_max:
            detail = f"{len(value)} bytes, the bound is {self._config.record_bytes_max}"
            self._refuse(record, RefusedError(DeadLetterReason.OVERSIZE, detail))
        elif self._cannot_matter(value):
            self._drop("irrelevant")
            self._dating.notice(from_written(glance_at_time(value)), record, source)
        else:
            try:
                self._read(record, value, source)
            except RefusedError as error:
                self._refuse(record, error)

    def receive_run(self, run: Run) -> None:
        """Take in a run of one partition: the same as `receive` for each of its records in order."""
        start, end = 0, len(run)
        if not self._rejoiner.expects_rest and not self._signatures.any:
            known = run.passing
            chosen = passing(run.values, self._config.record_bytes_max) if known is None else known
            for gap, number in enumerate(chosen):
                self._let_go(run, start, number, gap)
                self.receive(run.record(number))
                start = number + 1
                if self._rejoiner.expects_rest:
                    break
            else:
                self._let_go(run, start, end, len(chosen))
                start = end
        for number in range(start, end):
            self.receive(run.record(number))

    def _let_go(self, run: Run, start: int, stop: int, gap: int) -> None:
        """Count records that cannot matter, and see how far they came; `gap`: their place in `reached`."""
        if stop == start:
            return
        self._counts.received += stop - start
        self._drop("irrelevant", stop - start)
        source = self._source(run.topic, run.partition)
        if run.reached is None:
            self._dating.notice_run(run, start, stop, source)
        elif (high := run.reached[gap]) is not None:
            source.high = high if source.high is None else max(high, source.high)

    def _source(self, topic: str, partition: int) -> Source:
        source = self._sources.get((topic, partition))
        if source is None:
            source = self._sources[topic, partition] = Source()
        return source

    def _cannot_matter(self, value: bytes) -> bool:
        return (
            cannot_matter(value) and not self._rejoiner.expects_rest and not self._signatures.may_want(value)
        )

    def flush(self, release_heads: bool = False) -> Batch:
        """Give what was found since the last flush; `release_heads` ends the waiting of half lines."""
        rejoiner = self._rejoiner
        self._finish(rejoiner.release() if release_heads else rejoiner.overdue(self._is_overdue))
        frames, symptoms, samples = self._rollups.take()
        counts = self._counts
        counts.symptoms, counts.samples = symptoms, samples
        counts.held = sum(bool(name) for half in rejoiner.waiting() for name in half.decoders)
        batch = Batch(frames, tuple(self._dead), counts)
        self._counts, self._dead = Counts(), []
        return batch

    def held_offsets(self) -> dict[tuple[str, int], int]:
        """(topic, partition) → lowest offset of a record that waits for its other half: commit no further."""
        lowest: dict[tuple[str, int], int] = {}
        for half in self._rejoiner.waiting():
            for record in half.records:
                place = (record.topic, record.partition)
                lowest[place] = min(lowest.get(place, record.offset), record.offset)
        return lowest

    def sources(self) -> dict[tuple[str, int], Source]:
        """How far each raw partition has been read in event time."""
        return {place: Source(source.high, source.declared) for place, source in self._sources.items()}

    def _read(self, record: RawRecord, value: bytes, source: Source) -> None:
        """Decode one record and account for it once, however many entries it holds."""
        decoder, entries = decode(value)
        if len(entries) == 1:
            outcome = self._entry(record, entries[0], source, decoder)
        else:
            outcomes = [self._entry(record, entry, source, "") for entry in entries]
            kept = KEPT in outcomes or HELD in outcomes
            outcome = KEPT if kept else next(iter(outcomes), "nothing_inside")
        if outcome == KEPT:
            self._counts.records[decoder] = self._counts.records.get(decoder, 0) + 1
        elif outcome == MARKED:
            self._counts.markers += 1
        elif outcome != HELD:
            self._drop(outcome)

    def _entry(self, record: RawRecord, entry: Entry, source: Source, decoder: str) -> str:
        if isinstance(entry, LogLine):
            return self._line(record, entry, source, decoder)
        if isinstance(entry, Reading):
            return self._reading(record, entry, source)
        if isinstance(entry, Lifecycle):
            return self._lifecycle(record, entry, source)
        if isinstance(entry, Marker):
            self._dating.believe(entry.event_ns, record, source)
            source.declared = True
            return MARKED
        return entry.reason

    def _line(self, record: RawRecord, line: LogLine, source: Source, decoder: str) -> str:
        if line.fields is not None:
            return self._tell(record, line, parse_fields(line.fields), source)
        if line.text.startswith('time="') and line.ended and not len(self._rejoiner):
            good = completed(line.text)
            if good is not None and (good.duration_seconds or 0.0) < self._config.slow_request_seconds:
                return self._count_good(record, line, good, source)
        line = unwrap(line, self._dating.of_kafka(record))
        if not line.ended or len(self._rejoiner) or is_open(line.text) or is_tail(line.text):
            return self._split(record, line, source, decoder)
        return self._tell(record, line, parse(line.text), source)

    def _split(self, record: RawRecord, line: LogLine, source: Source, decoder: str) -> str:
        """A line that is a half, or one that comes while halves wait. Held: accounted for when finished."""
        key, rejoiner = _stream(line, record), self._rejoiner
        written = self._dating.of_piece(line.written, record)
        piece = Half(line, line.text, written, [record], [decoder], line.ended, high_ns(source))
        is_part = not piece.is_whole or rejoiner.awaits(key)
        if is_part and rejoiner.is_repeat(key, piece):
            self._dating.notice(written, record, source)
            return "repeated"
        half: Half | None = piece
        if rejoiner.takes(key, piece):
            self._finish(rejoiner.cut_short(key, line.text))
            half = rejoiner.glue(key, piece)
        if half is None:
            self._dating.notice(written, record, source)
            return HELD
        if not half.is_whole and half.ended:
            self._dating.notice(written, record, source)
            self._finish(rejoiner.add(key, half))
            return HELD
        self._finish(rejoiner.pass_time(key, (record.topic, record.partition), written))
        if len(half.records) > 1 or not half.ended:
            self._finish([half])
            return HELD
        return self._tell(record, line, parse(line.text), source)

    def _tell(
        self, record: RawRecord, line: LogLine, parsed: Parsed, source: Source, partial: bool = False
    ) -> str:
        """Classify one whole line and count what it tells."""
        finding = self._signatures.classify(parsed, self._config.slow_request_seconds)
        if isinstance(finding, str):
            self._dating.notice(self._dating.of_line(parsed.time, line.written, record), record, source)
            return finding
        if finding.kind is SymptomKind.REQUEST_OK:
            return self._count_good(record, line, parsed, source)
        ns = self._dating.believe(self._dating.of_line(parsed.time, line.written, record), record, source)
        place = self._places.find(line.labels, record.topic, line.extra)
        instance = self._name(_instance(place, parsed, finding.teller))
        upstream, question = self._name(finding.upstream), self._name(finding.question)
        slot = Slot(place.domain, finding.kind, instance, place.host, ns // NS, upstream, question)
        request = self._request(parsed.request)
        text = " ".join(finding.text.split())
        event = Event(
            event_id(instance or place.host, finding.kind, ns, request, text),
            ns / NS,
            parsed.duration_seconds,
            request,
            self._client(parsed.agent),
            route_of(parsed.uri),
            parsed.status,
            finding.signature,
        )
        self._rollups.add(slot, event, _raw(record), line.text or text, partial)
        for number in range(1, finding.weight):
            copy = event_id(event.id, finding.kind, number, None, "")
            self._rollups.add(slot, event._replace(id=copy), _raw(record), None, partial)
        return KEPT

    def _count_good(self, record: RawRecord, line: LogLine, parsed: Parsed, source: Source) -> str:
        """Count a request that went well and fast."""
        ns = self._dating.believe(self._dating.of_line(parsed.time, line.written, record), record, source)
        place = self._places.find(line.labels, record.topic, line.extra)
        instance = self._name(_instance(place, parsed, Teller.SERVICE))
        if instance != place.instance:
            place = place._replace(instance=instance)
        self._rollups.add_good(place, ns // NS, good_id(instance, ns, parsed.request))
        return KEPT

    def _reading(self, record: RawRecord, reading: Reading, source: Source) -> str:
        ns = self._dating.believe(self._dating.of_reading(reading.written, record), record, source)
        place = self._places.find(reading.labels, record.topic, reading.extra)
        sample = Sample(
            kind=reading.kind,
            instance=place.instance,
            host=place.host,
            time=ns / NS,
            values=reading.values,
            source=self._name(reading.source),
            upstream=self._name(reading.upstream),
            origin=Origin(topic=record.topic, partition=record.partition, offset=record.offset),
        )
        self._rollups.add_sample(self._name(reading.domain) or place.domain, sample)
        return KEPT

    def _lifecycle(self, record: RawRecord, entry: Lifecycle, source: Source) -> str:
        ns = self._dating.believe(self._dating.of_reading(entry.written, record), record, source)
        place = self._places.find(entry.labels, record.topic)
        kind = SymptomKind.PROCESS_STARTED if entry.started else SymptomKind.PROCESS_EXITED
        slot = Slot(
            self._name(entry.domain) or place.domain, kind, place.instance, place.host, ns // NS, None, None
        )
        identity = event_id(place.instance or place.host, kind, ns, None, str(entry.status))
        self._rollups.add(slot, Event(identity, ns / NS, status=entry.status), _raw(record), None)
        return KEPT

    def _finish(self, halves: list[Half]) -> None:
        """Tell what joined, glued or lonely pieces tell, and account for their records."""
        for half in halves:
            whole = half.is_whole
            first = half.records[0]
            source = self._sources[first.topic, first.partition]
            parsed = parse_text(f' err.detail="{half.text}') if half.is_tail else parse(half.text)
            try:
                line = half.line._replace(text=half.text)
                alone = len(half.records) == 1 and is_middle(half.text)
                outcome = NOISE if alone else self._tell(first, line, parsed, source, not whole)
            except RefusedError as error:
                for record, decoder in zip(half.records, half.decoders, strict=True):
                    if decoder:
                        self._refuse(record, error)
                continue
            for decoder in filter(None, half.decoders):
                if outcome == KEPT:
                    self._counts.records[decoder] = self._counts.records.get(decoder, 0) + 1
                else:
                    self._drop(outcome)
            self._counts.partial += outcome == KEPT and not whole
            self._counts.rejoined += outcome == KEPT and len(half.records) > 1

    def _request(self, request: str | None) -> str | None:
        """A request id; a UUID, which nearly all are, holds no secret and need not be searched for one."""
        if request is None or _UUID.fullmatch(request):
            return request
        return self._hide(request[:REQUEST_READ_MAX])[:REQUEST_CHARACTERS_MAX] or None

    def _is_overdue(self, half: Half) -> bool:
        """Whether its partition has moved far past it: beyond any disorder in which its rest could come."""
        first = half.records[0]
        source = self._sources[first.topic, first.partition]
        waited_ns = high_ns(source) - max(half.came_ns, half.written_ns or 0)
        return half.written_ns is not None and waited_ns / NS > OVERDUE_WAITS * self._config.rejoin_seconds

    def _drop(self, reason: str, records: int = 1) -> None:
        self._counts.dropped[reason] = self._counts.dropped.get(reason, 0) + records

    def _refuse(self, record: RawRecord, error: RefusedError) -> None:
        reason = error.reason.value
        self._counts.dead_letters[reason] = self._counts.dead_letters.get(reason, 0) + 1
        bytes_max = self._config.dead_letter_bytes_max
        self._dead.append(dead_letter(record, error.reason, error.detail, bytes_max, self._hide))


def _raw(record: RawRecord) -> Raw:
    return (record.topic, record.partition, record.offset)


def _stream(line: LogLine, record: RawRecord) -> Key:
    """Where the other half of a line is to be looked for: its container, or its topic if that is unknown."""
    return (line.labels, line.stream, record.topic if line.labels == NOWHERE else None)


def _instance(place: Place, parsed: Parsed, teller: Teller) -> str | None:
    if teller is Teller.SERVER:
        return None
    if teller is Teller.RESOLVER:
        return place.instance
    return place.instance or (parsed.instance or "")[:253] or place.host


def _client(agent: str | None, hide: Redactor) -> str | None:
    """A user agent as it may be shown: no control characters, no secrets, cut."""
    if not agent:
        return None
    printable = "".join(character if character.isprintable() else " " for character in agent[:1024])
    return hide(printable)[:CLIENT_CHARACTERS_MAX].strip() or None
