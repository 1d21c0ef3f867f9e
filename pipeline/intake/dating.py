"""When did it happen, and can that be believed? A time that cannot moves no source."""

from collections.abc import Sequence

from pipeline.intake.instants import NS, from_rfc3339, from_written
from pipeline.intake.record import IntakeConfig, RawRecord, RefusedError, Run, Source
from pipeline.intake.relevance import glance_at_time
from schemas import DeadLetterReason

LATEST_EVENT_TIME = 4_102_444_800.0
"""2100-01-01: a time beyond it is absurd whatever the record's Kafka timestamp says."""


class Dating:
    """Finds the time of what a record tells, in nanoseconds since 1970."""

    def __init__(self, config: IntakeConfig) -> None:
        self._oldest = config.oldest_event_time
        self._ahead_max = config.future_seconds_max

    def of_kafka(self, record: RawRecord) -> int | None:
        """The record's Kafka timestamp, None if it bears none: brokers and bridges write -1 or 0 then."""
        stamp = record.timestamp_ms
        return None if stamp is None or stamp / 1000 < self._oldest else stamp * 1_000_000

    def of_line(self, own: str | None, written: object, record: RawRecord) -> int | None:
        """The line's own time, else the envelope's, else Kafka's."""
        ns = from_rfc3339(own) if own else None
        if ns is None:
            ns = from_written(written)
        return self.of_kafka(record) if ns is None else ns

    def of_piece(self, written: object, record: RawRecord) -> int | None:
        """When a piece of a line was written, if that is believed; to pair halves, not to date events."""
        for ns in (from_written(written), self.of_kafka(record)):
            if ns is not None and self._excess(ns, record) is None:
                return ns
        return None

    def of_reading(self, written: object, record: RawRecord) -> int | None:
        """The time of a reading; one that is there and cannot be read is not replaced by Kafka's.

        Raises:
            RefusedError: it cannot be read.
        """
        if written is None:
            return self.of_kafka(record)
        ns = from_written(written)
        if ns is None:
            detail = f"its time {str(written)[:60]!r} cannot be read"
            raise RefusedError(DeadLetterReason.TIME_OUT_OF_RANGE, detail)
        return ns

    def believe(self, ns: int | None, record: RawRecord, source: Source) -> int:
        """`ns`, which is believed: its source has come this far.

        Raises:
            RefusedError: there is none, or it is absurd.
        """
        if ns is None:
            raise RefusedError(DeadLetterReason.TIME_OUT_OF_RANGE, "neither it nor its envelope bears a time")
        excess = self._excess(ns, record)
        if excess is not None:
            raise RefusedError(DeadLetterReason.TIME_OUT_OF_RANGE, excess)
        self._move(ns, record, source)
        return ns

    def notice(self, ns: int | None, record: RawRecord, source: Source) -> None:
        """The same for what tells nothing else: a time that is not believed changes nothing."""
        if ns is None or (source.high is not None and ns / NS <= source.high):
            return
        if self._excess(ns, record) is None:
            self._move(ns, record, source)

    def notice_run(self, run: Run, start: int, stop: int, source: Source) -> None:
        """The same as `notice` for records `start` to `stop` of a run, each with its envelope's time.

        Only the furthest counts, and it is likely the last one: from there backwards most need not be
        looked at. A source never moves past a record's Kafka timestamp, so one whose timestamp it has
        passed cannot move it; nor can one written before another that was believed, in time and in Kafka.
        """
        far_text, far_form, far_stamp = "", 0, 0.0
        for number in range(stop - 1, start - 1, -1):
            stamp = run.stamps_ms[number]
            in_kafka = None if stamp is None or stamp / 1000 < self._oldest else stamp / 1000
            if in_kafka is not None and source.high is not None and in_kafka <= source.high:
                continue
            text = glance_at_time(run.values[number] or b"")
            if text is None:
                continue
            if (
                text <= far_text
                and in_kafka is not None
                and in_kafka <= far_stamp
                and _form(text) == far_form
            ):
                continue
            ns, record = from_written(text), run.record(number)
            self.notice(ns, record, source)
            form = _form(text)
            if form and in_kafka is not None and ns is not None and self._excess(ns, record) is None:
                far_text, far_form, far_stamp = text, form, in_kafka

    def reached(self, run: Run, passing: Sequence[int]) -> list[float | None]:
        """How far the records before each of `passing`, and in the end all, have come, those in it left out.

        Where they come has nothing to do with what was read before the run, so anybody may ask.
        """
        found: list[float | None] = []
        start, alone = 0, Source()
        for stop in (*passing, len(run)):
            self.notice_run(run, start, stop, alone)
            found.append(alone.high)
            start = stop + 1
        return found

    def _excess(self, ns: int, record: RawRecord) -> str | None:
        """What is absurd about an event time, None if nothing is."""
        seconds = ns / NS
        if not self._oldest <= seconds <= LATEST_EVENT_TIME:
            return f"event time {seconds:.0f} is outside what can be"
        written = self.of_kafka(record)
        ahead = 0.0 if written is None else (ns - written) / NS
        if ahead > self._ahead_max:
            return f"event time {seconds:.0f} is {ahead:.0f} s ahead of the record's Kafka timestamp"
        return None

    def _move(self, ns: int, record: RawRecord, source: Source) -> None:
        """The source has come as far as `ns`, but not past the moment its record was written to Kafka.

        One line from a clock that runs ahead would make everything after it late.
        """
        written = self.of_kafka(record)
        seconds = (ns if written is None else min(ns, written)) / NS
        if source.high is None or seconds > source.high:
            source.high = seconds


def _form(text: str) -> int:
    """What times that compare as texts do have in common, 0 for others.

    Those are RFC 3339 in UTC of one length, and numbers with as many digits before the point, so of one unit;
    of 15 digits at most, for a float holds no more.
    """
    if text[-1] == "Z" and text[4:5] == "-":
        return -len(text)
    whole, _, rest = text.partition(".")
    is_number = whole.isdecimal() and whole[0] != "0" and (not rest or rest.isdecimal())
    return len(whole) if is_number and len(whole) <= 15 else 0


def high_ns(source: Source) -> int:
    """How far `source` has come, 0 if no record of it bore a time."""
    return 0 if source.high is None else round(source.high * NS)
